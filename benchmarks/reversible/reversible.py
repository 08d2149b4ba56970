"""Drift of Glow's gradients with reversible memory.

    python benchmarks/reversible/reversible.py

Prints relative errors of gradients, against those of the standard step: in the same precision, and
of that precision against float64. Memory and time are rows of ``benchmarks/speed``.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor, nn

import zoo
from zoo.flows import initialize_from_data

MEMORIES = ("standard", "reversible")


def build(memory: str, options: argparse.Namespace) -> nn.Module:
    """A Glow on 3x32x32 images with parameters near those of a trained one."""
    torch.manual_seed(0)
    network = zoo.build(
        "glow",
        levels=3,
        depth=options.depth,
        width=options.width,
        memory=memory,
        image_size=32,
        channels=3,
    )
    with torch.no_grad():
        for parameter in network.parameters():
            parameter += options.noise * torch.randn_like(parameter)
    initialize_from_data(network, lambda: network(torch.rand(16, 3, 32, 32)))
    return network.train()


def precision(name: str) -> AbstractContextManager[object]:
    return torch.autocast("cpu", torch.bfloat16) if name == "bf16" else nullcontext()


def gradient_of(network: nn.Module, x: Tensor, name: str) -> Tensor:
    network.zero_grad()
    with precision(name):
        loss = -network(x)[1].mean() / x[0].numel()
    loss.backward()
    return torch.cat([p.grad.flatten().double() for p in network.parameters()])


def measure(options: argparse.Namespace, depths: Sequence[int]) -> None:
    print("precision   K  reversible - standard  standard - float64")
    for options.depth in depths:
        networks = {memory: build(memory, options) for memory in MEMORIES}
        x = torch.rand(options.batch, 3, 32, 32)
        found = {
            (memory, name): gradient_of(network, x, name)
            for memory, network in networks.items()
            for name in options.precisions
        }
        exact = gradient_of(networks["standard"].double(), x.double(), "fp32")
        for name in options.precisions:
            standard, reversible = (found[memory, name] for memory in MEMORIES)
            print(
                f"{name:9} {options.depth:3} {relative(reversible, standard):22.2e} "
                f"{relative(standard, exact):19.2e}",
                flush=True,
            )


def relative(a: Tensor, b: Tensor) -> float:
    return float((a - b).norm() / b.norm())


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--depths", type=int, nargs="+", default=[8, 32, 64])
    parser.add_argument("--width", type=int, default=128)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--noise", type=float, default=0.02, help="added to each parameter")
    parser.add_argument("--precisions", nargs="+", default=["fp32", "bf16"])
    options = parser.parse_args()
    measure(options, options.depths)


if __name__ == "__main__":
    main()
