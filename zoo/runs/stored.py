"""A run as its config.json describes it, read without torch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zoo.config.sections import Config
from zoo.errors import ZooError
from zoo.runs.advice import resume_command
from zoo.runs.folder import WEIGHTS, FindSpec, RunFolder
from zoo.runs.sources import named
from zoo.runs.upgrade import upgraded_config
from zoo.specs import ImageSpec, ModelSpec


@dataclass(frozen=True)
class StoredRun:
    """The configuration of a run in ``folder``, without its network.

    ``classes`` is the number of classes of the latents, 0 if the network takes no labels, and None
    if config.json does not say. ``document`` is config.json as it is stored. ``source`` is the name
    that the run was fetched by, None for a local folder.
    """

    folder: RunFolder
    spec: ModelSpec
    config: Config
    image_spec: ImageSpec
    classes: int | None
    document: Mapping[str, Any]
    source: str | None = None

    @classmethod
    def read(cls, folder: RunFolder, find: FindSpec, source: str | None = None) -> StoredRun:
        """Reads config.json; raises as :meth:`RunFolder.read_config` and
        :meth:`RunFolder.parse_config`."""
        with named(folder.path, source or str(folder.path)):
            return cls.of(folder, folder.read_document(), find, source)

    @classmethod
    def of(
        cls,
        folder: RunFolder,
        document: Mapping[str, Any],
        find: FindSpec,
        source: str | None = None,
    ) -> StoredRun:
        """Returns the run whose config.json holds ``document``; raises as :meth:`read`."""
        values = upgraded_config(document)
        spec, config, image = folder.parse_config(values, find)
        return cls(folder, spec, config, image, _classes(values), document, source)

    @property
    def name(self) -> str:
        """Name of the model."""
        return self.spec.name

    @property
    def class_names(self) -> tuple[str, ...]:
        """Name of each class that the network takes; empty without labels and before format
        version 3."""
        names = self.image_spec.class_names
        return names if self.classes is None or len(names) == self.classes else ()

    @property
    def path(self) -> Path:
        """The run folder."""
        return self.folder.path

    @property
    def data_source(self) -> str:
        """The training data: the path where they were, else their name."""
        return str(self.folder.read_data_record().get("source", self.config.data.source))

    def __str__(self) -> str:
        return f"{self.source or self.path}, {self.name} on {self.config.data.source}"

    @contextmanager
    def named(self) -> Iterator[None]:
        """Inside, errors name the run by its source: see :func:`zoo.runs.sources.named`."""
        with named(self.path, self.source or str(self.path)):
            yield

    def require_weights(self) -> None:
        """Raises ZooError for a run without weights."""
        if not (self.path / WEIGHTS).exists():
            raise ZooError(
                f"{self.path} has no weights yet: resume with "
                f"{resume_command(self.name, self.path)}"
            )


def _classes(values: Mapping[str, Any]) -> int | None:
    summary = values.get("summary")
    latent = summary.get("latent") if isinstance(summary, dict) else None
    classes = latent.get("classes") if isinstance(latent, dict) else None
    return classes if type(classes) is int else None
