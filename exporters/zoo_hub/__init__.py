"""The Hugging Face Hub: a run's card, and its way up and down."""

from __future__ import annotations
