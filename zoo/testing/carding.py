"""The text that a run's README.md begins from."""

from __future__ import annotations

from zoo.card import fill_card
from zoo.testing.promise import Broken, promise
from zoo.testing.subject import Subject


@promise("card", "its model card can be read")
def card(subject: Subject) -> str:
    spec = subject.spec
    values = {
        "name": "run",
        "config": {"data": {"source": "digits"}, "training": {"seed": 0}},
        "image": {"channels": 1, "size": 8, "bits": 8},
        "parameters": 1,
        "last": {},
        "versions": {"genzoo": "0", "torch": "0", "python": "0"},
    }
    try:
        text = fill_card(values, spec)
    except (OSError, ImportError, UnicodeDecodeError, ValueError) as error:
        raise Broken(f"{spec.card} cannot be read: {error}") from error
    if not text.strip():
        raise Broken(f"{spec.card} is empty")
    which = "the plain one: the plugin brings none" if spec.card is None else spec.card
    return f"{which}, {len(text.splitlines())} lines"
