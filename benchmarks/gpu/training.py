"""Speeds of training: every subject at every batch size, its contenders in turn."""

from __future__ import annotations

import gc
from collections.abc import Callable, Sequence
from typing import Any

import contenders
import measure
import torch
from subjects import Subject
from torch.utils.flop_counter import FlopCounterMode

PRECISIONS = ("fp32", "bf16")
"""float32 is torch's default: on CUDA its convolutions take TF32. bf16 is autocast."""

Row = dict[str, Any]


def rows(
    subjects: Sequence[Subject],
    seconds: float,
    device: torch.device,
    say: Callable[[str], None],
) -> list[Row]:
    """A row for each subject, batch size, peer and precision."""
    found: list[Row] = []
    for subject in subjects:
        for batch in subject.batches:
            say(f"{subject.model}, batches of {batch}")
            found += _beside_each_other(subject, batch, seconds, device)
            gc.collect()
            if device.type == "cuda":
                torch.cuda.empty_cache()
    return found


def _beside_each_other(
    subject: Subject, batch: int, seconds: float, device: torch.device
) -> list[Row]:
    named = {
        f"{peer} {precision}": (peer, precision)
        for precision in PRECISIONS
        for peer in (subject.peer, "genzoo")
    }
    ready: dict[str, contenders.Contender] = {}
    made: dict[str, Row] = {}
    for name, (peer, precision) in named.items():
        row: Row = {"model": subject.model, "batch": batch, "peer": peer, "precision": precision}
        made[name] = row
        try:
            memory = measure.Memory(device)
            one = contenders.make(peer, subject, batch, precision, device)
            row["peak_bytes"] = memory.peak(one.step)
            row["operations_per_image"] = operations(one)
            ready[name] = one
        except contenders.Missing as error:
            row["failed"] = str(error)
        except torch.OutOfMemoryError:
            row["failed"] = "out of memory"
            gc.collect()
            torch.cuda.empty_cache()
    for precision in PRECISIONS:
        chosen = {name: one for name, one in ready.items() if named[name][1] == precision}
        if not chosen:
            continue
        steps = {name: one.step for name, one in chosen.items()}
        images = {name: one.images for name, one in chosen.items()}
        other = f"{subject.peer} {precision}"
        for name, speed in measure.speeds(steps, images, other, seconds, device).items():
            row = made[name]
            row |= {
                "step_ms": 1000 * speed.step_seconds,
                "images_per_second": speed.images_per_second,
                "times_peer": speed.times_other,
            }
    return list(made.values())


def operations(one: contenders.Contender) -> float:
    """Operations of matrix products and convolutions for each image of a step, forward and
    backward, two for a multiply-add."""
    counter = FlopCounterMode(display=False)
    with counter:
        one.step()
    return counter.get_total_flops() / one.images
