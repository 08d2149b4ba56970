"""Images of any format, mode and size become arrays of one shape, or an error."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from zoo.data.preparation.decode import Change, decode_image
from zoo.data.preparation.prepare import Preparation
from zoo.errors import ZooError

GRAY = np.arange(64, dtype=np.uint8).reshape(8, 8) * 4


def color(width: int = 8, height: int = 8) -> Image.Image:
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def encoded(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def test_an_image_of_the_right_shape_is_unchanged() -> None:
    pixels, change = Preparation(8, 1).apply(Image.fromarray(GRAY), "a")
    assert pixels.shape == (1, 8, 8)
    assert pixels.dtype == np.uint8
    np.testing.assert_array_equal(pixels[0], GRAY)
    assert change == Change.NONE

    image = color()
    pixels, change = Preparation(8, 3).apply(image, "a")
    np.testing.assert_array_equal(pixels, np.asarray(image).transpose(2, 0, 1))
    assert change == Change.NONE


@pytest.mark.parametrize("shape", [(8, 8), (8, 8, 1)])
def test_arrays_are_images_too(shape: tuple[int, ...]) -> None:
    np.testing.assert_array_equal(Preparation(8, 1)(GRAY.reshape(shape), "a")[0], GRAY)


def test_channels_become_gray_or_are_repeated() -> None:
    image = color()
    pixels, change = Preparation(8, 1).apply(image, "a")
    np.testing.assert_array_equal(pixels[0], np.asarray(image.convert("L")))
    assert change == Change.GRAYED

    pixels, change = Preparation(8, 3).apply(GRAY, "a")
    np.testing.assert_array_equal(pixels, np.stack([GRAY] * 3))
    assert change == Change.REPEATED

    gray_as_rgb = Image.fromarray(GRAY).convert("RGB")
    assert Preparation(8, 1).apply(gray_as_rgb, "a")[1] == Change.NONE


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_rotates_the_image(orientation: int) -> None:
    upright = color()
    stored = {
        1: None,
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encoded(upright if stored is None else upright.transpose(stored), exif=exif)
    pixels, change = Preparation(8, 3).apply(decode_image(data, "a"), "a")
    np.testing.assert_array_equal(pixels.transpose(1, 2, 0), np.asarray(upright))
    assert change == (Change.NONE if orientation == 1 else Change.ROTATED)


def test_16_bits_keep_their_range() -> None:
    wide = (np.arange(64, dtype=np.uint32).reshape(8, 8) * 65535 // 63).astype(np.uint16)
    expected = np.round(wide / 257)
    image = decode_image(encoded(Image.fromarray(wide)), "a")
    assert image.mode.startswith("I")
    for stored in (image, Image.fromarray(wide.astype(np.int32))):
        pixels, change = Preparation(8, 1).apply(stored, "a")
        np.testing.assert_array_equal(pixels[0], expected)
        assert change == Change.DEPTH


def test_palettes_and_one_bit() -> None:
    palette = color().quantize(8)
    pixels = Preparation(8, 3)(decode_image(encoded(palette), "a"), "a")
    np.testing.assert_array_equal(pixels.transpose(1, 2, 0), np.asarray(palette.convert("RGB")))

    bits = Image.fromarray(GRAY).convert("1", dither=Image.Dither.NONE)
    pixels = Preparation(8, 1)(decode_image(encoded(bits), "a"), "a")
    np.testing.assert_array_equal(pixels[0], np.where(np.asarray(bits), 255, 0))


def test_cmyk_becomes_rgb() -> None:
    image = decode_image(encoded(Image.new("CMYK", (8, 8), (0, 255, 255, 0)), "TIFF"), "a")
    pixels, change = Preparation(8, 3).apply(image, "a")
    assert pixels[:, 0, 0].tolist() == [255, 0, 0]
    assert change == Change.COLOR_SPACE


@pytest.mark.parametrize(("background", "expected"), [(255, [155, 255, 155]), (0, [0, 100, 0])])
def test_transparency_is_laid_on_the_background(background: int, expected: list[int]) -> None:
    image = Image.new("RGBA", (8, 8), (0, 255, 0, 100))
    pixels, change = Preparation(8, 3, background=background).apply(image, "a")
    assert pixels[:, 3, 3].tolist() == expected
    assert change == Change.ALPHA

    clear = Image.new("LA", (8, 8), (77, 0))
    assert Preparation(8, 1, background=background)(clear, "a").tolist() == [[[background] * 8] * 8]


def test_a_palette_with_a_transparent_color() -> None:
    palette = Image.new("P", (8, 8), 1)
    palette.putpalette([0, 0, 0, 200, 10, 20])
    palette.putpixel((0, 0), 0)
    image = decode_image(encoded(palette, transparency=0), "a")
    pixels, change = Preparation(8, 3, background=255).apply(image, "a")
    assert pixels[:, 0, 0].tolist() == [255, 255, 255]
    assert pixels[:, 1, 1].tolist() == [200, 10, 20]
    assert change == Change.ALPHA


def test_an_opaque_alpha_channel_is_dropped() -> None:
    image = color()
    image.putalpha(255)
    pixels, change = Preparation(8, 3).apply(image, "a")
    np.testing.assert_array_equal(pixels, np.asarray(color()).transpose(2, 0, 1))
    assert change == Change.NONE


def test_a_black_border_is_even() -> None:
    white = np.full((28, 28), 255, np.uint8)
    pixels, change = Preparation(32, 1, pad=2).apply(white, "a")
    assert change == Change.PADDED
    assert (pixels[0, 2:30, 2:30] == 255).all()
    assert int(pixels.astype(int).sum()) == 28 * 28 * 255

    odd = Preparation(31, 1, pad=2)(white, "a")
    assert (odd[0, 1:29, 1:29] == 255).all()


def test_an_image_too_small_for_the_border_is_refused() -> None:
    with pytest.raises(ZooError) as caught:
        Preparation(32, 1, pad=2)(np.zeros((27, 28), np.uint8), "x/a.png")
    assert str(caught.value) == (
        "x/a.png is 28x27 pixels, smaller than data.size 32: use --set data.size=27, or "
        "--set data.pad=3 for a black border"
    )
    with pytest.raises(ZooError, match=r"data\.size=28$"):
        Preparation(512, 1)(np.zeros((28, 28), np.uint8), "a")


def test_a_large_image_is_cropped_to_the_center_and_scaled() -> None:
    wide = np.zeros((8, 20), np.uint8)
    wide[:, 6:14] = GRAY
    pixels, change = Preparation(8, 1).apply(wide, "a")
    np.testing.assert_array_equal(pixels[0], GRAY)
    assert change == Change.CROPPED

    pixels, change = Preparation(16, 3).apply(color(40, 60), "a")
    expected = color(40, 60).crop((0, 10, 40, 50)).resize((16, 16), Image.Resampling.LANCZOS)
    np.testing.assert_array_equal(pixels.transpose(1, 2, 0), np.asarray(expected))
    assert change == Change.CROPPED | Change.SCALED

    # Antialiased: a checkerboard of pixels becomes gray, not black or white.
    board = (np.indices((64, 64)).sum(0) % 2 * 255).astype(np.uint8)
    inner = Preparation(16, 1)(board, "a")[0, 2:-2, 2:-2]
    assert inner.min() > 100
    assert inner.max() < 155


def test_exact_refuses_another_size() -> None:
    with pytest.raises(ZooError, match=r"b\.png is 9x8 .* others are 8x8.*--set data\.size=8"):
        Preparation(8, 1, exact=True)(np.zeros((8, 9), np.uint8), "b.png")


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "TIFF"])
def test_a_truncated_file_is_one_sentence(kind: str) -> None:
    data = encoded(color(64, 64), kind)
    with pytest.raises(ZooError, match=r"^cut\.x (cannot be decoded|is not an image)") as caught:
        Preparation(64, 3)(decode_image(data[: len(data) // 2], "cut.x"), "cut.x")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("data", [b"", b"not an image", b"\x89PNG\r\n\x1a\n"])
def test_a_file_that_is_not_an_image_is_named(data: bytes) -> None:
    with pytest.raises(ZooError, match=r"^n\.png (is not an image|cannot be decoded)"):
        decode_image(data, "n.png")


@pytest.mark.parametrize(
    "stored",
    [
        Image.fromarray(np.zeros((8, 8), np.float32)),
        np.zeros((8, 8), np.float32),
        np.zeros((8, 8, 5), np.uint8),
        np.zeros((0, 8), np.uint8),
    ],
)
def test_an_unknown_range_or_shape_is_refused(stored: object) -> None:
    with pytest.raises(ZooError, match=r"^odd "):
        Preparation(8, 1)(stored, "odd")
