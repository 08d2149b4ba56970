"""Where runs come from: a folder, or a name like ``user/repo@revision`` that a plugin fetches."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from pydantic import ConfigDict, DirectoryPath, TypeAdapter, ValidationError

from zoo.errors import UsageError, ZooError
from zoo.runs.folder import CONFIG, RunFolder

Fetch = Callable[[str, str | None, str | None, Sequence[str], Sequence[str]], Path | None]
"""``fetch(name, revision, token, files, optional)``: a folder with ``files`` of the run called
``name`` and those of ``optional`` that it has; None for a name of another kind."""


def local(
    source: str | Path,
    files: Sequence[str],
    optional: Sequence[str] = (),
    revision: str | None = None,
    token: str | None = None,
    *,
    fetcher: Callable[[], Fetch | None],
) -> Path:
    """Folder of a run: ``source`` itself if such a path exists, else one that is fetched
    by that name, with ``files`` of the run and those of ``optional`` that it has.

    Temporary files of killed commands are removed from a run folder. ``fetcher`` returns the
    function that fetches, None where there is none; it is called only if ``source`` is not a path.
    A fetched folder is read-only: see :func:`is_here`.
    Raises UsageError if ``source`` is neither, and for a revision of a folder; ZooError if it
    cannot be fetched.
    """
    if is_here(source):
        if revision is not None:
            raise UsageError(f"{source} is a local folder, which has no revision {revision!r}")
        path = Path(source)
        if (path / CONFIG).is_file():
            RunFolder(path).remove_partial()
        return path
    name, revision = split(source, revision)
    hint = ""
    if _may_be_elsewhere(name, revision):
        fetch = fetcher()
        folder = None if fetch is None else fetch(name, revision, token, files, optional)
        if folder is not None:
            return _checked(folder, name)
        if fetch is None and name.count("/") == 1:
            hint = ", and no plugin fetches runs from elsewhere: zoo plugins shows what is missing"
    raise UsageError(f"there is no run folder {source}{hint}")


def is_here(source: str | Path) -> bool:
    """Whether ``source`` is a path that exists, which wins over any name."""
    return Path(source).exists()


def split(source: str | Path, revision: str | None = None) -> tuple[str, str | None]:
    """Splits ``name@revision``; raises UsageError if ``revision`` is a different one."""
    name, at, stated = str(source).partition("@")
    if at and not stated:
        raise UsageError(f"{source}: name a revision after the @")
    if at and revision not in (None, stated):
        raise UsageError(f"{source}: the revision is given twice, {stated!r} and {revision!r}")
    return name, stated or revision


def require_here(source: str | Path, to: str) -> None:
    """Raises UsageError, with ``to`` as the fix, for a run that is not a local folder."""
    if not is_here(source):
        raise UsageError(f"{source} is not a local folder: {to}")


@contextmanager
def named(path: Path, name: str) -> Iterator[None]:
    """Inside, errors name ``name`` instead of ``path``, a folder that the user does not know.

    A UsageError becomes a ZooError: a broken run from elsewhere is not a wrong call.
    """
    try:
        yield
    except ZooError as error:
        message = str(error).replace(str(path), name)
        if isinstance(error, UsageError) and name != str(path) and name in message:
            raise ZooError(message) from error
        error.args = (message,)
        raise


_FOLDER = TypeAdapter(DirectoryPath, config=ConfigDict(strict=True))


def _checked(result: object, name: str) -> Path:
    """``result`` of the plugin that fetched ``name``. Raises ZooError unless it is a folder."""
    try:
        return _FOLDER.validate_python(result)
    except ValidationError:
        raise ZooError(
            f"the plugin that fetches {name} returned {repr(result)[:100]}, not the path of a "
            "folder: fix its zoo_fetch"
        ) from None


def _may_be_elsewhere(name: str, revision: str | None) -> bool:
    """Whether ``name`` looks neither like a path nor like a mistyped one below an existing folder;
    a revision overrides the latter."""
    if not name or name.startswith(("/", ".", "~")) or "\\" in name:
        return False
    first, slash, _ = name.partition("/")
    return revision is not None or not (slash and Path(first).is_dir())
