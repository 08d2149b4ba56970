"""The benchmarks of start-up and of the loop's own share of a step."""

from __future__ import annotations

import importlib.util
import sys
from types import ModuleType

import pytest
from project import ROOT


def module(name: str) -> ModuleType:
    """The script of the benchmark ``name``."""
    spec = importlib.util.spec_from_file_location(name, ROOT / f"benchmarks/{name}/{name}.py")
    assert spec is not None
    assert spec.loader is not None
    loaded = importlib.util.module_from_spec(spec)
    sys.modules[name] = loaded  # dataclasses look their module up
    spec.loader.exec_module(loaded)
    return loaded


@pytest.fixture(autouse=True)
def modules(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("overhead", "startup"):
        monkeypatch.delitem(sys.modules, name, raising=False)


def test_the_loop_and_a_bare_one_are_timed_in_the_same_rounds() -> None:
    row = module("overhead").measure("vae", rounds=2, device="cpu")
    assert (row.model, row.preset, row.rounds) == ("vae", "digits", 2)
    assert row.train_ms > 0
    assert row.bare_ms > 0
    assert row.share < 1


@pytest.mark.parametrize(("code", "prints"), [("print(1)", True), ("", False)])
def test_a_process_is_timed_to_its_first_byte_and_to_its_end(code: str, prints: bool) -> None:
    first, total = module("startup").timed([sys.executable, "-S", "-c", code])
    assert (first is not None) == prints
    assert total >= (first or 0) > 0 or not prints


def test_the_rows_of_start_up_are_relative_to_torch() -> None:
    startup = module("startup")
    seconds = [{"import torch": (None, 2.0), "zoo list": (0.5, 1.0)}] * 3
    assert startup._row("zoo list", seconds) == startup.Row("zoo list", 0.5, 1.0, 0.5, 3)
    assert startup._row("import torch", seconds).first_s is None
