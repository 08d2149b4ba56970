"""The conformance kit: checks that a plugin's model keeps the promises of the plugin contract.

    from zoo.testing import assert_conforms

    def test_conformance():
        assert_conforms("tiny")

``zoo check MODEL`` runs the same checks and prints one line per promise. The kit uses hooks and
capabilities only; it is independent of models and families.
"""

from __future__ import annotations

from zoo.testing.kit import assert_conforms, check
from zoo.testing.promise import Finding, Report

__all__ = ["Finding", "Report", "assert_conforms", "check"]
