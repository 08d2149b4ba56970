"""The text that a run's README.md begins from."""

from __future__ import annotations

from zoo.errors import ZooError
from zoo.report.card import RunSummary, new_card
from zoo.testing.promise import Broken, promise
from zoo.testing.subject import Subject


@promise("card", "its model card can be read", ("presets",))
def card(subject: Subject) -> str:
    spec = subject.spec
    try:
        text = new_card(RunSummary("run", spec, subject.config, subject.image, "digits"))
    except ZooError as error:
        raise Broken(str(error)) from error
    which = "the plain one: the plugin brings none" if spec.card is None else spec.card
    return f"{which}, {len(text.splitlines())} lines"
