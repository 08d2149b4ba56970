"""Memory and time of Glow's training steps with standard and with reversible memory.

    python benchmarks/reversible/reversible.py memory
    python benchmarks/reversible/reversible.py time
    python benchmarks/reversible/reversible.py drift

Memory is the peak of the resident set during three steps above that before the first, of a process
for each row. Times are medians over alternated rounds; a ratio is the median of those of rounds.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import torch
from torch import Tensor, nn

import zoo
from zoo.flows import initialize_from_data
from zoo.system.memory import keep_freed_memory

MEMORIES = ("standard", "reversible")
STEPS = 3
MIB = 2**20


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


def step_of(network: nn.Module, options: argparse.Namespace, adam: bool) -> Callable[[], Tensor]:
    """A training step on random images, which returns the loss."""
    x = torch.rand(options.batch, 3, 32, 32)
    optimizer = torch.optim.Adam(network.parameters(), fused=True) if adam else None

    def step() -> Tensor:
        network.zero_grad()
        with precision(options.precision):
            loss: Tensor = -network(x)[1].mean() / x[0].numel()
        loss.backward()
        if optimizer is not None:
            optimizer.step()
        return loss.detach()

    return step


def peak_bytes(reset: bool = False) -> int:
    """The peak of the resident set, from now on with ``reset`` (Linux)."""
    if reset:
        Path("/proc/self/clear_refs").write_text("5")
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) * 1024


def memory_row(memory: str, options: argparse.Namespace) -> dict[str, float]:
    """MiB of the parameters, of their gradients, and of the rest of the peak."""
    network = build(memory, options)
    step = step_of(network, options, adam=False)
    before = peak_bytes(reset=True)
    for _ in range(STEPS):
        step()
    added = peak_bytes() - before
    parameters = sum(p.numel() * p.element_size() for p in network.parameters())
    return {
        "parameters": parameters / MIB,
        "gradients": parameters / MIB,
        "rest": (added - parameters) / MIB,
    }


def measure_memory(options: argparse.Namespace, depths: Sequence[int]) -> None:
    print("memory      precision   K  parameters  gradients  rest MiB")
    for name in options.precisions:
        for memory in options.memories:
            for depth in depths:
                command = [sys.executable, __file__, "row", "--memories", memory]
                command += ["--depths", str(depth), "--precisions", name]
                command += ["--width", str(options.width), "--batch", str(options.batch)]
                done = subprocess.run(command, capture_output=True, text=True)
                if done.returncode:
                    print(f"{memory:11} {name:9} {depth:3}  out of memory ({done.returncode})")
                    continue
                row = json.loads(done.stdout)
                print(
                    f"{memory:11} {name:9} {depth:3}  {row['parameters']:10.0f} "
                    f"{row['gradients']:10.0f} {row['rest']:9.0f}",
                    flush=True,
                )


def measure_time(options: argparse.Namespace, depths: Sequence[int]) -> None:
    print("precision   K  standard s  reversible s  ratio  rounds")
    for name in options.precisions:
        options.precision = name
        for options.depth in depths:
            steps = [step_of(build(memory, options), options, adam=True) for memory in MEMORIES]
            times: list[list[float]] = []
            for index in range(options.rounds + 1):
                row = []
                for step in steps:
                    start = time.perf_counter()
                    step()
                    row.append(time.perf_counter() - start)
                if index:
                    times.append(row)
            standard, reversible = (
                statistics.median(column) for column in zip(*times, strict=True)
            )
            ratio = statistics.median(b / a for a, b in times)
            print(
                f"{name:9} {options.depth:3} {standard:11.3f} {reversible:13.3f} {ratio:6.3f} "
                f"{len(times):7}",
                flush=True,
            )


def gradient_of(network: nn.Module, x: Tensor, name: str) -> Tensor:
    network.zero_grad()
    with precision(name):
        loss = -network(x)[1].mean() / x[0].numel()
    loss.backward()
    return torch.cat([p.grad.flatten().double() for p in network.parameters()])


def measure_drift(options: argparse.Namespace, depths: Sequence[int]) -> None:
    """Relative errors of gradients, against those of the standard step: in the same precision, and
    of that precision against float64."""
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
    parser.add_argument("what", choices=("memory", "time", "drift", "row"))
    parser.add_argument("--depths", type=int, nargs="+")
    parser.add_argument("--width", type=int, default=128)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--noise", type=float, default=0.02, help="added to each parameter")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--precisions", nargs="+", default=["fp32", "bf16"])
    parser.add_argument("--memories", nargs="+", default=list(MEMORIES))
    options = parser.parse_args()
    keep_freed_memory()  # as zoo train does
    if options.what == "row":
        options.depth, options.precision = options.depths[0], options.precisions[0]
        print(json.dumps(memory_row(options.memories[0], options)))
    elif options.what == "memory":
        measure_memory(options, options.depths or [8, 32, 64])
    elif options.what == "time":
        measure_time(options, options.depths or [8])
    else:
        measure_drift(options, options.depths or [8, 32, 64])


if __name__ == "__main__":
    main()
