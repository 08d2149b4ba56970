"""The results of a verification."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Problem:
    """A ``file`` of a run, relative to its folder, with what is wrong and how to mend it."""

    file: str
    problem: str
    fix: str
    repaired: bool = False

    def __str__(self) -> str:
        return f"{self.file}: {self.problem}; {'repaired' if self.repaired else self.fix}"


@dataclass
class Report:
    """The problems of the run in ``path``; with ``repair`` they are mended where that is safe."""

    path: Path
    repair: bool = False
    files: list[str] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def checked(self, *files: str) -> None:
        """Adds files that were checked."""
        self.files += [file for file in files if file not in self.files]

    def problem(
        self, file: str, problem: str, fix: str, mend: Callable[[], object] | None = None
    ) -> None:
        """Adds a problem, and repairs it with ``mend`` if that is wanted."""
        self.checked(file)
        repaired = self.repair and mend is not None
        if repaired and mend is not None:
            mend()
        if mend is not None:
            fix = " or ".join(filter(None, [fix, f"zoo verify {self.path} --repair mends it"]))
        self.problems.append(Problem(file, problem, fix, repaired))

    @property
    def intact(self) -> bool:
        """Whether all problems, if any, are repaired."""
        return all(problem.repaired for problem in self.problems)

    def as_json(self) -> dict[str, Any]:
        return {
            "run": str(self.path),
            "intact": self.intact,
            "files": sorted(self.files),
            "problems": [vars(problem) for problem in self.problems],
            "notes": self.notes,
        }
