"""Encodings: names and shapes, the inverse, and the density."""

from __future__ import annotations

import copy
import math

import torch
from torch import Tensor
from torch.nn import functional as F

from zoo.model import Model
from zoo.testing.promise import Broken, promise
from zoo.testing.sampling import N, distance
from zoo.testing.subject import Subject

MAX_JACOBIAN = 1024
"""Most values of an image whose Jacobian is computed."""

FLOAT64_TOLERANCE = 1e-6
"""A correct inverse or density is about a thousand times closer in float64."""

FLOAT32_TOLERANCE = 0.5 / 255
"""Half a gray level of 256."""

_PERTURBATION = 0.03

_ROWS = 64
"""Rows of a Jacobian computed per batch."""


def _not_encoding(subject: Subject) -> str | None:
    return None if subject.encodes else "the model does not encode"


def _not_exact(subject: Subject) -> str | None:
    return None if subject.exact else "the model has no exact likelihood"


@promise(
    "encodes", "zoo_encode returns its tensors, finite, in their shapes", ("trains",), _not_encoding
)
def encodes(subject: Subject) -> str:
    model = subject.trained
    with torch.no_grad():
        encodings = subject.encode(model, subject.batch(N).images)
    latent_shape = [N, model.latent.size]
    expected = {"mean": latent_shape, "log_variance": latent_shape}
    if subject.exact:
        expected = {"z": latent_shape, "log_prob": [N]}
    elif "z" in encodings:
        expected = {"z": latent_shape}
    shapes = {name: list(tensor.shape) for name, tensor in encodings.items()}
    if shapes != expected:
        raise Broken(f"zoo_encode must return {_text(expected)}, got {_text(shapes)}")
    for name, tensor in encodings.items():
        if not bool(tensor.isfinite().all()):
            raise Broken(f"some values of {name} are not finite")
    return _text(shapes)


def _text(shapes: dict[str, list[int]]) -> str:
    return ", ".join(f"{name} {shape}" for name, shape in shapes.items())


@promise(
    "inverts",
    "decoding an encoded image restores it",
    ("encodes", "deterministic", "varies"),
    _not_exact,
)
def inverts(subject: Subject) -> str:
    images = subject.batch(N).images
    single = _round_trip(subject, subject.trained, images)
    double = _round_trip(subject, perturbed(subject), _inner(images))
    errors = f"within {single:.2g} in float32, {double:.2g} in float64"
    if not (single <= FLOAT32_TOLERANCE and double <= FLOAT64_TOLERANCE):
        raise Broken(
            f"{errors}; the limits are {FLOAT32_TOLERANCE:.2g} and {FLOAT64_TOLERANCE:.0e}"
        )
    return errors


@torch.no_grad()
def _round_trip(subject: Subject, model: Model, images: Tensor) -> float:
    """Returns the largest error of decoding the encoded images."""
    z = subject.encode(model, images)["z"]
    return distance(subject.sample(model, z), images)


def _too_large(subject: Subject) -> str | None:
    if not subject.exact:
        return _not_exact(subject)
    dimensions = subject.image.dimensions
    if dimensions <= MAX_JACOBIAN:
        return None
    return (
        f"an image has {dimensions} values, more than {MAX_JACOBIAN}: "
        "check a smaller --preset, or set data.size"
    )


@promise(
    "density",
    "log_prob equals log p(z) + log|det dz/dx| by autograd, in float64",
    ("encodes",),
    _too_large,
)
def density(subject: Subject) -> str:
    model, max_error = perturbed(subject), 0.0
    images = _inner(subject.batch(2).images)
    levels = 2**subject.image.bits
    # Densities are in the unit cube, where an image is (images (levels - 1) + 1/2) / levels.
    log_scale = subject.image.dimensions * math.log((levels - 1) / levels)
    with torch.no_grad():
        encodings = subject.encode(model, images)
    prior = _log_prior(encodings["z"], model.latent.distribution)
    for index in range(len(images)):
        log_det = torch.linalg.slogdet(jacobian(subject, model, images, index))[1] - log_scale
        expected = (prior[index] + log_det).item()
        log_prob = encodings["log_prob"][index].item()
        error = abs(log_prob - expected)
        if not error <= FLOAT64_TOLERANCE * max(1.0, abs(expected)):
            raise Broken(f"log_prob is {log_prob:.6f} nats, but {expected:.6f} by the Jacobian")
        max_error = max(max_error, error)
    return f"within {max_error:.2g} nats on {len(images)} images"


def jacobian(subject: Subject, model: Model, images: Tensor, index: int) -> Tensor:
    """Returns dz/dx at image ``index`` of the batch ``images``, ``[latent.size, D]``.

    Each row is the gradient at a copy of the image; copies are batched.
    """
    size = model.latent.size
    label = subject.labels(model, len(images))
    rows = []
    for first in range(0, size, _ROWS):
        count = min(_ROWS, size - first)
        copies = images[index : index + 1].repeat(count, 1, 1, 1).requires_grad_()
        labels = None if label is None else label[index : index + 1].expand(count)
        z = subject.encode(model, copies, labels)["z"]
        direction = F.one_hot(torch.arange(first, first + count, device=z.device), size)
        (row,) = torch.autograd.grad((z * direction).sum(), copies)
        rows.append(row.flatten(1))
    return torch.cat(rows)


def perturbed(subject: Subject) -> Model:
    """Returns the trained model in float64 with noise added to every parameter.

    The noise reveals errors in layers that are still close to the identity. It is scaled by the
    fan-in, so that each output changes by about as much at any width.
    """
    network = copy.deepcopy(subject.trained.network).double().eval()
    generator = torch.Generator(subject.device).manual_seed(0)
    with torch.no_grad():
        for parameter in network.parameters():
            inputs = parameter[0].numel() if parameter.ndim > 1 else 1
            noise = torch.empty_like(parameter).normal_(generator=generator)
            parameter.add_(noise, alpha=_PERTURBATION / math.sqrt(inputs))
    return subject.trained.with_network(network)


def _inner(images: Tensor) -> Tensor:
    """Returns the images in float64, away from 0 and 1, where clamping would hide an error."""
    generator = torch.Generator(images.device).manual_seed(0)
    noise = torch.empty_like(images, dtype=torch.float64).uniform_(generator=generator)
    return 0.1 + 0.8 * images.double() + 0.05 * (noise - 0.5)


def _log_prior(z: Tensor, distribution: str) -> Tensor:
    """Returns the log-density of latents ``[N, D]`` under the prior, in nats, ``[N]``."""
    if distribution == "normal":
        each = -0.5 * (z.square() + math.log(2 * math.pi))
    elif distribution == "logistic":
        each = -z - 2 * F.softplus(-z)
    else:
        each = torch.where((z >= 0) & (z <= 1), 0.0, -math.inf)
    return each.sum(1)
