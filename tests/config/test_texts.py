"""Values as text and back."""

from __future__ import annotations

import pytest

from zoo.config import text as texts


@pytest.mark.parametrize("value", [0.7, 64, [1, 8, 8], {"image": 1e-6}, None, True, "digits", ""])
def test_write_then_read_returns_the_value(value: object) -> None:
    assert texts.read(texts.write(value)) == value


@pytest.mark.parametrize("text", ["CC BY 4.0", "[1, 8", "9" * 5000, "[" * 100_000])
def test_text_that_is_not_json_is_returned_unchanged(text: str) -> None:
    assert texts.read(text) == text
