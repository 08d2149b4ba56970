"""The page of ``zoo demo`` as a static Space: https://huggingface.co/docs/hub/spaces-sdks-static."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from zoo.api import host
from zoo.errors import UsageError
from zoo.plugins.plugin import DISABLE
from zoo.report.card import front
from zoo.runs.folder import CARD
from zoo.system.console import say
from zoo_hub.address import Address

WEB = "web"
"""Name of the plugin that writes the page."""


def require_web() -> None:
    """Raises UsageError, with the fix, unless the host says that the plugin ``web`` works."""
    plugin = next((plugin for plugin in host().plugins if plugin.name == WEB), None)
    if plugin is None:
        raise UsageError(f"--with-space needs the plugin {WEB!r}: install genzoo again to add it")
    if plugin.status == "disabled":
        raise UsageError(
            f"--with-space needs the plugin {WEB!r}, which is disabled: remove it from {DISABLE}"
        )
    if plugin.status == "broken":
        raise UsageError(
            f"--with-space needs the plugin {plugin}, which is broken ({plugin.cause}): fix it, or "
            "push without --with-space"
        )


@contextmanager
def page(run: Path, address: Address) -> Iterator[Path]:
    """A temporary folder with the page of a run, whose README.md names the repository ``address``.

    A run without graphs is exported first. Raises what :func:`zoo_web.folder.write` does.
    """
    from zoo_web.folder import write

    with tempfile.TemporaryDirectory(prefix="zoo-space-") as temporary:
        say(f"writing the page of {address}")
        folder = write(run, Path(temporary) / "page")
        card = folder / CARD
        card.write_text(with_models(card.read_text("utf-8"), address), "utf-8")
        yield folder


def with_models(card: str, address: Address) -> str:
    """A Space's card whose metadata names the model that it shows."""
    metadata, body = front.split(card)
    return front.joined(front.edited(metadata, {"models": [address.repository]}), body)
