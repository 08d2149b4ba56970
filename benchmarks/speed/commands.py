"""The row of start-up: seconds of commands, as ``benchmarks/startup`` measures them."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from plan import Row

sys.path.append(str(Path(__file__).parents[1] / "startup"))


def measured(row: Row, device: torch.device) -> dict[str, Any]:
    from startup import measure

    return {"commands": [asdict(command) for command in measure(row.rounds)]}
