"""Datasets on the Hugging Face Hub, read by the ``datasets`` library.

It runs no code from the Hub and caches its downloads.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from typing import Any

from zoo.data.names import KNOWN, Origin
from zoo.data.source import Source
from zoo.data.splits import ALIASES
from zoo.data.table import Rows, quiet, root_cause, table_splits
from zoo.errors import ZooError


def open_hub(source: str, origin: Origin) -> Source:
    """Returns the dataset of ``origin``, which the user calls ``source``.

    Raises ZooError if the Hub cannot be reached or the dataset cannot be read.
    """
    from datasets import load_dataset

    assert origin.repository is not None
    try:
        with quiet(bars=sys.stderr.isatty()):
            tables = load_dataset(origin.repository, origin.configuration, revision=origin.revision)
    except Exception as error:
        raise _as_zoo_error(error, source, origin) from error
    if not isinstance(tables, Mapping):
        tables = {"train": tables}
    named_tables, notes = _split_tables(tables, source)
    rows = {
        split: Rows((f"the split {name!r} of {origin.repository}",), (len(table),))
        for split, (name, table) in named_tables.items()
    }
    by_split = {split: table for split, (_, table) in named_tables.items()}
    splits, class_names, table_notes = table_splits(by_split, rows, source)
    stated = getattr(next(iter(by_split.values())).info, "license", None)
    license = origin.license or stated or None
    return Source(source, splits, class_names, license, (*notes, *table_notes))


def _split_tables(
    tables: Mapping[str, Any], source: str
) -> tuple[dict[str, tuple[str, Any]], list[str]]:
    """Returns each split's own name and table, and notes; a single table is the split "train"."""
    named = {str(name): table for name, table in tables.items() if len(table)}
    if len(named) == 1:
        return {"train": next(iter(named.items()))}, []
    by_split: dict[str, tuple[str, Any]] = {}
    notes = []
    for name, table in named.items():
        split = ALIASES.get(name.lower())
        if split is None or split in by_split:
            notes.append(f"The split {name!r} was left out.")
        else:
            by_split[split] = (name, table)
    if "train" not in by_split:
        raise ZooError(
            f"{source} has no split 'train', only {', '.join(named) or 'empty ones'}: choose "
            "another data.source"
        )
    return by_split, notes


def _as_zoo_error(error: Exception, source: str, origin: Origin) -> ZooError:
    """Returns one sentence with the fix for an error of ``load_dataset``."""
    from datasets.exceptions import DatasetNotFoundError, DefunctDatasetError
    from huggingface_hub import constants

    repository = origin.repository
    name = repository if source == repository else f"{source} ({repository})"
    no_path = "" if source in KNOWN else f"there is no file or folder {source!r}, and "
    if isinstance(error, ConnectionError):
        if constants.HF_HUB_OFFLINE:
            return ZooError(
                f"{no_path}{name} is not in the cache and HF_HUB_OFFLINE forbids downloads: unset "
                "HF_HUB_OFFLINE, or use a local file or folder"
            )
        return ZooError(
            f"{no_path}{name} cannot be downloaded: {constants.ENDPOINT} is unreachable; check the "
            "network or HF_ENDPOINT, or use a local file or folder"
        )
    cause = root_cause(error)
    if isinstance(error, DatasetNotFoundError) and not isinstance(error, DefunctDatasetError):
        if "gated" in str(error):
            return ZooError(
                f"{name} is gated on the Hub: request access on its page, and set HF_TOKEN"
            )
        if "Revision" in str(error):
            return ZooError(f"{source} has no such revision on the Hub: check the part after @")
        return ZooError(
            f"{no_path}{name} is not on the Hub, or is private: check the name, or set HF_TOKEN"
        )
    if match := re.search(r"available configs: \[(?P<names>[^\]]*)\]", str(error)):
        names = match["names"].replace("'", "")
        example = names.split(",")[0].strip()
        return ZooError(
            f"{name} needs one of its configurations, {names}: add it after a colon, for example "
            f"{repository}:{example}"
        )
    if "BuilderConfig" in str(error) and origin.configuration:
        return ZooError(f"{name} has no configuration {origin.configuration!r}: {cause}")
    return ZooError(f"{name} cannot be read by datasets: {cause}")
