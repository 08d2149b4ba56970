"""Saved runs are complete: loading, using and resuming one changes nothing."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from zoo.errors import ZooError
from zoo.model import Model
from zoo.runs import folder as files
from zoo.runs.checkpoints import find_checkpoints
from zoo.runs.weights import load_tensors, save_tensors
from zoo.sampling.seeding import SCORING, seeded
from zoo.testing.promise import Broken, promise
from zoo.testing.sampling import TOLERANCE, N, distance
from zoo.testing.subject import Subject

HALF = 3
"""Steps before the interruption, and steps after it."""


@promise("loads", "its weights load, and weights without one tensor are refused", ("trains",))
def loads(subject: Subject) -> str:
    path = subject.trained.path
    subject.load(path)
    tensors = load_tensors(path / files.WEIGHTS)
    missing = next(iter(tensors))
    incomplete = subject.folder / "incomplete"
    incomplete.mkdir()
    shutil.copy(path / files.CONFIG, incomplete)
    save_tensors(incomplete / files.WEIGHTS, {k: t for k, t in tensors.items() if k != missing})
    try:
        subject.load(incomplete)
    except ZooError:
        return f"{len(tensors)} tensors"
    raise Broken(f"weights without {missing} load")


@promise(
    "reloads",
    "the loaded model samples, encodes and scores as before",
    ("loads", "deterministic", "scores", "encodes"),
)
def reloads(subject: Subject) -> str:
    reloaded = subject.load(subject.trained.path)
    before, after = outputs(subject, subject.trained), outputs(subject, reloaded)
    differences = {name: _relative(before[name], after[name]) for name in before}
    tolerance = 1e-5 if subject.device.type == "cpu" else TOLERANCE
    if changed := [f"{name} by {d:.2g}" for name, d in differences.items() if not d <= tolerance]:
        raise Broken(
            f"it differs in {', '.join(changed)}: make all state a parameter or a persistent buffer"
        )
    return f"{', '.join(differences)}: largest difference {max(differences.values()):.2g}"


def outputs(subject: Subject, model: Model) -> dict[str, Tensor]:
    """Returns the images, encodings and scores of a model."""
    batch = subject.batch(N)
    with seeded(0, SCORING, device=subject.device), torch.no_grad():
        results = {"images": subject.sample(model, subject.latents(model, N))}
        if subject.encodes:
            results |= subject.encode(model, batch.images)
    if subject.scores:
        results["scores"] = subject.score(model, batch)
    return results


def _relative(a: Tensor, b: Tensor) -> float:
    return distance(a, b) / max(1.0, a.abs().max().item())


@promise(
    "unchanged",
    "sampling, encoding and scoring change no weight",
    ("loads", "scores", "encodes"),
)
def unchanged(subject: Subject) -> str:
    model = subject.load(subject.trained.path)
    before = {name: tensor.clone() for name, tensor in _tensors(model.network).items()}
    outputs(subject, model)
    after = _tensors(model.network)
    changed = [
        name
        for name in sorted(before.keys() | after.keys())
        if name not in before or name not in after or not torch.equal(before[name], after[name])
    ]
    if changed:
        more = f" and {len(changed) - 1} more" if len(changed) > 1 else ""
        raise Broken(f"{changed[0]}{more} changed in a loaded network")
    return f"{len(before)} tensors"


def _tensors(network: nn.Module) -> Mapping[str, Tensor]:
    """Returns all parameters and buffers, non-persistent ones too."""
    named = itertools.chain(network.named_parameters(), network.named_buffers())
    return {name: tensor.detach() for name, tensor in named}


@promise(
    "resumes",
    "an interrupted and resumed run ends with the same bytes",
    ("trains",),
    unless=lambda subject: (
        None if subject.device.type == "cpu" else f"{subject.device} is not deterministic"
    ),
)
def resumes(subject: Subject) -> str:
    uninterrupted = subject.train("uninterrupted", steps=2 * HALF, checkpoint_every=HALF)
    resumed = subject.folder / "resumed"
    shutil.copytree(uninterrupted.path, resumed)
    shutil.rmtree(find_checkpoints(resumed)[-1])
    subject.train(resumed.name, resume=True, steps=2 * HALF, checkpoint_every=HALF)
    for name in (files.WEIGHTS, f"{files.CHECKPOINTS}/step-{2 * HALF:08d}/state.safetensors"):
        old, new = load_tensors(uninterrupted.path / name), load_tensors(resumed / name)
        differ = [key for key in old if key not in new or not torch.equal(old[key], new[key])]
        if differ or (uninterrupted.path / name).read_bytes() != (resumed / name).read_bytes():
            first = f", first {differ[0]}" if differ else ""
            raise Broken(
                f"resumed after {HALF} of {2 * HALF} steps, {len(differ)} of {len(old)} tensors "
                f"of {name} differ{first}"
            )
    return f"{2 * HALF} steps, resumed after {HALF}"
