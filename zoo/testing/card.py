"""The model card that a run's README.md starts from."""

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
    source = "the default card, as the plugin has none" if spec.card is None else spec.card
    return f"{source}, {len(text.splitlines())} lines"
