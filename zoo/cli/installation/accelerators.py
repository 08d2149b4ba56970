"""The GPU, and the builds of torch and onnxruntime that use it."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from importlib.metadata import distributions, packages_distributions, requires, version
from typing import Any

from zoo.cli.installation import CPU_TORCH, GPU_TORCH, Check
from zoo.cli.installation.versions import constraints
from zoo.errors import ZooError
from zoo.plugins.plugin import describe
from zoo.system.onnxruntime import open_session

_OF_CUDA = re.compile(r"(nvidia|cuda|triton)\b")
"""Names of packages that only a build of torch for CUDA needs."""

_PAIR = {"CUDA": r"nvidia-cuda-runtime(-cu\d+)?", "cuDNN": r"nvidia-cudnn-cu\d+"}
"""Packages of the libraries that onnxruntime-gpu loads."""


def torch_checks() -> Iterator[Check]:
    """Yields a check of torch and one of the GPU."""
    try:
        import torch
    except Exception as error:  # an incompatible torch fails in many ways
        yield Check("torch", False, describe(error), f"{GPU_TORCH} --reinstall-package torch torch")
        return
    cuda, hip = torch.version.cuda, torch.version.hip
    build = f"CUDA {cuda}" if cuda else f"ROCm {hip}" if hip else "no CUDA"
    text = f"{torch.__version__}, {build}, {torch.get_num_threads()} threads"
    if torch.cuda.is_available():
        names = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
        yield Check("torch", True, text)
        yield Check("gpu", True, ", ".join(names))
        return
    answer = _nvidia_smi()
    if answer is None:
        if cuda or hip:
            text += "; without a GPU, torch's CPU build saves gigabytes"
            yield Check("torch", True, text, _to_cpu())
        else:
            yield Check("torch", True, text)
        yield Check("gpu", True, "none: training runs on the CPU")
        return
    yield Check("torch", True, text)
    if not answer.startswith("GPU "):
        yield Check("gpu", False, f"the driver does not work, nvidia-smi says: {answer}")
        return
    reason = "the driver is too old for it" if cuda else "this build of torch has no CUDA"
    yield Check(
        "gpu",
        False,
        f"torch cannot use {answer.partition(' (UUID')[0]}: {reason}",
        f"{GPU_TORCH} --reinstall-package torch torch",
    )


def onnxruntime_checks() -> Iterator[Check]:
    """Yields a check of onnxruntime, with the CUDA and cuDNN that it finds."""
    installed = sorted(set(packages_distributions().get("onnxruntime", [])))
    gpu = _has_gpu()
    extra = f'pip install "genzoo[{"gpu" if gpu else "cpu"}]"'
    replace = f"pip uninstall -y {' '.join(installed)} && {extra}"
    if not installed:
        yield Check("onnxruntime", True, "not installed: exported graphs need it", extra)
        return
    text = " and ".join(f"{name} {version(name)}" for name in installed)
    if len(installed) > 1:
        message = f"{text} are both installed, so only the CPU works"
        yield Check("onnxruntime", False, message, replace)
        return
    try:
        import onnxruntime
    except Exception as error:  # a library that is missing, or of another Python
        yield Check("onnxruntime", False, f"{text}: {describe(error)}", replace)
        return
    if installed != ["onnxruntime-gpu"]:
        if gpu and installed == ["onnxruntime"]:
            yield Check("onnxruntime", True, f"{text}, which does not use the GPU", replace)
        else:
            yield Check("onnxruntime", True, text)
        return
    text = f"{text}, built for CUDA {onnxruntime.cuda_version} and cuDNN 9; {_pair()}"
    if not gpu:
        yield Check("onnxruntime", True, f"{text}; without a GPU, the CPU's is enough", replace)
        return
    try:
        open_session(_identity(), "cuda")
    except ZooError:
        again = f"pip install --force-reinstall -c {shlex.quote(str(constraints()))}"
        fix = f'{again} "onnxruntime-gpu[cuda,cudnn]"'
        yield Check("onnxruntime", False, f"{text}: CUDA does not start", fix)
    else:
        yield Check("onnxruntime", True, f"{text}: CUDA starts")


def _nvidia_smi() -> str | None:
    """Returns the first line of the driver's list of GPUs, or of its error; None without it."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return None
    try:
        done = subprocess.run([program, "-L"], capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    return (done.stdout + done.stderr).strip().partition("\n")[0] or "nothing"


def _has_gpu() -> bool:
    try:
        import torch
    except Exception:  # reported by torch_checks
        return _nvidia_smi() is not None
    return torch.cuda.is_available()


def _to_cpu() -> str:
    """Returns the command that replaces torch, and what it brought, by its build for the CPU."""
    needed = [re.split(r"[^\w.-]", text)[0] for text in requires("torch") or []]
    brought = sorted({name for name in needed if _OF_CUDA.match(name)} & _names())
    return f"pip uninstall -y {' '.join(['torch', *brought])} && {CPU_TORCH} torch"


def _names() -> set[str]:
    return {str(found.metadata["Name"]).lower() for found in distributions()}


def _pair() -> str:
    """Returns the versions of CUDA and cuDNN in packages, as text."""
    found = []
    for library, pattern in _PAIR.items():
        names = sorted(name for name in _names() if re.fullmatch(pattern, name))
        versions = " and ".join(f"{version(name)} ({name})" for name in names)
        found.append(f"{library} {versions}" if names else f"no {library}")
    return f"in packages: {', '.join(found)}"


def _identity() -> bytes:
    """Returns a graph that copies its input."""
    from onnx import TensorProto, helper

    value: Any = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in "xy"]
    node = helper.make_node("Identity", ["x"], ["y"])
    graph = helper.make_graph([node], "identity", value[:1], value[1:])
    opset = [helper.make_opsetid("", 20)]
    return helper.make_model(graph, opset_imports=opset, ir_version=10).SerializeToString()
