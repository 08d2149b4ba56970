"""A row of the training loop's own share of a step, as ``benchmarks/overhead`` measures it."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from plan import Row

sys.path.append(str(Path(__file__).parents[1] / "overhead"))


def measured(row: Row, device: torch.device) -> dict[str, Any]:
    from overhead import measure

    return asdict(measure(row.subject.model, row.rounds, str(device)))
