"""Launches a training run: its folder, data, network and accelerator."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.config.sections import Config
from zoo.data import names, open_data
from zoo.errors import Interrupted, ZooError
from zoo.model import Model, build
from zoo.objectives.trainable import trained_count
from zoo.plugins.owner import FindOwner, Owner
from zoo.report.card import DamagedCard, write_card
from zoo.report.dataset import remarks, summary
from zoo.runs.advice import resume_command
from zoo.runs.folder import CHECKPOINTS, CONFIG, DATA_RECORD, RunFolder
from zoo.runs.integrity import best_of
from zoo.runs.lock import held
from zoo.runs.record import RunRecord
from zoo.runs.state import plain
from zoo.sampling.seeding import INITIALIZATION, seeded
from zoo.system.console import duration
from zoo.system.device import choose_device
from zoo.system.files import write_json
from zoo.system.hardware import hardware
from zoo.system.launcher import Processes, join, launched
from zoo.system.progress import Progress
from zoo.system.retry import patient
from zoo.system.torch_state import default_state
from zoo.training.accelerator import environment_notes, make_accelerator, own_environment
from zoo.training.classes import for_training, stored_names
from zoo.training.compile_choice import choose_compile, work_of
from zoo.training.exclusive import only_training
from zoo.training.inheritance import Inheritance, load_weights_of, remarks_on
from zoo.training.limits import Limits
from zoo.training.observer import Observer
from zoo.training.presets import advising, preset_note
from zoo.training.request import (
    Request,
    Resolved,
    resolve_request,
)
from zoo.training.resuming import checked_data, comparable, resume_point, stored_integrity
from zoo.training.validation import with_keep_chosen

if TYPE_CHECKING:
    from accelerate import Accelerator

    from zoo.data.dataset import Dataset
    from zoo.objectives.objective import Objective
    from zoo.training.loop import Loop


Observe = Callable[[Model, RunFolder, Config], Observer]
"""Returns the observer of a training run."""


@default_state(gradients=True)
def launch(
    request: Request, find: FindOwner, progress: Progress, observe: Observe
) -> tuple[Model, RunFolder, Config]:
    """Trains as requested; returns the trained model, in evaluation mode, its folder and its
    configuration.

    Raises UsageError or ZooError before anything is written if the request cannot be met, and
    Interrupted after Ctrl-C or SIGTERM, once a checkpoint is written.
    """
    processes = launched()
    try:
        with only_training(progress):
            device, owner = choose_device(request.device), find(request.model)
            resolved = resolve_request(owner.spec, request)
            folder, config = resolved.folder, resolved.config
            if processes.local_main:
                for note in environment_notes(processes, device.type == "cuda"):
                    progress.say(note)
            join(processes, device, progress)
            shown = progress if processes.rank == 0 else Progress()
            with advising(owner.spec, request):
                data = open_data(
                    config.data,
                    lambda done, total: shown.show("reading images", done, total),
                    seed=config.training.seed,
                    class_names=stored_names(resolved.stored),
                )
            config = replace(config, data=data.config)
            with (
                _locked(folder, processes),
                own_environment(processes, device),
                patient(request.retry, shown.say),
            ):
                accelerator = make_accelerator(config, device, folder, request.track)
                run = RunFolder(_broadcast(folder))
                model, config = _train(
                    owner,
                    request,
                    replace(resolved, config=config),
                    run,
                    data,
                    accelerator,
                    shown,
                    observe,
                    find,
                )
                return model, run, config
    finally:
        progress.close()


def _train(
    owner: Owner,
    request: Request,
    resolved: Resolved,
    folder: RunFolder,
    data: Dataset,
    accelerator: Accelerator,
    progress: Progress,
    observe: Observe,
    find: FindOwner,
) -> tuple[Model, Config]:
    from zoo.training.loop import Loop

    config = resolved.config
    with seeded(config.training.seed, INITIALIZATION, device=accelerator.device):
        model = build(owner, config.model, data.image_spec, accelerator.device)
        inheritance, inherited = resolved.inheritance, None
        if inheritance is not None and inheritance.stored is not None:
            inheritance, inherited = load_weights_of(inheritance, model, progress.say)
        objective = model.objective(config)
    data = for_training(model, data, resolved.stored, progress.say)
    resumed = resolved.stored is not None
    config = replace(config, training=with_keep_chosen(config.training, model, data, resumed))
    observer = observe(model, folder, config)
    used = _with_compile_chosen(config, model, objective, data, accelerator, progress)
    if not resumed:
        config = used
    loop = Loop(model, folder, used, objective, data, accelerator, progress, observer, inherited)
    for line in resolved.notes:
        progress.say(line)
    loaded, changes = resume_point(resolved, loop, progress.say)
    record = None
    if accelerator.is_main_process:
        fingerprint, accepted = checked_data(resolved, folder, model, data, request, loaded)
        changes = [*changes, *accepted]
        loaded = comparable(loaded, changes)
        document = folder.write_config(
            model=model.name,
            plugin=owner.plugin.reference(),
            config=config,
            image=data.image_spec,
            source=data.name,
            hardware=hardware(accelerator.device, accelerator.num_processes),
            summary=_summary(model, config, data) | {"fingerprint": fingerprint},
            changes=changes,
            integrity=stored_integrity(resolved.stored),
            best=best_of(resolved.stored.document) if resolved.stored else None,
            parent=None if inheritance is None else plain(inheritance.parent),
        )
        record = RunRecord(folder, document)
        write_json(folder.path / DATA_RECORD, _data_record(config, data, inheritance))
    accelerator.wait_for_everyone()
    if (note := preset_note(owner.spec, request, data)) is not None:
        progress.say(note)
    lines = [summary(data), *remarks(data)]
    if inheritance is not None and inheritance.stored is not None:
        lines += remarks_on(inheritance, model, objective)
    for line in lines:
        progress.say(line)
    progress.say(_description(model, config, loop, data))
    stopped = loop.fit(loaded, record)
    if accelerator.is_main_process:
        try:
            write_card(folder.path, find)
        except DamagedCard as error:  # must not fail a finished run
            progress.say(f"the card is not updated: {error}")
        observer.finished(loop.position.step)
    loop.leave()
    if stopped:
        raise Interrupted(
            f"stopped at step {loop.position.step}; resume with: "
            f"{resume_command(model.name, folder.path)}",
            stopped,
        )
    seconds = duration(loop.position.seconds)
    if (best := loop.state.best_validation) is not None:
        progress.say(f"the weights are those of {best}")
    progress.say(f"{loop.position.step} steps in {seconds}: {folder.path}")
    model.network.eval()
    return model, config


def _with_compile_chosen(
    config: Config,
    model: Model,
    objective: Objective,
    data: Dataset,
    accelerator: Accelerator,
    progress: Progress,
) -> Config:
    """Returns the configuration with ``training.compile`` on or off."""
    training, per_step = config.training, objective.batches_per_step
    images = training.batch_size * per_step
    compile = choose_compile(
        training,
        model.spec.compile_gains,
        "bf16" if accelerator.mixed_precision == "bf16" else "fp32",
        work_of(objective.networks.values(), images, data.image_spec),
        Limits(training, len(data.splits["train"]), per_step),
        accelerator.device,
        progress.say,
    )
    return replace(config, training=training.model_copy(update={"compile": compile}))


def _broadcast(folder: Path) -> Path:
    """Returns the folder of the main process; called after the process group is initialized."""
    from accelerate.utils import broadcast_object_list

    (path,) = broadcast_object_list([str(folder)])
    return Path(path)


@contextmanager
def _locked(folder: Path, processes: Processes) -> Iterator[None]:
    """Locks a folder, so that one process or process group trains in it at a time."""
    if not processes.local_main:
        yield
        return
    checkpoints = folder / CHECKPOINTS
    created = [path for path in (checkpoints, *checkpoints.parents) if not path.exists()]
    with ExitStack() as stack:
        try:
            checkpoints.mkdir(parents=True, exist_ok=True)
            stack.enter_context(held(folder))
        except OSError as error:
            raise ZooError(f"{folder} cannot be created: {error.strerror or error}") from None
        try:
            RunFolder(folder).remove_partial()
            yield
        finally:
            stack.close()
            if not (folder / CONFIG).exists():
                _remove_created(created)


def _remove_created(folders: Sequence[Path]) -> None:
    """Removes empty folders that were created for a run that did not start, innermost first."""
    for path in folders:
        (path / ".lock").unlink(missing_ok=True)
        if path.is_dir() and not any(path.iterdir()):
            path.rmdir()


def _summary(model: Model, config: Config, data: Dataset) -> dict[str, Any]:
    """Returns the summary of the network and the data in config.json."""
    source = config.data.source
    origin = None if names.path_of(source) else names.origin(source)
    summary = {
        "parameters": sum(p.numel() for p in model.network.parameters()),
        "trained_parameters": trained_count(model.network) if config.training.freeze else None,
        "latent": asdict(model.latent),
        "dataset": origin.repository if origin else None,
        "data_license": data.license,
        "images": len(data.splits["train"]),
    }
    return {name: value for name, value in summary.items() if value is not None}


def _data_record(config: Config, data: Dataset, inheritance: Inheritance | None) -> dict[str, Any]:
    record = {
        "source": names.absolute(config.data.source),
        "images": len(data.splits["train"]),
        "parent": None if inheritance is None else inheritance.source,
    }
    return {name: value for name, value in record.items() if value is not None}


def _description(model: Model, config: Config, loop: Loop, data: Dataset) -> str:
    count = sum(p.numel() for network in loop.state.networks.values() for p in network.parameters())
    ema = sum(p.numel() for p in model.network.parameters()) if config.training.ema_decay else 0
    spec, trained = data.image_spec, sum(map(trained_count, loop.state.networks.values()))
    parameters = f"{count:,} parameters" + (f", {trained:,} trained" if trained < count else "")
    return (
        f"{model.name} on {data.name}: {len(data.splits['train']):,} images "
        f"{spec.channels}x{spec.size}x{spec.size}, {spec.bits} bits; {parameters}, "
        f"{(12 * trained + 4 * count + 4 * ema) / 2**20:.0f} MiB with gradients and optimizer; "
        f"{loop.limits} on {model.device}"
    )
