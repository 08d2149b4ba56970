"""``zoo card RUN``: a run's README.md as a model card of the Hub, with its ONNX graphs.

Importing this package loads no torch.
"""

from __future__ import annotations

from pathlib import Path

from zoo.api import host
from zoo.errors import UsageError
from zoo.report.card import (
    license_of,
    new_card,
    parts,
    read_card,
    read_summary,
    updated_card,
)
from zoo.runs.folder import CARD, RunFolder
from zoo.system.files import write_errors, write_text
from zoo_hub.card.graphs import read_graphs
from zoo_hub.card.licenses import check_license
from zoo_hub.card.section import graphs_part

__all__ = ["card_text", "license_of", "refresh"]


def refresh(
    folder: Path,
    repository: str | None = None,
    license: str | None = None,
    *,
    new: bool = False,
) -> Path:
    """Writes genzoo's parts of a run's card again, and returns the path of README.md.

    The code in the card loads the run from ``repository``, a ``user/repo`` on the Hub, which is
    kept until another is given. ``license`` is an id of the Hub's list and applies to the weights.
    Text around the parts, other metadata and changed values stay. ``new`` starts from the model's
    text and keeps the existing card as README.old.md.

    Raises UsageError for an unknown license or invalid repository, for a folder that is not a run,
    and, unless ``new``, for a card without any part of genzoo's; ZooError for a damaged card.
    """
    if license is not None:
        check_license(license)
    if repository is not None and not parts.REPOSITORY.fullmatch(repository):
        raise UsageError(f"{repository!r} is not a Hub repository: name one as user/repo")
    RunFolder(folder).read_config()
    path = folder / CARD
    text = read_card(folder) if not new else None
    if text is not None and not parts.names_in(text):
        raise UsageError(
            f"{path} has no parts marked by genzoo and stays unchanged: zoo card {folder} --new "
            "writes a new card and keeps this one beside it"
        )
    card = _rendered(folder, text, repository, license)
    if text is None:
        _set_aside(path)
    write_text(path, card)
    return path


def card_text(folder: Path, repository: str) -> str | None:
    """Text of a run's card as :func:`refresh` would write it, or None for a card without any part
    of genzoo's. Raises ZooError for a damaged card."""
    text = read_card(folder)
    if text is not None and not parts.names_in(text):
        return None
    return _rendered(folder, text, repository)


def _rendered(
    folder: Path, text: str | None, repository: str | None, license: str | None = None
) -> str:
    """A card made from the existing ``text``, or from the model's text if that is None."""
    repository = repository or (parts.repository_in(text) if text else None)
    summary = read_summary(folder, host().owner, repository)
    graphs = read_graphs(folder)
    section = graphs_part(graphs, summary)
    tags = {"onnx": bool(graphs)}
    if text is None:
        return new_card(summary, section, tags, license)
    return updated_card(text, summary, section, tags, license)


def _set_aside(path: Path) -> None:
    """Renames an existing card to the first free name."""
    if not path.exists():
        return
    names = (f"README.old{number}.md" for number in ("", *(f"-{n}" for n in range(2, 10_000))))
    free = next(path.with_name(name) for name in names if not path.with_name(name).exists())
    with write_errors(path):
        path.rename(free)
