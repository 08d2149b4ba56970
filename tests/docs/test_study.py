"""The Glow study: one command, with consistent JSON, tables and plot."""

from __future__ import annotations

import importlib
import json
import math
import re
import shutil
import statistics
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from project import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("study")]

STUDY = ROOT / "benchmarks/glow_study/study.py"
SEEDS, STEPS = [0, 1], 4


def study(out: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, STUDY, "--quick", "--out", out, *arguments]
    return subprocess.run(
        [*map(str, command)], capture_output=True, text=True, timeout=120, check=False
    )


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a quick study."""
    out = tmp_path_factory.mktemp("study") / "out"
    done = study(out)
    assert done.returncode == 0, done.stderr
    assert done.stdout == (out / "results.md").read_text("utf-8") + "\n"
    assert len(done.stderr.splitlines()) == 20
    return out


def runs_of(out: Path) -> dict[tuple[str, str, str, int], dict[str, Any]]:
    """The runs of results.json by permutation, coupling, initialization of actnorm and seed."""
    runs = json.loads((out / "results.json").read_text("utf-8"))["runs"]
    named = {
        (run["permutation"], run["coupling"], run["actnorm"], run["seed"]): run for run in runs
    }
    assert len(named) == len(runs)
    return named


def rows(out: Path, columns: int) -> list[list[str]]:
    """The rows of the table of results.md with this number of columns."""
    text = (out / "results.md").read_text("utf-8")
    lines = [line.strip("| ").split(" | ") for line in text.splitlines() if line[:2] == "| "]
    return [cells for cells in lines if len(cells) == columns][1:]


def numbers(cell: str) -> list[float]:
    return [float(number) for number in re.findall(r"[-+]?\d+\.\d+", cell)]


def mean_and_error(values: Sequence[float]) -> tuple[float, float]:
    return statistics.mean(values), statistics.stdev(values) / math.sqrt(len(values))


def test_every_configuration_is_run_with_every_seed_and_the_same_steps(finished: Path) -> None:
    runs = runs_of(finished)
    crossed = {
        (permutation, coupling, "data", seed)
        for permutation in ("reverse", "shuffle", "1x1", "lu")
        for coupling in ("additive", "affine")
        for seed in SEEDS
    }
    zero = {(name, "affine", "zero", seed) for name in ("reverse", "1x1") for seed in SEEDS}
    assert {*runs} == crossed | zero
    for (permutation, coupling, actnorm, seed), run in runs.items():
        folder = finished / "runs" / f"{permutation}-{coupling}-{actnorm}-{seed}"
        config = json.loads((folder / "config.json").read_text("utf-8"))["config"]
        model, training = config["model"], config["training"]
        assert (model["permutation"], model["coupling"]) == (permutation, coupling)
        assert (model["actnorm"], training["seed"]) == (actnorm, seed)
        assert run["steps"] == training["steps"] == STEPS
        assert [point["step"] for point in run["validation"]] == [2, 4]
        assert run["seconds"] >= run["validation"][0]["seconds"] > 0
        assert "90 images of the test split" in run["test_protocol"]
        assert "torch" in run["machine"]


def test_runs_differ_only_in_what_is_compared(finished: Path) -> None:
    configs = []
    for path in (finished / "runs").glob("*/config.json"):
        config = json.loads(path.read_text("utf-8"))["config"]
        for key in ("permutation", "coupling", "actnorm"):
            del config["model"][key]
        del config["training"]["seed"]
        configs.append(config)
    assert configs == configs[:1] * 20


def test_first_table_agrees_with_the_json(finished: Path) -> None:
    runs = runs_of(finished)
    table = rows(finished, 7)
    assert len(table) == 10
    for permutation, coupling, actnorm, parameters, _, result, difference in table:
        ours = [runs[permutation, coupling, actnorm, seed] for seed in SEEDS]
        bits = [run["test_bits_per_dim"] for run in ours]
        expected = (statistics.mean(bits), statistics.stdev(bits))
        assert numbers(result) == pytest.approx(expected, abs=6e-4)
        assert parameters == f"{ours[0]['parameters']:,}"
        others = [runs["1x1", "affine", "data", seed]["test_bits_per_dim"] for seed in SEEDS]
        paired = [a - b for a, b in zip(bits, others, strict=True)]
        if any(paired):
            assert numbers(difference) == pytest.approx(mean_and_error(paired), abs=6e-4)
        else:
            assert difference == "0"


@pytest.mark.parametrize(
    ("label", "before", "after"),
    [
        ("1x1 for shuffle, additive", "shuffle additive data", "1x1 additive data"),
        ("affine for additive, lu", "lu additive data", "lu affine data"),
        ("actnorm from data for zero, 1x1 affine", "1x1 affine zero", "1x1 affine data"),
    ],
)
def test_effect_of_a_change_is_after_minus_before(
    finished: Path, label: str, before: str, after: str
) -> None:
    runs = runs_of(finished)
    old, new = (
        [runs[*which.split(), seed]["test_bits_per_dim"] for seed in SEEDS]  # type: ignore[index]
        for which in (before, after)
    )
    (cell,) = [difference for name, difference in rows(finished, 2) if name == label]
    paired = [b - a for a, b in zip(old, new, strict=True)]
    assert numbers(cell) == pytest.approx(mean_and_error(paired), abs=6e-4)


def test_the_plot_has_lines_of_every_color(finished: Path) -> None:
    with Image.open(finished / "study.png") as image:
        assert image.format == "PNG"
        assert image.width > 1000
        colors = {color for _, color in image.convert("RGB").getcolors(2**24) or []}
    for color in ("#0072B2", "#D55E00", "#009E73", "#CC79A7"):
        assert tuple(bytes.fromhex(color[1:])) in colors


def test_second_call_trains_only_what_is_missing(finished: Path, tmp_path: Path) -> None:
    out = Path(shutil.copytree(finished, tmp_path / "out"))
    results = json.loads((out / "results.json").read_text("utf-8"))
    cut = results["runs"].pop(7)
    (out / "results.json").write_text(json.dumps(results), "utf-8")
    folder = out / "runs" / f"{cut['permutation']}-{cut['coupling']}-{cut['actnorm']}-{cut['seed']}"
    _, last = sorted((folder / "checkpoints").glob("step-*"))
    shutil.rmtree(last)  # interrupted at step 2
    weights = {path: path.stat().st_mtime_ns for path in out.glob("runs/*/model.safetensors")}

    done = study(out)
    assert done.returncode == 0, done.stderr
    assert len(done.stderr.splitlines()) == 1
    changed = [path for path, time in weights.items() if path.stat().st_mtime_ns != time]
    assert changed == [folder / "model.safetensors"]
    before, after = runs_of(finished), runs_of(out)
    assert {*after} == {*before}
    for key, run in after.items():
        assert run["test_bits_per_dim"] == before[key]["test_bits_per_dim"]


def test_a_folder_holds_one_study(finished: Path) -> None:
    before = (finished / "results.json").read_bytes()
    done = study(finished, "--steps", 7)
    assert done.returncode == 2
    assert re.fullmatch(
        r"study: .* holds a study with steps = 4, not 7: name another --out\n", done.stderr
    )
    assert (finished / "results.json").read_bytes() == before


def test_published_tables_are_those_of_the_results(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(STUDY.parent)
    monkeypatch.delitem(sys.modules, "tables", raising=False)
    tables = importlib.import_module("tables")
    monkeypatch.delitem(sys.modules, "tables")
    results = json.loads((STUDY.parent / "results.json").read_text("utf-8"))
    assert tables.markdown(results).rstrip() in (STUDY.parent / "README.md").read_text("utf-8")
