"""A row of data loading: batches of ``zoo.data`` as training takes them, beside a DataLoader.

``arrays`` are 3x32x32 images in memory; ``png`` is a folder of 3x64x64 files, decoded by two worker
processes. The peer is torch's DataLoader over the same arrays, or over a Dataset that opens each
file with Pillow, with as many workers. Both end with float32 images in [0, 1] on the device; a turn
is a pass over all images, from starting the workers to the last batch.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import measure
import numpy as np
import torch
from plan import Row
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from zoo.config.sections import DataConfig
from zoo.data import open_data
from zoo.data.batches import Batches
from zoo.sampling.seeding import STEP, generator_for

WORKERS = 2

OTHERS = {"validation": 1, "test": 2}
"""Splits of one image, and their seeds."""


def measured(row: Row, device: torch.device) -> dict[str, Any]:
    (count,) = row.sizes
    batches = count // row.batch
    with tempfile.TemporaryDirectory() as folder:
        path, theirs = SOURCES[row.subject.preset](Path(folder), count, row.batch, device)
        start = time.perf_counter()
        is_streamed = row.subject.preset == "png"
        config = DataConfig(source=str(path), workers=WORKERS, resident_gib=0 if is_streamed else 4)
        data = open_data(config, splits=("train",))
        opened = time.perf_counter() - start
        split = data.splits["train"]
        loader = Batches(
            split, data.image_spec, row.batch, 0, device, workers=WORKERS if is_streamed else 0
        )
        generator = generator_for(0, STEP, 0, device)

        def ours() -> None:
            raws = loader.iterate()
            for raw in islice(raws, batches):
                assert loader.make(raw, generator).images.shape[0] == row.batch
            raws.close()  # type: ignore[attr-defined]

        def peer() -> None:
            for images in islice(theirs, batches):
                assert images.shape[0] == row.batch

        times = measure.alternate({"genzoo": ours, "torch": peer}, row.rounds, row.seconds, device)
    images = batches * row.batch
    return {
        "images": images,
        "open_seconds": opened,
        **measure.timing(times, "genzoo", images),
        "peer_result": measure.timing(times, "torch", images),
        "times_peer": measure.ratio(times, "genzoo", "torch"),
    }


def _arrays(folder: Path, count: int, batch: int, device: torch.device) -> tuple[Path, Any]:
    images = _noise(count, 32)
    path = folder / "images.npz"
    others = {f"{split}_images": _noise(1, 32, seed) for split, seed in OTHERS.items()}
    np.savez(path, train_images=images, **others)
    tensor = torch.from_numpy(images).permute(0, 3, 1, 2).contiguous()

    class Pixels(Dataset[Tensor]):
        def __len__(self) -> int:
            return len(tensor)

        def __getitem__(self, index: int) -> Tensor:
            return tensor[index]

    return path, _Floats(DataLoader(Pixels(), batch, shuffle=True, drop_last=True), device)


def _png(folder: Path, count: int, batch: int, device: torch.device) -> tuple[Path, Any]:
    from PIL import Image

    for split, seed in {"train": 0, **OTHERS}.items():
        (folder / split).mkdir()
        for index, image in enumerate(_noise(count if split == "train" else 1, 64, seed)):
            Image.fromarray(image).save(folder / split / f"{index:05}.png")
    files = sorted((folder / "train").iterdir())

    class Files(Dataset[Tensor]):
        def __len__(self) -> int:
            return len(files)

        def __getitem__(self, index: int) -> Tensor:
            with Image.open(files[index]) as image:
                pixels = np.asarray(image.convert("RGB"))
            return torch.from_numpy(pixels.copy()).permute(2, 0, 1)

    loader = DataLoader(
        Files(),
        batch,
        shuffle=True,
        drop_last=True,
        num_workers=WORKERS,
        pin_memory=device.type == "cuda",
    )
    return folder, _Floats(loader, device)


SOURCES = {"arrays": _arrays, "png": _png}


class _Floats:
    """The batches of a loader as float32 images in [0, 1] on a device."""

    def __init__(self, loader: DataLoader[Tensor], device: torch.device) -> None:
        self._loader, self._device = loader, device

    def __iter__(self) -> Iterator[Tensor]:
        for images in self._loader:
            yield images.to(self._device, non_blocking=True).float() / 255


def _noise(count: int, size: int, seed: int = 0) -> Any:
    """Smooth random images, uint8 [N, size, size, 3], which PNG compresses somewhat."""
    generator = np.random.default_rng(seed)
    coarse = generator.integers(0, 256, (count, size // 4, size // 4, 3), dtype=np.uint8)
    return coarse.repeat(4, axis=1).repeat(4, axis=2)
