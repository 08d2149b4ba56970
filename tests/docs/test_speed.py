"""``make bench``: its fits, its rows and their files, rows that fail, and one that is measured."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import pytest
import torch
from project import ROOT
from scripts import modules_of

FOLDER = ROOT / "benchmarks/speed"
CPU = torch.device("cpu")
HARDWARE = {"device": "cpu", "name": "AMD EPYC", "cores": 2, "threads": 2, "processes": 1}
MACHINE = {
    "device": "cpu",
    "gpu": None,
    "hardware": HARDWARE,
    "python": "3.11",
    "versions": {"genzoo": "0.1", "torch": "2.0"},
    "product_flops": {"fp32": 1e11, "bf16": 2e9},
    "can_compile": False,
}
TINY = {"couplings": 2, "width": 4, "depth": 1}

Module = Callable[[str], ModuleType]


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> Iterator[Module]:
    with modules_of(FOLDER, monkeypatch) as module:
        yield module


@pytest.fixture
def tiny(module: Module) -> Any:
    """A row of training a NICE of a few units."""
    subject = module("subjects").Subject("nice", "digits", TINY)
    return module("plan").Row("training", subject, 2, peer="plain", rounds=3, seconds=0)


# Arithmetic


def test_a_power_law_is_found_exactly(module: Module) -> None:
    fits = module("fits")
    sizes = [1, 2, 8, 32]
    law = fits.fit(sizes, [3 * size**1.5 for size in sizes])
    assert (law.exponent, law.factor, law.r2) == pytest.approx((1.5, 3, 1))
    assert fits.fit([1, 2], [5, 5]) == fits.PowerLaw(0, pytest.approx(5), 1)
    # log2 of the costs is 0, 1, 0: the line is flat at 1/3 and explains nothing.
    assert fits.fit([1, 2, 4], [1, 2, 1]).exponent == pytest.approx(0)
    assert fits.fit([1, 2, 4], [1, 2, 1]).r2 == pytest.approx(0)
    assert fits.exponents({1: [1, 1], 2: [2, 4], 4: [4, 16]}) == pytest.approx([1, 2])
    for sizes, costs in (([2, 2], [1, 2]), ([1, 2], [0, 1])):
        with pytest.raises(ValueError, match=r"needs two sizes|must be positive"):
            fits.fit(sizes, costs)


def test_ratios_are_those_of_rounds(module: Module) -> None:
    """A machine that is ten times as slow in one round changes no ratio."""
    measure = module("measure")
    times = {"ours": [1.0, 10.0, 1.0], "peer": [2.0, 20.0, 2.0], "product": [0.5, 5.0, 0.5]}
    assert measure.ratio(times, "ours", "peer") == 2
    assert measure.fraction_of_limit(times, "ours", operations=6e9, per_product=4e9) == 0.75
    timing = measure.timing(times, "ours", images=8)
    assert (timing["ms"], timing["images_per_second"], timing["rounds"]) == (1000, 8, 3)
    assert timing["ms_quartiles"] == [1000, 5500]


def test_calls_alternate_in_both_directions(
    module: Module, monkeypatch: pytest.MonkeyPatch
) -> None:
    measure = module("measure")
    monkeypatch.setattr(measure, "WARM_UP", 0)
    monkeypatch.setattr(measure, "_block", lambda step, device: 2)
    order = ""

    def call(name: str) -> Callable[[], None]:
        def step() -> None:
            nonlocal order
            order += name

        return step

    times = measure.alternate({"a": call("a"), "b": call("b")}, 3, 1e9, CPU)
    assert order == "aabbbbaaaabb"
    assert [len(rounds) for rounds in times.values()] == [3, 3]
    assert len(measure.alternate({"a": call("a")}, 99, 0, CPU)["a"]) == measure.MIN_ROUNDS


def test_operations_are_per_image_forward_and_backward(module: Module) -> None:
    layer, x = torch.nn.Linear(10, 20), torch.rand(4, 10, requires_grad=True)
    peer = module("peers").Peer(lambda: layer(x).sum().backward(), 4)
    assert module("training").operations(peer) == 3 * 2 * 10 * 20


# The plan


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_rows_have_names_of_their_own_and_valid_settings(device: str, module: Module) -> None:
    plan = module("plan")
    for quick in (False, True):
        rows = plan.rows(device, ("fp32", "bf16"), True, quick)
        assert len({row.key for row in rows}) == len(rows)
        assert all(plan.row_of(json.loads(json.dumps(row.as_json()))) == row for row in rows)
        for row in rows:
            if row.subject.model and row.compile == "off":
                row.subject.config(row.precision, row.batch or 1)
    trained = {row.subject.model for row in rows if row.kind == "training"}
    everything = plan.rows(device, ("fp32",), True, False)
    assert (
        trained
        < {row.subject.model for row in everything} - {""}
        == {
            "dcgan",
            "glow",
            "nice",
            "realnvp",
            "sngan",
            "vae",
        }
    )


def test_the_default_run_fits_in_25_minutes_on_a_cpu(module: Module) -> None:
    for precisions, minutes in ((("fp32",), 22), (("fp32", "bf16"), 26)):
        rows = module("plan").rows("cpu", precisions, True, False)
        assert sum(row.estimate for row in rows) <= 60 * minutes


def test_bf16_is_left_out_where_it_is_emulated(module: Module) -> None:
    precisions_of = module("bench").precisions_of
    fast = MACHINE | {"product_flops": {"fp32": 1e11, "bf16": 3e11}}
    assert precisions_of(MACHINE, None) == ("fp32",)
    assert precisions_of(fast, None) == ("fp32", "bf16")
    assert precisions_of(MACHINE | {"device": "cuda"}, None) == ("fp32", "bf16")
    assert precisions_of(MACHINE, "bf16") == ("bf16",)


# Rows that fail


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (
            "import os, signal; os.kill(os.getpid(), signal.SIGKILL)",
            "most likely because it ran out of memory",
        ),
        ("raise ValueError('no such size')", "ValueError: no such size"),
        ("import sys; sys.exit(3)", "exit status 3"),
    ],
)
def test_a_process_that_ends_early_is_described(code: str, reason: str, module: Module) -> None:
    measure = module("bench").measure
    assert reason in measure("{}", "cpu", [sys.executable, "-c", code])["failed"]


def test_out_of_memory_is_the_result_of_a_row(
    module: Module, monkeypatch: pytest.MonkeyPatch, tiny: Any
) -> None:
    def too_much(row: Any, device: torch.device) -> None:
        torch.empty(2**60, dtype=torch.uint8)

    row = module("row")
    monkeypatch.setattr(row, "keep_freed_memory", lambda: None)
    monkeypatch.setattr(module("training"), "measured", too_much)
    assert row.result_of(json.dumps(tiny.as_json()), "cpu") == {"failed": "out of memory"}


def test_a_missing_peer_is_reported_beside_the_others(
    module: Module, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "normflows", None)
    libraries, subjects = module("libraries"), module("subjects")
    config = subjects.Subject("glow", "digits", {}).config("fp32", 2)
    with pytest.raises(libraries.MissingPackage, match=r"--no-deps normflows==1\.7\.3"):
        libraries.normflows("glow", config, CPU)


# Measured rows


def test_start_up_has_a_line_for_each_command(
    module: Module, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan, subjects = module("plan"), module("subjects")
    with modules_of(ROOT / "benchmarks/startup", monkeypatch) as startup:
        command = startup("startup").Row("zoo list", 0.25, 0.3, 0.125, 4)
        monkeypatch.setattr(startup("startup"), "measure", lambda rounds: [command] * rounds)
        row = plan.Row("commands", subjects.Subject("", "start-up"), rounds=2)
        result = module("commands").measured(row, CPU)
    record = {"row": row.as_json(), "result": json.loads(json.dumps(result))}
    results = {"machine": MACHINE, "quick": False, "rows": {row.key: record}}
    text = module("table").markdown(results)
    assert text.count("| zoo list | 0.250 | 0.300 | 0.12 |") == 2
    assert module("results").csv_text(results).count("\n") == 1


@pytest.fixture
def measured(module: Module, tmp_path: Any, monkeypatch: pytest.MonkeyPatch, tiny: Any) -> Any:
    """bench.json with the tiny row, measured in a process, and a row that failed."""
    bench, plan = module("bench"), module("plan")
    file = module("results").File(tmp_path, MACHINE)
    failing = plan.replace(tiny, batch=3)
    measure = bench.measure

    def measure_or_fail(text: str, device: str) -> Any:
        return measure(text, device) if text != json.dumps(failing.as_json()) else OUT_OF_MEMORY

    monkeypatch.setattr(bench, "measure", measure_or_fail)
    bench.measure_all([failing, tiny], file, "cpu")
    return file


OUT_OF_MEMORY = {"failed": "out of memory"}


def test_a_row_is_measured_beside_its_peer_and_the_run_goes_on(
    measured: Any, module: Module, tiny: Any, tmp_path: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    results = module("results")
    assert list(measured.rows) == [tiny.key.replace("batch 2", "batch 3"), tiny.key]
    result = measured.rows[tiny.key]["result"]
    assert "failed" not in result, result
    assert result["images_per_second"] == pytest.approx(2000 / result["ms"])
    assert result["times_peer"] > 0
    assert result["peer_result"]["ms"] > 0
    # 2 couplings of 32 x 4 and 4 x 32 weights, 3 products of 2 operations; the gradient of the
    # first layer's input in the first coupling is not needed.
    assert result["operations_per_image"] == (2 * 2 * 32 * 4 * 3 - 32 * 4) * 2
    if sys.platform == "linux":
        assert 0 < result["peak_bytes"] < 2**27

    (failed, row) = csv.DictReader(io.StringIO(results.csv_text(measured.values)))
    assert tuple(row) == results.COLUMNS
    assert {
        "model": "nice",
        "preset": "digits, couplings 2, width 4, depth 1",
        "precision": "fp32",
        "compile": "off",
        "batch_size": "2",
        "peer": "plain",
        "torch": "2.0",
    }.items() <= row.items()
    assert all(row[name] for name in ("images_per_second", "ms", "of_limit", "times_peer"))
    assert (failed["failed"], failed["ms"], row["failed"]) == ("out of memory", "", "")

    module("bench").publish(measured.values, tmp_path / "a")
    text = (tmp_path / "a.md").read_text()
    assert "| nice | digits, couplings 2, width 4, depth 1 | 2 | fp32 | off |" in text
    assert "batch 3 / fp32 / plain: out of memory" in text
    assert "bf16 is emulated here" in text
    assert (tmp_path / "a.png").read_bytes()[1:4] == b"PNG"
    assert (tmp_path / "a.csv").read_text() == results.csv_text(measured.values)

    stored = results.File(tmp_path, MACHINE).rows
    assert stored == json.loads(json.dumps(measured.rows)), "a run goes on with these"
    with pytest.raises(module("results").UsageError, match="choose another folder with --out"):
        results.File(tmp_path, MACHINE, quick=True)


def test_rows_with_results_are_not_measured_again(
    module: Module, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    bench = module("bench")
    asked: list[str] = []

    def measure(text: str, device: str) -> Any:
        if text == "machine":
            return MACHINE
        asked.append(module("plan").row_of(json.loads(text)).key)
        return OUT_OF_MEMORY

    monkeypatch.setattr(bench, "measure", measure)
    options = ["--quick", "--device", "cpu", "--out", str(tmp_path), "--only"]
    assert bench.main([*options, "training/vae"]) == 0
    assert bench.main([*options, "training"]) == 0
    assert len(asked) == len({*asked}) == 3
    assert bench.main([*options, "training/vae", "--again"]) == 0
    assert [key.split(" / ")[1] for key in asked] == ["vae", "glow", "dcgan", "vae"]
    assert bench.main([*options, "nothing"]) == 1


@pytest.mark.parametrize("model", ["dcgan", "vae"])
def test_the_plain_loop_trains_the_same_network(model: str, module: Module) -> None:
    peers, plan = module("peers"), module("plan")
    (case,) = [case for case in plan.QUICK if case.subject.model == model]
    made = {name: peers.make(name, case.subject, 4, "fp32", CPU) for name in ("plain", "genzoo")}
    assert {peer.images for peer in made.values()} == {4}
    counts = {name: module("training").operations(peer) for name, peer in made.items()}
    # A plain loop computes gradients of the critic's weights in the generator's step too.
    assert counts["genzoo"] <= counts["plain"] <= 1.2 * counts["genzoo"]


@pytest.mark.parametrize("backend", ["torch", pytest.param("onnx", marks=pytest.mark.slow)])
def test_sampling_is_measured_beside_a_call_of_the_network(
    backend: str, module: Module, tiny: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(module("measure").PRODUCTS, "cpu", (64,))
    row = module("plan").replace(tiny, kind="sampling", backend=backend)
    result = module("sampling").measured(row, CPU)
    assert result["operations_per_image"] == 2 * 2 * 2 * 32 * 4
    assert result["times_peer"] > 0
    assert result["images_per_second"] == pytest.approx(2000 / result["ms"])


@pytest.mark.parametrize("source", ["arrays", "png"])
def test_loading_is_measured_beside_a_dataloader(source: str, module: Module) -> None:
    plan, subjects = module("plan"), module("subjects")
    row = plan.Row("loading", subjects.Subject("", source), 4, sizes=(8,), rounds=3, seconds=0)
    result = module("loading").measured(row, CPU)
    assert result["images"] == 8
    assert result["times_peer"] > 0


def test_a_cost_has_a_point_for_each_size(
    module: Module, tiny: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(module("measure").PRODUCTS, "cpu", (64,))
    row = module("plan").replace(tiny, kind="cost", over="couplings", sizes=(2, 4))
    result = module("cost").measured(row, CPU)
    assert [point["size"] for point in result["points"]] == [2, 4]
    assert result["exponent_quartiles"][0] <= result["exponent"] <= result["exponent_quartiles"][1]
