"""``zoo card RUN``: a run's README.md, with its graphs, as a model card of the Hub.

:func:`refresh` writes it, :func:`renewed` gives the text alone, :func:`renewable` says whether one
that stands there is genzoo's to renew, :func:`license_of` what it says of the licence of the
weights. None of them loads torch.
"""

from __future__ import annotations

from pathlib import Path

from zoo.api import host
from zoo.errors import UsageError
from zoo.report.card import (
    DamagedCard,
    front,
    new_card,
    parts,
    read_card,
    read_facts,
    renewed_card,
)
from zoo.runs.folder import CARD, RunFolder
from zoo.system.files import mended, write_text
from zoo_hub.card.graphs import read_graphs
from zoo_hub.card.licenses import check_license
from zoo_hub.card.section import graphs_part

__all__ = ["license_of", "refresh", "renewable", "renewed"]


def refresh(
    folder: Path,
    repository: str | None = None,
    license: str | None = None,
    *,
    new: bool = False,
) -> Path:
    """Write the parts of a run's card that are genzoo's anew, and return README.md.

    ``repository``, a ``user/repo`` on the Hub, is where the code in the card takes the run from; it
    is kept until another is named. ``license`` is that of the weights, an id of the Hub's list. All
    that a person wrote stays: text around the parts, other metadata, changed values. ``new`` begins
    again from the model's text and keeps the card that stands there beside, as README.old.md.

    Raises UsageError for a licence or a repository that cannot be, for a folder that is no run, and
    for a card without any of genzoo's parts, unless ``new``; ZooError for a damaged card.
    """
    if license is not None:
        check_license(license)
    if repository is not None and not parts.REPOSITORY.fullmatch(repository):
        raise UsageError(f"{repository!r} is no repository of the Hub: write user/repo")
    RunFolder(folder).read_config()
    path = folder / CARD
    text = read_card(folder) if not new else None
    if text is not None and not parts.names_in(text):
        raise UsageError(
            f"{path} has none of the marks between which genzoo writes, so it stays as it is: "
            f"zoo card {folder} --new writes another and keeps this one beside it"
        )
    made = _made(folder, text, repository, license)
    if text is None:
        _keep(path)
    write_text(path, made)
    return path


def renewed(folder: Path, repository: str) -> str | None:
    """The text of a run's card as :func:`refresh` would write it; nothing is written. None for one
    that is not genzoo's to renew. Raises ZooError for a damaged card."""
    return _made(folder, read_card(folder), repository) if renewable(folder) else None


def renewable(folder: Path) -> bool:
    """Whether :func:`refresh` may write the card of a run: there is none, or it has a part of
    genzoo's. Raises ZooError for a card that is no text."""
    text = read_card(folder)
    return text is None or bool(parts.names_in(text))


def license_of(text: str) -> str | None:
    """The licence of the weights that the metadata of a card state; None where they state none."""
    try:
        found = front.read(front.split(text)[0]).get("license")
    except DamagedCard:
        return None
    if isinstance(found, list):  # a few cards have a list of them
        found = ", ".join(map(str, found))
    return str(found) if found else None


def _made(
    folder: Path, text: str | None, repository: str | None, license: str | None = None
) -> str:
    """A card from ``text``, the one that stands there, or from the model's."""
    facts = read_facts(
        folder, host().owner, repository or (parts.repository_in(text) if text else None)
    )
    graphs = read_graphs(folder)
    written = graphs_part(graphs, facts)
    tags = {"onnx": bool(graphs)}
    if text is None:
        return new_card(facts, written, tags, license)
    return renewed_card(text, facts, written, tags, license)


def _keep(path: Path) -> None:
    """Move a card out of the way to the first name that is free."""
    if not path.exists():
        return
    names = (f"README.old{number}.md" for number in ("", *(f"-{n}" for n in range(2, 10_000))))
    free = next(path.with_name(name) for name in names if not path.with_name(name).exists())
    with mended(path):
        path.rename(free)
