"""Datasets on the Hugging Face Hub, read by the ``datasets`` library.

It runs no code from the Hub and caches its downloads.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from zoo.data.folders.folder_names import split_folders
from zoo.data.names import KNOWN, Origin
from zoo.data.source import LeftOut, Source
from zoo.data.tables.expansion import rows_in_memory
from zoo.data.tables.table import Rows, cache_error, open_tables, quiet, root_cause
from zoo.errors import ZooError
from zoo.system.file_names import problem_in
from zoo.system.hub import bound_reached, bounded
from zoo.system.tokens import has_token, redacted


def open_hub(source: str, origin: Origin, column: str | None = None) -> Source:
    """Returns the dataset of ``origin``, which the user calls ``source``; its images are in
    ``column``, None to find it.

    Raises ZooError if the Hub cannot be reached or the dataset cannot be read.
    """
    from datasets import load_dataset_builder

    assert origin.repository is not None
    try:
        with bounded(), quiet(bars=sys.stderr.isatty()):
            builder = load_dataset_builder(
                origin.repository, origin.configuration, revision=origin.revision
            )
            _check_files(builder.config.data_files, origin.repository)
            _check_tables(builder)
            builder.download_and_prepare()
            tables = builder.as_dataset()
    except ZooError:
        raise
    except Exception as error:
        raised = (
            cache_error(error)
            or bound_reached(error, f"the dataset {origin.repository}")
            or _as_zoo_error(error, source, origin)
        )
        raise raised from (None if has_token(error) else error)
    if not isinstance(tables, Mapping):
        tables = {"train": tables}
    by_split, left_out = named_splits(tables, source)
    rows = {
        split: Rows((f"the split {name!r} of {origin.repository}",), (len(table),))
        for split, (name, table) in by_split.items()
    }
    found = {split: table for split, (_, table) in by_split.items()}
    opened = open_tables(source, found, rows, column, _cached(origin.repository))
    stated = getattr(next(iter(found.values())).info, "license", None)
    return replace(
        opened,
        license=origin.license or stated or None,
        kind="a dataset on the Hub",
        left_out=(*left_out, *opened.left_out),
    )


def _check_files(data_files: Mapping[str, Sequence[str]] | None, repository: str) -> None:
    """Raises ZooError for a file outside of ``repository``, as a card can name any path or address,
    and for a name that is not valid on every system."""
    names = []
    for file in (file for files in (data_files or {}).values() for file in files):
        address = file.rpartition("::")[2]  # of the archive, for a file in one
        match = re.fullmatch(rf"hf://datasets/{re.escape(repository)}@[^/]+/(.+)", address)
        if match is None:
            raise ZooError(
                f"{repository} names the file {file[:200]!r}, which is not its own: the dataset is "
                "not read"
            )
        names.append(match[1])
    if problem := problem_in(names):
        raise ZooError(f"{repository} has {problem}: the dataset is not read")


def _check_tables(builder: Any) -> None:
    """Makes ``builder`` check parquet files between their download and their conversion."""
    split_generators = builder._split_generators

    def checked(downloads: Any, *args: Any) -> Any:
        rows, generators = [], split_generators(downloads, *args)
        for path in map(Path, downloads.downloaded_paths.values()):
            if _is_parquet(path):
                rows.append(rows_in_memory(path))
        if rows:
            builder.config.batch_size = min(rows)
        return generators

    builder._split_generators = checked


def _is_parquet(path: Path) -> bool:
    with open(path, "rb") as file:
        return file.read(4) == b"PAR1"


def _cached(repository: str) -> tuple[Path, ...]:
    """The folders of the cache with the files of a repository, as they are and unpacked."""
    import datasets.config
    from huggingface_hub import constants
    from huggingface_hub.file_download import repo_folder_name

    name = repo_folder_name(repo_id=repository, repo_type="dataset")
    unpacked = Path(datasets.config.EXTRACTED_DATASETS_PATH)
    return Path(constants.HF_HUB_CACHE, name), unpacked


def named_splits(
    tables: Mapping[str, Any], source: str
) -> tuple[dict[str, tuple[str, Any]], list[LeftOut]]:
    """Returns each split's own name and table, and the tables that are no split of genzoo.

    A single table is the split "train". Raises ZooError if there are several and none is.
    """
    named = {str(name): table for name, table in tables.items() if len(table)}
    if len(named) == 1:
        return {"train": next(iter(named.items()))}, []
    splits = split_folders(named)
    by_split: dict[str, tuple[str, Any]] = {}
    left_out = []
    for name, table in named.items():
        split = splits.get(name)
        if split is None or split in by_split:
            why = "not train, validation or test" if split is None else f"a second split {split}"
            left_out.append(
                LeftOut(f"the split {name!r} ({len(table):,} image{'s' * (len(table) > 1)})", why)
            )
        else:
            by_split[split] = (name, table)
    if "train" not in by_split:
        raise ZooError(
            f"{source} has no split 'train', only {', '.join(named) or 'empty ones'}: choose "
            "another data.source"
        )
    return by_split, left_out


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
    cause = redacted(root_cause(error))
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
        names = redacted(match["names"].replace("'", ""))
        example = names.split(",")[0].strip()
        return ZooError(
            f"{name} needs one of its configurations, {names}: add it after a colon, for example "
            f"{repository}:{example}"
        )
    if "BuilderConfig" in str(error) and origin.configuration:
        return ZooError(f"{name} has no configuration {origin.configuration!r}: {cause}")
    return ZooError(f"{name} cannot be read by datasets: {cause}")
