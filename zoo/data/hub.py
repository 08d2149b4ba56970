"""Data sets on the Hugging Face Hub: a few by a short name, all by ``user/dataset``.

``user/dataset@revision`` and ``user/dataset:configuration`` work too. They are read by the
``datasets`` library, which runs no code from the Hub and keeps what it has downloaded.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from typing import Any

from zoo.data.names import KNOWN, Origin
from zoo.data.source import Source
from zoo.data.splits import ALIASES
from zoo.data.table import Rows, cause, quiet, table_parts
from zoo.errors import ZooError


def open_hub(source: str, origin: Origin) -> Source:
    """The data set of ``origin`` on the Hub, under the name ``source``.

    Raises ZooError where the Hub cannot be reached or has no such data set that can be read.
    """
    from datasets import load_dataset

    assert origin.repository is not None
    try:
        with quiet(bars=sys.stderr.isatty()):
            tables = load_dataset(origin.repository, origin.configuration, revision=origin.revision)
    except Exception as error:
        raise _mended(error, source, origin) from error
    if not isinstance(tables, Mapping):
        tables = {"train": tables}
    chosen, notes = _splits(tables, source)
    rows = {
        split: Rows((f"the split {name!r} of {origin.repository}",), (len(table),))
        for split, (name, table) in chosen.items()
    }
    parts, names, more = table_parts(
        {split: table for split, (_, table) in chosen.items()}, rows, source
    )
    first = next(table for _, table in chosen.values())
    license = origin.license or getattr(first.info, "license", None) or None
    return Source(source, parts, names, license, (*notes, *more))


def _splits(tables: Mapping[str, Any], source: str) -> tuple[dict[str, tuple[str, Any]], list[str]]:
    """Tables with their own names, by split; a table alone is the one split."""
    named = {str(name): table for name, table in tables.items() if len(table)}
    if len(named) == 1:
        return {"train": next(iter(named.items()))}, []
    chosen: dict[str, tuple[str, Any]] = {}
    notes = []
    for name, table in named.items():
        split = ALIASES.get(name.lower())
        if split is None or split in chosen:
            notes.append(f"The split {name!r} was left out.")
        else:
            chosen[split] = (name, table)
    if "train" not in chosen:
        raise ZooError(
            f"{source} has no split 'train', only {', '.join(named) or 'empty ones'}: give "
            "another data.source"
        )
    return chosen, notes


def _mended(error: Exception, source: str, origin: Origin) -> ZooError:
    """One sentence, with the way out, for what ``load_dataset`` raised."""
    from datasets.exceptions import DatasetNotFoundError, DefunctDatasetError
    from huggingface_hub import constants

    name = origin.repository
    called = name if source == name else f"{source} ({name})"
    here = "" if source in KNOWN else f"there is no file or folder {source!r} here, and "
    if isinstance(error, ConnectionError):
        if constants.HF_HUB_OFFLINE:
            return ZooError(
                f"{here}{called} is not in the cache of data sets and HF_HUB_OFFLINE forbids "
                "to fetch it: unset HF_HUB_OFFLINE, or give a local file or folder"
            )
        return ZooError(
            f"{here}{called} cannot be fetched, for {constants.ENDPOINT} cannot be reached: check "
            "the network or HF_ENDPOINT, or give a local file or folder"
        )
    text = cause(error)
    if isinstance(error, DatasetNotFoundError) and not isinstance(error, DefunctDatasetError):
        if "gated" in str(error):
            return ZooError(
                f"{called} is gated on the Hub: ask for access on its page, and set HF_TOKEN"
            )
        if "Revision" in str(error):
            return ZooError(f"{source} has no such revision on the Hub: check what follows the @")
        return ZooError(
            f"{here}{called} is not on the Hub, or is private: check the name, or set HF_TOKEN"
        )
    if found := re.search(r"available configs: \[(?P<names>[^\]]*)\]", str(error)):
        names = found["names"].replace("'", "")
        example = names.split(",")[0].strip()
        return ZooError(
            f"{called} needs one of its configurations, {names}: write it after a colon, such as "
            f"{name}:{example}"
        )
    if "BuilderConfig" in str(error) and origin.configuration:
        return ZooError(f"{called} has no configuration {origin.configuration!r}: {text}")
    return ZooError(f"{called} cannot be read by datasets: {text}")
