"""The training loop of all models."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from torch import Tensor
from torch.nn.parallel import DistributedDataParallel
from torch.nn.utils import clip_grad_norm_

from zoo.data.batches import Batches
from zoo.objectives.optimizers import rate_factor
from zoo.report.curves import save_curve
from zoo.runs.checkpoints import remove_older
from zoo.runs.folder import BOOKKEEPING, CURVE, METRICS, VALIDATION, RunFolder
from zoo.runs.log import truncate_log
from zoo.sampling.seeding import FIRST_BATCH, HOOK, STEP, generator_for, seeded
from zoo.system.memory import peak_memory
from zoo.system.progress import Progress
from zoo.training.accelerator import agree, of_main
from zoo.training.checkpoint import Loaded, Position
from zoo.training.execution import Execution
from zoo.training.finite import first_not_finite, not_finite
from zoo.training.grids import are_written, write_grid
from zoo.training.interrupts import Interrupts
from zoo.training.limits import Limits
from zoo.training.meter import Meter
from zoo.training.observer import Observer
from zoo.training.state import RunState
from zoo.training.status import Status
from zoo.training.synchronized import synchronize_batch_norm
from zoo.training.validation import Validation

if TYPE_CHECKING:
    from accelerate import Accelerator

    from zoo.config.sections import Config
    from zoo.data.dataset import Dataset
    from zoo.model import Model
    from zoo.objectives.objective import Objective
    from zoo.runs.record import RunRecord

INITIALIZATION_IMAGES = 256
"""Minimum number of images for data-dependent initialization."""


class Loop:
    """Trains ``model.network`` with ``objective`` until a limit, an interrupt or a NaN.

    Random numbers and batches of a step are functions of (seed, step), so checkpoints store no
    random state, and an interrupted and resumed run ends like an uninterrupted one.
    """

    def __init__(
        self,
        model: Model,
        folder: RunFolder,
        config: Config,
        objective: Objective,
        data: Dataset,
        accelerator: Accelerator,
        progress: Progress,
        observer: Observer,
        inherited: Mapping[str, Tensor] | None = None,
    ) -> None:
        """``inherited`` are the tensors of the network that a new run keeps in initialization."""
        self.model, self.folder, self.config = model, folder, config
        self.training = config.training
        self.observer = observer
        self.objective = objective
        self.data = data
        self.accelerator = accelerator
        self.progress = progress
        self.main = accelerator.is_main_process
        self.limits = Limits(self.training, len(data.splits["train"]), objective.batches_per_step)
        self.state = RunState(model, objective, self.training)
        self.record: RunRecord | None = None
        self.validation = Validation(model, data, self.training, self.state)
        self.execution = Execution(
            self.state.networks, objective.second_derivatives, self.training, progress.say
        )
        self._inherited = inherited
        self._rates = {
            name: [group["lr"] for group in optimizer.param_groups]
            for name, optimizer in objective.optimizers.items()
        }
        self._norms: list[Tensor] = []
        self._speed_reported = False
        self._batches = self._batches_of(self.training.batch_size)

    # The run from its beginning to its end

    def fit(self, loaded: Loaded | None, record: RunRecord | None) -> int:
        """Trains, from a ``loaded`` checkpoint if any; the network then has the weights to use.
        ``record`` writes them, in the main process.

        Returns the exit status of Ctrl-C or SIGTERM, after a checkpoint, else 0. Raises ZooError
        for a loss or a state that is not finite.
        """
        self.record = record
        if loaded is not None:
            self._restore(loaded)
        else:
            self._initialize()
        self._prepare()
        if self.main:
            if lines := truncate_log(self.folder.path / METRICS, self.position.step):
                self.progress.say(f"{METRICS} had damaged lines, which are left out: {lines}")
            if loaded is not None:
                self._complete()
            self.observer.started()
            self.validation.prepare(self.progress)
        with Interrupts() as interrupts, self.execution.installed():
            try:
                stopped = self._train(interrupts)
            finally:
                self.progress.close()
        self._finish()
        return stopped

    def _initialize(self) -> None:
        size = max(INITIALIZATION_IMAGES, self.training.batch_size)
        first = self._batches_of(size, single_process=True)
        raw = next(iter(first.iterate(0)))
        seed, device = self.training.seed, self.accelerator.device
        self.state.move(device)
        batch = first.make(raw, generator_for(seed, FIRST_BATCH, device=device))
        with (
            seeded(seed, HOOK + FIRST_BATCH, device=device),
            self.model.owner.blame("zoo_train"),
        ):
            self.objective.initialize(batch)
        if self._inherited:
            self.model.network.load_state_dict(self._inherited, strict=False)
        if (ema := self.state.ema) is not None:
            ema.module.load_state_dict(self.model.network.state_dict())

    def _restore(self, loaded: Loaded) -> None:
        self.state.move(self.accelerator.device)
        self.state.restore(loaded)
        self.progress.say(f"resuming from step {self.position.step}")

    def _prepare(self) -> None:
        self._forwards: dict[str, dict[str, Any]] = {}
        for name, network in self.state.networks.items():
            # Accelerate replaces the network's forward by one in mixed precision.
            self._forwards[name] = {k: v for k, v in vars(network).items() if k == "forward"}
            if self.accelerator.num_processes > 1:
                synchronize_batch_norm(network)
            prepared = self.accelerator.prepare_model(network)
            if isinstance(prepared, DistributedDataParallel):
                # Broadcasting buffers at each forward would modify them in place between an
                # earlier forward of the same step and its backward.
                prepared.broadcast_buffers = False
            self.objective.networks[name] = prepared

    def _train(self, interrupts: Interrupts) -> int:
        """Steps until the end; returns the exit status of an interrupt, or 0."""
        per_step = self.objective.batches_per_step
        batches = iter(self._batches.iterate(self.position.step * per_step))
        self._meter = Meter(self.accelerator)
        started, previous = time.perf_counter(), self.position.seconds
        self._train_mode()
        done = self.limits.progress(self.position.step, previous) >= 1
        if done:
            self.progress.say(
                f"already finished at step {self.position.step} of {self.limits}: raise --steps, "
                "--epochs or --minutes to continue"
            )
        elif done := self._is_exhausted():
            self._say_exhausted(": raise training.patience to continue")
        stop = 0
        while not done and not stop:
            raws = [next(batches) for _ in range(per_step)]
            self._step(raws)
            self.position.step += 1
            step = self.position.step
            at_log = step % self.training.log_every == 0
            seconds, stop = previous + time.perf_counter() - started, interrupts.exit_code
            if self.accelerator.num_processes > 1:
                seconds, stop = (
                    agree(self.accelerator, seconds, stop) if at_log else (self.position.seconds, 0)
                )
            self.position.seconds = seconds
            done = self.limits.progress(step, seconds) >= 1
            ends = done or bool(stop)
            at_checkpoint = ends or step % self.training.checkpoint_every == 0
            at_validation = ends or self.validation.is_due(step)
            if at_log or at_checkpoint or at_validation:
                # A validation that only an interrupted run has must not change what it keeps.
                counts = done or self.validation.is_due(step)
                self._log(at_checkpoint, at_validation, counts)
                if at_validation and not ends and self._is_exhausted():
                    self._say_exhausted()
                    done = at_checkpoint = True
                if at_checkpoint:
                    self._checkpoint()
        return stop

    def _step(self, raws: list[Any]) -> None:
        seed, step, device = self.training.seed, self.position.step, self.accelerator.device
        generator = generator_for(seed, STEP, step, device)
        batches = [self._batches.make(raw, generator) for raw in raws]
        with (
            seeded(seed, HOOK + STEP, step, device),
            self.model.owner.blame("zoo_train"),
            self.execution.step(),
        ):
            metrics = self.objective.step(batches, self._update)
        if (ema := self.state.ema) is not None:
            ema.update_parameters(self.model.network)
        self._meter.add(
            self.position.step + 1, metrics, self._norms, timed=not self.execution.compiling
        )
        self._norms.clear()

    def _update(self, name: str, loss: Tensor) -> None:
        # The accelerator's own backward, clipping and optimizers serve float16, accumulation and
        # other engines; here they would add time to each step and nothing else.
        optimizer = self.objective.optimizers[name]
        progress = self.limits.progress(self.position.step, self.position.seconds)
        factor = rate_factor(self.training, self.position.step, progress)
        for group, rate in zip(optimizer.param_groups, self._rates[name], strict=True):
            group["lr"] = rate * factor
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        if self.training.clip_norm is not None:
            parameters = [p for group in optimizer.param_groups for p in group["params"]]
            self._norms.append(clip_grad_norm_(parameters, self.training.clip_norm))
        optimizer.step()

    # Logs and checkpoints

    def _log(self, at_checkpoint: bool, at_validation: bool, counts: bool) -> None:
        """Reads the metrics from the device, stops at a NaN, writes a line of metrics.jsonl, with
        a validation that ``counts`` for the weights to keep or does not."""
        if (bad := self._meter.first_bad_step) is not None:
            raise not_finite("the loss", bad, self.folder.path, self.training)
        state = self.state.trained, self.objective.optimizers, self.accelerator
        if (at_checkpoint or at_validation) and (tensor := first_not_finite(*state)) is not None:
            raise not_finite(tensor, self.position.step, self.folder.path, self.training)
        values, steps_per_second = self._meter.read()
        step, seconds = self.position.step, self.position.seconds
        per_step = self.training.batch_size * self.objective.batches_per_step
        speed = steps_per_second * per_step
        line = {
            "step": step,
            "epoch": round(step * per_step / len(self.data.splits["train"]), 4),
            "seconds": round(seconds, 3),
            "images_per_second": round(speed, 1),
            **values,
        }
        shown = dict(values)
        if at_validation and self.main:
            measured = self.validation.measure(counts)
            shown |= measured
            line |= measured
        if self.main:
            self.folder.append_metrics(line)
            self.observer.step(step, line)
            self.accelerator.log({k: v for k, v in line.items() if k != "step"}, step)
        left = self.limits.seconds_left(step, seconds, steps_per_second)
        if not self._speed_reported:
            self._speed_reported = True
            self.progress.say(f"{speed:.0f} images/s, {peak_memory(self.accelerator.device)}")
        done = self.limits.progress(step, seconds)
        status = Status(step, shown, speed, left)
        self.progress.step(done, status.forms(), milestone=at_checkpoint)
        self._train_mode()
        self._meter.restart_clock()

    def _checkpoint(self) -> None:
        self.accelerator.wait_for_everyone()
        if self.record is not None:
            self.record.save(*self.state.checkpoint(), self.state.weights)
            self._write_grid()
            self.observer.checkpoint(self.position.step)
        self.accelerator.wait_for_everyone()
        self._train_mode()
        self._meter.restart_clock()

    def _train_mode(self) -> None:
        for network in self.objective.networks.values():
            network.train()

    def _complete(self) -> None:
        """Does what a kill after the checkpoint prevented: writes the weights and the sample grids,
        and removes older checkpoints."""
        assert self.record is not None
        step = self.position.step
        best = self.state.best_validation
        there = self.record.save_weights(step, self.state.weights, best)
        if not there or not are_written(self.folder, step):
            self._write_grid()
        remove_older(self.folder.path, step)

    def _write_grid(self) -> None:
        with self.state.used() as model:
            write_grid(self.folder, model, self.position.step, self.training.seed)

    def _finish(self) -> None:
        if self.main:
            lines = self.folder.read_metrics()
            if lines:
                logged = [key for key in lines[-1] if key not in BOOKKEEPING]
                metrics = [key for key in logged if not key.startswith(VALIDATION)]
                save_curve(self.folder.path / CURVE, lines, metrics)
            self.model.network.load_state_dict(self.state.weights)

    def leave(self) -> None:
        """Releases the process group and restores the networks' own forward, in their own
        precision."""
        for name, network in self.state.networks.items():
            vars(network).pop("forward", None)
            vars(network).update(self._forwards[name])
        self.objective.networks.update(self.state.networks)
        self.accelerator.wait_for_everyone()
        self.accelerator.free_memory()
        self.accelerator.end_training()

    # Parts

    @property
    def position(self) -> Position:
        return self.state.position

    def _say_exhausted(self, advice: str = "") -> None:
        if self.main:  # the others have no validation
            self.progress.say(self.validation.exhausted_text + advice)

    def _is_exhausted(self) -> bool:
        """Whether the main process finds the patience of the run exhausted."""
        return self.training.patience is not None and of_main(self.validation.is_exhausted)

    def _batches_of(self, batch_size: int, single_process: bool = False) -> Batches:
        return Batches(
            self.data.splits["train"],
            self.data.image_spec,
            batch_size,
            self.training.seed,
            self.accelerator.device,
            flip=self.config.data.flip,
            workers=self.config.data.workers,
            rank=0 if single_process else self.accelerator.process_index,
            world=1 if single_process else self.accelerator.num_processes,
        )
