"""Changes of a run's files with the hashes that genzoo would have written."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from zoo.runs.integrity import integrity_of, sealed, sha256
from zoo.runs.weights import save_tensors
from zoo.system.files import sha256_of


def write_config(run: Path, values: Mapping[str, Any]) -> None:
    """Writes config.json as if genzoo had written these values."""
    integrity = integrity_of(values)
    assert integrity is not None
    document = sealed(values, integrity.step, integrity.weights)
    (run / "config.json").write_text(json.dumps(document), "utf-8")


def write_weights(run: Path, tensors: Mapping[str, Tensor]) -> None:
    """Writes weights as if genzoo had trained them."""
    save_tensors(run / "model.safetensors", tensors)
    values = json.loads((run / "config.json").read_text("utf-8"))
    digest = sha256_of(run / "model.safetensors")
    document = sealed(values, values["integrity"]["step"], digest)
    (run / "config.json").write_text(json.dumps(document), "utf-8")


def resealed(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """Returns the files of a run with the hashes that they have, so that these reveal no change."""
    try:
        values = json.loads(files["config.json"])
        step = values["integrity"]["step"]
    except (KeyError, TypeError, ValueError, RecursionError):
        return dict(files)
    document = sealed(values, step, sha256(files.get("model.safetensors", b"")))
    return {**files, "config.json": json.dumps(document).encode()}
