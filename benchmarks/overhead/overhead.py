"""The training loop's own share of a step, for every model.

    python benchmarks/overhead/overhead.py
    python benchmarks/overhead/overhead.py --models vae --rounds 60 --json

``zoo train`` itself trains a model's smallest preset, and after each of its log lines the same
objective, on a network of its own, takes as many steps in a bare loop: zero_grad, backward,
clipping and the optimizer, on batches made beforehand. What the first takes longer is the loop:
batches, generators, rates, EMA, metrics, logs. Rounds alternate within milliseconds, so that other
work on the machine slows both; a share is the median of those of the rounds.
"""

from __future__ import annotations

import argparse
import itertools
import json
import statistics
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from zoo.api import host
from zoo.config.resolve import Setting, resolve
from zoo.config.sections import Config
from zoo.data import open_data
from zoo.data.batch import Batch
from zoo.data.batches import Batches
from zoo.model import Model, build
from zoo.runs.folder import RunFolder
from zoo.sampling.seeding import INITIALIZATION, STEP, generator_for, seeded
from zoo.system.device import choose_device
from zoo.system.memory import keep_freed_memory
from zoo.system.progress import Progress
from zoo.training.launch import launch
from zoo.training.observer import Observer
from zoo.training.request import Request

MODELS = ("nice", "realnvp", "glow", "vae", "dcgan", "sngan")
STEPS = 10
"""Steps of a round: those between two lines of metrics.jsonl by default."""

SKIPPED = 3
"""Rounds before the first that counts."""


@dataclass(frozen=True)
class Row:
    """Milliseconds of a step of ``zoo train`` and of the bare loop, medians over ``rounds``, and
    the median of the loop's ``share`` of each round."""

    model: str
    preset: str
    train_ms: float
    bare_ms: float
    share: float
    rounds: int


class Bare:
    """The objective of a configuration, stepped with nothing around it."""

    def __init__(self, model: Model, config: Config) -> None:
        device = model.device
        with seeded(config.training.seed, INITIALIZATION, device=device):
            self._model = build(model.owner, config.model, model.image_spec, device)
            self._model.network.to(device)
            self._objective = self._model.objective(config)
        self._clip = config.training.clip_norm
        data = open_data(config.data, seed=config.training.seed)
        batches = Batches(
            data.splits["train"],
            data.image_spec,
            config.training.batch_size,
            config.training.seed,
            device,
            flip=config.data.flip,
        )
        generator = generator_for(config.training.seed, STEP, device=device)
        raws = itertools.islice(batches.iterate(), 8 * self._objective.batches_per_step)
        made = [batches.make(raw, generator) for raw in raws]
        self._objective.initialize(made[0])
        self._steps = self._endless(made)
        for network in self._objective.networks.values():
            network.train()

    def _endless(self, made: Sequence[Batch]) -> Iterator[list[Batch]]:
        generator = made[0].generator
        assert generator is not None
        batches = (batch.with_generator(generator) for batch in itertools.cycle(made))
        while True:
            yield list(itertools.islice(batches, self._objective.batches_per_step))

    def run(self, steps: int) -> None:
        """Takes ``steps`` steps."""
        for batches in itertools.islice(self._steps, steps):
            self._objective.step(batches, self._update)

    def _update(self, name: str, loss: Tensor) -> None:
        optimizer = self._objective.optimizers[name]
        optimizer.zero_grad()
        loss.backward()
        if self._clip is not None:
            parameters = [p for group in optimizer.param_groups for p in group["params"]]
            torch.nn.utils.clip_grad_norm_(parameters, self._clip)
        optimizer.step()


class Alternating(Observer):
    """Runs the bare loop after each log line of the training, and keeps the seconds of both."""

    def __init__(self, bare: Bare) -> None:
        self._bare = bare
        self._since: float | None = None
        self.seconds: list[tuple[float, float]] = []

    def step(self, step: int, metrics: Mapping[str, Any]) -> None:
        start = time.perf_counter()
        self._bare.run(STEPS)
        synchronize(self._bare._model.device)
        end = time.perf_counter()
        if self._since is not None:
            self.seconds.append((start - self._since, end - start))
        self._since = end


def synchronize(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def measure(model: str, rounds: int = 30, device: str = "auto") -> Row:
    """Measures ``rounds`` rounds of ``STEPS`` steps of a model's first preset."""
    torch_device = choose_device(device)
    steps = STEPS * (rounds + SKIPPED + 1)
    values = {"steps": steps, "log_every": STEPS}
    values |= dict.fromkeys(("checkpoint_every", "validate_every"), steps + 1)
    settings = [Setting("training", key, value, key) for key, value in values.items()]
    spec = host().spec(model)
    resolve(spec, settings=settings)
    observers: list[Alternating] = []

    def observe(trained: Model, folder: RunFolder, config: Config) -> Observer:
        observers.append(Alternating(Bare(trained, config)))
        return observers[0]

    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "run"
        request = Request(model, settings=settings, out=out, device=str(torch_device))
        launch(request, host().owner, Progress(), observe)
    seconds = observers[0].seconds[SKIPPED : SKIPPED + rounds]
    return Row(
        model,
        next(iter(spec.presets)),
        statistics.median(a for a, _ in seconds) / STEPS * 1e3,
        statistics.median(b for _, b in seconds) / STEPS * 1e3,
        statistics.median(1 - b / a for a, b in seconds),
        len(seconds),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", nargs="+", default=MODELS, choices=MODELS)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--json", action="store_true", help="one JSON document")
    options = parser.parse_args()
    keep_freed_memory()
    rows = [measure(model, options.rounds, options.device) for model in options.models]
    if options.json:
        print(json.dumps([asdict(row) for row in rows], indent=2))
        return
    print("model    preset   zoo train ms  bare loop ms  loop's share  rounds")
    for row in rows:
        print(
            f"{row.model:8} {row.preset:8} {row.train_ms:12.2f} {row.bare_ms:13.2f} "
            f"{row.share:13.1%} {row.rounds:7}"
        )


if __name__ == "__main__":
    main()
