"""Classes of a training run: a resumed one keeps its own, by name."""

from __future__ import annotations

from collections.abc import Callable

from zoo.data.classes import labeled
from zoo.data.dataset import Dataset
from zoo.errors import UsageError
from zoo.model import Model
from zoo.runs.stored import StoredRun
from zoo.sampling.names import listed


def stored_names(stored: StoredRun | None) -> tuple[str, ...] | None:
    """Returns the names that labels are matched to in a resumed run; None for the data's own."""
    if stored is None or stored.classes == 0:
        return None
    return stored.image_spec.class_names or None


def for_training(
    model: Model, data: Dataset, stored: StoredRun | None, say: Callable[[str], None]
) -> Dataset:
    """Returns the data that ``model`` is trained on; ``stored`` is of the run that it resumes.

    A conditional model is trained on the images with a label. Raises UsageError for a conditional
    model that resumes on other classes; says it for an unconditional one.
    """
    names = data.image_spec.class_names
    earlier = () if stored is None else stored.image_spec.class_names
    if not model.latent.classes:
        if earlier and earlier != names:
            say(
                f"the classes of {data.name} are {listed(names) or 'none'}, and were "
                f"{listed(earlier)}: {model.name} is unconditional, and goes on without them"
            )
        return data
    if stored is not None:
        _check_same(stored, data)
        if not earlier:
            say(f"the run has no class names yet: its classes are now {listed(names)}, in order")
    selected = labeled(data)
    if missing := len(data.splits["train"]) - len(selected.splits["train"]):
        say(f"{missing:,} training images without a label are left out: {model.name} needs them")
    return selected


def _check_same(stored: StoredRun, data: Dataset) -> None:
    names, earlier = data.image_spec.class_names, stored.image_spec.class_names
    if not earlier:
        count = stored.image_spec.classes
        if len(names) == count:
            return
        difference = f"{count} classes, but {data.name} has {len(names)}: {listed(names)}"
    else:
        older = data.config.split_rule == "position"  # classes were those of all splits
        splits = data.splits.values() if older else [data.splits["train"]]
        present = {label for split in splits for label in split.labels.tolist()}
        missing = [name for index, name in enumerate(names) if index not in present]
        parts = [f"has {listed(data.unknown_classes)}"] if data.unknown_classes else []
        parts += [f"lacks {listed(missing)}"] if missing else []
        if not parts:
            return
        difference = f"the classes {listed(earlier)}, but {data.name} {' and '.join(parts)}"
    raise UsageError(
        f"{stored.path} was started on {difference}; "
        "pass the same data, or start another run with --out"
    )
