"""The conformance kit: any plugin's model is put through what every plugin promises.

    from zoo.testing import assert_conforms

    def test_it_conforms():
        assert_conforms("tiny")

``zoo check MODEL`` does the same and prints a line for each promise. The kit knows no model and
no family, only hooks and capabilities.
"""

from __future__ import annotations

from zoo.testing.kit import assert_conforms, check
from zoo.testing.promise import Finding, Report

__all__ = ["Finding", "Report", "assert_conforms", "check"]
