"""A run's README.md: the model's own text with this run's facts in it, as the Hub reads it.

The text of a model is written once and is then its owner's. genzoo's are four parts between marks,
and some keys of the metadata; these are written anew, and nothing else is touched:
:mod:`~zoo.report.card.facts` and :mod:`~zoo.report.card.measured` say what a run is and reached,
:mod:`~zoo.report.card.use` how it is loaded; the part of an exporter's graphs is the exporter's to
write.
Importing this package loads no torch.
"""

from __future__ import annotations

from zoo.report.card.facts import RunFacts, read_facts
from zoo.report.card.front import DamagedCard
from zoo.report.card.writing import new_card, read_card, renewed_card, write_card, write_figures

__all__ = [
    "DamagedCard",
    "RunFacts",
    "new_card",
    "read_card",
    "read_facts",
    "renewed_card",
    "write_card",
    "write_figures",
]
