"""A row of training: a step of ``zoo train`` beside its peer and a matrix product."""

from __future__ import annotations

import contextlib
import time
from typing import Any

import measure
import peers
import torch
from plan import Row
from subjects import COMPILE
from torch.utils.flop_counter import FlopCounterMode

Result = dict[str, Any]

EAGER = "eager"


class Untracked(contextlib.nullcontext[None]):
    """Counts operations of all modules together. To tell them apart, torch hooks into the backward
    pass in a way that reversible memory does not allow."""

    parents = frozenset({"Global"})


def measured(row: Row, device: torch.device) -> Result:
    """Measures ``row``. A peer that fails is described in ``peer_failed``; a compiled step is
    compared with the eager one too."""
    peers.warm_up(device)
    memory = measure.Memory(device)
    ours = peers.make("genzoo", row.subject, row.batch, row.precision, device)
    result = first_steps(ours, memory, device)
    result |= {"images": ours.images, "operations_per_image": operations(ours)}
    steps = {"genzoo": ours.step}
    images = {"genzoo": ours.images}
    if row.peer:
        try:
            memory = measure.Memory(device)
            peer = peers.make(row.peer, row.subject, row.batch, row.precision, device)
            peer_result = first_steps(peer, memory, device)
            steps[row.peer], images[row.peer] = peer.step, peer.images
        except peers.MissingPackage as error:
            result["peer_failed"] = str(error)
        except torch.OutOfMemoryError:
            result["peer_failed"] = "out of memory"
            measure.free_memory(device)
    if row.compile == "on":
        subject = row.subject.with_changes({COMPILE: "off"})
        steps[EAGER] = peers.make("genzoo", subject, row.batch, row.precision, device).step
    steps[measure.PRODUCT], per_product = measure.product(row.precision, device)
    times = measure.alternate(steps, row.rounds, row.seconds, device)
    result |= measure.timing(times, "genzoo", ours.images)
    work = result["operations_per_image"] * ours.images
    result["of_limit"] = measure.fraction_of_limit(times, "genzoo", work, per_product)
    result["product_flops"] = per_product / min(times[measure.PRODUCT])
    if EAGER in times:
        result["times_eager"] = measure.ratio(times, "genzoo", EAGER)
    if row.peer in times:
        theirs = measure.timing(times, row.peer, images[row.peer])
        result["peer_result"] = peer_result | theirs
        # Peers may differ in their number of images per step.
        per_image = ours.images / images[row.peer]
        result["times_peer"] = measure.ratio(times, "genzoo", row.peer) * per_image
    return result


def first_steps(peer: peers.Peer, memory: measure.Memory, device: torch.device) -> Result:
    """Seconds of the first step, which compiles, and of the second, and the peak memory of the
    second, with all that the peer keeps."""
    memory.restart()
    start = time.perf_counter()
    peer.step()
    measure.wait(device)
    first = time.perf_counter() - start
    memory.restart()
    seconds = measure.seconds_of(peer.step, 1, device)
    peak = memory.peak()
    return {"first_step_seconds": first, "second_step_seconds": seconds, "peak_bytes": peak}


def operations(peer: peers.Peer) -> float:
    """Operations of matrix products and convolutions per image of a step, forward and backward,
    recomputed ones included; a multiply-add is two operations."""
    counter = FlopCounterMode(display=False)
    counter.mod_tracker = Untracked()  # type: ignore[assignment]
    with torch.compiler.set_stance("force_eager"), counter:
        peer.step()
    return counter.get_total_flops() / peer.images
