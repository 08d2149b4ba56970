"""``zoo compare``: runs that differ in seed alone are one row, and the table fits the terminal."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import pytest
from sealed import write_config

import zoo
from zoo.report.comparison import Entry, compare
from zoo.report.groups import Group, Statistic, group

Make = Callable[..., Path]

PROTOCOL = {
    **{"data": "digits", "split": "test", "images": 90, "seed": 0, "bits": 4, "dimensions": 64},
    "method": "exact",
}


@pytest.fixture
def make(trained: zoo.Run, here: Path) -> Make:
    """``make(name, seed, bits)``: a run as if trained with this seed to these bits/dim; ``config``
    changes other keys, and ``measured`` is the bits/dim of zoo evaluate, by its ``protocol``."""

    def copied(
        name: str,
        seed: int,
        bits: float = 2.0,
        measured: float | None = None,
        protocol: Mapping[str, object] = PROTOCOL,
        **config: object,
    ) -> Path:
        run = Path(shutil.copytree(trained.path, name))
        document = json.loads((run / "config.json").read_text())
        document["config"]["training"] |= {"seed": seed, **config}
        write_config(run, document)
        *lines, last = (run / "metrics.jsonl").read_text().splitlines()
        last = json.dumps(json.loads(last) | {"bits_per_dim": bits})
        (run / "metrics.jsonl").write_text("\n".join([*lines, last, ""]))
        if measured is not None:
            metric = {"name": "bits_per_dim", "value": measured, "unit": "bits/dim"}
            metric |= {"protocol": dict(protocol), "standard_error": 0.5, "deviation": None}
            weights = zoo.load(run, "cpu").folder.short_digest()
            evaluation = {"format_version": 2, "weights": weights, "skipped": {}}
            (run / "metrics.json").write_text(json.dumps(evaluation | {"metrics": [metric]}))
        return run

    return copied


def groups(*paths: Path) -> list[Group]:
    runs = [zoo.load(path, "cpu") for path in paths]
    entries = [Entry(str(run.path), run, run.folder) for run in runs]
    return group(entries, compare(entries))


def rows(output: str) -> dict[str, list[str]]:
    """The cells of all tables by the name of the row."""
    found: dict[str, list[str]] = {}
    for line in output.splitlines():
        if line.startswith("|"):
            name, *cells = (cell.strip() for cell in line.strip("|").split("|"))
            found[name] = [*found.get(name, []), *cells]
    return found


def test_runs_of_several_seeds_are_one_row(make: Make, commands) -> None:
    bits, measured = (2.0, 2.1, 2.4), (3.0, 3.5, 4.5)
    names = [f"lu-{seed}" for seed in range(3)]
    for seed, name in enumerate(names):
        make(name, seed, bits[seed], measured[seed])
    make("other", 0, 5.0, 6.0, batch_size=3)
    result = commands("compare", *names, "other")
    assert (result.status, result.err) == (0, "")
    table = rows(result.out)
    assert [*table][2:] == ["lu-… (n = 3)", "other"]
    heads = table["run"]
    several = dict(zip(heads, table["lu-… (n = 3)"], strict=True))
    alone = dict(zip(heads, table["other"], strict=True))
    assert several["bits per dim"] == f"{fmean(bits):.4f} ± {stdev(bits):.4f}"
    assert several["bits/dim, measured"] == f"{fmean(measured):.4f} ± {stdev(measured):.4f} [1]"
    assert (several["steps"], several["data"]) == ("24", "digits")
    assert alone["bits per dim"] == "5.0000"
    assert alone["bits/dim, measured"] == "6.0000 [1]", "no standard error of another meaning"
    text = " ".join(result.out.split())
    assert "± is the sample standard deviation over n runs that differ in seed alone." in text
    assert "lu-… (n = 3): lu-0 (seed 0), lu-1 (seed 1), lu-2 (seed 2)." in text
    document = json.loads(commands("compare", *names, "other", "--json", "-o", "x.png").out)
    assert [run["name"] for run in document["runs"]] == [*names, "other"]
    first, second = document["groups"]
    assert (first["name"], first["runs"], first["seeds"]) == ("lu-… (n = 3)", names, [0, 1, 2])
    assert first["metrics"]["bits_per_dim"] == {
        "mean": pytest.approx(fmean(measured)),
        "standard_deviation": pytest.approx(stdev(measured)),
        "n": 3,
    }
    assert second["logged"]["bits_per_dim"] == {"mean": 5.0, "standard_deviation": None, "n": 1}


def stop(run: Path) -> None:
    lines = (run / "metrics.jsonl").read_text().splitlines()
    (run / "metrics.jsonl").write_text("\n".join([*lines[:-1], ""]))


def other_data(run: Path) -> None:
    record = json.loads((run / "checkpoints/data.json").read_text())
    (run / "checkpoints/data.json").write_text(json.dumps(record | {"source": "/x/digits"}))


def edit(**values: object) -> Callable[[Path], object]:
    def apply(run: Path) -> None:
        document: dict[str, Any] = json.loads((run / "config.json").read_text())
        for key, value in values.items():
            document[key] = value if isinstance(value, list) else {**document[key], **value}
        write_config(run, document)

    return apply


@pytest.mark.parametrize(
    ("change", "count"),
    [
        (lambda run: None, 1),
        (edit(hardware={"cpu": "another"}, versions={"torch": "1.0"}), 1),
        (stop, 2),
        (other_data, 2),
        (edit(summary={"images": 7}), 2),
        (edit(changes=[{"step": 3, "key": "training.beta1", "before": 0, "after": 0.5}]), 2),
    ],
    ids=["seed", "machine", "length", "data", "images", "changes"],
)
def test_runs_that_differ_in_more_are_apart(
    change: Callable[[Path], object], count: int, make: Make
) -> None:
    first, second = make("a", 1), make("b", 2)
    change(second)
    assert len(groups(first, second)) == count


def test_other_settings_and_equal_seeds_are_apart(make: Make) -> None:
    found = groups(make("a", 1), make("b", 1), make("c", 2), make("d", 3, learning_rate=0.5))
    assert [[row.name for row in each.rows] for each in found] == [["a", "c"], ["b"], ["d"]]


def test_other_protocols_have_no_mean(make: Make, commands) -> None:
    make("a", 1, measured=2.0)
    make("b", 2, measured=3.0, protocol=PROTOCOL | {"split": "train"})
    result = commands("compare", "a", "b")
    assert "not comparable [1, 2]" in rows(result.out)["a… (n = 2)"]
    assert "differ in split (test, train)" in " ".join(result.out.split())
    document = json.loads(commands("compare", "a", "b", "--json", "-o", "x.png").out)
    assert document["groups"][0]["metrics"] == {"bits_per_dim": None}


def test_n_is_that_of_the_values(make: Make, commands) -> None:
    make("a1", 1, measured=2.0)
    make("a2", 2)
    assert "2.0000 (n = 1) [1]" in rows(commands("compare", "a1", "a2").out)["a… (n = 2)"]


def test_a_statistic_is_of_what_there_is() -> None:
    assert Statistic.of([None]) is None
    assert Statistic.of([None, 2.0]) == Statistic(2.0, None, 1)
    assert Statistic.of([1.0, 2.0]) == Statistic(1.5, stdev([1, 2]), 2)


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_the_table_fits_the_terminal(
    columns: int, make: Make, commands, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = "a-" + "long-" * 12
    make("short", 1, measured=2.0)
    for i in range(2):
        make(f"{long}{i}{long}", 1, measured=2.0, batch_size=i + 1)
    monkeypatch.setattr("zoo.cli.compare.terminal_width", lambda: columns)
    result = commands("compare", "short", *(f"{long}{i}{long}" for i in range(2)))
    assert max(map(len, result.out.splitlines())) <= columns
    table = rows(result.out)
    assert len([name for name in table if "long" in name]) == 2, "shortened, and still two"
    assert "bits/dim, measured" in table["run"]
    assert len({len(cells) for cells in table.values()}) == 1
