"""Versions of Python and of the packages that genzoo needs, and those that it was tested with."""

from __future__ import annotations

import platform
import shlex
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, metadata, requires, version
from importlib.resources import files
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from zoo.cli.installation import CPU_TORCH, Check

EXTRAS = ("cpu", "gpu", "fid", "track")
"""Extras for users: their packages are checked where they are installed."""


def version_checks() -> Iterator[Check]:
    """Yields a check of Python, of genzoo, of each package outside the tested versions, and of the
    others together."""
    yield _python()
    yield Check("genzoo", True, version("genzoo"))
    checks = [(requirement, _package(requirement)) for requirement in _requirements()]
    yield from (check for _, check in checks if check is not None)
    inside = sum(check is None for _, check in checks)
    yield Check("packages", True, f"{inside} of {len(checks)} have tested versions")


def constraints() -> Path:
    """Returns the file of the newest tested versions, in the package or, in a clone, beside it."""
    packaged = Path(str(files("zoo") / "constraints.txt"))
    return packaged if packaged.exists() else packaged.parents[1] / packaged.name


def _python() -> Check:
    classifiers = metadata("genzoo").get_all("Classifier") or []
    named = [Version(text.rpartition(" ")[2]) for text in classifiers if ":: Python :: 3." in text]
    current = Version(".".join(map(str, sys.version_info[:2])))
    text, fix = platform.python_version(), f"pip install uv && uv venv --python {max(named)}"
    if current < min(named):
        return Check("python", False, f"{text}: {min(named)} or newer is needed", fix)
    if current > max(named):
        message = f"{text} is newer than {max(named)}, the newest that was tested"
        return Check("python", True, message, fix)
    return Check("python", True, text)


def _requirements() -> list[Requirement]:
    """Returns the packages that genzoo needs, and those of extras that are installed."""
    stated = map(Requirement, requires("genzoo") or [])
    return sorted((part for part in stated if _is_used(part)), key=lambda part: part.name)


def _is_used(requirement: Requirement) -> bool:
    marker = requirement.marker
    if marker is None or marker.evaluate({"extra": ""}):
        return True
    of_extra = any(marker.evaluate({"extra": extra}) for extra in EXTRAS)
    return of_extra and _installed(requirement.name) is not None


def _installed(name: str) -> Version | None:
    try:
        return Version(version(name))
    except PackageNotFoundError:
        return None


def _package(requirement: Requirement) -> Check | None:
    """Returns what is wrong with the version of a package, or None."""
    name, specifier = requirement.name, requirement.specifier
    installed, tested = _installed(name), _tested().get(canonicalize_name(name))
    fix = f"pip install -c {shlex.quote(str(constraints()))} {name}"
    if name == "torch" and installed is not None and installed.local == "cpu":
        fix = fix.replace("pip install", CPU_TORCH)
    if installed is None:
        return Check(name, False, f"not installed: {specifier} is needed", fix)
    if not specifier.contains(installed, prereleases=True):
        return Check(name, False, f"{installed}: {specifier} is needed", fix)
    if tested is not None and Version(installed.public) > tested:
        message = f"{installed} is newer than {tested}, the newest that was tested"
        return Check(name, True, message, fix)
    return None


def _tested() -> dict[str, Version]:
    """Returns the newest tested version of each package; empty if the file is missing."""
    try:
        lines = constraints().read_text("utf-8").splitlines()
    except OSError:
        return {}
    pins = [line.split("==") for line in lines if "==" in line and not line.startswith("#")]
    return {canonicalize_name(name): Version(pin) for name, pin in pins}
