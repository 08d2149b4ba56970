"""Commands that messages tell the user to run, safe to paste: a config.json may name anything."""

from __future__ import annotations

import shlex
from pathlib import Path


def resume_command(model: object, run: Path, option: str = "") -> str:
    """Returns the command that resumes a run of ``model``, with one more ``option``."""
    words = ["zoo", "train", str(model), "--out", str(run), "--resume", *filter(None, [option])]
    return shlex.join(words)
