"""What an evaluation says while it goes."""

from __future__ import annotations


class Progress:
    """Says nothing; a command line shows more."""

    def say(self, text: str) -> None:
        """A line for the user."""

    def show(self, what: str, done: int, total: int) -> None:
        """So much of the work ``what`` is done."""

    def close(self) -> None:
        """Nothing more is to come."""
