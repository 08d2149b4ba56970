"""Fixtures of several tests: a trained run, the command line, and plugins that nobody installed."""

from __future__ import annotations

import gc
import os

from project import ROOT

os.environ["OMP_NUM_THREADS"] = "1"  # before torch is imported: sums of one thread, exact resume

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import cache, partial
from pathlib import Path
from typing import Any

import browser
import pytest
from command_line import Commands, Result
from distributions import Site
from environments import make_environment, run
from exported import SMALL as EXPORTED
from filelock import FileLock
from folders import contents
from loopback_hub import LoopbackHub, loopback_hub

import zoo

pytest.register_assert_rewrite("bench_runs", "demo_pages")  # plugins of the modules that name them

SMALL = {"depth": 2, "width": 16}
STEPS = 24
LONGEST = (
    *("test_push.py", "test_demo_page.py", "test_mutants.py", "test_kills.py"),
    *("test_processes.py", "test_compilation.py", "test_reference.py", "test_example.py"),
)
QUIETLY = {"device": "cpu", "quiet": True}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # What takes a process minutes comes first, so that the others are not done long before it.
    items.sort(key=lambda item: item.path.name not in LONGEST)
    marked = [item for item in items if item.get_closest_marker("gpu")]
    if not marked:
        return
    import torch

    if not torch.cuda.is_available():
        for item in marked:
            item.add_marker(pytest.mark.skip(reason="needs an NVIDIA GPU, and torch sees none"))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Prints what tests counted."""
    reports = [*terminalreporter.getreports("passed"), *terminalreporter.getreports("failed")]
    counts = [
        text for report in reports for name, text in report.user_properties if name == "count"
    ]
    if counts:
        terminalreporter.section("counts")
        for text in counts:
            terminalreporter.line(text)


@pytest.fixture
def count(record_property: Callable[[str, object], None]) -> Callable[[str], None]:
    """``count(text)`` prints a line after all tests, from a process of xdist too."""
    return partial(record_property, "count")


@pytest.fixture(scope="session")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """``made_once(name, make)``: a folder that ``make(folder)`` filled, in one of the processes
    that share the tests; the others wait for it."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base

    def get(name: str, make: Callable[[Path], object]) -> Path:
        folder = shared / name
        folder.parent.mkdir(exist_ok=True)
        with FileLock(f"{folder}.lock"):
            if not (done := folder.with_name(f"{folder.name}.done")).exists():
                make(folder)
                done.touch()
        return folder

    return get


@pytest.fixture(scope="session")
def trained(made_once) -> zoo.Run:
    """A small Glow, trained on the digits for a moment; take ``trained_copy`` to change it."""

    def train(folder: Path) -> None:
        every = dict.fromkeys(["training.checkpoint_every", "training.validate_every"], STEPS // 2)
        config = {**SMALL, **every}
        zoo.train("glow", steps=STEPS, config=config, out=folder, **QUIETLY)

    return zoo.load(made_once("trained/glow-digits", train), "cpu")


@pytest.fixture
def trained_copy(trained: zoo.Run, tmp_path: Path) -> Path:
    """The folder of ``trained``, to break."""
    return Path(shutil.copytree(trained.path, tmp_path / "copy"))


@pytest.fixture(scope="session")
def exported(made_once) -> Callable[[str], zoo.Run]:
    """Each model trained on the digits for a moment and exported, once: ``exported("glow")``."""

    @cache
    def get(model: str) -> zoo.Run:
        def train(folder: Path) -> None:
            zoo.train(model, steps=12, config=EXPORTED[model], out=folder, **QUIETLY).export()

        return zoo.load(made_once(f"exported/{model}-digits", train), "cpu")

    return get


@pytest.fixture(scope="module")
def chrome() -> Iterator[Any]:
    """A headless Chromium."""
    with browser.chromium() as found:
        yield found


@pytest.fixture
def commands(capsys: pytest.CaptureFixture[str]) -> Commands:
    return Commands(capsys)


@pytest.fixture(scope="session")
def process() -> Callable[..., Result]:
    """The command line in a process of its own: ``process("list", PYTHONPATH=site)``."""

    def run(*arguments: object, **environment: object) -> Result:
        done = subprocess.run(
            [sys.executable, "-m", "zoo", *map(str, arguments)],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            env=os.environ | {name: str(value) for name, value in environment.items()},
        )
        return Result(done.returncode, done.stdout, done.stderr)

    return run


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the tree's wheel and sdist."""
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "hatchling", "build", "-d", folder, cwd=ROOT)
    return folder


@pytest.fixture(scope="session")
def wheel(built: Path) -> Path:
    (path,) = built.glob("*.whl")
    return path


@pytest.fixture(scope="session")
def away(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder outside the tree with ``env``, an environment that the wheel is installed in."""
    folder = tmp_path_factory.mktemp("away")
    make_environment(folder, wheel)
    return folder


@pytest.fixture
def hub() -> Iterator[LoopbackHub]:
    """An empty Hugging Face Hub on loopback, for clients in processes of their own."""
    with loopback_hub() as found:
        yield found


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to work in."""
    path = tmp_path / "here"
    path.mkdir()
    monkeypatch.chdir(path)
    return path


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """A folder for fake distributions, on this process's path, and a host that is loaded anew."""
    from zoo.api import host
    from zoo.cli import cli

    found = Site(tmp_path / "site")
    found.path.mkdir()
    monkeypatch.syspath_prepend(found.path)
    monkeypatch.setattr(cli, "commands", {})
    monkeypatch.setattr(cli, "_plugins_loaded", False)
    host.cache_clear()
    yield found
    host.cache_clear()
    for module in found.modules:
        sys.modules.pop(module, None)


@pytest.fixture
def untouched(here: Path) -> Iterator[None]:
    """Fails the test if anything below ``here`` is another after it than before."""
    before = contents(here)
    yield
    assert contents(here) == before


@pytest.fixture(autouse=True, scope="module")
def _once_per_file() -> None:
    """Spares each training a half-second collection of garbage among what is in memory before a
    file's tests, and each exported graph the parsing of all of torch's ONNX functions."""
    gc.collect()
    gc.freeze()
    if exporter := sys.modules.get("torch.onnx._internal.exporter._registration"):
        apis = exporter.onnxscript_apis
        if not hasattr(apis.get_torchlib_ops, "cache_info"):
            apis.get_torchlib_ops = cache(apis.get_torchlib_ops)


@pytest.fixture(autouse=True, scope="session")
def _shared_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The user's cache is left alone; what one test keeps there, another finds."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Points the cache of the datasets library to a folder of the test."""
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    if "datasets" in sys.modules:
        monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "cache")
