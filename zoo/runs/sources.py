"""Where runs come from: a folder, or a name like ``user/repo@revision`` that a plugin fetches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.errors import UsageError, ZooError

if TYPE_CHECKING:
    from zoo.run import Run


def local(
    source: str | Path,
    files: Sequence[str],
    optional: Sequence[str] = (),
    revision: str | None = None,
    token: str | None = None,
) -> Path:
    """The folder of a run: ``source`` itself where such a path exists, else one that a plugin
    fetches by that name, with ``files`` of the run and those of ``optional`` that it has.

    Nothing is to be written there: :func:`is_here` tells a user's own folder from a fetched one.
    Raises UsageError where ``source`` is neither, and for a revision of a folder; ZooError where it
    cannot be fetched.
    """
    if is_here(source):
        if revision is not None:
            raise UsageError(f"{source} is a folder here, which has no revision {revision!r}")
        return Path(source)
    name, revision = split(source, revision)
    if _may_be_elsewhere(name, revision):
        from zoo import api as plugins

        host = plugins.host()
        for plugin in host.plugins:
            if "zoo_fetch" in plugin.hooks and not plugin.cause:
                asked = {"source": name, "revision": revision, "token": token}
                found: Path | None = host.call_plugin(
                    "zoo_fetch", plugin, **asked, files=tuple(files), optional=tuple(optional)
                )
                if found is not None:
                    return found
    raise UsageError(f"there is no run folder {source}{_hint(name, revision)}")


def is_here(source: str | Path) -> bool:
    """Whether ``source`` is a path that exists, which wins over any name."""
    return Path(source).exists()


def split(source: str | Path, revision: str | None = None) -> tuple[str, str | None]:
    """``name@revision`` in two; raises UsageError where ``revision`` is another one."""
    name, at, stated = str(source).partition("@")
    if at and not stated:
        raise UsageError(f"{source}: name a revision behind the @")
    if at and revision not in (None, stated):
        raise UsageError(f"{source}: the revision is given twice, {stated!r} and {revision!r}")
    return name, stated or revision


def require_here(source: str | Path, to: str) -> None:
    """Raise UsageError, with what to do, where what was fetched would be written to."""
    if not is_here(source):
        raise UsageError(f"{source} is not a folder here: {to}")


def publish(run: Run, target: str, **options: Any) -> str:
    """Send ``run`` to ``target`` by the first plugin that knows such a name; returns its address.

    Raises UsageError where none does, ZooError where it fails.
    """
    for plugin in run.host.plugins:
        if "zoo_push" in plugin.hooks and not plugin.cause:
            found: str | None = run.host.call_plugin(
                "zoo_push", plugin, run=run, target=target, options=options
            )
            if found is not None:
                return found
    raise UsageError(f"{target} is no place for a run: name one as user/repo")


@contextmanager
def named(path: Path, name: str) -> Iterator[None]:
    """An error inside speaks of ``name`` and not of ``path``, a folder that no user knows. What is
    wrong with a run from elsewhere is its own fault, not the call's: no UsageError."""
    try:
        yield
    except ZooError as error:
        said = str(error).replace(str(path), name)
        if isinstance(error, UsageError) and name != str(path) and name in said:
            raise ZooError(said) from error
        error.args = (said,)
        raise


def _may_be_elsewhere(name: str, revision: str | None) -> bool:
    """Not a path by its looks, nor a mistyped one below a folder that stands here; who means
    another place in spite of that folder writes the revision."""
    if not name or name.startswith(("/", ".", "~")) or "\\" in name:
        return False
    first, slash, _ = name.partition("/")
    return revision is not None or not (slash and Path(first).is_dir())


def _hint(name: str, revision: str | None) -> str:
    """What to do about a name of two parts, which is that of a run elsewhere if it is no path."""
    from zoo import api as plugins

    if not _may_be_elsewhere(name, revision) or name.count("/") != 1:
        return ""
    if any("zoo_fetch" in plugin.hooks and not plugin.cause for plugin in plugins.host().plugins):
        return ""
    return ", and no plugin here fetches runs from elsewhere: zoo plugins shows what is missing"
