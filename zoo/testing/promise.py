"""Promises, and the report of checking them."""

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
    """Raised if a promise is broken; the message states the measurement."""


@dataclass(frozen=True)
class Promise:
    """One property that every plugin guarantees.

    ``measure`` returns the measurement as text, and raises if the promise is broken. ``needs`` are
    the promises that must be kept before this one can be measured. ``unless`` returns the reason if
    the promise does not apply, else None.
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
    """Decorates a function that measures a promise."""
    return lambda measure: Promise(name, sentence, measure, needs, unless)


@dataclass(frozen=True)
class Finding:
    """The status of a promise, with the measurement or the reason for none."""

    name: str
    promise: str
    status: Status
    measured: str


@dataclass(frozen=True)
class Report:
    """All findings on a model; ``image`` is None if its preset is invalid."""

    model: str
    plugin: Mapping[str, str]
    image: ImageSpec | None
    findings: tuple[Finding, ...]

    @property
    def broken(self) -> list[Finding]:
        return [finding for finding in self.findings if finding.status == "broken"]

    def as_json(self) -> dict[str, Any]:
        """Returns the document that ``zoo check --json`` prints."""
        return {
            "model": self.model,
            "plugin": dict(self.plugin),
            "image": None if self.image is None else asdict(self.image),
            "promises": [asdict(finding) for finding in self.findings],
        }

    def __str__(self) -> str:
        """The result in one sentence."""
        counts = Counter(finding.status for finding in self.findings)
        applicable = len(self.findings) - counts["does not apply"]
        if not self.broken:
            return f"{self.model} keeps all {applicable} promises that apply to it"
        names = ", ".join(finding.name for finding in self.broken)
        rest = f"; {counts['not measured']} not measured" if counts["not measured"] else ""
        return (
            f"{self.model} breaks {counts['broken']} of {applicable} promises that apply to it: "
            f"{names}{rest}"
        )


def examine(promise: Promise, subject: Subject, earlier: Mapping[str, Finding]) -> Finding:
    """Measures a promise, given the ``earlier`` findings; raises only on Ctrl-C and signals.

    Output of the plugin goes to standard error, since standard output may be JSON.
    """
    status, measured = _blocked(promise, earlier)
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
    except BaseException as error:  # SystemExit too: a plugin must not end the check
        if status == "kept":
            status, measured = "broken", blame(subject, error)
    return Finding(promise.name, promise.sentence, status, " ".join(measured.split()))


def _blocked(promise: Promise, earlier: Mapping[str, Finding]) -> tuple[Status, str]:
    for need in promise.needs:
        if earlier[need].status == "broken":
            return "not measured", f"{need} is broken"
        if earlier[need].status == "not measured":
            return "not measured", earlier[need].measured
    return "kept", ""


def blame(subject: Subject, error: BaseException) -> str:
    """Describes an exception in one line, with the last line of plugin code in its traceback."""
    cause = error.__cause__ if isinstance(error, PluginError) and error.__cause__ else error
    message = describe(cause)
    for frame, line in reversed(list(traceback.walk_tb(cause.__traceback__))):
        name = str(frame.f_globals.get("__name__"))
        if name.partition(".")[0] == subject.package:
            path = Path(frame.f_code.co_filename)
            return f"{message} ({path.parent.name}/{path.name}, line {line})"
    return message
