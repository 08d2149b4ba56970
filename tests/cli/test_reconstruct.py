"""Reconstructions: in Python, on the command line, and as a grid."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from sealed import write_weights

import zoo
from zoo.data.spread import spread_split
from zoo.errors import UsageError
from zoo.evaluation.difference import difference
from zoo.report.grids import pairs

PLUGIN = """
import torch
from torch import nn
from zoo import Latent, ModelConfig, ModelSpec, hookimpl
from zoo.objectives import MaximumLikelihood

ENCODES = ("sample", "encode", "interpolate")


class Half(nn.Module):
    def __init__(self, image, classes):
        super().__init__()
        self.latent = Latent(image.dimensions, "normal", classes)
        self.shape = (image.channels, image.size, image.size)
        self.weight = nn.Parameter(torch.ones(()))


@hookimpl
def zoo_models():
    presets = {"digits": {"data": {"bits": 4}, "training": {"steps": 1}}}
    common = {"family": "test", "paper": "-", "config": ModelConfig, "presets": presets}
    return [
        ModelSpec(name="half", title="Half", capabilities=ENCODES, **common),
        ModelSpec(name="classy", title="Classy", capabilities=ENCODES, **common),
        ModelSpec(name="blind", title="Blind", capabilities=("sample",), **common),
    ]


@hookimpl
def zoo_build(model, image):
    return Half(image, 10 if model == "classy" else 0)


@hookimpl
def zoo_train(network, config):
    def nats(network, batch):
        return network.weight.square().expand(len(batch))
    return MaximumLikelihood(network, config.training, nats)


@hookimpl
def zoo_encode(model, network, images, labels):
    mean = images.flatten(1)
    if model == "classy":
        mean = (labels / 16)[:, None].expand_as(mean)
    return {"mean": mean, "log_variance": torch.zeros_like(mean)}


@hookimpl
def zoo_sample(model, network, latents, temperature):
    scale = 1 if model == "classy" else 0.5
    return (latents * temperature * scale).reshape(-1, *network.shape).clamp(0, 1)
"""


@pytest.fixture
def half(site, tmp_path: Path) -> Iterator:
    """Trains one of three models: ``half`` halves the brightness of images, ``classy``
    returns their label, and ``blind`` does not encode."""
    site.add("zoo-half", PLUGIN, "half")

    def make(model: str, **settings: object) -> zoo.Run:
        return zoo.train(model, out=tmp_path / model, device="cpu", quiet=True, **settings)

    return make


@pytest.fixture
def photographs(here: Path) -> Path:
    """A folder with images of several sizes and modes."""
    folder = here / "photographs"
    (folder / "deeper").mkdir(parents=True)
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 256, (20, 16, 3), np.uint8)).save(folder / "color.png")
    Image.fromarray(rng.integers(0, 256, (8, 8), np.uint8)).save(folder / "deeper/gray.png")
    Image.fromarray(rng.integers(0, 256, (9, 8, 4), np.uint8)).save(folder / "transparent.png")
    Image.fromarray(rng.integers(0, 65536, (8, 8), np.uint16)).save(folder / "sixteen.png")
    return folder


def spread_over_test_split(run: zoo.Run, count: int) -> np.ndarray:
    split, _ = spread_split(run.open_data().splits["test"], count)
    return np.float32([(split[i][0] >> 4) / np.float32(15) for i in range(count)])


def test_the_test_split_is_reconstructed_by_default(commands, trained: zoo.Run, here) -> None:
    result = commands("reconstruct", trained.path, "-o", "both.npy")
    assert (result.status, result.err) == (0, "")
    path, message = result.out.splitlines()
    assert path == "both.npy"
    originals, reconstructions = np.load("both.npy")
    np.testing.assert_array_equal(originals, spread_over_test_split(trained, 16))
    np.testing.assert_array_equal(
        reconstructions, trained.reconstruct(torch.tensor(originals)).numpy()
    )
    np.testing.assert_allclose(reconstructions, originals, atol=1e-4)
    match = re.fullmatch(
        r"16 of the 90 images of the test split of digits, evenly spread: mean difference "
        r"(\S+), largest (\S+) \(of 0 to 1\), PSNR (\S+) dB",
        message,
    )
    assert match, message
    gap = np.abs(reconstructions.astype(np.float64) - originals)
    assert float(match[1]) == pytest.approx(gap.mean(), rel=0.1)
    assert float(match[2]) == pytest.approx(gap.max(), rel=0.1)
    assert float(match[3]) == pytest.approx(-10 * math.log10((gap**2).mean()), abs=0.1)


def test_a_grid_of_pairs_and_a_folder(commands, trained: zoo.Run, here) -> None:
    for _ in range(2):
        assert commands("reconstruct", trained.path, "-n", 3).status == 0
    assert commands("reconstruct", trained.path, "-n", 3, "-o", "folder").status == 0
    assert sorted(path.name for path in here.iterdir()) == [
        "folder", "reconstruction-2.png", "reconstruction.png",
    ]  # fmt: skip
    assert sorted(path.name for path in Path("folder").iterdir()) == [
        f"{i}-{kind}.png" for i in range(3) for kind in ("original", "reconstruction")
    ]
    pixels = np.asarray(Image.open("folder/2-original.png"))
    np.testing.assert_array_equal(pixels, np.rint(spread_over_test_split(trained, 3)[2, 0] * 255))


def test_pairs_show_each_original_above_its_reconstruction() -> None:
    black, white = np.zeros((3, 1, 8, 8), np.float32), np.ones((3, 1, 8, 8), np.float32)
    black[1] = 0.2
    sheet = np.asarray(pairs(black, white, ("original", "reconstruction"), columns=2))
    assert sheet.shape[0] == 2 * (64 + 2 + 64 + 16)
    gutter = sheet.shape[1] - 2 * 72
    for left, top, value in ((0, 8, 0), (72, 8, 51), (0, 154, 0)):
        place = slice(gutter + left, gutter + left + 64)
        assert (sheet[top : top + 64, place] == value).all()
        assert (sheet[top + 64 : top + 66, place] == 128).all()
        assert (sheet[top + 66 : top + 130, place] == 255).all()
    assert (sheet[146:, gutter + 64 :] == 128).all()
    for top in (8, 74, 154, 220):
        assert (sheet[top : top + 64, : gutter - 8] > 200).any(), "no name beside a row"


def test_images_of_any_mode_are_converted_to_the_image_spec(
    commands, trained: zoo.Run, photographs: Path
) -> None:
    files = ["photographs/sixteen.png", "photographs", "-o", "x.npy"]
    result = commands("reconstruct", trained.path, *files)
    assert (result.status, result.err) == (0, "")
    assert "5 images: mean difference" in result.out
    originals, reconstructions = np.load("x.npy")
    assert originals.shape == (5, 1, 8, 8)
    np.testing.assert_array_equal(originals[0], originals[3])  # color, gray, sixteen, transparent
    gray = np.asarray(Image.open(photographs / "deeper/gray.png"))
    np.testing.assert_array_equal(originals[2, 0], (gray >> 4) / np.float32(15))
    np.testing.assert_allclose(reconstructions, originals, atol=1e-4)


def test_omitted_images_are_reported(commands, trained: zoo.Run, photographs: Path) -> None:
    result = commands("reconstruct", trained.path, photographs, "-n", 1, "-o", "x.npy")
    assert result.err == "using 1 of 4 images, evenly spread (-n)\n"
    assert result.out.splitlines()[1].startswith("1 image: ")
    assert np.load("x.npy").shape == (2, 1, 1, 8, 8)


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["nothing.png"], 2, "there is no file or folder nothing.png"),
        (["notes.txt"], 1, "notes.txt is not an image that Pillow can read"),
        (["cut.png"], 1, "cut.png cannot be decoded"),
        (["empty"], 1, "the folder empty has no images"),
        (["small.png"], 1, "small.png is 7x9 pixels and the run's images are 8x8"),
        (["good.png", "notes.txt"], 1, "notes.txt is not an image"),
        (["-o", "x.jpg"], 2, "-o x.jpg: use a name in .png for a grid"),
        (["-o", "empty.png"], 2, "-o empty.png is a folder"),
        (["--label", "3"], 2, "this glow is unconditional: it takes no labels"),
        (["good.png", "--label", "3"], 2, "this glow is unconditional: it takes no labels"),
        (["-n", "0"], 2, "0 is not in the range x>=1"),
        (["--device", "gpu"], 2, "there is no device 'gpu'"),
    ],
)
def test_invalid_options_and_files(commands, here, trained, arguments, status, message) -> None:
    Path("notes.txt").write_text("hello")
    Path("empty").mkdir()
    Path("empty.png").mkdir()
    for name, size in (("good", (8, 8)), ("small", (7, 9)), ("cut", (8, 8))):
        Image.effect_noise(size, 50).save(f"{name}.png")
    Path("cut.png").write_bytes(Path("cut.png").read_bytes()[:60])
    before = sorted(here.rglob("*"))
    assert message in commands.fails(status, "reconstruct", trained.path, *arguments)
    assert sorted(here.rglob("*")) == before


def test_a_path_that_is_not_a_run(commands, here) -> None:
    assert commands.fails(2, "reconstruct", "nowhere") == "there is no run folder nowhere"


def test_missing_data_suggest_naming_images(commands, trained_copy: Path, here) -> None:
    (trained_copy / "checkpoints/data.json").write_text('{"source": "/gone"}')
    message = commands.fails(2, "reconstruct", trained_copy)
    assert message.endswith("there is no such file or folder; or name images to reconstruct")


def test_non_finite_reconstructions_are_not_written(commands, trained_copy: Path, here) -> None:
    from safetensors.torch import load_file

    weights = load_file(trained_copy / "model.safetensors")
    weights["flow.prior.mean"].fill_(float("nan"))
    write_weights(trained_copy, weights)
    message = commands.fails(1, "reconstruct", trained_copy, "-n", 3)
    assert message.startswith("3 of 3 images are not finite: use weights")
    assert list(here.iterdir()) == []


def test_a_vae_decodes_the_posterior_mean(commands, half, here) -> None:
    run = half("half")
    result = commands("reconstruct", run.path, "-o", "x.npy")
    originals, reconstructions = np.load("x.npy")
    np.testing.assert_array_equal(reconstructions, originals / 2)
    assert f"largest {originals.max() / 2:.2g} " in result.out


def test_a_conditional_run_uses_the_labels_of_the_images(commands, half, here) -> None:
    run = half("classy")
    assert commands("reconstruct", run.path, "-n", 40, "-o", "own.npy").status == 0
    labels = spread_split(run.open_data().splits["test"], 40)[0].labels
    assert np.bincount(labels).tolist() == [4] * 10
    np.testing.assert_array_equal(np.load("own.npy")[1, :, 0, 0, 0], labels / np.float32(16))
    Image.new("L", (8, 8)).save("seven.png")
    message = commands.fails(2, "reconstruct", run.path, "seven.png")
    assert message == (
        "this classy is conditional and these images have no class: set --label to one of 0, 1, 2, "
        "3, 4, 5, 6, 7, 8, 9"
    )
    assert commands("reconstruct", run.path, "seven.png", "--label", 7, "-o", "x.npy").status == 0
    np.testing.assert_array_equal(np.load("x.npy")[1], np.full((1, 1, 8, 8), 7 / 16, np.float32))
    message = commands.fails(2, "reconstruct", run.path, "--label", 10)
    assert message.startswith("there is no class '10' among 0, 1, 2, 3")


def test_a_missing_capability_lists_the_capabilities(commands, half, here) -> None:
    run = half("blind")
    assert commands.fails(2, "reconstruct", run.path) == "blind cannot encode: it can sample"
    message = commands.fails(2, "sample", run.path, "--interpolate")
    assert message == "blind cannot interpolate: it can sample"
    with pytest.raises(UsageError, match="blind cannot encode"):
        run.reconstruct(torch.zeros(1, 1, 8, 8))


def test_difference_has_mean_maximum_and_psnr() -> None:
    black, gray = torch.zeros(2, 1, 2, 2), torch.zeros(2, 1, 2, 2)
    assert str(difference(black, gray)) == "no difference"
    gray[0, 0, 0] = 0.5
    found = difference(black, gray)
    assert (found.mean, found.largest) == (0.125, 0.5)
    assert found.psnr == pytest.approx(-10 * math.log10(0.0625))
