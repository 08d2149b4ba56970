"""The page of ``zoo demo`` as a static Space: https://huggingface.co/docs/hub/spaces-sdks-static."""

from __future__ import annotations

import contextlib
import io
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from zoo.errors import UsageError
from zoo.runs.folder import CARD
from zoo.system.console import say
from zoo_hub.address import Address

COMMAND = "demo"
"""The command, of whichever plugin, that writes a page; nothing else is known of it here."""


@contextmanager
def page(run: Path, of: Address) -> Iterator[Path]:
    """A folder, for as long as the block lasts, with the page of a run; its README.md names the
    repository that the graphs come from.

    Raises UsageError where no plugin writes pages, and what the command raises.
    """
    import click

    from zoo.cli import cli

    command = cli.get_command(click.Context(cli), COMMAND)
    if command is None:
        raise UsageError(
            f"--with-space takes the page of zoo {COMMAND}, and there is no such command: zoo "
            "plugins shows what is broken"
        )
    with tempfile.TemporaryDirectory(prefix="zoo-space-") as kept:
        folder = Path(kept) / "page"
        say(f"zoo {COMMAND} writes the page of {of}")
        heard = io.StringIO()  # it speaks of a folder that nobody is to look for
        with (
            contextlib.redirect_stdout(heard),
            contextlib.redirect_stderr(heard),
            command.make_context(COMMAND, [str(run), "-o", str(folder)]) as context,
        ):
            command.invoke(context)
        card = folder / CARD
        card.write_text(with_models(card.read_text("utf-8"), of), "utf-8")
        yield folder


def with_models(card: str, of: Address) -> str:
    """A Space's card whose front matter names the model that it shows."""
    begin, fence, rest = card.partition("---\n")
    return f"{begin}{fence}models:\n  - {of.repository}\n{rest}"
