"""Steps of the training loop of zoo train, without the files of a run."""

from __future__ import annotations

from pathlib import Path

import torch

from zoo.api import host
from zoo.config.resolve import resolve, setting_of
from zoo.data import open_data
from zoo.model import build
from zoo.plugins.host import Host
from zoo.runs.folder import RunFolder
from zoo.sampling.seeding import INITIALIZATION, seeded
from zoo.system.launcher import launched
from zoo.system.progress import Progress
from zoo.training.accelerator import make_accelerator, own_environment
from zoo.training.loop import Loop
from zoo.training.meter import Meter
from zoo.training.observer import Observer


def after_steps(
    count: int,
    model: str,
    folder: Path,
    progress: Progress | None = None,
    plugins: Host | None = None,
    **config: object,
) -> Loop:
    """Returns the loop of a run of ``model`` after ``count`` steps; nothing is written."""
    owner = (plugins or host()).owner(model)
    settings = [setting_of(owner.spec, key, value, key) for key, value in config.items()]
    resolved = resolve(owner.spec, settings=settings)
    device, data = torch.device("cpu"), open_data(resolved.data)
    with own_environment(launched(), device):
        accelerator = make_accelerator(resolved, device, folder, None)
        with seeded(0, INITIALIZATION, device=device):
            network = build(owner, resolved.model, data.image_spec, device)
            objective = network.objective(resolved)
        loop = Loop(
            network,
            RunFolder(folder),
            resolved,
            objective,
            data,
            accelerator,
            progress or Progress(),
            Observer(),
        )
        loop._initialize()
        loop._prepare()
        loop._meter = Meter(accelerator)
        for trained in objective.networks.values():
            trained.train()
        raws = loop._batches.iterate()
        try:
            with loop.execution.installed():
                for _ in range(count):
                    loop._step([next(raws) for _ in range(objective.batches_per_step)])
                    loop.position.step += 1
        finally:
            loop.leave()
    return loop


def steps(model: str, folder: Path, compile: str, count: int = 2, **config: object) -> Loop:
    """Returns the loop of a run on four images a step."""
    settings = {"training.batch_size": 4, "training.compile": compile, **config}
    return after_steps(count, model, folder, **settings)


def assert_equal_weights(one: Loop, other: Loop, tolerance: float = 0) -> None:
    """Compares the states of all networks, EMA weights and buffers included."""
    networks, others = one.state.trained, other.state.trained
    for name, network in networks.items():
        state, other_state = network.state_dict(), others[name].state_dict()
        assert list(state) == list(other_state)
        for key in state:
            difference = (state[key].double() - other_state[key].double()).abs().max()
            assert difference <= tolerance, (name, key)
