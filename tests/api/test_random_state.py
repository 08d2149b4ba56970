"""No call of genzoo changes the caller's random state, and threads do not disturb each other."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny
import torch
from torch import nn

import zoo
from zoo.config.resolve import Setting
from zoo.data import open_data
from zoo.errors import ZooError
from zoo.objectives import MaximumLikelihood, discrete_nats
from zoo.plugins.host import Host, Plugin
from zoo.run import load_with, train
from zoo.sampling.seeding import SCORING, generator_for, preserved, seed_for, seeded
from zoo.system.progress import Progress
from zoo.training.request import Request


def states() -> list[Any]:
    """Returns the states of all global generators of torch, numpy and Python."""
    devices = range(torch.cuda.device_count()) if torch.cuda.is_available() else ()
    return [
        torch.get_rng_state().tolist(),
        [torch.cuda.get_rng_state(device).tolist() for device in devices],
        str(np.random.get_state()),
        random.getstate(),
    ]


@contextmanager
def unchanged() -> Iterator[None]:
    """Fails if a global generator is another on exit than on entry; also after an exception."""
    torch.manual_seed(5)
    torch.randn(3)
    np.random.seed(6)
    random.seed(7)
    before = states()
    try:
        yield
    finally:
        assert states() == before


IMAGES = torch.linspace(0, 1, 5 * 64).reshape(5, 1, 8, 8)

CALLS: dict[str, Callable[[zoo.Run, Path], object]] = {
    "bits_per_dim": lambda run, _: run.bits_per_dim(IMAGES, seed=3),
    "log_prob": lambda run, _: run.log_prob(IMAGES),
    "encode": lambda run, _: run.encode(IMAGES),
    "reconstruct": lambda run, _: run.reconstruct(IMAGES),
    "sample": lambda run, _: run.sample(5, seed=3),
    "interpolate": lambda run, _: run.interpolate(2, 3),
    "evaluate": lambda run, _: run.evaluate(images=40, samples=40),
    "evaluate, streamed": lambda run, _: replaced(run).evaluate(
        metrics=["bits_per_dim"], images=40
    ),
    "open_data": lambda run, _: open_data(run.data_config()),
    "load": lambda run, _: zoo.load(run.path, "cpu"),
    "export": lambda run, folder: copied(run, folder).export(),
    "card": lambda run, folder: copied(run, folder).write_card(),
    "list_models": lambda *_: zoo.list_models(),
}


def replaced(run: zoo.Run) -> zoo.Run:
    """Returns the run with its data streamed."""
    from dataclasses import replace

    data = run.config.data.model_copy(update={"resident_gib": 0.0})
    return replace(run, config=replace(run.config, data=data))


def copied(run: zoo.Run, folder: Path) -> zoo.Run:
    import shutil

    return zoo.load(shutil.copytree(run.path, folder / "copy"), "cpu")


@pytest.mark.parametrize("call", CALLS)
def test_a_call_leaves_the_random_state_alone(call: str, trained: zoo.Run, tmp_path: Path) -> None:
    with unchanged():
        CALLS[call](trained, tmp_path)


def test_an_importance_weighted_bound_leaves_the_random_state_alone(
    exported: Callable[[str], zoo.Run],
) -> None:
    run = exported("vae")
    with unchanged():
        evaluation = run.evaluate(
            metrics=["importance_weighted_nats"], images=20, importance_samples=3
        )
    torch.manual_seed(8)
    again = run.evaluate(metrics=["importance_weighted_nats"], images=20, importance_samples=3)
    assert again.metrics == evaluation.metrics


def test_build_draws_its_weights_from_torchs_global_generator() -> None:
    """As torch's own layers do, and as documented."""

    def build() -> torch.Tensor:
        network = zoo.build("nice", image_size=8, channels=1, couplings=2, width=4)
        return torch.cat([p.flatten() for p in network.parameters()])

    torch.manual_seed(1)
    first, second = build(), build()
    torch.manual_seed(1)
    assert torch.equal(build(), first)
    assert not torch.equal(second, first)


# Training, also of a plugin that draws from torch's global generator wherever it can


class Noisy(tiny.Tiny):
    """``tiny`` with global random numbers in its weights, initialization, steps and scores."""

    @zoo.hookimpl
    def zoo_build(self, model, image):
        network = tiny.Shift(image.dimensions, (image.channels, image.size, image.size))
        network.shift = nn.Parameter(torch.rand(()))
        network.register_buffer("first", torch.zeros(2))
        network.dropout = nn.Dropout(0.5)
        return network

    @zoo.hookimpl
    def zoo_train(self, model, network, config):
        def score(wrapped, batch):
            noise = torch.rand(len(batch)) + network.dropout(torch.ones(len(batch)))
            same = (torch.rand(len(batch), 2) == batch.rand(2)).any()
            assert not same, "the batch's noise is that of the global generator"
            return discrete_nats(wrapped(batch.images) * (1 + noise), batch)

        def initialize(network, batch):
            network.first.copy_(torch.cat([torch.rand(1), batch.rand(1)[0]]))

        return MaximumLikelihood(network, config.training, score, initialize)

    @zoo.hookimpl
    def zoo_score(self, network, batch):
        noise = torch.rand(len(batch)) + batch.rand(1)[:, 0]
        return discrete_nats(network(batch.images) - noise, batch)


def host_of(plugin: object) -> Host:
    host = Host(zoo.hookspecs)
    assert host.add(Plugin("noisy", "tests", "0"), plugin).cause is None
    return host


def run_noisy(out: Path, plugin: Noisy | None = None, resume: bool = False, **training: int):
    settings = [Setting("training", key, value, key) for key, value in training.items()]
    settings += [Setting("training", "checkpoint_every", 3, "three")]
    request = Request("tiny", settings=settings, out=out, resume=resume, device="cpu")
    return train(host_of(plugin or Noisy()), request, Progress())


def weights(run: zoo.Run) -> bytes:
    return (run.path / "model.safetensors").read_bytes()


def test_training_and_resuming_restore_the_random_state(tmp_path: Path) -> None:
    with unchanged():
        whole = run_noisy(tmp_path / "whole", steps=6)
    with unchanged():
        half = run_noisy(tmp_path / "half", steps=3)
    torch.manual_seed(99)
    with unchanged():
        resumed = run_noisy(half.path, resume=True, steps=6)
    assert weights(resumed) == weights(whole)
    with unchanged():
        loaded = load_with(host_of(Noisy()), whole.path, "cpu")
        values = loaded.bits_per_dim(IMAGES, seed=1)
    assert torch.equal(loaded.bits_per_dim(IMAGES, seed=1), values)
    assert not torch.equal(loaded.bits_per_dim(IMAGES, seed=2), values)


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_a_failed_training_restores_the_random_state(
    error: type[BaseException], tmp_path: Path
) -> None:
    class Fails(Noisy):
        @zoo.hookimpl
        def zoo_train(self, model, network, config):
            def score(network, batch):
                torch.rand(3)
                raise error

            return MaximumLikelihood(network, config.training, score)

    with unchanged(), pytest.raises((ZooError, KeyboardInterrupt)):
        run_noisy(tmp_path / "run", Fails(), steps=6)
    run_noisy(tmp_path / "next", steps=1)


def test_an_observer_sees_the_callers_random_state(tmp_path: Path) -> None:
    seen: list[list[Any]] = []

    class Observed(Noisy):
        @zoo.hookimpl
        def zoo_run_checkpoint(self, run):
            seen.append(states())

    with unchanged():
        before = states()
        run_noisy(tmp_path / "run", Observed(), steps=6)
    assert seen == [before, before]


# Threads


def in_threads(*calls: Callable[[], Any]) -> list[Any]:
    """Calls each function in a thread of its own; returns their results, raises their errors."""
    results: dict[int, Any] = {}

    def call(index: int) -> None:
        try:
            results[index] = calls[index]()
        except BaseException as error:
            results[index] = error

    threads = [threading.Thread(target=call, args=(index,)) for index in range(len(calls))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    for result in results.values():
        if isinstance(result, BaseException):
            raise result
    return [results[index] for index in range(len(calls))]


def test_two_trainings_in_threads_equal_each_alone(tmp_path: Path) -> None:
    def noisy(name: str, seed: int) -> Callable[[], zoo.Run]:
        return lambda: run_noisy(tmp_path / name, steps=20, seed=seed)

    alone = [noisy(f"alone-{seed}", seed)() for seed in (1, 2)]
    with unchanged():
        together = in_threads(*(noisy(f"together-{seed}", seed) for seed in (1, 2)))
    assert [*map(weights, together)] == [*map(weights, alone)]


def test_a_thread_evaluates_beside_a_training(trained: zoo.Run, tmp_path: Path) -> None:
    """Neither waits for the end of the other, and both have the numbers of their own."""
    expected = run_noisy(tmp_path / "alone", steps=20)
    values = expected.bits_per_dim(IMAGES)
    began, loaded = threading.Event(), threading.Event()

    class Watched(Noisy):
        @zoo.hookimpl
        def zoo_run_checkpoint(self, run):
            began.set()
            assert loaded.wait(60)

    def evaluate() -> list[torch.Tensor]:
        assert began.wait(60)
        zoo.build("nice", image_size=8, channels=1, couplings=2, width=4)
        results = [zoo.load(trained.path, "cpu").bits_per_dim(IMAGES)]
        results += [load_with(host_of(Noisy()), expected.path, "cpu").bits_per_dim(IMAGES)]
        loaded.set()
        results += [expected.bits_per_dim(IMAGES) for _ in range(20)]
        return results

    run, results = in_threads(lambda: run_noisy(tmp_path / "run", Watched(), steps=20), evaluate)
    assert weights(run) == weights(expected)
    assert torch.equal(results[0], trained.bits_per_dim(IMAGES))
    assert all(torch.equal(result, values) for result in results[1:])


def test_a_training_inside_another_is_refused(tmp_path: Path) -> None:
    class Nested(Noisy):
        @zoo.hookimpl
        def zoo_run_finished(self, run):
            with pytest.raises(zoo.UsageError, match="cannot start inside another"):
                run_noisy(tmp_path / "inner", steps=1)

    run_noisy(tmp_path / "outer", Nested(), steps=1)
    assert not (tmp_path / "inner").exists()


# Generators


def test_a_generator_has_the_stream_of_the_global_one() -> None:
    torch.manual_seed(seed_for(4, SCORING, 2))
    expected = [torch.rand(3, 5), torch.randn(17), torch.randn(3), torch.randperm(9)]
    generator = generator_for(4, SCORING, 2)
    values = [f(*shape, generator=generator) for f, *shape in (
        (torch.rand, 3, 5), (torch.randn, 17), (torch.randn, 3), (torch.randperm, 9),
    )]  # fmt: skip
    assert all(torch.equal(*pair) for pair in zip(values, expected, strict=True))


def test_seeded_contexts_nest_and_restore() -> None:
    def uniform() -> float:
        return torch.rand(()).item()

    with unchanged():
        with seeded(1, SCORING):
            first = uniform()
            with seeded(1, SCORING):
                assert uniform() == first
            second = uniform()
            with preserved():
                assert uniform() not in (first, second)
        with seeded(1, SCORING):
            assert [uniform(), uniform()] == [first, second]
