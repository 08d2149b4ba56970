"""``zoo doctor``: each finding has the command that mends it."""

from __future__ import annotations

import json
import sys
from importlib import metadata
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from zoo.cli.installation import Check, accelerators, versions
from zoo.errors import ZooError


class Machine:
    """A machine of other hardware and other packages than this one."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._patch = monkeypatch
        self._versions: dict[str, str] = {}
        self._own = metadata.version
        self.builds(cuda=None)
        self.gpu(None)
        self.packages()

    def builds(self, cuda: str | None) -> None:
        """torch is built for this CUDA."""
        self._patch.setattr(torch.version, "cuda", cuda)

    def gpu(self, driver: str | None, usable: bool = False) -> None:
        """``nvidia-smi`` prints ``driver``, None without it; torch can use the GPU."""
        self._patch.setattr(accelerators, "_nvidia_smi", lambda: driver)
        self._patch.setattr(torch.cuda, "is_available", lambda: usable)
        self._patch.setattr(torch.cuda, "device_count", lambda: 1)
        self._patch.setattr(torch.cuda, "get_device_name", lambda number: "H200")

    def packages(self, *onnxruntimes: str, **others: str) -> None:
        """These distributions of onnxruntime and other packages are installed."""
        self._versions = dict.fromkeys(onnxruntimes, "1.31.1")
        self._versions |= {name.replace("_", "-"): text for name, text in others.items()}
        self._patch.setattr(
            accelerators, "packages_distributions", lambda: {"onnxruntime": [*onnxruntimes]}
        )
        self._patch.setattr(accelerators, "_names", lambda: {*self._versions})
        for module in (accelerators, versions):
            self._patch.setattr(module, "version", lambda n: self._versions.get(n) or self._own(n))
        module = SimpleNamespace(cuda_version="13.0")
        self._patch.setitem(sys.modules, "onnxruntime", module)


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    return Machine(monkeypatch)


def only(checks: list[Check], subject: str) -> Check:
    (check,) = [check for check in checks if check.subject == subject]
    return check


TO_CPU = "pip install uv && uv pip install --torch-backend=cpu"


def test_torch_for_the_cpu_is_fine_without_a_gpu(machine: Machine) -> None:
    assert {check.state for check in accelerators.torch_checks()} == {"ok"}


def test_torch_for_cuda_without_a_gpu_is_noted(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.builds(cuda="13.0")
    machine.packages(nvidia_cublas="13.0", triton="3.6", nvidia_ml_py="13")
    brought = ["sympy>=1.13", "nvidia-cublas==13.0; platform_system == 'Linux'", "triton==3.6"]
    monkeypatch.setattr(accelerators, "requires", lambda name: brought)
    check = only([*accelerators.torch_checks()], "torch")
    assert (check.ok, check.state) == (True, "note")
    assert "CUDA 13.0" in check.message
    assert check.fix == f"pip uninstall -y torch nvidia-cublas triton && {TO_CPU} torch"


@pytest.mark.parametrize(("cuda", "reason"), [(None, "no CUDA"), ("13.0", "driver is too old")])
def test_a_gpu_that_torch_cannot_use_is_a_problem(
    machine: Machine, cuda: str | None, reason: str
) -> None:
    machine.builds(cuda=cuda)
    machine.gpu("GPU 0: NVIDIA H200 (UUID: GPU-1)")
    check = only([*accelerators.torch_checks()], "gpu")
    assert check.state == "PROBLEM"
    assert "GPU 0: NVIDIA H200:" in check.message
    assert reason in check.message
    assert "--torch-backend=auto" in check.fix


def test_a_driver_that_does_not_work_is_a_problem(machine: Machine) -> None:
    machine.gpu("Failed to initialize NVML")
    check = only([*accelerators.torch_checks()], "gpu")
    assert not check.ok
    assert "Failed to initialize NVML" in check.message


@pytest.mark.parametrize(
    ("installed", "usable", "state", "fix"),
    [
        ([], False, "note", 'pip install "genzoo[cpu]"'),
        ([], True, "note", 'pip install "genzoo[gpu]"'),
        (["onnxruntime"], False, "ok", ""),
        (
            ["onnxruntime"],
            True,
            "note",
            'pip uninstall -y onnxruntime && pip install "genzoo[gpu]"',
        ),
        (
            ["onnxruntime-gpu"],
            False,
            "note",
            'pip uninstall -y onnxruntime-gpu && pip install "genzoo[cpu]"',
        ),
        (
            ["onnxruntime", "onnxruntime-gpu"],
            True,
            "PROBLEM",
            'pip uninstall -y onnxruntime onnxruntime-gpu && pip install "genzoo[gpu]"',
        ),
    ],
)
def test_onnxruntime_suits_the_machine(
    machine: Machine, installed: list[str], usable: bool, state: str, fix: str
) -> None:
    machine.gpu("GPU 0", usable)
    machine.packages(*installed)
    (check,) = accelerators.onnxruntime_checks()
    assert (check.state, check.fix) == (state, fix)


@pytest.mark.parametrize("starts", [True, False])
def test_the_pair_of_cuda_and_cudnn_is_shown_and_started(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, starts: bool
) -> None:
    machine.gpu("GPU 0", usable=True)
    machine.packages("onnxruntime-gpu", nvidia_cuda_runtime_cu12="12.8", nvidia_cudnn_cu12="9.1")
    opened: list[str] = []

    def open_session(model: bytes, provider: str) -> Any:
        opened.append(provider)
        if not starts:
            raise ZooError("no")

    monkeypatch.setattr(accelerators, "open_session", open_session)
    (check,) = accelerators.onnxruntime_checks()
    assert opened == ["cuda"]
    assert check.ok == starts
    assert "built for CUDA 13.0 and cuDNN 9" in check.message
    assert "CUDA 12.8 (nvidia-cuda-runtime-cu12), cuDNN 9.1 (nvidia-cudnn-cu12)" in check.message
    assert check.fix.endswith('"onnxruntime-gpu[cuda,cudnn]"') == (not starts)


@pytest.mark.parametrize(
    ("package", "installed", "state", "message"),
    [
        ("rich", "14.0.0", None, ""),
        ("rich", "99.1", "note", "newer than 15.0.0, the newest that was tested"),
        ("rich", "1.0", "PROBLEM", ">=14 is needed"),
        ("torch", "99.0+cpu", "note", "newer than"),
        ("huggingface-hub", "99.0", "note", "newer than"),
    ],
)
def test_versions_outside_the_tested_range(
    machine: Machine, package: str, installed: str, state: str | None, message: str
) -> None:
    machine.packages(**{package.replace("-", "_"): installed})
    found = {check.subject: check for check in versions.version_checks()}
    if state is None:
        assert package not in found
        return
    check = found[package]
    assert check.state == state
    assert message in check.message
    assert installed in check.message
    start = TO_CPU if installed.endswith("+cpu") else "pip install"
    assert check.fix.startswith(f"{start} -c ")
    assert check.fix.endswith(f"constraints.txt {package}")


def test_python_that_is_newer_than_tested_is_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(versions.sys, "version_info", (3, 99, 0))
    check = only([*versions.version_checks()], "python")
    assert check.state == "note"
    assert "newer than 3.13" in check.message
    monkeypatch.setattr(versions.sys, "version_info", (3, 10, 0))
    assert only([*versions.version_checks()], "python").state == "PROBLEM"


def test_a_package_that_is_missing_is_a_problem(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(name: str) -> str:
        if name == "pluggy":
            raise metadata.PackageNotFoundError(name)
        return metadata.version(name)

    monkeypatch.setattr(versions, "version", missing)
    assert "not installed" in only([*versions.version_checks()], "pluggy").message


def test_the_commands_are_printed_below_the_table(
    machine: Machine, commands, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.packages("onnxruntime", "onnxruntime-gpu")
    monkeypatch.setattr("zoo.cli.group.terminal_width", lambda: 60)
    result = commands("doctor")
    assert result.status == 1
    fix = 'onnxruntime: pip uninstall -y onnxruntime onnxruntime-gpu && pip install "genzoo[cpu]"'
    assert f"\n\n{fix}\n" in result.out
    document = json.loads(commands("doctor", "--json").out)
    (found,) = [check for check in document if check["subject"] == "onnxruntime"]
    assert f"onnxruntime: {found['fix']}" == fix
