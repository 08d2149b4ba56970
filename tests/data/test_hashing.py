"""Hashes of images: equal for the same pixels in every container, different otherwise."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from zoo.data.hashing import image_hash, seeded_ranks

GRAY = np.arange(0, 240, 4, dtype=np.uint8).reshape(6, 10)
COLOR = np.stack([GRAY, GRAY[::-1], GRAY], axis=-1)
BITS = (GRAY // 8 % 2).astype(np.uint8)
DEEP = GRAY.astype(np.uint16) * 257


def saved(pixels: np.ndarray, format: str = "PNG", mode: str | None = None) -> Image.Image:
    buffer = io.BytesIO()
    image = Image.fromarray(pixels)
    (image if mode is None else image.convert(mode)).save(buffer, format)
    return Image.open(buffer)


def with_alpha(pixels: np.ndarray, alpha: int) -> np.ndarray:
    return np.concatenate([pixels, np.full((*pixels.shape[:2], 1), alpha, np.uint8)], axis=-1)


@pytest.mark.parametrize(
    ("array", "others"),
    [
        (
            GRAY,
            [
                saved(GRAY),
                saved(GRAY, mode="RGB"),
                saved(GRAY, "TIFF"),
                saved(GRAY, mode="LA"),
                saved(GRAY, mode="P"),
                GRAY[..., None],
                np.repeat(GRAY[..., None], 3, axis=-1),
                with_alpha(GRAY[..., None], 255),
                GRAY.astype(np.int64),
                GRAY.astype(np.uint16),
                GRAY.astype(np.float32),
                np.asfortranarray(GRAY),
                saved(GRAY.astype(np.uint16)),
            ],
        ),
        (
            COLOR,
            [saved(COLOR), saved(COLOR, "BMP"), saved(COLOR, mode="RGBA"), with_alpha(COLOR, 255)],
        ),
        (BITS, [BITS.astype(bool), BITS * 255, saved(BITS * 255, mode="1"), BITS.astype(float)]),
        (DEEP, [saved(DEEP), DEEP.astype(">u2"), DEEP.astype(np.int32), DEEP.astype(np.float64)]),
        (
            DEEP / 65535,
            [(DEEP / 65535).astype(np.float32), Image.fromarray(np.float32(DEEP / 65535))],
        ),
    ],
    ids=["gray", "color", "one bit", "16 bits", "floats"],
)
def test_an_image_has_one_hash_in_every_container(array: np.ndarray, others: list[object]) -> None:
    hashes = [image_hash(other, "image") for other in (array, *others)]  # type: ignore[arg-type]
    assert len(set(hashes)) == 1


def test_other_pixels_have_other_hashes() -> None:
    changed = GRAY.copy()
    changed[3, 4] += 1
    images = [
        GRAY,
        changed,
        GRAY.T,
        GRAY.reshape(10, 6),
        255 - GRAY,
        COLOR,
        COLOR[..., [1, 0, 2]],
        BITS,
        DEEP,
        DEEP + 1,
        DEEP / 65535,
        DEEP.astype(np.int64) - 500,
        with_alpha(GRAY[..., None], 254),
        with_alpha(COLOR, 254),
    ]
    assert len({image_hash(image, "image") for image in images}) == len(images)


def test_a_rotated_file_is_the_upright_image() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    buffer = io.BytesIO()
    Image.fromarray(np.rot90(COLOR)).save(buffer, "PNG", exif=exif)
    assert image_hash(Image.open(buffer), "image") == image_hash(COLOR, "image")


def test_ranks_depend_on_hash_seed_and_purpose_alone() -> None:
    hashes = [image_hash(GRAY + i, "image") for i in range(15)]
    ranks = seeded_ranks(hashes, 0, "test")
    assert ranks[5] == seeded_ranks(hashes[5:6], 0, "test")[0]
    assert not (ranks == seeded_ranks(hashes, 1, "test")).any()
    assert not (ranks == seeded_ranks(hashes, 0, "validation")).any()
    assert len(seeded_ranks(hashes, 2**32 - 1, "validation")) == 15
