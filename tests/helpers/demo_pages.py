"""Fixtures for tests of ``zoo demo``: runs with their pages, and the images expected there.

A test module takes the fixtures with ``pytest_plugins = ["demo_pages"]``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import browser
import numpy as np
import pytest
import torch
from sealed import write_weights

import zoo
from zoo.report.grids import to_bytes
from zoo.run import Run
from zoo.sampling import latents
from zoo.system.onnxruntime import open_session
from zoo_onnx.export import export
from zoo_web.folder import write

SMALL: dict[str, dict[str, Any]] = {
    "glow": {"levels": 2, "depth": 2, "width": 16, "conditional": True},
    "vae": {"width": 16, "depth": 1, "data.channels": 3},
}


class Demo:
    """A run, its page in a folder, and the same graphs in Python's onnxruntime."""

    def __init__(self, run: Run, ort: Path) -> None:
        self.run = run
        self.folder = write(run.path, run.path / "demo", ort)
        self.sampler = open_session(run.path / "onnx" / "sampler.onnx", "cpu")
        self.encoder = open_session(run.path / "onnx" / "encoder.onnx", "cpu")

    def z(self, n: int, seed: int, first: int = 0) -> Any:
        return latents.draw(n, self.run.latent.size, self.run.latent.distribution, seed, first)

    def decode(self, z: Any, temperature: float, labels: Any) -> Any:
        feeds = {"z": z, "temperature": np.array(temperature, np.float32)}
        if self.run.latent.classes:
            feeds["label"] = np.array(labels, np.int64)
        return self.sampler.run(["image"], feeds)[0]

    def samples(self, n: int, seed: int, temperature: float, labels: Any = None) -> Any:
        """Bytes ``[n, S, S, 3]``, as the page should show them."""
        labels = np.arange(n) % 10 if labels is None else labels
        return shown(self.decode(self.z(n, seed), temperature, labels))


def shown(images: Any) -> Any:
    return np.broadcast_to(to_bytes(images), (len(images), 8, 8, 3))


def differ(a: Any, b: Any) -> int:
    assert a.shape == b.shape
    return int(np.abs(a.astype(int) - b.astype(int)).max())


@pytest.fixture(scope="session")
def demos(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Demo]:
    """``demos("glow")``: a run of a model in SMALL with its page, created once."""
    demos: dict[str, Demo] = {}
    ort = browser.ort()

    def get(model: str) -> Demo:
        if model not in demos:
            folder = tmp_path_factory.mktemp("demos") / f"{model}-digits"
            run = zoo.train(
                model, steps=40, config=SMALL[model], out=folder, device="cpu", quiet=True
            )
            if model == "glow":  # so that the class is visible
                torch.manual_seed(0)
                with torch.no_grad():
                    for parameter in run.network.flow.prior.parameters():  # type: ignore[union-attr]
                        parameter.add_(0.5 * torch.randn_like(parameter))
                write_weights(folder, run.network.state_dict())
            export(run)
            demos[model] = Demo(run, ort)
        return demos[model]

    return get


@pytest.fixture
def glow(demos: Callable[[str], Demo]) -> Demo:
    return demos("glow")


@pytest.fixture
def served() -> Iterator[Callable[..., str]]:
    """Serves folders until the pages that ``opened`` returned are closed: a second worker may load
    its files after the first images are shown."""
    with ExitStack() as servers:
        yield lambda *arguments: servers.enter_context(browser.served(*arguments))


@pytest.fixture
def opened(chrome: Any, served: Callable[..., str]) -> Iterator[Callable[..., browser.Watched]]:
    """Opens pages; the test fails if one of them reports a problem."""
    pages = []

    def get(address: str, **context: Any) -> browser.Watched:
        pages.append(browser.Watched(chrome, **context))
        return pages[-1].open(address)

    yield get
    for page in pages:
        problems = page.problems
        page.close()
        assert problems == []


@pytest.fixture
def address(glow: Demo, served: Callable[..., str]) -> str:
    return served(glow.folder)


@pytest.fixture
def page(opened: Callable[..., browser.Watched], address: str) -> browser.Watched:
    return opened(f"{address}#seed=7")
