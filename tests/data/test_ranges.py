"""Stored values of black and white: found, stated, or refused with both readings."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numbered import opened, png
from numpy.typing import NDArray
from PIL import Image

from zoo.data import Dataset
from zoo.data.preparation.survey import SURVEYED, spread
from zoo.errors import UsageError, ZooError

BYTES = np.random.default_rng(0).integers(0, 256, (40, 8, 8), dtype=np.uint8)
BYTES[:, 0, 0], BYTES[:, 0, 1] = 0, 255
BINARY = (BYTES > 127).astype(np.uint8)
TWELVE_BITS = (BYTES.astype(np.uint16) << 4) | (BYTES >> 4)  # 0 to 4095
SIXTEEN_BITS = BYTES.astype(np.uint16) * 257


def npz(folder: Path, images: NDArray[Any], name: str = "a.npz") -> Path:
    np.savez(folder / name, images=images)
    return folder / name


def files(folder: Path, images: list[Image.Image], suffix: str = "png") -> Path:
    for number, image in enumerate(images):
        image.save(folder / f"{number:03}.{suffix}")
    return folder


def cells(folder: Path, images: NDArray[Any]) -> Path:
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table({"image": images.tolist()}), folder / "a.parquet")
    return folder / "a.parquet"


def pixels(data: Dataset) -> set[bytes]:
    """Returns the images of all splits."""
    return {split[i][0].tobytes() for split in data.splits.values() for i in range(len(split))}


def expected(images: NDArray[np.uint8]) -> set[bytes]:
    return {image.tobytes() for image in images}


@pytest.mark.parametrize(
    ("images", "stored"),
    [
        (BYTES, None),
        (BINARY.astype(bool), None),
        (SIXTEEN_BITS, None),
        (BYTES.astype(np.uint16), [0, 255]),
        (BYTES.astype(np.int16), [0, 255]),
        (BYTES.astype(np.int64), [0, 255]),
        (BYTES.astype(">u4"), [0, 255]),
        (BYTES.astype(np.float32), [0, 255]),
        (BYTES / 255, None),
        ((BYTES / 255).astype(np.float32), None),
        ((BYTES / 255).astype(np.float16), None),
    ],
)
def test_the_range_of_an_array_is_found(
    images: NDArray[Any], stored: list[float] | None, tmp_path: Path
) -> None:
    data = opened(npz(tmp_path, images))
    wanted = BINARY * 255 if images.dtype == bool else BYTES
    assert pixels(data) == expected(wanted)
    assert data.config.value_range == stored
    assert data.values is not None
    assert (data.values.min, data.values.max) == (0, 255)
    again = opened(npz(tmp_path, images[:3], "b.npz"), value_range=data.config.value_range)
    assert pixels(again) == expected(wanted[:3])


REFUSED: list[tuple[NDArray[Any], str, list[float]]] = [
    (BINARY, "only values 0 to 1 of 0 to 255", [0, 1]),
    (BINARY.astype(np.int64), "only values 0 to 1 of 0 to 255", [0, 1]),
    (BYTES // 16, "only values 0 to 15 of 0 to 255", [0, 15]),
    (np.rint(BYTES / 255 * 16), "values from 0 to 16, the range of no format", [0, 16]),
    (TWELVE_BITS, "are uint16 with values of at most 4095", [0, 4095]),
    (TWELVE_BITS >> 2, "are uint16 with values of at most 1023", [0, 1023]),
    (TWELVE_BITS.astype(np.int32), "are int32 with values of at most 4095", [0, 4095]),
    (BYTES.astype(np.int16) * 128, "are int16 with values of at most 32640", [0, 32767]),
    (BYTES.astype(np.int32) * 1000, "values from 0 to 255000, the range of no format", [0, 255000]),
    (BYTES.astype(np.int16) * 4 - 1000, "values from -1000 to 20,", [-1000, 20]),
    (BYTES / 127.5 - 1, "values from -1 to 1, the range of no format", [-1, 1]),
    (BYTES / 255 * 1.2 - 0.1, "values from -0.1 to 1.1, the range of no format", [0, 1]),
    (BYTES / 255 / 255, "values from 0 to 0.00392157, nearly one shade", [0, 1]),
]


@pytest.mark.parametrize(("images", "reading", "fix"), REFUSED)
def test_values_that_contradict_the_range_are_refused_with_the_fix(
    images: NDArray[Any], reading: str, fix: list[float], tmp_path: Path
) -> None:
    path = npz(tmp_path, images)
    with pytest.raises(ZooError, match=reading) as caught:
        opened(path)
    assert f"--set 'data.value_range=[{fix[0]}, {fix[1]}]'" in str(caught.value)
    data = opened(path, value_range=fix)
    black, white = fix
    wanted = np.rint((images.astype(float) - black) / (white - black) * 255).clip(0, 255)
    assert pixels(data) == expected(wanted.astype(np.uint8))
    assert data.config.value_range == fix


def test_12_bits_in_a_png_of_16(tmp_path: Path) -> None:
    files(tmp_path, [Image.fromarray(image) for image in TWELVE_BITS])
    with pytest.raises(ZooError, match=r"0, 4095\]' if they have 12 bits, .*0, 65535\]' if 16"):
        opened(tmp_path)
    assert pixels(opened(tmp_path, value_range=[0, 4095])) == expected(BYTES)


def test_tiff_of_integers_and_floats(tmp_path: Path) -> None:
    for name, dtype in (("int32", np.int32), ("float32", np.float32)):
        folder = tmp_path / name
        folder.mkdir()
        files(folder, [Image.fromarray(image.astype(dtype)) for image in BYTES], "tiff")
        assert pixels(opened(folder)) == expected(BYTES)
    hounsfield = BYTES.astype(np.int32) * 4 - 1000
    (tmp_path / "ct").mkdir()
    files(tmp_path / "ct", [Image.fromarray(image) for image in hounsfield], "tiff")
    with pytest.raises(ZooError, match=r"from -1000 to 20,.*value_range=\[-1000, 20\]"):
        opened(tmp_path / "ct")
    data = opened(tmp_path / "ct", value_range=[-160, 20])
    wanted = np.rint((hounsfield + 160) / 180 * 255).clip(0, 255).astype(np.uint8)
    assert pixels(data) == expected(wanted)
    assert any("clipped to data.value_range" in note for note in data.notes)


@pytest.mark.parametrize(
    ("images", "options"),
    [
        (BYTES, {}),
        (BYTES / 255, {}),
        (BYTES / 127.5 - 1, {"value_range": [-1, 1]}),
        (BINARY.astype(bool), {}),
    ],
)
def test_pixel_lists_in_parquet_are_read_like_arrays(
    images: NDArray[Any], options: dict[str, Any], tmp_path: Path
) -> None:
    wanted = BINARY * 255 if images.dtype == bool else BYTES
    assert pixels(opened(cells(tmp_path, images), **options)) == expected(wanted)


def test_pixel_lists_of_0_and_1_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ZooError, match=r"only values 0 to 1 .*value_range=\[0, 1\]"):
        opened(cells(tmp_path, BINARY))


def test_a_stated_range_stretches_files_of_8_bits(tmp_path: Path) -> None:
    color = np.stack([BINARY, BINARY[::-1], 1 - BINARY], axis=-1)
    files(tmp_path, [Image.fromarray(image) for image in color])
    with pytest.raises(ZooError, match=r"only values 0 to 1 of 0 to 255"):
        opened(tmp_path)
    data = opened(tmp_path, value_range=[0, 1])
    assert pixels(data) == expected((color * 255).transpose(0, 3, 1, 2))
    assert "All 40 images were read with 0 as black and 1 as white." in data.notes
    inverted = opened(tmp_path, value_range=[1, 0])
    assert pixels(inverted) == expected((255 - color * 255).transpose(0, 3, 1, 2))


def test_a_stated_range_leaves_alpha_alone(tmp_path: Path) -> None:
    alpha = np.where(BYTES > 100, 255, 0).astype(np.uint8)
    pairs = zip(BINARY, alpha, strict=True)
    files(tmp_path, [Image.fromarray(np.dstack([b, b, b, a])) for b, a in pairs])
    data = opened(tmp_path, value_range=[0, 1], background="white")
    assert pixels(data) == expected(np.where(alpha > 0, BINARY * 255, 255).astype(np.uint8))


def test_genuine_black_and_white_and_dark_images_are_taken(tmp_path: Path) -> None:
    ink = np.kron(BINARY, np.full((1, 4, 4), 255, np.uint8))
    data = opened(npz(tmp_path, ink))
    assert pixels(data) == expected(ink)
    (note,) = data.notes
    assert note == (
        "The training images have only 2 of 256 values: --set data.bits=1 models them as such."
    )
    assert opened(tmp_path / "a.npz", bits=1).notes == ()
    assert opened(npz(tmp_path, BYTES // 3)).notes == ()
    (note,) = opened(npz(tmp_path, BYTES // 10)).notes
    assert note.startswith("The training images have only values 0 to 25 of 0 to 255; --set")


def test_a_stated_range_of_the_format_accepts_dark_images(tmp_path: Path) -> None:
    data = opened(npz(tmp_path, BINARY), value_range=[0, 255])
    assert pixels(data) == expected(BINARY)
    assert "only values 0 to 1 of 0 to 255" in data.notes[0]
    data = opened(npz(tmp_path, TWELVE_BITS), value_range=[0, 65535])
    assert pixels(data) == expected(np.rint(TWELVE_BITS / 257).astype(np.uint8))


def test_other_values_are_noted(tmp_path: Path) -> None:
    copies, note = opened(npz(tmp_path, np.zeros((30, 8, 8), np.uint8))).notes
    assert copies.startswith("29 of 30 training images are copies of others")
    assert note == "All pixels of the training images have the value 0: check the data."
    hot = np.kron(BINARY, np.ones((1, 4, 4), np.uint8))
    hot[:, 4, 0] = np.arange(0, 200, 5)
    notes = opened(npz(tmp_path, hot)).notes
    assert "Nearly all pixels of the training images have values 0 to 1 of 0 to 255" in notes[0]


def test_a_test_split_of_another_range_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", train_images=BYTES, test_images=BINARY)
    with pytest.raises(ZooError, match="the test images have only values 0 to 1 of 0 to 255"):
        opened(tmp_path / "a.npz")
    np.savez(tmp_path / "b.npz", train_images=BYTES, test_images=TWELVE_BITS)
    with pytest.raises(ZooError, match="are uint16 with values of at most 4095"):
        opened(tmp_path / "b.npz")


def test_values_beyond_those_surveyed_are_refused_or_clipped(tmp_path: Path) -> None:
    many = np.tile(BYTES.astype(np.int32), (5, 1, 1))
    many[102, 0, 0] = 300
    assert 102 not in spread(200, SURVEYED)
    np.savez(tmp_path / "a.npz", train_images=many, val_images=BYTES, test_images=BYTES)
    with pytest.raises(ZooError, match=r"image 102 of .* from \d+ to 300, outside 0 to 255"):
        opened(tmp_path / "a.npz")
    data = opened(tmp_path / "a.npz", value_range=[0, 255])
    assert any("1 of 280 images was clipped to data.value_range" in note for note in data.notes)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_values_that_are_not_finite_are_refused(value: float, tmp_path: Path) -> None:
    for index in (0, 102):  # surveyed or not
        many = np.tile(BYTES / 255, (5, 1, 1))
        many[index, 2, 2] = value
        for options in ({}, {"value_range": [0, 1]}):
            with pytest.raises(ZooError, match=f"image {index} of .* that are not finite"):
                opened(npz(tmp_path, many), **options)


def test_an_empty_range_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"data\.value_range must be two numbers that differ"):
        opened(npz(tmp_path, BYTES), value_range=[1, 1])


def test_the_range_of_other_images_does_not_apply(tmp_path: Path) -> None:
    """A run of 0 and 1, of integers or of fractions reads a photograph of 8 bits as such."""
    for value_range in ([0, 1], [0, 16], [0, 4095], [-1, 1], [0, 255], [-1000, 400]):
        data = opened(npz(tmp_path, BYTES), value_range=value_range)
        assert pixels(data) == expected(BYTES), value_range
    fractions = opened(npz(tmp_path, BYTES / 255), value_range=[0, 255])
    assert pixels(fractions) == expected(BYTES)
    sixteen = opened(npz(tmp_path, SIXTEEN_BITS), value_range=[0, 255])
    assert pixels(sixteen) == expected(BYTES)
    assert "[0, 255] cannot be that of images of uint16: 0 to 65535 is used" in sixteen.notes[0]


def test_arrays_of_2_and_4_channels_need_evidence_of_transparency(tmp_path: Path) -> None:
    two = np.stack([BYTES, BYTES[::-1]], axis=-1)
    four = np.stack([BYTES, BYTES[::-1], 255 - BYTES, np.roll(BYTES, 1, 1)], axis=-1)
    for images, reading in (
        (two, "has 2 channels, gray with transparency, or two bands"),
        (four, "has 4 channels, RGBA, CMYK, or four bands"),
    ):
        with pytest.raises(ZooError, match=rf"{reading}: set data\.background"):
            opened(npz(tmp_path, images))
        data = opened(npz(tmp_path, images), background="black")
        assert data.config.background == "black"
    alpha = np.where(BYTES > 90, 255, 0)
    icons = np.stack([BYTES, BYTES, BYTES, alpha], axis=-1).astype(np.uint8)
    data = opened(npz(tmp_path, icons), background="white")
    found = opened(npz(tmp_path, icons))
    assert pixels(found) == pixels(data)
    assert found.config.background == "white"
    files(tmp_path, [Image.fromarray(image) for image in four])  # files say what they are
    (tmp_path / "a.npz").unlink()
    assert opened(tmp_path).config.background in ("black", "white")


def test_the_background_is_stored_and_reused(tmp_path: Path) -> None:
    bright = np.full((8, 8, 4), 250, np.uint8)
    bright[2:6, 2:6, 3] = 0
    bright[0, 0, 0] = 10
    dark = bright.copy()
    dark[..., :3] = 20
    files(tmp_path, [Image.fromarray(bright)] * 3)
    trained = opened(tmp_path).config
    assert trained.background == "black"
    from zoo.data.image_files import find_images, read_images

    other = tmp_path / "other.bin"
    other.write_bytes(png(dark))
    config = trained.model_copy(update={"size": 8, "channels": 3})
    assert read_images(find_images([other])[0], config)[0, 0, 3, 3] == 0
    assert opened(npz(tmp_path, BYTES)).config.background is None


def test_a_single_dark_file_is_read_as_it_is(tmp_path: Path) -> None:
    from zoo.data.image_files import find_images, read_images

    for name, dark in (("a.png", BINARY[0]), ("b.png", TWELVE_BITS[0])):
        buffer = io.BytesIO()
        Image.fromarray(dark).save(buffer, "PNG")
        (tmp_path / name).write_bytes(buffer.getvalue())
    config = opened(npz(tmp_path, BYTES)).config.model_copy(update={"size": 8, "channels": 1})
    files_found, _ = find_images([tmp_path / "a.png", tmp_path / "b.png"])
    images = read_images(files_found, config)
    np.testing.assert_array_equal(images[0, 0], BINARY[0])
    np.testing.assert_array_equal(images[1, 0], np.rint(TWELVE_BITS[0] / 257))
