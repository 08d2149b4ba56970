"""The conformance kit: a correct plugin keeps every promise, and each mutant breaks its own."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
from mutants import MUTANTS

import zoo_onnx
from zoo import hookspecs
from zoo.plugins.host import Host, Plugin
from zoo.scaffold import write_plugin
from zoo.testing import Report, check

NAME, PACKAGE = "pebble", "zoo_pebble"
SMALL = {"model.depth": 2}


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The package of a plugin written by ``zoo new-plugin``, on the path."""
    folder = write_plugin(NAME, tmp_path)
    monkeypatch.syspath_prepend(folder)
    importlib.invalidate_caches()
    yield folder / PACKAGE
    for module in [name for name in sys.modules if name.partition(".")[0] == PACKAGE]:
        del sys.modules[module]


def checked(exports: bool = False) -> Report:
    """Checks the plugin on the path, alone in its host or with the ONNX exporter."""
    host = Host(hookspecs)
    point = EntryPoint(NAME, PACKAGE, "zoo")
    assert host.add(Plugin(NAME, f"genzoo-{NAME}", "0.1.0"), point).cause is None
    if exports:
        assert host.add(Plugin("onnx", "genzoo", "0"), zoo_onnx).cause is None
    return check(NAME, config=SMALL, steps=30, device="cpu", host=host)


def broken(report: Report) -> dict[str, str]:
    return {finding.name: finding.measured for finding in report.broken}


def test_the_unmutated_plugin_keeps_every_promise(plugin: Path) -> None:
    report = checked(exports=True)
    assert broken(report) == {}
    assert {finding.status for finding in report.findings} == {"kept"}


@pytest.mark.parametrize("name", MUTANTS)
def test_a_mutant_breaks_its_own_promise(plugin: Path, name: str) -> None:
    mutant = MUTANTS[name]
    file = plugin / mutant.file
    text = file.read_text(encoding="utf-8")
    for old, new in mutant.changes.items():
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    file.write_text(text, encoding="utf-8")
    measured = broken(checked(exports="graphs" in mutant.breaks))
    assert measured.keys() == mutant.breaks, measured
    assert all(measured.values())
