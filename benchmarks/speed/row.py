"""Measures one row: the process of a row. ``python row.py JSON DEVICE`` prints its result as JSON,
``python row.py machine DEVICE`` the machine."""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import sys
from pathlib import Path
from typing import Any

from zoo.system.memory import keep_freed_memory

KINDS = ("training", "sampling", "memory", "cost", "loading", "loop", "commands")
OUT_OF_MEMORY = "out of memory"


def main(text: str, device_name: str) -> int:
    with contextlib.suppress(OSError):  # of all processes, the system is to end this one
        Path("/proc/self/oom_score_adj").write_text("1000")
    output = os.dup(1)
    os.dup2(2, 1)  # what libraries print
    result = result_of(text, device_name)
    with os.fdopen(output, "w") as file:
        json.dump(result, file, allow_nan=False)
    return 0


def result_of(text: str, device_name: str) -> dict[str, Any]:
    """The result of a row, or of the machine; of a row without enough memory, that."""
    import torch

    device = torch.device(device_name)
    keep_freed_memory()  # as zoo train does
    if text == "machine":
        return importlib.import_module("machine").measured(device)
    from plan import row_of

    row = row_of(json.loads(text))
    assert row.kind in KINDS
    try:
        return importlib.import_module(row.kind).measured(row, device)
    except (MemoryError, torch.OutOfMemoryError):
        return {"failed": OUT_OF_MEMORY}
    except RuntimeError as error:
        if "can't allocate memory" in str(error):
            return {"failed": OUT_OF_MEMORY}
        raise


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
