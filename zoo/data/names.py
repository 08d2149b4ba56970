"""Names of data, the values of ``data.source``: a path, a known name, or ``user/dataset``.

A path that exists wins over a name. A run stores :func:`name_of` its source, never the path.
``user/dataset@revision`` and ``user/dataset:configuration`` work too.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from zoo.errors import UsageError, nearest

DIGITS = "digits"
"""The dataset inside the package, the only known one that is not on the Hub."""

REPOSITORY = re.compile(
    r"(?P<repository>[\w.-]+/[\w.-]+)(@(?P<revision>[^:\s]+))?(:(?P<configuration>\S+))?"
)


@dataclass(frozen=True)
class Origin:
    """The origin of a dataset that is not a path: its repository on the Hub, None for the digits,
    and its license, None where genzoo does not know it."""

    repository: str | None
    configuration: str | None = None
    revision: str | None = None
    license: str | None = None


KNOWN: Mapping[str, Origin] = {
    DIGITS: Origin(None, license="CC BY 4.0"),
    "mnist": Origin("ylecun/mnist", license="MIT"),
    "fashion_mnist": Origin("zalando-datasets/fashion_mnist", license="MIT"),
    "cifar10": Origin("uoft-cs/cifar10"),
    "cifar100": Origin("uoft-cs/cifar100"),
    "svhn": Origin(
        "ufldl-stanford/svhn", configuration="cropped_digits", license="non-commercial use only"
    ),
    "celeba": Origin("flwrlabs/celeba", license="non-commercial research only"),
    "celebahq256": Origin("korexyz/celeba-hq-256x256", license="non-commercial research only"),
}
"""Known names. The authors of CIFAR state no license."""


def origin(source: str) -> Origin | None:
    """Returns the origin of a known name or of ``user/dataset``; None for anything else.

    Does not look at the file system: ask :func:`path_of` first where a path is possible.
    """
    if source in KNOWN:
        return KNOWN[source]
    match = None if _is_path_like(source) else REPOSITORY.fullmatch(source)
    if match is None:
        return None
    return Origin(match["repository"], match["configuration"], match["revision"])


def path_of(source: str) -> Path | None:
    """Returns the path that ``source`` names, None where no file or folder exists there.

    Raises UsageError for text that cannot be a path.
    """
    try:
        path = Path(source).expanduser()
        return path if path.exists() else None
    except (OSError, RuntimeError, ValueError) as error:
        raise UsageError(f"{source!r} cannot be a path or a name of data: {error}") from error


def is_local(source: str) -> bool:
    """Whether ``source`` can be read without the network."""
    return source == DIGITS or path_of(source) is not None


def local_name(path: Path) -> str:
    """Returns a path's last component, a file's without its suffix; bytes that are not UTF-8 become
    the replacement character."""
    path = Path(os.path.abspath(path))
    name = path.stem if path.is_file() else path.name
    return os.fsencode(name).decode(errors="replace") or "data"


def name_of(source: str) -> str:
    """Returns the name that a run stores: :func:`local_name` of a path, else ``source`` itself."""
    path = path_of(source)
    return source if path is None else local_name(path)


def file_name(source: str) -> str:
    """Returns :func:`name_of` as one component of a path."""
    return name_of(source).replace("/", "-")


def absolute(source: str) -> str:
    """Returns ``source`` such that it names the same data in every working directory."""
    path = path_of(source)
    return source if path is None else str(path.resolve())


def check_source(source: str) -> None:
    """Raises UsageError for a source that is neither a path nor a name."""
    if path_of(source) is None and origin(source) is None:
        raise unknown(source)


def unknown(source: str) -> UsageError:
    """Returns the error for a source that is neither a path nor a name."""
    if _is_path_like(source):
        return UsageError(f"data.source is {source!r}: there is no such file or folder")
    return UsageError(
        f"data.source is {source!r}, which is neither a file or folder, nor user/dataset on the "
        f"Hub, nor a known name{nearest(source, KNOWN)}"
    )


def _is_path_like(source: str) -> bool:
    return bool(
        re.match(r"[./~\\]|[A-Za-z]:[\\/]", source)
        or source.endswith(("/", "\\"))
        or re.search(r"\.(npz|parquet)$", source, re.IGNORECASE)
        or source.count("/") > 1
    )
