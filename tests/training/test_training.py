"""The training loop: any objective, exact resuming, and errors that name the step."""

import json
import math
import time
from pathlib import Path

import pytest
import tiny
import torch
from pydantic import ValidationError

import zoo
from zoo.config.resolve import Setting
from zoo.config.sections import MAX_VALUE, TrainingConfig
from zoo.errors import UsageError, ZooError
from zoo.objectives.optimizers import make_optimizer, rate_factor
from zoo.run import train
from zoo.runs.checkpoints import find_checkpoints, write_checkpoint
from zoo.sampling.seeding import seed_for
from zoo.system.console import duration
from zoo.system.progress import Lines, Progress
from zoo.training.checkpoint import Position, load_checkpoint, training_state
from zoo.training.ema import ema_of
from zoo.training.limits import Limits
from zoo.training.request import Request
from zoo.training.status import Status


def run(model: str, out: Path, resume: bool = False, **settings: object):
    """Trains a model of tiny.py in this process."""
    chosen = [
        Setting(*key.replace("__", ".").split("."), value, key) for key, value in settings.items()
    ]
    request = Request(model, settings=chosen, out=out, resume=resume, device="cpu")
    return train(tiny.tiny_host(), request, Progress())


def lines_of(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def test_a_uniform_density_costs_exactly_its_bits(tmp_path: Path) -> None:
    """log p = 0 in the unit cube is exactly 8 bits/dim for 8-bit images and 5 for 5-bit ones."""
    for bits in (8, 5):
        finished = run("tiny", tmp_path / str(bits), data__bits=bits, training__steps=2)
        with torch.no_grad():
            finished.network.shift.zero_()
        images = torch.rand(7, 1, 8, 8)
        assert torch.allclose(finished.bits_per_dim(images), torch.full((7,), float(bits)))
        metric = finished.evaluate(metrics=["bits_per_dim"])["bits_per_dim"]
        assert metric.value == pytest.approx(bits, abs=1e-6)
        protocol = metric.protocol
        assert (protocol.images, protocol.split) == (90, "test")
        assert metric.standard_error == pytest.approx(0, abs=1e-9)


def test_the_loss_falls_and_every_file_of_a_run_is_written(tmp_path: Path) -> None:
    finished = run("tiny", tmp_path / "r", training__checkpoint_every=10)
    lines = lines_of(finished.path)
    assert [line["step"] for line in lines] == [10, 20]
    assert lines[1]["bits_per_dim"] < lines[0]["bits_per_dim"]
    assert lines[1]["validation_bits_per_dim"] > 0
    assert {"epoch", "seconds", "images_per_second"} <= lines[0].keys()
    names = {str(p.relative_to(finished.path)) for p in finished.path.rglob("*") if p.is_file()}
    assert {
        "config.json", "model.safetensors", "README.md", "metrics.jsonl", "curve.png",
        "samples/grid.png", "samples/step-00000010.png", "samples/step-00000020.png",
    } <= names  # fmt: skip
    assert not [
        name for name in names if name.split("/")[-1].startswith(".") and ".lock" not in name
    ]
    config = json.loads((finished.path / "config.json").read_text())
    assert config["plugin"] == {"name": "tiny", "distribution": "tests", "version": "0"}
    shape = {"channels": 1, "size": 8, "classes": 10, "bits": 8}
    assert config["image"] == {**shape, "class_names": [*"0123456789"]}
    assert not {"model_type", "architectures", "auto_map", "_class_name"} & config.keys()


def test_two_checkpoints_are_kept(tmp_path: Path) -> None:
    finished = run("tiny", tmp_path / "r", training__checkpoint_every=5)
    assert [c.name for c in find_checkpoints(finished.path)] == ["step-00000015", "step-00000020"]


def test_a_gan_trains_in_the_same_loop(tmp_path: Path) -> None:
    whole = run("gan", tmp_path / "whole")
    assert {"loss", "critic_loss"} <= lines_of(whole.path)[-1].keys()
    half = run("gan", tmp_path / "half", training__steps=10)
    resumed = run("gan", half.path, resume=True, training__steps=20)
    for a, b in zip(whole.network.parameters(), resumed.network.parameters(), strict=True):
        assert torch.equal(a, b)
    assert lines_of(whole.path)[-1]["epoch"] == pytest.approx(20 * 3 * 64 / 1617, abs=1e-3)


def test_a_loss_that_is_not_finite_stops_the_run_and_names_the_step(tmp_path: Path) -> None:
    with pytest.raises(
        ZooError, match=r"not finite at step 13; the last checkpoint is .*step-0*10"
    ):
        run("tiny", tmp_path / "r", model__fail_at=13, training__checkpoint_every=10)
    assert [line["step"] for line in lines_of(tmp_path / "r")] == [10]
    assert [c.name for c in find_checkpoints(tmp_path / "r")] == ["step-00000010"]
    resumed = run("tiny", tmp_path / "r", resume=True)
    assert lines_of(resumed.path)[-1]["step"] == 20


def test_resuming_a_finished_run_changes_nothing(tmp_path: Path) -> None:
    finished = run("tiny", tmp_path / "r")
    before = (finished.path / "model.safetensors").read_bytes()
    run("tiny", finished.path, resume=True)
    assert (finished.path / "model.safetensors").read_bytes() == before


def test_a_changed_configuration_is_refused_by_name(tmp_path: Path) -> None:
    finished = run("tiny", tmp_path / "r")
    with pytest.raises(UsageError, match=r"training\.seed = 0, not 5"):
        run("tiny", finished.path, resume=True, training__seed=5)


def test_limits() -> None:
    def limits(**values: float) -> Limits:
        return Limits(TrainingConfig(batch_size=10, **values), images=100, batches_per_step=2)

    assert limits(steps=7).steps == 7
    assert limits(epochs=3.0).steps == 15
    assert limits(steps=7, epochs=3.0).steps == 7
    assert limits(minutes=2.0).progress(1000, 60) == 0.5
    assert limits(steps=100, minutes=1.0).progress(50, 45) == 0.75
    assert limits(steps=10).progress(20, 0) == 1
    with pytest.raises(UsageError, match="--steps, --epochs or --minutes"):
        limits()


@pytest.mark.parametrize("limit", ["steps", "epochs", "minutes"])
def test_the_largest_limits_are_finite(limit: str) -> None:
    training = TrainingConfig(
        batch_size=1, **{limit: MAX_VALUE if limit == "steps" else float(MAX_VALUE)}
    )
    limits = Limits(training, images=10**7)
    assert 0 < limits.progress(1000, 60) < 1e-4
    assert 1e6 < limits.seconds_left(1000, 60, steps_per_second=10.0) < math.inf
    with pytest.raises(ValidationError):
        TrainingConfig(**{limit: MAX_VALUE + 1 if limit == "steps" else MAX_VALUE + 1.0})


def test_minutes_limit_the_run(tmp_path: Path) -> None:
    begun = time.monotonic()
    finished = run("tiny", tmp_path / "r", training__minutes=0.02)
    assert 1.2 <= lines_of(finished.path)[-1]["seconds"] < 1.2 + (time.monotonic() - begun)


def test_learning_rate_schedules() -> None:
    def factors(decay: str, points: list[tuple[int, float]]) -> list[float]:
        training = TrainingConfig(warmup_steps=10, decay=decay)
        return [rate_factor(training, step, progress) for step, progress in points]

    points = [(0, 0.0), (4, 0.0), (9, 0.0), (50, 0.5), (99, 1.0)]
    assert factors("none", points) == pytest.approx([0.1, 0.5, 1, 1, 1])
    assert factors("linear", points) == pytest.approx([0.1, 0.5, 1, 0.5, 0])
    assert factors("cosine", points) == pytest.approx([0.1, 0.5, 1, 0.5, 0])
    assert factors("cosine", [(50, 0.25)]) == pytest.approx([(1 + math.cos(math.pi / 4)) / 2])


@pytest.mark.parametrize("optimizer", ["adam", "adamax", "rmsprop"])
def test_epsilon_is_added_to_the_size_of_a_gradient(optimizer: str) -> None:
    """The first step from a gradient g: -rate g / (|g| + epsilon)."""
    gradient, epsilon = 3e-4, 1e-3
    training = TrainingConfig(
        optimizer=optimizer, learning_rate=0.1, beta1=0.0, beta2=0.0, epsilon=epsilon
    )
    weight = torch.nn.Parameter(torch.zeros(1))
    weight.grad = torch.full((1,), gradient)
    make_optimizer([weight], training).step()
    assert weight.item() == pytest.approx(-0.1 * gradient / (gradient + epsilon), rel=1e-4)


def test_epsilon_is_bounded() -> None:
    with pytest.raises(ValueError, match="epsilon"):
        TrainingConfig(epsilon=0.0)
    with pytest.raises(ValueError, match="epsilon"):
        TrainingConfig(epsilon=1.5)


def test_ema_equals_the_formula_and_copies_buffers() -> None:
    network = torch.nn.BatchNorm1d(1)
    network.register_buffer("order", torch.tensor([7, 3]))
    ema_network, exact = ema_of(network, 0.5), None
    for n, value in enumerate([1.0, 5.0, 2.0, 8.0]):
        network.weight.data.fill_(value)
        network.running_mean.fill_(value)
        ema_network.update_parameters(network)
        decay = min(0.5, (1 + n) / (10 + n))
        exact = value if exact is None else decay * exact + (1 - decay) * value
    assert ema_network.module.weight.item() == pytest.approx(exact)
    assert ema_network.module.running_mean.item() == 8
    assert ema_network.module.order.tolist() == [7, 3]


def test_seeds_differ_in_each_part() -> None:
    seeds = {seed_for(s, p, i) for s in range(5) for p in range(4) for i in range(50)}
    assert len(seeds) == 5 * 4 * 50
    assert all(0 <= seed < 2**63 for seed in seeds)


def test_progress_in_plain_lines(capsys: pytest.CaptureFixture[str]) -> None:
    lines = Lines(every=1000)
    for step in (1, 2, 3):
        status = Status(step, {"bits_per_dim": 2.5}, 1234.5, 61)
        lines.step(step / 3, status.forms(), milestone=step == 3)
    out, error = capsys.readouterr()
    assert out == ""
    assert error.splitlines() == [
        "step 1  bits per dim 2.500  1234 images/s  1 min 01 s left",
        "step 3  bits per dim 2.500  1234 images/s  1 min 01 s left",
    ]
    assert [duration(s) for s in (9.4, 61, 3660)] == ["9 s", "1 min 01 s", "1 h 01 min"]


def test_a_run_folder_is_locked_by_one_process(tmp_path: Path) -> None:
    from filelock import FileLock

    finished = run("tiny", tmp_path / "r")
    with (
        FileLock(finished.path / "checkpoints" / ".lock"),
        pytest.raises(ZooError, match="being trained by another process"),
    ):
        run("tiny", finished.path, resume=True)


def test_observers_see_the_run(tmp_path: Path) -> None:
    from zoo.plugins.host import Plugin

    events: list[tuple[str, int | None]] = []

    class Watcher:
        @zoo.hookimpl
        def zoo_run_started(self, run):
            events.append(("started", None))

        @zoo.hookimpl
        def zoo_run_step(self, step, metrics):
            events.append(("step", step))
            assert isinstance(metrics["bits_per_dim"], float)

        @zoo.hookimpl
        def zoo_run_checkpoint(self, run, step):
            assert (run.path / "samples" / "grid.png").exists()
            events.append(("checkpoint", step))

        @zoo.hookimpl
        def zoo_run_finished(self, step):
            events.append(("finished", step))

    host = tiny.tiny_host()
    host.add(Plugin("watcher", "tests", "0"), Watcher())
    train(host, Request("tiny", out=tmp_path / "r", device="cpu"), Progress())
    assert events == [
        ("started", None), ("step", 10), ("step", 20), ("checkpoint", 20), ("finished", 20),
    ]  # fmt: skip


def test_tensorboard_reads_the_tracked_metrics(tmp_path: Path) -> None:
    request = Request("tiny", out=tmp_path / "r", device="cpu", track="tensorboard")
    train(tiny.tiny_host(), request, Progress())
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    (events,) = {
        p.parent for p in (tmp_path / "r").rglob("events.out.tfevents*") if p.stat().st_size > 200
    }
    accumulator = EventAccumulator(str(events))
    accumulator.Reload()
    assert [event.step for event in accumulator.Scalars("bits_per_dim")] == [10, 20]


def test_partial_files_of_a_killed_process_are_removed(tmp_path: Path) -> None:
    finished = run("tiny", tmp_path / "r")
    (finished.path / ".model.safetensors.abcdefgh.part").write_bytes(b"half")
    (finished.path / "checkpoints" / ".step-00000030.abcdefgh.part").mkdir()
    run("tiny", finished.path, resume=True)
    assert not list(finished.path.rglob(".*.part"))


def test_a_run_that_does_not_start_leaves_no_folder(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match="multiple of 16"):
        zoo.train("glow", config={"levels": 4}, quiet=True)
    assert list(tmp_path.iterdir()) == []


def test_a_resumed_optimizer_restores_the_memory_format_of_its_moments(tmp_path: Path) -> None:
    """Loaded moments take the memory format of channels-last weights."""

    def fresh() -> tuple[torch.nn.Module, torch.optim.Optimizer]:
        torch.manual_seed(0)
        network = torch.nn.Conv2d(3, 4, 3).to(memory_format=torch.channels_last)
        return network, torch.optim.Adam(network.parameters(), fused=True)

    def step(network: torch.nn.Module, optimizer: torch.optim.Optimizer) -> None:
        optimizer.zero_grad()
        network(torch.linspace(0, 1, 75).reshape(1, 3, 5, 5)).square().sum().backward()
        optimizer.step()

    network, optimizer = fresh()
    step(network, optimizer)
    state, tensors = training_state(Position(1), {"n": network}, {"n": optimizer})
    write_checkpoint(tmp_path, state, tensors, {})
    other, other_optimizer = fresh()
    load_checkpoint(
        find_checkpoints(tmp_path)[-1], state, {"n": other}, {"n": other_optimizer}
    ).restore({"n": other}, {"n": other_optimizer})
    step(network, optimizer)
    step(other, other_optimizer)
    assert torch.equal(network.weight, other.weight)


def test_a_checkpoint_of_another_network_is_one_sentence(tmp_path: Path) -> None:
    state, tensors = training_state(Position(1), {"n": torch.nn.Linear(2, 3)}, {})
    write_checkpoint(tmp_path, state, tensors, {})
    (checkpoint,) = find_checkpoints(tmp_path)
    with pytest.raises(ZooError, match=r"weight is float32 \[3, 2\], and the network's") as info:
        load_checkpoint(checkpoint, state, {"n": torch.nn.Conv2d(1, 1, 1)}, {})
    assert "\n" not in str(info.value)
