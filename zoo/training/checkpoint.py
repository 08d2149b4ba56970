"""Checkpoints: the full training state in one safetensors and one JSON file, written atomically."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from zoo.errors import ZooError, first_line
from zoo.runs.folder import CHECKPOINTS
from zoo.runs.weights import load_tensors, save_tensors
from zoo.system.files import replacing_folder, write_json

KEPT = 2


@dataclass
class Position:
    """Number of steps and seconds trained so far."""

    step: int = 0
    seconds: float = 0.0


def save_checkpoint(
    folder: Path,
    position: Position,
    networks: Mapping[str, nn.Module],
    optimizers: Mapping[str, Optimizer],
) -> None:
    """Writes ``checkpoints/step-N`` and removes all but the newest two."""
    tensors: dict[str, Tensor] = {}
    plain: dict[str, Any] = {}
    for name, network in networks.items():
        tensors |= {f"network/{name}/{key}": t for key, t in network.state_dict().items()}
    for name, optimizer in optimizers.items():
        state = optimizer.state_dict()
        plain[name] = {"groups": state["param_groups"], "state": {}}
        for index, values in state["state"].items():
            for key, value in values.items():
                if isinstance(value, Tensor):
                    tensors[f"optimizer/{name}/{index}/{key}"] = value
                else:
                    plain[name]["state"].setdefault(str(index), {})[key] = value
    target = folder / CHECKPOINTS / f"step-{position.step:08d}"
    if target.exists():
        return
    with replacing_folder(target) as beside:
        save_tensors(beside / "state.safetensors", tensors)
        write_json(beside / "state.json", {"progress": asdict(position), "optimizers": plain})
    for old in find_checkpoints(folder)[:-KEPT]:
        shutil.rmtree(old, ignore_errors=True)


def find_checkpoints(folder: Path) -> list[Path]:
    """Returns the checkpoints of a run, oldest first."""
    return sorted((folder / CHECKPOINTS).glob("step-[0-9]*"))


def read_position(checkpoint: Path) -> Position:
    """Returns the position of a checkpoint. Raises ZooError if it cannot be read."""
    return Position(**_read_json(checkpoint)["progress"])


def load_checkpoint(
    checkpoint: Path, networks: Mapping[str, nn.Module], optimizers: Mapping[str, Optimizer]
) -> None:
    """Restores the state of networks and optimizers of the same shapes."""
    plain = _read_json(checkpoint)["optimizers"]
    tensors = load_tensors(checkpoint / "state.safetensors")
    with torch.no_grad():
        for name, network in networks.items():
            prefix = f"network/{name}/"
            state = {k.removeprefix(prefix): t for k, t in tensors.items() if k.startswith(prefix)}
            try:
                network.load_state_dict(state)
            except RuntimeError as error:
                raise ZooError(
                    f"the checkpoint {checkpoint} does not fit the network, whose layers may have "
                    f"changed since: use the genzoo that wrote it ({first_line(error)})"
                ) from error
    for name, optimizer in optimizers.items():
        optimizer_state: dict[int, dict[str, Any]] = {
            int(index): dict(values) for index, values in plain[name]["state"].items()
        }
        parameters = [p for group in optimizer.param_groups for p in group["params"]]
        for key, tensor in tensors.items():
            kind, owner, *rest = key.split("/", 3)
            if (kind, owner) == ("optimizer", name):
                index = int(rest[0])
                optimizer_state.setdefault(index, {})[rest[1]] = _with_layout_of(
                    parameters[index], tensor
                )
        optimizer.load_state_dict({"state": optimizer_state, "param_groups": plain[name]["groups"]})


def _with_layout_of(parameter: Tensor, tensor: Tensor) -> Tensor:
    """Returns ``tensor`` with the memory layout of ``parameter``, which fused optimizers assume."""
    if tensor.shape != parameter.shape:
        return tensor
    return torch.empty_like(parameter, dtype=tensor.dtype, device="cpu").copy_(tensor)


def _read_json(checkpoint: Path) -> dict[str, Any]:
    try:
        values: dict[str, Any] = json.loads((checkpoint / "state.json").read_text("utf-8"))
        if not {"progress", "optimizers"} <= values.keys():
            raise ValueError("it lacks progress or optimizers")
        return values
    except (OSError, ValueError, AttributeError) as error:
        raise ZooError(
            f"the checkpoint {checkpoint} cannot be read: {error}; remove it to resume from the "
            "previous one"
        ) from error
