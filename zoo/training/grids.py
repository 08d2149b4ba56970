"""The sample grids of a run: the same latents at every checkpoint."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from zoo.report.grids import grid, save_png
from zoo.runs.folder import GRID, SAMPLES, RunFolder
from zoo.system.files import write_bytes

if TYPE_CHECKING:
    from zoo.model import Model

IMAGES = 64


def grid_paths(folder: RunFolder, step: int) -> list[Path]:
    """Returns the paths of the grid of a checkpoint and of the latest grid."""
    return [folder.path / f"{SAMPLES}/step-{step:08d}.png", folder.path / GRID]


def are_written(folder: RunFolder, step: int) -> bool:
    """Whether both grids exist and are of the checkpoint of ``step``."""
    own, latest = grid_paths(folder, step)
    return own.exists() and latest.exists() and own.read_bytes() == latest.read_bytes()


def write_own_grid(folder: RunFolder, model: Model, step: int, seed: int) -> None:
    """Writes samples of ``model`` to the grid of the checkpoint of ``step``."""
    own, _ = grid_paths(folder, step)
    save_png(own, grid(model.sample(IMAGES, seed=seed).numpy()))


def write_grid(folder: RunFolder, model: Model, step: int, seed: int) -> None:
    """Writes samples of ``model`` to both paths of :func:`grid_paths`."""
    own, latest = grid_paths(folder, step)
    write_own_grid(folder, model, step, seed)
    write_bytes(latest, own.read_bytes())
