"""A row of memory: what a training step needs beside parameters, gradients and optimizer."""

from __future__ import annotations

from typing import Any

import measure
import peers
import torch
from plan import Row
from training import first_steps


def measured(row: Row, device: torch.device) -> dict[str, Any]:
    """Measures the peak of the second step, and its time."""
    peers.warm_up(device)
    memory = measure.Memory(device)
    peer = peers.make("genzoo", row.subject, row.batch, row.precision, device)
    result: dict[str, Any] = first_steps(peer, memory, device)
    result["state_bytes"] = peer.state_bytes()
    seconds = result["second_step_seconds"]
    peak = result["peak_bytes"]
    kept = sum(result["state_bytes"].values())
    result["rest_bytes"] = None if peak is None else max(0, peak - kept)
    return result | {
        "images": peer.images,
        "ms": 1000 * seconds,
        "images_per_second": peer.images / seconds,
        "rounds": 1,
    }
