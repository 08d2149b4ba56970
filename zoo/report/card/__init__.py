"""A run's README.md, the model card of the Hub: its model's text with parts that genzoo writes.

The text belongs to whoever edits the card. genzoo writes the four :mod:`~zoo.report.card.parts`
between marks, and some keys of the metadata. :mod:`~zoo.report.card.summary` describes the run,
:mod:`~zoo.report.card.metrics` its metrics, :mod:`~zoo.report.card.use` how to load it; an exporter
writes the part on its graphs. Importing this package loads no torch.
"""

from __future__ import annotations

from zoo.report.card.front import DamagedCard, license_of
from zoo.report.card.summary import RunSummary, read_summary
from zoo.report.card.writing import new_card, read_card, updated_card, write_card, write_metrics

__all__ = [
    "DamagedCard",
    "RunSummary",
    "license_of",
    "new_card",
    "read_card",
    "read_summary",
    "updated_card",
    "write_card",
    "write_metrics",
]
