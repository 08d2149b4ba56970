"""What a promise is, how it is measured, and what was found."""

from __future__ import annotations

import contextlib
import sys
import traceback
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from zoo.errors import Interrupted
from zoo.plugins.plugin import PluginError, describe
from zoo.specs import ImageSpec

if TYPE_CHECKING:
    from zoo.testing.subject import Subject

Status = Literal["kept", "broken", "does not apply", "not measured"]


class Broken(Exception):
    """A promise is broken; the message is what was measured."""


@dataclass(frozen=True)
class Promise:
    """One thing that every plugin promises.

    ``measure`` says what was measured, and raises where the promise is broken; ``needs`` are the
    promises without which that cannot be asked; ``unless`` gives the reason why the promise does
    not apply, or None.
    """

    name: str
    sentence: str
    measure: Callable[[Subject], str]
    needs: tuple[str, ...] = ()
    unless: Callable[[Subject], str | None] | None = None


def promise(
    name: str,
    sentence: str,
    needs: tuple[str, ...] = (),
    unless: Callable[[Subject], str | None] | None = None,
) -> Callable[[Callable[[Subject], str]], Promise]:
    """Make a promise of the function that measures it."""
    return lambda measure: Promise(name, sentence, measure, needs, unless)


@dataclass(frozen=True)
class Finding:
    """How a promise stands, with what was measured, or why it was not."""

    name: str
    promise: str
    status: Status
    measured: str


@dataclass(frozen=True)
class Report:
    """All findings on a model; ``image`` is None where no preset says what its pictures are."""

    model: str
    plugin: Mapping[str, str]
    image: ImageSpec | None
    findings: tuple[Finding, ...]

    @property
    def broken(self) -> list[Finding]:
        return [finding for finding in self.findings if finding.status == "broken"]

    def as_json(self) -> dict[str, Any]:
        """The document that ``zoo check --json`` prints."""
        return {
            "model": self.model,
            "plugin": dict(self.plugin),
            "image": None if self.image is None else asdict(self.image),
            "promises": [asdict(finding) for finding in self.findings],
        }

    def __str__(self) -> str:
        """The outcome in a sentence."""
        counts = Counter(finding.status for finding in self.findings)
        asked = f"{len(self.findings) - counts['does not apply']} promises that apply to it"
        if not self.broken:
            return f"{self.model} keeps the {asked}"
        names = ", ".join(finding.name for finding in self.broken)
        more = f"; {counts['not measured']} could not be measured" if counts["not measured"] else ""
        return f"{self.model} breaks {counts['broken']} of the {asked}: {names}{more}"


def examine(promise: Promise, subject: Subject, before: Mapping[str, Finding]) -> Finding:
    """Measure a promise, after those in ``before``; only Ctrl-C gets out of it.

    What a plugin prints meanwhile goes to standard error, for standard output may be JSON.
    """
    status, measured = _blocked(promise, before)
    try:
        with contextlib.redirect_stdout(sys.stderr):
            reason = promise.unless(subject) if promise.unless is not None else None
            if reason is not None:
                status, measured = "does not apply", reason
            elif status == "kept":
                measured = promise.measure(subject)
    except (KeyboardInterrupt, Interrupted):
        raise
    except Broken as error:
        status, measured = "broken", str(error)
    except BaseException as error:  # SystemExit too: a plugin's exit is not ours
        if status == "kept":
            status, measured = "broken", blame(subject, error)
    return Finding(promise.name, promise.sentence, status, " ".join(measured.split()))


def _blocked(promise: Promise, before: Mapping[str, Finding]) -> tuple[Status, str]:
    for need in promise.needs:
        if before[need].status == "broken":
            return "not measured", f"{need} is broken"
        if before[need].status == "not measured":
            return "not measured", before[need].measured
    return "kept", ""


def blame(subject: Subject, error: BaseException) -> str:
    """What was raised in a line, with the hook, and the line of the plugin's code that did it."""
    cause = error.__cause__ if isinstance(error, PluginError) and error.__cause__ else error
    said = describe(cause)
    for frame, line in reversed(list(traceback.walk_tb(cause.__traceback__))):
        name = str(frame.f_globals.get("__name__"))
        if name.partition(".")[0] == subject.package:
            path = Path(frame.f_code.co_filename)
            return f"{said} ({path.parent.name}/{path.name}, line {line})"
    return said
