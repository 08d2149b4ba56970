"""Training on several processes has the losses and batch statistics of a single one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from zoo.flows import BatchNorm
from zoo.runs.folder import RunFolder
from zoo.runs.weights import load_tensors, save_tensors

SETTINGS = {
    "glow": ("depth=2", "width=16"),
    "dcgan": (
        "data.size=16",
        "data.pad=4",
        "width=16",
        "critic_width=16",
        "activation_checkpointing=true",  # batch normalization communicates in both passes
    ),
    "vae": ("free_bits=0.1",),
}
STEPS = 5


def losses(model: str, processes: int, out: Path) -> list[dict[str, float]]:
    """Returns the losses that a run of five steps logs at each step."""
    settings = ("training.log_every=1", "batch_size=32", *SETTINGS[model])
    command = [
        sys.executable,
        "-m",
        "zoo",
        "train",
        model,
        "--steps",
        str(STEPS),
        "--out",
        str(out),
    ]
    done = subprocess.run(
        [
            *command,
            "--processes",
            str(processes),
            "--device",
            "cpu",
            *(f"--set={s}" for s in settings),
        ],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return [
        {name: line[name] for name in line if name.endswith(("loss", "bits_per_dim"))}
        for line in RunFolder(out).read_metrics()
    ]


@pytest.mark.parametrize("model", ["glow", "dcgan", "vae"])
def test_two_processes_have_the_losses_of_a_single_one(model: str, tmp_path: Path) -> None:
    one, two = (losses(model, n, tmp_path / str(n)) for n in (1, 2))
    assert len(one) == len(two) == STEPS
    for alone, together in zip(one, two, strict=True):
        assert together == pytest.approx(alone, abs=1e-4)
    assert one[0] != pytest.approx(one[-1], abs=1e-3), "training changed nothing"


@pytest.mark.slow
@pytest.mark.parametrize("model", ["glow", "dcgan"])
def test_two_compiled_processes_have_the_losses_of_an_eager_one(
    model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    eager = losses(model, 1, tmp_path / "eager")
    monkeypatch.setitem(SETTINGS, model, (*SETTINGS[model], "compile=on"))
    compiled = losses(model, 2, tmp_path / "compiled")
    for alone, together in zip(eager, compiled, strict=True):
        assert together == pytest.approx(alone, abs=1e-3)


class WithLogDet(nn.Module):
    """Batch normalization of a flow, whose output includes the log-determinant."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = BatchNorm(4, momentum=0.3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y, log_det = self.layer(x)
        return y + log_det[:, None, None, None]


def normalized(rank: int = 0, world: int = 1) -> dict[str, torch.Tensor]:
    """Returns outputs, gradients and state of a network with batch normalization on this process's
    part of a batch."""
    from zoo.training.synchronized import synchronize_batch_norm

    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(3, 4, 3),
        nn.BatchNorm2d(4, momentum=0.3),
        nn.Conv2d(4, 4, 1),
        WithLogDet(),
        nn.Flatten(),
        nn.BatchNorm1d(64),
    ).double()
    x = torch.randn(8, 3, 6, 6, dtype=torch.float64) * 2 + 1
    weights = torch.randn(8, 64, dtype=torch.float64)
    if world > 1:
        synchronize_batch_norm(network)
    part = x.chunk(world)[rank].clone().requires_grad_()
    for _ in range(2):
        output = network(part)
    (output * weights.chunk(world)[rank]).sum().backward()
    state = {f"state.{name}": tensor for name, tensor in network.state_dict().items()}
    gradients = {f"of.{name}": p.grad for name, p in network.named_parameters()}
    network.eval()
    return {"output": output, "gradient": part.grad, "later": network(part), **gradients, **state}


def worker() -> None:
    import torch.distributed as distributed

    distributed.init_process_group("gloo")
    rank = distributed.get_rank()
    save_tensors(Path(sys.argv[1]) / f"{rank}.safetensors", normalized(rank, 2))
    distributed.destroy_process_group()


def test_batch_normalization_on_two_processes_equals_that_of_the_whole_batch(
    tmp_path: Path,
) -> None:
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    done = subprocess.run(
        [sys.executable, *launcher, __file__, str(tmp_path)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    whole = normalized()
    parts = [load_tensors(tmp_path / f"{rank}.safetensors") for rank in (0, 1)]
    for name, tensor in whole.items():
        if name in ("output", "gradient", "later"):
            combined = torch.cat([part[name] for part in parts])
        elif name.startswith("of."):
            combined = parts[0][name] + parts[1][name]
        else:
            assert torch.equal(parts[0][name], parts[1][name]), name
            combined = parts[0][name]
        assert torch.allclose(combined, tensor.detach(), atol=1e-9), name


if __name__ == "__main__":
    worker()
