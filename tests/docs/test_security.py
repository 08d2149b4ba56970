"""SECURITY.md: each promise has a test."""

from __future__ import annotations

import re

from project import ROOT


def test_each_promise_names_a_test_that_exists() -> None:
    rows = re.findall(r"^\| (.+) \| .+ \| `(\w+)` \|$", (ROOT / "SECURITY.md").read_text(), re.M)
    assert len(rows) > 10
    source = "\n".join(path.read_text("utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
    for what, test in rows:
        assert f"def {test}(" in source, what
