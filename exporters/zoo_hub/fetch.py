"""Files of a run from the Hub, through the cache of huggingface_hub."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from zoo.errors import UsageError, ZooError
from zoo.runs.folder import CONFIG
from zoo_hub.address import Address
from zoo_hub.client import client, hub_errors, offline


def fetch(
    repository: str,
    revision: str | None,
    token: str | None,
    files: Sequence[str],
    optional: Sequence[str] = (),
) -> Path:
    """Cache folder of ``repository`` at one commit, with ``files`` and the existing ``optional``.

    With HF_HUB_OFFLINE only the cache is read, and a file of ``optional`` that it lacks counts as
    missing on the Hub. Raises UsageError if there is no such repository, revision or run; ZooError
    if the Hub cannot be reached or refuses, or a file is missing.
    """
    address = Address(repository, revision)
    folder: Path | None = None
    commit = revision
    for name in (*files, *optional):
        path = download(address, name, commit, token, required=name in files, maybe_folder=True)
        if path is not None:
            folder = path.parents[name.count("/")]
            commit = folder.name
    if folder is None:
        raise UsageError(f"{address} has none of {', '.join(optional)}")
    return folder


def download(
    address: Address,
    name: str,
    commit: str | None,
    token: str | None,
    required: bool = True,
    maybe_folder: bool = False,
) -> Path | None:
    """Path in the cache of one file at ``commit``, or None if it is missing and not ``required``.

    Raises ZooError for a missing file that is required; UsageError for config.json, without which
    there is no run. ``maybe_folder`` as for :func:`hub_errors`.
    """
    from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError

    with hub_errors(address, maybe_folder, name):
        try:
            return Path(client(token).hf_hub_download(address.repository, name, revision=commit))
        except LocalEntryNotFoundError:
            if required or not offline():
                raise
        except EntryNotFoundError:
            if required:
                kind = UsageError if name == CONFIG else ZooError
                raise kind(
                    f"{address} has no {name}: it is not a genzoo run, or the run lacks this file"
                ) from None
    return None
