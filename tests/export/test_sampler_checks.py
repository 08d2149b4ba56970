"""Arrays and numbers that are handed to a model in Python, in torch and ONNX."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch

from zoo.errors import UsageError
from zoo.sampling.checks import check_integer, check_seed, check_temperature

pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")

from zoo_onnx import OnnxModel

WRONG_IMAGES = [
    (lambda x: 255 * x, r"in \[0, 1\], got values from 0 to 255: pass images / 255"),
    (lambda x: 2 * x - 1, r"got values from -1 to 1: pass \(images \+ 1\) / 2"),
    (lambda x: (x - 0.5) / 0.1, r"got values from -5 to 5$"),
    (lambda x: x * math.nan, "not finite"),
    (lambda x: x / 0, "not finite"),
    (lambda x: (255 * x).astype(np.uint8), r"got uint8 .*: divide by 255\.0"),
    (lambda x: (255 * x).astype(np.int64), r"got int64 .*: divide by 255\.0"),
    (lambda x: x > 0.5, r"got bool .*: convert to float32"),
    (lambda x: x[:, 0], r"float \[N, 1, 8, 8\] in \[0, 1\], got \[3, 8, 8\]"),
    (lambda x: x[0], r"got \[1, 8, 8\]"),
    (lambda x: x.transpose(0, 2, 3, 1), r"got \[3, 8, 8, 1\]"),
    (lambda x: x.tolist(), "got list: pass an array"),
]

CONVERTED = [
    lambda x: x.astype(np.float64),
    lambda x: x[:, :, ::-1].copy()[:, :, ::-1],
    lambda x: x.astype(">f4"),
    lambda x: torch.from_numpy(x),
    lambda x: torch.from_numpy(x).double().requires_grad_(),
    lambda x: x + np.float32(4e-4) * (x == 1) - np.float32(4e-4) * (x == 0),
]


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    values = np.random.default_rng(0).integers(0, 256, (3, 1, 8, 8))
    values[0, 0, 0, :2] = 0, 255
    return (values / 255).astype(np.float32)


@pytest.fixture(params=["torch", "onnx"])
def model(request: pytest.FixtureRequest, exported) -> Any:
    run = exported("glow")
    return run if request.param == "torch" else OnnxModel.load(run.path)


@pytest.mark.parametrize(("wrong", "message"), WRONG_IMAGES)
@pytest.mark.filterwarnings("ignore:divide by zero", "ignore:invalid value")
def test_images_that_cannot_be_right_are_refused(model: Any, images, wrong, message: str) -> None:
    for method in ("encode", "reconstruct", "log_prob", "encodings", "bits_per_dim"):
        if call := getattr(model, method, None):
            with pytest.raises(UsageError, match=message):
                call(wrong(images), labels=1)


@pytest.mark.parametrize("convert", CONVERTED)
def test_images_of_other_libraries_and_types_are_converted(model: Any, images, convert) -> None:
    for method in ("encode", "log_prob", "bits_per_dim"):
        if call := getattr(model, method, None):
            right = call(torch.from_numpy(images) if method == "bits_per_dim" else images, labels=1)
            values = call(convert(images), labels=1)
            assert type(values) is type(right)
            np.testing.assert_allclose(values, right, rtol=1e-4, atol=1e-3)
            assert str(values.dtype).endswith("float32")


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_keeps_the_levels(exported, images, dtype: torch.dtype) -> None:
    run = exported("glow")
    exact = torch.from_numpy(images)
    bits = run.bits_per_dim(exact, labels=1)
    assert torch.equal(run.bits_per_dim(exact.to(dtype), labels=1), bits)
    assert torch.equal(run.bits_per_dim(exact.numpy(), labels=1), bits)
    assert OnnxModel.load(run.path).encode(exact.to(dtype), labels=1).shape == (3, 64)


def test_no_images_give_no_values(model: Any, images) -> None:
    assert model.encode(images[:0], labels=1).shape == (0, 64)
    assert model.reconstruct(images[:0], labels=1).shape == (0, 1, 8, 8)
    assert model.log_prob(torch.from_numpy(images[:0]), labels=1).shape == (0,)
    if hasattr(model, "bits_per_dim"):
        assert model.bits_per_dim(images[:0], labels=1).shape == (0,)


def test_latents_are_converted_or_refused(model: Any) -> None:
    z = np.random.default_rng(1).normal(size=(2, 64)).astype(np.float32)
    right = np.asarray(model.decode(z, labels=2))
    for same in (z.astype(np.float64), torch.from_numpy(z), torch.from_numpy(z).requires_grad_()):
        np.testing.assert_allclose(model.decode(same, labels=2), right, atol=1e-6)
    for wrong, message in (
        (z * math.nan, "latents must be finite"),
        (torch.full((2, 64), math.inf), "latents must be finite"),
        (z[0], r"latents are float \[N, 64\], got \[64\]"),
        (z.astype(np.int64), "got int64"),
        (z.tolist(), "got list"),
    ):
        with pytest.raises(UsageError, match=message):
            model.decode(wrong, labels=2)


@pytest.mark.parametrize(
    "value", [math.nan, math.inf, -1, "x", "0.7", True, [1], 1e300, np.float32("nan"), 1j]
)
def test_a_temperature_is_finite_and_not_negative(model: Any, value: object) -> None:
    for call in (
        lambda: model.sample(1, temperature=value),
        lambda: model.interpolate(1, 2, temperature=value),
        lambda: model.stream(1, temperature=value),  # before the first chunk
        lambda: model.decode(np.zeros((1, 64), np.float32), temperature=value),
    ):
        with pytest.raises(UsageError, match="temperature must be a finite number, at least 0"):
            call()


@pytest.mark.parametrize("value", [0, -1, 2.0, True, "3", None, np.bool_(True)])
def test_numbers_of_images_are_integers(model: Any, value: object) -> None:
    for call in (
        lambda: model.sample(value),
        lambda: model.interpolate(value, 2),
        lambda: model.interpolate(1, value),
    ):
        with pytest.raises(UsageError, match=r"must be (an integer of )?at least [12], got"):
            call()


@pytest.mark.parametrize("value", [-1, 2**64, 1.5, True, "0", None, math.nan])
def test_seeds_are_integers(model: Any, images, value: object) -> None:
    calls = [lambda: model.sample(1, seed=value), lambda: model.interpolate(1, 2, seed=value)]
    if hasattr(model, "bits_per_dim"):
        calls.append(lambda: model.bits_per_dim(images, seed=value, labels=1))
    for call in calls:
        with pytest.raises(UsageError, match=r"the seed must be (an integer )?from 0 to 2\^64 - 1"):
            call()


def test_numbers_of_other_libraries_are_taken(model: Any) -> None:
    expected = np.asarray(model.sample(2, seed=3, temperature=0.5))
    actual = model.sample(np.int64(2), seed=torch.tensor(3), temperature=np.float32(0.5))
    np.testing.assert_array_equal(actual, expected)
    assert check_integer(np.uint8(4), "n", 1) == 4
    assert check_seed(np.uint64(2**64 - 1)) == 2**64 - 1
    assert check_temperature(torch.tensor(0.25)) == 0.25


def test_pixels_of_another_type_or_shape_are_refused(exported) -> None:
    run = exported("glow")
    pixels = np.full((2, 1, 8, 8), 255, np.uint8)
    assert torch.equal(run.as_images(pixels), torch.ones(2, 1, 8, 8))
    for wrong in (pixels / 255, pixels.astype(np.int64), pixels[:, 0]):
        with pytest.raises(UsageError, match=r"pixels are uint8 \[N, 1, 8, 8\]"):
            run.as_images(wrong)


def test_a_network_in_double_precision_encodes(exported, images) -> None:
    import copy

    run = exported("glow")
    double = run.with_network(copy.deepcopy(run.network).double())
    z = double.encode(images, labels=1)
    assert z.dtype == torch.float64
    assert torch.allclose(z.float(), run.encode(images, labels=1), atol=1e-3)
    assert double.sample(1).shape == (1, 1, 8, 8)
