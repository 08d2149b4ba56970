"""Classes of a training run: a resumed one keeps its own, by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from zoo.data.classes import labeled
from zoo.data.dataset import Dataset
from zoo.errors import UsageError
from zoo.model import Model
from zoo.runs.folder import FindSpec, RunFolder
from zoo.sampling.names import listed


@dataclass(frozen=True)
class StoredClasses:
    """The ``count`` classes of a run in ``folder`` and their ``names``, empty before format version
    3; ``conditional`` is False if the run states that its network takes no labels."""

    folder: RunFolder
    count: int
    names: tuple[str, ...]
    conditional: bool

    @classmethod
    def read(cls, folder: RunFolder, find: FindSpec) -> StoredClasses:
        """Reads the config.json of a run; raises as :meth:`RunFolder.parse_config`."""
        values = folder.read_config()
        _, _, image = folder.parse_config(values, find)
        latent = values["summary"].get("latent") if isinstance(values.get("summary"), dict) else {}
        classes = latent.get("classes") if isinstance(latent, dict) else None
        return cls(folder, image.classes, image.class_names, classes != 0)

    @property
    def matched(self) -> tuple[str, ...] | None:
        """The names that labels are matched to; None for the data's own."""
        return self.names if self.names and self.conditional else None


def for_training(
    model: Model, data: Dataset, stored: StoredClasses | None, say: Callable[[str], None]
) -> Dataset:
    """Returns the data that ``model`` is trained on; ``stored`` is of the run that it resumes.

    A conditional model is trained on the images with a label. Raises UsageError for a conditional
    model that resumes on other classes; says it for an unconditional one.
    """
    names = data.image_spec.class_names
    if not model.latent.classes:
        if stored is not None and stored.names and stored.names != names:
            say(
                f"the classes of {data.name} are {listed(names) or 'none'}, and were "
                f"{listed(stored.names)}: {model.name} is unconditional, and goes on without them"
            )
        return data
    if stored is not None:
        _check_same(stored, data)
        if not stored.names:
            say(f"the run has no class names yet: its classes are now {listed(names)}, in order")
    selected = labeled(data)
    if missing := len(data.splits["train"]) - len(selected.splits["train"]):
        say(f"{missing:,} training images without a label are left out: {model.name} needs them")
    return selected


def _check_same(stored: StoredClasses, data: Dataset) -> None:
    names = data.image_spec.class_names
    if not stored.names:
        if len(names) == stored.count:
            return
        difference = f"{stored.count} classes, but {data.name} has {len(names)}: {listed(names)}"
    else:
        older = data.config.split_rule == "position"  # classes were those of all splits
        splits = data.splits.values() if older else [data.splits["train"]]
        present = {label for split in splits for label in split.labels.tolist()}
        missing = [name for index, name in enumerate(names) if index not in present]
        parts = [f"has {listed(data.unknown_classes)}"] if data.unknown_classes else []
        parts += [f"lacks {listed(missing)}"] if missing else []
        if not parts:
            return
        difference = f"the classes {listed(stored.names)}, but {data.name} {' and '.join(parts)}"
    raise UsageError(
        f"{stored.folder.path} was started on {difference}; "
        "pass the same data, or start another run with --out"
    )
