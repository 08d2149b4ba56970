"""Preparation of a dataset: sizes, channels, transparency, in memory or streamed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numbered import (
    make_folder,
    numbered_image,
    opened,
    png,
)
from PIL import Image

from zoo.config.sections import DataConfig
from zoo.data import ResidentSplit, StreamedSplit, open_data
from zoo.errors import ZooError


def test_images_of_several_sizes_need_data_size(tmp_path: Path) -> None:
    folder = make_folder(tmp_path, {".": 2})
    (folder / "z.png").write_bytes(png(numbered_image(9, size=12)))
    with pytest.raises(ZooError, match=r"z\.png is 12x12 .* others are 8x8.*data\.size=8"):
        opened(folder)
    data = opened(folder, size=8)
    assert data.notes == ("1 of 3 images was scaled to 8 pixels a side.",)
    with pytest.raises(ZooError, match=r"00000\.png is 8x8 .* data\.size=8, or --set data\.pad=2"):
        opened(folder, size=12)
    data = opened(folder, size=12, pad=2)
    assert data.notes == ("2 of 3 images were given a black border, to 12 pixels.",)


def test_images_that_are_not_square_need_data_size(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", images=np.arange(180, dtype=np.uint8).reshape(3, 10, 6))
    with pytest.raises(ZooError, match=r"image 0 of 'images' in .*a\.npz is 6x10.*data\.size=6"):
        opened(tmp_path / "a.npz")
    data = opened(tmp_path / "a.npz", size=6)
    assert data.notes == ("All 3 images were cropped to the center square.",)


def test_channels_are_those_of_the_images_or_of_the_configuration(tmp_path: Path) -> None:
    gray = np.arange(192, dtype=np.uint8).reshape(3, 8, 8)
    np.savez(tmp_path / "gray.npz", images=gray)
    assert opened(tmp_path / "gray.npz").image_spec.channels == 1
    data = opened(tmp_path / "gray.npz", channels=3)
    assert data.splits["train"][0][0].shape == (3, 8, 8)
    assert data.notes == ("All 3 images were gray and repeated in three channels.",)

    np.savez(tmp_path / "stored.npz", images=np.stack([gray] * 3, axis=-1))
    data = opened(tmp_path / "stored.npz")
    assert data.image_spec.channels == 1
    assert "stored in color but all that were checked are gray" in data.notes[0]
    assert any((image[0] == gray[1]).all() for split in data.splits.values() for image, _ in split)

    np.savez(tmp_path / "color.npz", images=np.stack([numbered_image(i) for i in range(3)]))
    assert opened(tmp_path / "color.npz").image_spec.channels == 3
    data = opened(tmp_path / "color.npz", channels=1)
    assert data.notes == ("All 3 images were converted from color to gray.",)


@pytest.mark.parametrize(("ink", "background"), [(20, "white"), (250, "black")])
def test_the_background_of_transparent_images_contrasts(
    ink: int, background: str, tmp_path: Path
) -> None:
    pixels = np.zeros((8, 8, 4), np.uint8)
    pixels[2:6, 2:6] = (ink, ink, ink, 255)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    data = opened(tmp_path)
    assert f"The only image was partly transparent and laid on {background}." in data.notes
    image = data.splits["train"][0][0]
    assert image[0, 0, 0] == {"white": 255, "black": 0}[background]
    assert image[0, 3, 3] == ink


def test_colors_of_transparent_pixels_do_not_count(tmp_path: Path) -> None:
    pixels = np.full((8, 8, 4), 90, np.uint8)
    pixels[0] = (255, 0, 0, 0)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    assert opened(tmp_path).image_spec.channels == 1


def test_a_dataset_is_resident_up_to_its_limit(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", images=np.zeros((16, 8, 8), np.uint8))
    size = 16 * 8 * 8 / 2**30
    kinds = [
        type(opened(tmp_path / "a.npz", resident_gib=limit).splits["train"])
        for limit in (size, size * 0.999)
    ]
    assert kinds == [ResidentSplit, StreamedSplit]


def test_progress_is_reported(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", images=np.zeros((200, 4, 4), np.uint8))
    calls: list[tuple[int, int]] = []
    config = DataConfig(source=str(tmp_path / "a.npz"))
    open_data(config, progress=lambda done, total: calls.append((done, total)))
    assert calls[-1] == (200, 200)
    assert calls == sorted(calls)
    assert len(calls) > 3
