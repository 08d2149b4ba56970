"""The settings and the weights that a fine-tuned run takes from its parent."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.config.resolve import Setting, sectioned_settings
from zoo.config.sections import READING
from zoo.data.names import absolute
from zoo.errors import UsageError, ZooError
from zoo.report.card import license_of, read_card
from zoo.runs.checkpoints import find_checkpoints
from zoo.runs.folder import WEIGHTS
from zoo.runs.loaded import check_loaded
from zoo.runs.parent import Parent, check_model, full_source, parent_of, read_parent
from zoo.runs.stored import StoredRun
from zoo.sampling.names import listed
from zoo.specs import ModelSpec

if TYPE_CHECKING:
    from torch import Tensor

    from zoo.model import Model
    from zoo.objectives.objective import Objective
    from zoo.runs.fitting import Misfit

ReadRun = Callable[[str], StoredRun]
"""Reads the configuration of a run that has weights, by any name that commands take."""

OWN = ("training.freeze", "training.compile", "training.keep")
"""Settings of a parent that its children do not take."""

SHOWN = 8
"""Maximum number of tensors in a message."""


@dataclass(frozen=True)
class Inheritance:
    """The ``parent`` in config.json; ``stored`` is the run to load the weights of, None where a
    checkpoint has them already, and ``source`` names it with its whole path."""

    parent: Parent
    stored: StoredRun | None = None
    partial: bool = False
    source: str | None = None


def inherit(model: str, source: str, partial: bool, read: ReadRun) -> Inheritance:
    """Returns what a new run of ``model`` takes from the run ``source``.

    Raises UsageError for a run of another model, and as ``read``.
    """
    stored = read(source)
    check_model(stored, model)
    parent = parent_of(stored, _license(stored.path))
    return Inheritance(parent, stored, partial, full_source(stored))


def inherited_again(before: StoredRun, source: str | None, read: ReadRun) -> Inheritance | None:
    """Returns what a run that is resumed has taken from its parent, which is read again only if the
    run has no checkpoint yet, or ``source`` is given; None without a parent.

    Raises UsageError for a ``source`` that is not its parent.
    """
    parent = read_parent(before.document)
    if parent is None:
        if source is not None:
            raise UsageError(
                f"{before.path} was not started with --from: leave it out, or start another run "
                "with --out"
            )
        return None
    recorded = before.folder.read_data_record().get("parent", parent.source)
    unchanged = Inheritance(parent, source=recorded)
    begun = bool(find_checkpoints(before.path))
    if source is None and begun:
        return unchanged
    partial = bool(parent.left_out)
    try:
        again = inherit(before.name, source or recorded, partial, read)
    except ZooError as error:
        if source is not None:
            raise
        raise UsageError(
            f"{before.path} has no checkpoint yet and starts again from {parent.source}: {error}; "
            "name that run with --from"
        ) from None
    if again.parent.weights != parent.weights:
        raise UsageError(
            f"{before.path} was started from {parent.source} with weights {parent.weights[:12]}, "
            f"but those of {source or recorded} are {again.parent.weights[:12]}: name the run "
            "with these weights, or start another one with --out"
        )
    return unchanged if begun else again


def inherited_settings(
    spec: ModelSpec, parent: StoredRun
) -> Callable[[Sequence[Setting]], list[Setting]]:
    """Returns the layer of a parent's settings below given ones.

    How data are read and split is found anew for other data than the parent's.
    """

    def below(upper: Sequence[Setting]) -> list[Setting]:
        values: dict[str, dict[str, Any]] = parent.config.dump()
        image, source = parent.image_spec, parent.data_source
        values["data"] |= {"source": source, "size": image.size, "channels": image.channels}
        chosen = [setting.value for setting in upper if setting.name == "data.source"]
        dropped = set(OWN)
        if chosen and absolute(str(chosen[-1])) != absolute(source):
            dropped |= {f"data.{key}" for key in (*READING, "split_rule")}
        settings = sectioned_settings(spec, values, f"--from {parent.source or parent.path}")
        return [setting for setting in settings if setting.name not in dropped]

    return below


def load_weights_of(
    inheritance: Inheritance, model: Model, say: Callable[[str], None]
) -> tuple[Inheritance, dict[str, Tensor]]:
    """Loads the weights of a parent into the network of ``model``; returns the parent with what is
    left out, and the tensors that were loaded.

    Raises UsageError, with the shapes, for weights that do not fit, and for partial ones of which
    nothing fits; ZooError for damaged ones.
    """
    from zoo.runs.fitting import read_fitting

    stored, parent = inheritance.stored, inheritance.parent
    assert stored is not None
    with stored.named():
        fitting = read_fitting(model.network, stored.path / WEIGHTS)
        check_loaded(stored.path, stored.document, fitting.digest, stored.source is not None)
    if fitting.misfits and not inheritance.partial:
        raise UsageError(
            f"--from {parent.source} does not fit this {model.name}: {_shown(fitting.misfits)}; "
            "choose the same settings, or take what fits with --from-partial"
        )
    if not fitting.tensors:
        raise UsageError(
            f"--from {parent.source}: nothing fits this {model.name}: {_shown(fitting.misfits)}"
        )
    model.network.load_state_dict(fitting.tensors, strict=False)
    total = len(model.network.state_dict())
    say(
        f"starting from {parent.source}, {parent.model} on {parent.data}: {len(fitting.tensors)} "
        f"of {total} tensors"
    )
    for misfit in fitting.misfits:
        say(f"left out: {misfit}")
    if with_them := len(fitting.left_out) - len(fitting.misfits):
        say(f"left out with them, as parts of the same layers: {with_them} tensors that fit")
    parent = parent.model_copy(
        update={"weights": fitting.digest, "left_out": list(fitting.left_out)}
    )
    return replace(inheritance, parent=parent), fitting.tensors


def remarks_on(inheritance: Inheritance, model: Model, objective: Objective) -> list[str]:
    """Returns sentences about what the weights of a parent do not determine."""
    assert inheritance.stored is not None
    remarks = []
    others = [name for name, net in objective.networks.items() if net is not model.network]
    if others:
        remarks.append(
            f"{', '.join(others)}: random weights, since a run keeps only those of the network "
            "that generates"
        )
    before, after = inheritance.stored.class_names, model.class_names
    if model.latent.classes and before and before != after and len(before) == len(after):
        remarks.append(
            f"the classes are {listed(after)}, and start from the weights of {listed(before)}, in "
            "order"
        )
    return remarks


def _license(run: Path) -> str | None:
    """The license in the card of a run; None for a card that is missing or damaged."""
    try:
        text = read_card(run)
    except ZooError:
        return None
    license = None if text is None else license_of(text)
    return license[:200] if license else None


def _shown(misfits: Collection[Misfit]) -> str:
    texts = [str(misfit) for misfit in list(misfits)[:SHOWN]]
    more = [f"{len(misfits) - SHOWN} more"] if len(misfits) > SHOWN else []
    return "; ".join([*texts, *more])
