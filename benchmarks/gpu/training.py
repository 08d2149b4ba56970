"""Training speed of every subject at every batch size, with alternating peers."""

from __future__ import annotations

import gc
from collections.abc import Callable, Sequence
from typing import Any

import measure
import peers
import torch
from subjects import Subject
from torch.utils.flop_counter import FlopCounterMode

PRECISIONS = ("fp32", "bf16")
"""fp32 is torch's default, with TF32 convolutions on CUDA; bf16 is autocast."""

Row = dict[str, Any]


def rows(
    subjects: Sequence[Subject],
    seconds: float,
    device: torch.device,
    say: Callable[[str], None],
) -> list[Row]:
    """Returns a row for each subject, batch size, peer and precision."""
    results: list[Row] = []
    for subject in subjects:
        for batch in subject.batches:
            say(f"training {subject.model}, batch size {batch}")
            results += _compare(subject, batch, seconds, device)
            gc.collect()
            if device.type == "cuda":
                torch.cuda.empty_cache()
    return results


def _compare(subject: Subject, batch: int, seconds: float, device: torch.device) -> list[Row]:
    variants = {
        f"{name} {precision}": (name, precision)
        for precision in PRECISIONS
        for name in (subject.peer, "genzoo")
    }
    ready: dict[str, peers.Peer] = {}
    results: dict[str, Row] = {}
    for key, (name, precision) in variants.items():
        row: Row = {"model": subject.model, "batch": batch, "peer": name, "precision": precision}
        results[key] = row
        try:
            memory = measure.Memory(device)
            peer = peers.make(name, subject, batch, precision, device)
            row["peak_bytes"] = memory.peak(peer.step)
            row["operations_per_image"] = operations(peer)
            ready[key] = peer
        except peers.MissingPackage as error:
            row["failed"] = str(error)
        except torch.OutOfMemoryError:
            row["failed"] = "out of memory"
            gc.collect()
            torch.cuda.empty_cache()
    for precision in PRECISIONS:
        chosen = {key: peer for key, peer in ready.items() if variants[key][1] == precision}
        if not chosen:
            continue
        steps = {key: peer.step for key, peer in chosen.items()}
        images = {key: peer.images for key, peer in chosen.items()}
        other = f"{subject.peer} {precision}"
        for key, speed in measure.speeds(steps, images, other, seconds, device).items():
            row = results[key]
            row |= {
                "step_ms": 1000 * speed.step_seconds,
                "images_per_second": speed.images_per_second,
                "times_peer": speed.times_other,
            }
    return list(results.values())


def operations(peer: peers.Peer) -> float:
    """Operations of matrix products and convolutions per image of a step, forward and backward; a
    multiply-add is two operations."""
    counter = FlopCounterMode(display=False)
    with counter:
        peer.step()
    return counter.get_total_flops() / peer.images
