"""The GPU benchmarks: their arithmetic and tables, and reports of missing peers."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Callable, Iterator
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import torch
from project import ROOT

from zoo_onnx.bench.measure import Timing

FOLDER = ROOT / "benchmarks/gpu"
CPU = torch.device("cpu")


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], ModuleType]]:
    """The benchmark's modules, by name."""
    monkeypatch.syspath_prepend(FOLDER)
    before = {*sys.modules}
    yield importlib.import_module
    for name in {*sys.modules} - before:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(FOLDER)):
            del sys.modules[name]


def test_times_are_per_step_and_ratios_per_image(module: Callable[[str], ModuleType]) -> None:
    """Blocks of 4 steps: 2 s of 10 images per step, and 4 s of 30 images per step."""
    timed = {"peer": Timing(((2.0,), (2.0,))), "ours": Timing(((4.0, 4.0), (4.0,)))}
    speeds = module("measure").speeds_of(timed, {"peer": 10, "ours": 30}, 4, "peer")
    assert speeds["peer"].step_seconds == 0.5
    assert speeds["peer"].images_per_second == 20
    assert speeds["ours"].images_per_second == 30
    assert speeds["ours"].times_other == pytest.approx(30 / 20)
    assert speeds["peer"].times_other == 1
    alone = module("measure").speeds_of(timed, {"peer": 10, "ours": 30}, 4, "absent")
    assert alone["ours"].times_other is None


def test_fraction_of_the_rate_and_peak(module: Callable[[str], ModuleType]) -> None:
    measure = module("measure")
    assert measure.fraction_of_rate(2e9, 100, 1e12) == pytest.approx(0.2)
    assert measure.own_peak(before=300, peak=1000) == 700
    assert measure.own_peak(before=1000, peak=300) == 0
    assert measure.Memory(CPU).peak(lambda: None) is None


def test_matrix_rate_counts_a_multiply_add_twice(
    module: Callable[[str], ModuleType], monkeypatch: pytest.MonkeyPatch
) -> None:
    measure = module("measure")
    clock = iter(range(10**6))
    monkeypatch.setattr(measure.time, "perf_counter", lambda: next(clock))
    monkeypatch.setitem(measure.PRODUCTS, "cpu", (8, 16))
    assert measure.matrix_rate(CPU, seconds=3) == 2 * 16**3


def test_operations_are_per_image_forward_and_backward(
    module: Callable[[str], ModuleType],
) -> None:
    training, peers = module("training"), module("peers")
    layer, x = torch.nn.Linear(10, 20), torch.rand(4, 10, requires_grad=True)
    peer = peers.Peer(lambda: layer(x).sum().backward(), 4)
    assert training.operations(peer) == 3 * 2 * 10 * 20


def test_missing_peer_is_reported_beside_the_others(
    module: Callable[[str], ModuleType], monkeypatch: pytest.MonkeyPatch
) -> None:
    training, subjects = module("training"), module("subjects")
    monkeypatch.setattr(subjects, "IMAGES", 300)
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util,
        "find_spec",
        lambda name, *a: None if name == "normflows" else find(name, *a),
    )
    small = {"depth": 1, "levels": 1, "width": 4, "permutation": "lu"}
    subject = subjects.Subject("glow", "cifar10", (2,), "normflows", small)
    rows = training.rows([subject], 1e-3, CPU, print)
    failed = {row["peer"] for row in rows if "normflows==1.7.3" in row.get("failed", "")}
    assert failed == {"normflows"}
    ours = [row for row in rows if row["peer"] == "genzoo"]
    assert [row["precision"] for row in ours] == ["fp32", "bf16"]
    for row in ours:
        assert row["images_per_second"] == pytest.approx(2000 / row["step_ms"])
        assert row["times_peer"] is None
        row["of_matrix_rate"] = 0.5
    table = module("table").tables(bench_results(rows))
    assert "glow, normflows: not installed" in table
    assert "Training, on CPU" in table


@pytest.mark.parametrize("model", ["dcgan", "nice"])
def test_plain_loop_and_genzoo_train_the_same_network(
    model: str, module: Callable[[str], ModuleType], monkeypatch: pytest.MonkeyPatch
) -> None:
    peers, subjects = module("peers"), module("subjects")
    monkeypatch.setattr(subjects, "IMAGES", 300)
    (subject,) = [subject for subject in subjects.QUICK if subject.model == model]
    steps = {name: peers.make(name, subject, 4, "fp32", CPU) for name in ("plain", "genzoo")}
    assert {peer.images for peer in steps.values()} == {4}
    counts = {name: module("training").operations(peer) for name, peer in steps.items()}
    # A plain loop computes gradients of the critic's weights in the generator's step too.
    assert counts["genzoo"] <= counts["plain"] <= 1.2 * counts["genzoo"]


def bench_results(rows: list[dict[str, Any]]) -> dict[str, Any]:
    hardware = {"device": "cpu", "name": "a CPU", "cores": 1, "threads": 1, "processes": 1}
    return {
        "machine": {"device": "cpu", "gpu": None, "hardware": hardware, "versions": {}},
        "quick": True,
        "matrix_rate": {"operations_per_second": 1e12, "of": "float32"},
        "training": rows,
        "sampling": [{"model": "glow", "failed": "no CUDA here"}],
    }


def test_checks_are_recorded_with_their_measurements(
    module: Callable[[str], ModuleType],
) -> None:
    recorder = module("checks").Recorder()

    def of() -> None:
        """The text
        it shows"""

    names = ("a[glow-cuda]", "b[cuda]", "c")
    recorder.pytest_collection_finish(
        SimpleNamespace(
            items=[
                SimpleNamespace(nodeid=name, name=name, function=of, originalname="of")
                for name in names
            ]
        )
    )

    def report(name: str, when: str, outcome: str, **more: Any) -> None:
        values = {"duration": 1.0, "user_properties": [], "longrepr": None} | more
        recorder.pytest_runtest_logreport(
            SimpleNamespace(nodeid=name, when=when, outcome=outcome, **values)
        )

    for when in ("setup", "call", "teardown"):
        report("a[glow-cuda]", when, "passed", user_properties=[("apart", 0.5)])
    report("b[cuda]", "setup", "skipped", longrepr=("file", 1, "Skipped: no GPU"))
    report("c", "setup", "passed")
    report("c", "call", "failed", longrepr="assert 1 == 2\nmore")
    report("c", "teardown", "passed")
    passed, skipped, failed = recorder.tests.values()
    assert (passed["shows"], passed["case"], passed["outcome"]) == (
        "The text it shows",
        "glow",
        "passed",
    )
    assert (passed["measured"], passed["seconds"]) == ({"apart": 0.5}, 3.0)
    assert (skipped["case"], skipped["outcome"], skipped["reason"]) == ("", "skipped", "no GPU")
    assert (failed["outcome"], failed["reason"]) == ("failed", "assert 1 == 2")
    text = module("checks").table(bench_results([]) | {"tests": list(recorder.tests.values())})
    assert "1 failed, 1 passed, 1 skipped" in text
    assert "skipped, 1: no GPU" in text
    assert "apart 0.500" in text
