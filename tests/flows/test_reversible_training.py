"""Training with reversible memory: two processes, resuming, EMA weights, bfloat16."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import zoo
from zoo.flows import initialize_from_data
from zoo.runs.weights import load_tensors, save_tensors

MODELS = {
    "nice": {"width": 8, "coupling": "affine"},
    "realnvp": {"width": 4, "blocks": 1, "momentum": 0.5},
    "glow": {"width": 8, "levels": 2, "depth": 2},
}


def flow(model: str, memory: str, **config: object) -> nn.Module:
    """A flow in training mode, with random parameters and after a batch."""
    torch.manual_seed(0)
    shape = {"image_size": 8, "channels": 1}
    network = zoo.build(model, memory=memory, **shape, **{**MODELS[model], **config})
    with torch.no_grad():
        for parameter in network.parameters():
            parameter += 0.02 * torch.randn_like(parameter)
    initialize_from_data(network, lambda: network(images(32)))
    return network.train()


def images(count: int) -> Tensor:
    return torch.rand(count, 1, 8, 8, generator=torch.Generator().manual_seed(count))


def states(memory: str, rank: int = 0, world: int = 1) -> dict[str, Tensor]:
    """Parameters and buffers of every flow after two steps on this process's part of a batch."""
    from zoo.training.synchronized import synchronize_batch_norm

    found = {}
    for model in MODELS:
        network = flow(model, memory).double()
        wrapped: nn.Module = network
        if world > 1:
            synchronize_batch_norm(network)
            wrapped = nn.parallel.DistributedDataParallel(network, broadcast_buffers=False)
        optimizer = torch.optim.SGD(network.parameters(), lr=1e-3)
        for _ in range(2):
            loss = -wrapped(images(8).double().chunk(world)[rank])[1].mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        found |= {f"{model}.{name}": tensor for name, tensor in network.state_dict().items()}
    return found


def worker() -> None:
    torch.distributed.init_process_group("gloo")
    rank = torch.distributed.get_rank()
    save_tensors(Path(sys.argv[1]) / f"{rank}.safetensors", states("reversible", rank, 2))
    torch.distributed.destroy_process_group()


def test_two_processes_train_like_one_with_standard_memory(tmp_path: Path) -> None:
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    done = subprocess.run(
        [sys.executable, *launcher, __file__, str(tmp_path)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    whole = states("standard")
    for rank in (0, 1):
        part = load_tensors(tmp_path / f"{rank}.safetensors")
        for name, tensor in whole.items():
            torch.testing.assert_close(part[name], tensor, rtol=0, atol=1e-9, msg=name)


@pytest.mark.parametrize("model", MODELS)
def test_a_resumed_run_equals_an_uninterrupted_one(model: str, tmp_path: Path) -> None:
    config = {"memory": "reversible", "data.bits": 4, "ema_decay": 0.9, "decay": "none"}
    options = {"config": config | MODELS[model], "batch_size": 16, "device": "cpu", "quiet": True}
    whole = zoo.train(model, out=tmp_path / "whole", steps=4, **options)
    half = zoo.train(model, out=tmp_path / "half", steps=2, **options)
    resumed = zoo.train(model, out=half.path, steps=4, resume=True, **options)
    for name, tensor in whole.network.state_dict().items():
        assert torch.equal(resumed.network.state_dict()[name], tensor), name


@pytest.mark.parametrize(
    ("model", "config"),
    [
        ("nice", {"couplings": 32}),
        ("realnvp", {"scales": 3}),
        ("glow", {"depth": 2}),
        ("glow", {"depth": 8}),
        ("glow", {"depth": 32}),
    ],
    ids=str,
)
def test_the_drift_of_bfloat16_is_below_its_rounding(model: str, config) -> None:
    """Recomputed inputs change the gradient by less than rounding to bfloat16 does."""
    gradients = {}
    for memory in ("standard", "reversible"):
        network = flow(model, memory, **config)
        with torch.autocast("cpu", torch.bfloat16):
            loss = -network(images(16))[1].mean()
        gradients[memory] = gradient_of(network, loss)
    exact = flow(model, "standard", **config).double()
    rounding = gradients["standard"] - gradient_of(exact, -exact(images(16).double())[1].mean())
    drift = gradients["reversible"] - gradients["standard"]
    assert drift.norm() < rounding.norm()


def gradient_of(network: nn.Module, loss: Tensor) -> Tensor:
    loss.backward()
    return torch.cat([p.grad.flatten().double() for p in network.parameters()])


if __name__ == "__main__":
    worker()
