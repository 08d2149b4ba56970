"""Text of strangers: markup of every medium, control characters, and forged lines."""

from __future__ import annotations

import unicodedata

from hypothesis import settings
from hypothesis import strategies as st

TOKENS = (
    *("<script>alert(1)</script>", "</p>", "<!-- zoo: end -->", "<img src=x onerror=y>", "&lt;"),
    *("[a](http://evil.example)", "![i](x.png)", "[a]: http://evil.example", "<http://evil.example>"),
    *("http://evil.example", "www.evil.example", "WWW.evil.example", "a@evil.example"),
    *("# ", " #", "## ", "- ", "+ ", "* ", "1. ", "12) ", "> ", "---", "===", "***", "    ", "\t"),
    *("`", "```", "~~~", "~~", "|", "\\", "\\|", "*", "**", "_", "__"),
    *("$", "$$", "@", "!", "&", "^"),
    *("\n", "\n\n", "\r\n", "\r", "\x0b", "\x0c", "\x1c", "\x85", "\u2028", "\u2029"),
    *("\x1b[31m", "\x1b]8;;http://evil.example\x07", "\x1b[2K\x1b[1A", "\x9b31m", "\x07", "\x08"),
    *("\u202e", "\u2066", "\u200f", "\u200b", "\ufeff", "\x00", "\x7f", "\ud800",),
    *("\ue000", "\U0001f600"),
    *("[red]", "[/red]", "[link=http://evil.example]", "[/]", ":smile:", "\nzoo: all is well\n"),
    *("---\nsdk: docker\n---\n", ": ", "- a: b", "'", '"', "{", "}", "%", "? ", "null", "0x1", "="),
    *("$\\frac{", "$x$", "\\$", "^{", "a", "name", " ", "7", "-5"),
)  # fmt: skip

TEXT = st.lists(st.one_of(st.sampled_from(TOKENS), st.text(max_size=4)), max_size=6).map("".join)

FEW = settings(max_examples=100, deadline=None, derandomize=True, database=None)

HOSTILE = (
    "cat</title><script>alert(1)</script>",
    "[red]dog[/red][link=http://evil.example]x[/link]",
    "a\x1b[31mb\x1b]8;;http://evil.example\x07c",
    "x\nzoo: all is well\n# y",
    "\u202eevil\u2066",
    "[x](http://evil.example) | `y` | *z*",
    "'; touch evil #",
    "\x9b2J\x7f\x00\x85",
    "$\\frac{$ \\",
    "- --- : ' \" {{ }} %",
)
"""Ten names, one for each class of the digits."""


def harmless(text: str) -> bool:
    """Whether a terminal shows ``text`` as it is: no control, direction or line but ``\\n``."""
    forbidden = ("Cc", "Cf", "Cs", "Co", "Zl", "Zp")
    return not any(c != "\n" and unicodedata.category(c) in forbidden for c in text)
