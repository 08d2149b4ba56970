"""Files of a run from the Hub, through the cache that every program of the Hub shares."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from zoo.errors import UsageError, ZooError
from zoo.runs.folder import CONFIG
from zoo_hub.address import Address
from zoo_hub.client import client, offline, speaking


def fetch(
    repository: str,
    revision: str | None,
    token: str | None,
    files: Sequence[str],
    optional: Sequence[str] = (),
) -> Path:
    """The cache's folder of ``repository`` at a revision, with ``files`` and, of ``optional``,
    those that it has: of one commit, and nothing else is asked for.

    With HF_HUB_OFFLINE the cache alone is looked into, where a file of ``optional`` that was never
    fetched counts as one that there is not. Raises UsageError where there is no such repository,
    revision or run, ZooError where the Hub cannot be reached or refuses, or a file is missing.
    """
    of = Address(repository, revision)
    folder: Path | None = None
    commit = revision
    for name in (*files, *optional):
        path = download(of, name, commit, token, needed=name in files, run=True)
        if path is not None:
            folder = path.parents[name.count("/")]
            commit = folder.name
    if folder is None:
        raise UsageError(f"{of} has none of {', '.join(optional)}")
    return folder


def download(
    of: Address,
    name: str,
    commit: str | None,
    token: str | None,
    needed: bool = True,
    run: bool = False,
) -> Path | None:
    """The cache's path of a file at ``commit``; None for one that there is not, which raises
    ZooError where it is ``needed``, UsageError for config.json, without which there is no run.
    ``run`` as for :func:`speaking`."""
    from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError

    with speaking(of, run):
        try:
            return Path(client(token).hf_hub_download(of.repository, name, revision=commit))
        except LocalEntryNotFoundError:
            if needed or not offline():
                raise
        except EntryNotFoundError:
            if needed:
                kind = UsageError if name == CONFIG else ZooError
                raise kind(
                    f"{of} is on the Hub and has no {name}: it is no run of genzoo's, or lacks "
                    "what was asked for"
                ) from None
    return None
