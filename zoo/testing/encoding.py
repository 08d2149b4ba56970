"""The way from pictures to latents: names and shapes, the inverse, and the density."""

from __future__ import annotations

import copy
import math

import torch
from torch import Tensor
from torch.nn import functional as F

from zoo.model import Model
from zoo.testing.drawing import N, distance
from zoo.testing.promise import Broken, promise
from zoo.testing.subject import Subject

LARGEST_JACOBIAN = 1024
"""Numbers of a picture whose Jacobian is still quick to compute."""

EXACT = 1e-6
"""In float64: an inverse and a density that are right are a thousand times nearer."""

VISIBLE = 0.5 / 255
"""In float32: half a grey level of 256."""

_MOVED = 0.03

_ROWS = 64


def _not_encoding(subject: Subject) -> str | None:
    return None if subject.encodes else "it does not encode"


def _not_exact(subject: Subject) -> str | None:
    return None if subject.exact else "it has no exact likelihood"


@promise("encodes", "zoo_encode gives the promised tensors, finite", ("trains",), _not_encoding)
def encodes(subject: Subject) -> str:
    model = subject.trained
    with torch.no_grad():
        found = subject.encode(model, subject.batch(N).images)
    code = [N, model.latent.size]
    wanted = {"mean": code, "log_variance": code}
    if subject.exact:
        wanted = {"z": code, "log_prob": [N]}
    elif "z" in found:
        wanted = {"z": code}
    shapes = {name: list(tensor.shape) for name, tensor in found.items()}
    if shapes != wanted:
        raise Broken(f"it gave {_said(shapes)}, not {_said(wanted)}")
    for name, tensor in found.items():
        if not bool(tensor.isfinite().all()):
            raise Broken(f"not every value of {name} is finite")
    return _said(shapes)


def _said(shapes: dict[str, list[int]]) -> str:
    return ", ".join(f"{name} {shape}" for name, shape in shapes.items())


@promise(
    "inverts",
    "decoding what was encoded gives the picture back",
    ("encodes", "repeats", "varies"),
    _not_exact,
)
def inverts(subject: Subject) -> str:
    images = subject.batch(N).images
    exact, inner = perturbed(subject), _inner(images)
    single = _there_and_back(subject, subject.trained, images)
    double = _there_and_back(subject, exact, inner)
    said = f"within {single:.2g} in float32, {double:.2g} in float64"
    if not (single <= VISIBLE and double <= EXACT):
        raise Broken(f"{said}, where {VISIBLE:.2g} and {EXACT:.0e} are the most")
    return said


@torch.no_grad()
def _there_and_back(subject: Subject, model: Model, images: Tensor) -> float:
    z = subject.encode(model, images)["z"]
    return distance(subject.sample(model, z), images)


def _too_large(subject: Subject) -> str | None:
    if not subject.exact:
        return _not_exact(subject)
    dimensions = subject.image.dimensions
    if dimensions <= LARGEST_JACOBIAN:
        return None
    return (
        f"a picture has {dimensions} numbers, and {LARGEST_JACOBIAN} are the most for a Jacobian: "
        "check a smaller --preset, or --set data.size"
    )


@promise(
    "density",
    "log_prob is log p(z) + log|det dz/dx| of autograd's Jacobian, in float64",
    ("encodes",),
    _too_large,
)
def density(subject: Subject) -> str:
    model, worst = perturbed(subject), 0.0
    images = _inner(subject.batch(2).images)
    levels = 2**subject.image.bits
    # Densities are counted in the unit cube, where a picture is (images (levels - 1) + 1/2)/levels.
    to_unit = subject.image.dimensions * math.log((levels - 1) / levels)
    with torch.no_grad():
        found = subject.encode(model, images)
    base = _log_base(found["z"], model.latent.distribution)
    for index in range(len(images)):
        log_det = torch.linalg.slogdet(jacobian(subject, model, images, index))[1] - to_unit
        exact = (base[index] + log_det).item()
        given = found["log_prob"][index].item()
        error = abs(given - exact)
        if not error <= EXACT * max(1.0, abs(exact)):
            raise Broken(f"log_prob is {given:.6f} nats, and {exact:.6f} by the Jacobian")
        worst = max(worst, error)
    return f"within {worst:.2g} nats on {len(images)} pictures"


def jacobian(subject: Subject, model: Model, images: Tensor, index: int) -> Tensor:
    """dz/dx at a picture of the batch ``images``, ``[latent.size, D]``.

    Every row is the gradient at a copy of the picture, many copies a batch.
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
    """The trained network in float64, every parameter moved a little, by what moves each output of
    its layer as much whatever its width: layers that begin as the identity, and may still be near
    to it, cannot hide a mistake."""
    network = copy.deepcopy(subject.trained.network).double().eval()
    torch.manual_seed(0)
    with torch.no_grad():
        for parameter in network.parameters():
            inputs = parameter[0].numel() if parameter.ndim > 1 else 1
            parameter.add_(torch.randn_like(parameter), alpha=_MOVED / math.sqrt(inputs))
    return subject.trained.with_network(network)


def _inner(images: Tensor) -> Tensor:
    """Pictures in float64 and away from black and white, where a clamp to [0, 1] would hide an
    error."""
    torch.manual_seed(0)
    return 0.1 + 0.8 * images.double() + 0.05 * (torch.rand_like(images.double()) - 0.5)


def _log_base(z: Tensor, distribution: str) -> Tensor:
    """The log-density of latents ``[N, D]`` of a distribution, in nats, ``[N]``."""
    if distribution == "normal":
        each = -0.5 * (z.square() + math.log(2 * math.pi))
    elif distribution == "logistic":
        each = -z - 2 * F.softplus(-z)
    else:
        each = torch.where((z >= 0) & (z <= 1), 0.0, -math.inf)
    return each.sum(1)
