"""Variables of launchers: torchrun's are honored or refused, all others change nothing."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
import tiny
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState, GradientState, PartialState

import zoo
from zoo.config.resolve import Setting
from zoo.errors import UsageError, ZooError
from zoo.run import train
from zoo.system import launcher
from zoo.system.launcher import Processes, join, launched
from zoo.system.progress import Progress
from zoo.training.accelerator import environment_notes
from zoo.training.request import Request

TORCHRUN = {
    "RANK": "1",
    "LOCAL_RANK": "1",
    "WORLD_SIZE": "2",
    "LOCAL_WORLD_SIZE": "2",
    "MASTER_ADDR": "127.0.0.1",
    "MASTER_PORT": "29500",
}


class Recorder(Progress):
    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, text: str) -> None:
        self.lines.append(text)

    def show(self, task: str, done: int, total: int) -> None:
        self.lines.append(f"{task}: {done} of {total}")


def without(*names: str, **changed: str) -> dict[str, str]:
    return {name: value for name, value in (TORCHRUN | changed).items() if name not in names}


# Variables of torchrun


def test_the_variables_of_torchrun_are_honored() -> None:
    assert launched(TORCHRUN) == Processes(1, 1, 2, "127.0.0.1", 29500)
    assert not launched(TORCHRUN).local_main
    assert launched(without("LOCAL_WORLD_SIZE", RANK="0", LOCAL_RANK="0")).local_main


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"MASTER_ADDR": "example.org", "MASTER_PORT": "1"},
        {"WORLD_SIZE": "1"},
        {"RANK": "", "WORLD_SIZE": ""},
        {"RANK": "0", "WORLD_SIZE": "1"},
        without(RANK="0", LOCAL_RANK="0", WORLD_SIZE="1", LOCAL_WORLD_SIZE="1"),
        {"OMPI_COMM_WORLD_SIZE": "4", "OMPI_COMM_WORLD_RANK": "3", "SLURM_NTASKS": "4"},
    ],
    ids=str,
)
def test_one_process_trains_alone(environment: dict[str, str]) -> None:
    assert launched(environment) == Processes()


@pytest.mark.parametrize(
    ("environment", "problem"),
    [
        ({"LOCAL_RANK": "1"}, "LOCAL_RANK=1 is set without RANK and WORLD_SIZE"),
        ({"LOCAL_RANK": "0"}, "LOCAL_RANK=0 is set without RANK and WORLD_SIZE"),
        ({"RANK": "0"}, "RANK=0 is set without LOCAL_RANK and WORLD_SIZE"),
        ({"WORLD_SIZE": "2"}, "WORLD_SIZE=2 is set without RANK and LOCAL_RANK"),
        (without("LOCAL_RANK"), "RANK=1 and WORLD_SIZE=2 are set without LOCAL_RANK"),
        (
            without("MASTER_ADDR"),
            "RANK=1, LOCAL_RANK=1 and WORLD_SIZE=2 are set without MASTER_ADDR",
        ),
        (without("MASTER_PORT"), "are set without MASTER_PORT"),
        (without(RANK="2"), "RANK=2 must be below WORLD_SIZE=2"),
        ({"RANK": "1", "WORLD_SIZE": "1"}, "RANK=1 must be below WORLD_SIZE=1"),
        (without(LOCAL_WORLD_SIZE="1"), "LOCAL_RANK=1 must be below LOCAL_WORLD_SIZE=1"),
        (
            without("LOCAL_WORLD_SIZE", LOCAL_RANK="5"),
            "LOCAL_RANK=5 must be below WORLD_SIZE=2",
        ),
        (without(WORLD_SIZE="two"), "WORLD_SIZE=two is not a number of 0 or more"),
        (without(RANK="-1"), "RANK=-1 is not a number of 0 or more"),
        (without(MASTER_PORT="http"), "MASTER_PORT=http is not a number"),
        (without(MASTER_PORT="99999"), "MASTER_PORT=99999 is not a port"),
        (without(RANK="0", WORLD_SIZE="0"), "RANK=0 must be below WORLD_SIZE=0"),
    ],
)
def test_inconsistent_variables_are_refused(environment: dict[str, str], problem: str) -> None:
    with pytest.raises(UsageError, match=problem) as info:
        launched(environment)
    message = str(info.value)
    assert message.count("\n") == 0
    assert "torchrun or zoo train --processes, or unset" in message


# Commands


def test_a_stray_rank_is_refused_before_anything_is_written(commands, here, monkeypatch) -> None:
    monkeypatch.setenv("LOCAL_RANK", "1")
    result = commands("train", "nice", "--steps", "1")
    assert result.status == 2
    assert "LOCAL_RANK=1 is set without RANK and WORLD_SIZE" in result.err
    assert list(here.iterdir()) == []
    assert commands("check", "nice").status == 2


@pytest.mark.parametrize(
    "environment", [{"LOCAL_RANK": "1"}, {"WORLD_SIZE": "2"}, TORCHRUN], ids=str
)
def test_evaluating_and_sampling_ignore_launchers(
    environment: Mapping[str, str], trained: zoo.Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def values() -> list[float]:
        run = zoo.load(trained.path, "cpu")
        metrics = run.evaluate(metrics=["bits_per_dim"], images=20).metrics
        return [metrics[0].value, run.sample(2).sum().item()]

    expected = values()
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert values() == expected


def test_processes_of_a_launcher_contradict_the_option(commands, here, monkeypatch) -> None:
    for name, value in TORCHRUN.items():
        monkeypatch.setenv(name, value)
    result = commands("train", "nice", "--processes", "3")
    assert result.status == 2
    assert "--processes 3: a launcher started 2 processes" in result.err


# Joining


def free_port() -> int:
    with socket.socket() as opened:
        opened.bind(("127.0.0.1", 0))
        return int(opened.getsockname()[1])


@pytest.mark.parametrize("rank", [0, 1])
def test_a_process_without_peers_says_so_and_gives_up(
    rank: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(launcher, "JOIN_SECONDS", 0.5)
    progress, port = Recorder(), free_port()
    processes = Processes(rank, rank, 2, "127.0.0.1", port)
    with pytest.raises(ZooError, match=f"{1 - rank} of 2 processes joined at 127.0.0.1:{port}"):
        join(processes, torch.device("cpu"), progress)
    assert f"waiting for 2 processes at 127.0.0.1:{port}: {1 - rank} of 2" in progress.lines
    assert not torch.distributed.is_initialized()


def test_the_command_line_says_that_it_waits(tmp_path: Path) -> None:
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "zoo", "train", "nice", "--out", str(tmp_path / "run")],
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | TORCHRUN | {"RANK": "0", "LOCAL_RANK": "0", "MASTER_PORT": str(port)},
    )
    try:
        assert process.stderr is not None
        assert process.stderr.readline() == "nice on digits, preset digits: loading torch\n"
        expected = f"waiting for 2 processes at 127.0.0.1:{port}: 1 of 2\n"
        assert process.stderr.readline() == expected
    finally:
        process.terminate()
        process.communicate(timeout=30)
    assert not (tmp_path / "run").exists()


def test_a_port_in_use_is_one_sentence() -> None:
    with socket.socket() as opened:
        opened.bind(("127.0.0.1", 0))
        opened.listen()
        processes = Processes(0, 0, 2, "127.0.0.1", opened.getsockname()[1])
        with pytest.raises(ZooError, match="set another MASTER_ADDR or MASTER_PORT"):
            join(processes, torch.device("cpu"), Progress())


@pytest.fixture
def group_of_one(tmp_path: Path) -> Iterator[None]:
    torch.distributed.init_process_group(
        "gloo", init_method=f"file://{tmp_path}/group", rank=0, world_size=1
    )
    yield
    torch.distributed.destroy_process_group()


def test_a_group_of_the_caller_must_have_the_same_size(group_of_one: None) -> None:
    join(Processes(), torch.device("cpu"), Progress())
    with pytest.raises(UsageError, match="initialized with 1 processes, but this run has 2"):
        join(Processes(0, 0, 2, "127.0.0.1", 29500), torch.device("cpu"), Progress())


# Variables and state of accelerate


def losses(out: Path, progress: Progress | None = None, **settings: object) -> list[float]:
    """Trains ``tiny`` for three steps; returns the loss of each."""
    chosen = {"training.steps": 3, "training.log_every": 1, "training.clip_norm": 0.5, **settings}
    request = Request(
        "tiny",
        settings=[Setting(*key.split("."), value, key) for key, value in chosen.items()],
        out=out,
        device="cpu",
    )
    train(tiny.tiny_host(), request, progress or Progress())
    lines = map(json.loads, (out / "metrics.jsonl").read_text().splitlines())
    return [line["bits_per_dim"] for line in lines]


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> list[float]:
    return losses(tmp_path_factory.mktemp("alone") / "run")


@pytest.mark.parametrize(
    "environment",
    [
        {"ACCELERATE_GRADIENT_ACCUMULATION_STEPS": "16"},
        {"ACCELERATE_USE_DEEPSPEED": "true"},
        {"ACCELERATE_USE_FSDP": "true", "FSDP_VERSION": "2"},
        {"ACCELERATE_USE_MEGATRON_LM": "true", "MEGATRON_LM_TP_DEGREE": "2"},
        {"ACCELERATE_USE_PARALLELISM_CONFIG": "true", "PARALLELISM_CONFIG_TP_SIZE": "2"},
        {"ACCELERATE_MIXED_PRECISION": "fp8", "ACCELERATE_FP8_BACKEND": "MSAMP"},
        {"ACCELERATE_FP8_BACKEND": "?"},
        {"ACCELERATE_DYNAMO_BACKEND": "INDUCTOR", "ACCELERATE_DYNAMO_MODE": "max-autotune"},
        {"ACCELERATE_TORCH_DEVICE": "meta"},
        {"ACCELERATE_USE_SAGEMAKER": "true", "ACCELERATE_SAGEMAKER_DISTRIBUTED_TYPE": "?"},
        {"OMPI_COMM_WORLD_SIZE": "2", "OMPI_COMM_WORLD_RANK": "1"},
        {"PMI_SIZE": "3", "PMI_RANK": "2", "MPI_LOCALRANKID": "2"},
        {"MV2_COMM_WORLD_SIZE": "two"},
        {"SLURM_NTASKS": "2", "SLURM_PROCID": "1", "SLURM_LOCALID": "1"},
        {"RANK": "0", "WORLD_SIZE": "1", "LOCAL_RANK": "0", "MASTER_PORT": "1"},
    ],
    ids=lambda environment: next(iter(environment)),
)
def test_other_variables_change_no_loss(
    environment: dict[str, str],
    alone: list[float],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    before = dict(os.environ)
    assert losses(tmp_path / "run") == alone
    assert dict(os.environ) == before


def test_variables_of_accelerate_are_read_again_by_nobody(tmp_path, monkeypatch) -> None:
    """They are hidden for the whole run: accelerate reads one at every clipped step."""
    monkeypatch.setenv("ACCELERATE_USE_FSDP", "true")
    seen = []

    class Watcher:
        @zoo.hookimpl
        def zoo_run_step(self, run):
            seen.append([name for name in os.environ if name.startswith("ACCELERATE_")])

    host = tiny.tiny_host()
    host.add(zoo.plugins.host.Plugin("watcher", "tests", "0"), Watcher())
    train(host, Request("tiny", out=tmp_path / "r", device="cpu"), Progress())
    assert seen == [[], []]
    assert os.environ["ACCELERATE_USE_FSDP"] == "true"


def test_the_callers_accelerator_is_not_used_and_left_as_it_was(
    alone: list[float], tmp_path: Path
) -> None:
    accelerator = Accelerator(cpu=True, gradient_accumulation_steps=4)
    accelerator.gradient_state._set_sync_gradients(False)
    shared = [state._shared_state for state in (PartialState, AcceleratorState, GradientState)]
    before = [dict(state) for state in shared]
    try:
        assert losses(tmp_path / "run") == alone
        assert [dict(state) for state in shared] == before
        assert accelerator.gradient_accumulation_steps == 4
        assert not accelerator.sync_gradients
    finally:
        AcceleratorState._reset_state(reset_partial_state=True)
        GradientState._reset_state()


def test_ignored_variables_are_noted(tmp_path, monkeypatch) -> None:
    for name, value in {
        "ACCELERATE_GRADIENT_ACCUMULATION_STEPS": "16",
        "ACCELERATE_MIXED_PRECISION": "no",
        "ACCELERATE_USE_CPU": "False",
        "OMPI_COMM_WORLD_SIZE": "2",
    }.items():
        monkeypatch.setenv(name, value)
    progress = Recorder()
    losses(tmp_path / "run", progress)
    assert [line for line in progress.lines if " ignored" in line] == [
        "ACCELERATE_GRADIENT_ACCUMULATION_STEPS=16 ignored: a run is configured by its settings "
        "alone",
        "OMPI_COMM_WORLD_SIZE=2 ignored, so this process trains alone: start several with torchrun "
        "or --processes",
    ]


def test_variables_that_change_the_arithmetic_of_a_gpu_are_noted() -> None:
    environment = {"TORCH_ALLOW_TF32_CUBLAS_OVERRIDE": "1"}
    assert [*environment_notes(Processes(), False, environment)] == []
    (note,) = environment_notes(Processes(), True, environment)
    assert note.startswith("TORCH_ALLOW_TF32_CUBLAS_OVERRIDE=1 changes the precision")
    (note,) = environment_notes(Processes(), True, {"NVIDIA_TF32_OVERRIDE": "0"})
    assert note.startswith("NVIDIA_TF32_OVERRIDE=0 changes the precision")
