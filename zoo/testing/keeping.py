"""What is saved is the whole model: loading, using and resuming change nothing."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from zoo.errors import ZooError
from zoo.model import Model
from zoo.runs import folder as files
from zoo.runs.weights import load_tensors, save_tensors
from zoo.testing.drawing import NEAR, N, distance
from zoo.testing.promise import Broken, promise
from zoo.testing.subject import Subject
from zoo.training.checkpoint import find_checkpoints

HALF = 3
"""Steps before the run is broken off, and steps after."""


@promise("loads", "its weights load, and weights that lack a tensor do not", ("trains",))
def loads(subject: Subject) -> str:
    path = subject.trained.path
    subject.load(path)
    tensors = load_tensors(path / files.WEIGHTS)
    missing = next(iter(tensors))
    cut = subject.folder / "cut"
    cut.mkdir()
    shutil.copy(path / files.CONFIG, cut)
    save_tensors(cut / files.WEIGHTS, {k: t for k, t in tensors.items() if k != missing})
    try:
        subject.load(cut)
    except ZooError:
        return f"{len(tensors)} tensors"
    raise Broken(f"weights that lack {missing} were loaded all the same")


@promise(
    "reloads",
    "loaded again it draws, encodes and scores the same",
    ("loads", "repeats", "scores", "encodes"),
)
def reloads(subject: Subject) -> str:
    again = subject.load(subject.trained.path)
    before, after = outputs(subject, subject.trained), outputs(subject, again)
    far = {name: _relative(before[name], after[name]) for name in before}
    near = 1e-5 if subject.device.type == "cpu" else NEAR
    if lost := [f"{name} by {d:.2g}" for name, d in far.items() if not d <= near]:
        raise Broken(
            f"it differs in {', '.join(lost)}: something that matters is neither a parameter nor a "
            "buffer that is saved"
        )
    return f"{', '.join(far)}: the largest difference is {max(far.values()):.2g}"


def outputs(subject: Subject, model: Model) -> dict[str, Tensor]:
    """All that can be had of a network: pictures, encodings and scores."""
    torch.manual_seed(0)
    found = {"pictures": subject.sample(model, subject.latents(model, N))}
    batch = subject.batch(N)
    if subject.encodes:
        with torch.no_grad():
            found |= subject.encode(model, batch.images)
    if subject.scores:
        found["scores"] = subject.score(model, batch)
    return found


def _relative(a: Tensor, b: Tensor) -> float:
    return distance(a, b) / max(1.0, a.abs().max().item())


@promise("unchanged", "to draw, encode and score changes no weight", ("loads", "scores", "encodes"))
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
        raise Broken(f"in a network just loaded, {changed[0]}{more} changed")
    return f"{len(before)} tensors"


def _tensors(network: nn.Module) -> Mapping[str, Tensor]:
    """Parameters and buffers, those that are not saved too."""
    every = itertools.chain(network.named_parameters(), network.named_buffers())
    return {name: tensor.detach() for name, tensor in every}


@promise(
    "resumes",
    "a run that was broken off and resumed ends with the same bytes",
    ("trains",),
    unless=lambda subject: (
        None if subject.device.type == "cpu" else f"sums on {subject.device} have no fixed order"
    ),
)
def resumes(subject: Subject) -> str:
    whole = subject.train("whole", steps=2 * HALF, checkpoint_every=HALF)
    broken_off = subject.folder / "resumed"
    shutil.copytree(whole.path, broken_off)
    shutil.rmtree(find_checkpoints(broken_off)[-1])
    subject.train(broken_off.name, resume=True, steps=2 * HALF, checkpoint_every=HALF)
    for name in (files.WEIGHTS, f"{files.CHECKPOINTS}/step-{2 * HALF:08d}/state.safetensors"):
        old, new = load_tensors(whole.path / name), load_tensors(broken_off / name)
        differ = [key for key in old if key not in new or not torch.equal(old[key], new[key])]
        if differ or (whole.path / name).read_bytes() != (broken_off / name).read_bytes():
            raise Broken(
                f"after {HALF} steps, a break and {HALF} more, {len(differ)} of {len(old)} tensors "
                f"of {name} differ, {', '.join(differ[:1])} first"
            )
    return f"{2 * HALF} steps, and {HALF} with {HALF} more"
