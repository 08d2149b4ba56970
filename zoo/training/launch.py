"""A training run from a request: where it goes, whether it goes on, and what it is made of."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.config.sections import Config
from zoo.data import names, open_data
from zoo.errors import Interrupted, UsageError, ZooError
from zoo.model import Model, build
from zoo.plugins.owner import Owner
from zoo.report.card import DamagedCard, write_card
from zoo.runs.folder import CHECKPOINTS, CONFIG, DATA_RECORD, RunFolder
from zoo.sampling.seeding import WEIGHTS, seed_torch
from zoo.system.console import duration
from zoo.system.device import choose_device
from zoo.system.files import remove_partial, write_json
from zoo.system.hardware import hardware
from zoo.system.progress import Progress
from zoo.training.checkpoint import find_checkpoints
from zoo.training.request import Request, continued, fresh, leads, unasked_preset

if TYPE_CHECKING:
    import torch
    from accelerate import Accelerator

    from zoo.data.dataset import Dataset
    from zoo.training.loop import Loop, Observer


FindOwner = Callable[[str], Owner]
"""Returns the owner of a model's name; raises UsageError for an unknown one."""

Observe = Callable[[Model, RunFolder, Config], "Observer"]
"""Returns the observer of a training run."""


def launch(
    request: Request, find: FindOwner, progress: Progress, observe: Observe
) -> tuple[Model, RunFolder, Config]:
    """Trains as requested; returns the trained model, in evaluation mode, its folder and its
    configuration.

    Raises UsageError or ZooError, one sentence each, before anything is written where the request
    cannot be met; Interrupted after Ctrl-C or SIGTERM, with a checkpoint written.
    """
    device, owner = choose_device(request.device), find(request.model)
    folder, config = (
        continued(owner.spec, request) if request.resume else fresh(owner.spec, request)
    )
    try:
        data = open_data(
            config.data, lambda done, total: progress.show("reading images", done, total)
        )
        with _locked(folder):
            accelerator = _accelerator(config, device, folder, request.track)
            folder = _of_the_first(folder)
            if not accelerator.is_main_process:
                progress = Progress()
            run = RunFolder(folder)
            model = _train(owner, request, run, config, data, accelerator, progress, observe, find)
            return model, run, config
    finally:
        progress.close()


def _train(
    owner: Owner,
    request: Request,
    folder: RunFolder,
    config: Config,
    data: Dataset,
    accelerator: Accelerator,
    progress: Progress,
    observe: Observe,
    find: FindOwner,
) -> Model:
    from zoo.training.loop import Loop

    seed_torch(config.training.seed, WEIGHTS)
    model = build(owner, config.model, data.image_spec, accelerator.device)
    objective = model.objective(config)
    observer = observe(model, folder, config)
    loop = Loop(model, folder, config, objective, data, accelerator, progress, observer)
    if accelerator.is_main_process:
        if request.resume:
            _check_count(folder, data)
        folder.write_config(
            model=model.name,
            plugin=owner.plugin.reference(),
            config=config,
            image=data.image_spec,
            source=data.name,
            hardware=hardware(accelerator.device, accelerator.num_processes),
            summary=_summary(model, config, data),
        )
        write_json(folder.path / DATA_RECORD, _data_record(config, data))
    accelerator.wait_for_everyone()
    if (note := unasked_preset(owner.spec, request)) is not None:
        progress.say(note)
    for note in data.notes:
        progress.say(note)
    progress.say(_cost(model, config, loop, data))
    stopped = loop.fit(request.resume)
    if accelerator.is_main_process:
        try:
            write_card(folder.path, find)
        except DamagedCard as error:  # the run is finished, and worth more than its card
            progress.say(f"the card is not updated: {error}")
        observer.finished(loop.position.step)
    loop.leave()
    if stopped:
        raise Interrupted(
            f"stopped at step {loop.position.step}; resume with: zoo train {model.name} "
            f"--out {folder.path} --resume",
            stopped,
        )
    seconds = duration(loop.position.seconds)
    progress.say(f"{loop.position.step} steps in {seconds}: {folder.path}")
    model.network.eval()
    return model


def _of_the_first(folder: Path) -> Path:
    """The folder that the first of all processes has chosen; called once they know each other."""
    from accelerate.utils import broadcast_object_list

    (chosen,) = broadcast_object_list([str(folder)])
    return Path(chosen)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """One process, or one group of processes, trains in a folder at a time."""
    from filelock import FileLock, Timeout

    if not leads():
        yield
        return
    inside = folder / CHECKPOINTS
    made = [path for path in (inside, *inside.parents) if not path.exists()]
    lock = FileLock(inside / ".lock")
    try:
        inside.mkdir(parents=True, exist_ok=True)
        lock.acquire(blocking=False)
    except Timeout:
        raise ZooError(
            f"{folder} is being trained by another process: wait for it, or name another --out"
        ) from None
    except OSError as error:
        raise ZooError(f"{folder} cannot be made: {error.strerror or error}") from None
    try:
        remove_partial(folder)
        yield
    finally:
        lock.release()
        if not (folder / CONFIG).exists():
            _unmake(made)


def _unmake(folders: Sequence[Path]) -> None:
    """Remove folders that were made for a run that never began, the innermost first."""
    for path in folders:
        (path / ".lock").unlink(missing_ok=True)
        if path.is_dir() and not any(path.iterdir()):
            path.rmdir()


def _accelerator(
    config: Config, device: torch.device, folder: Path, track: str | None
) -> Accelerator:
    import torch
    from accelerate import Accelerator
    from accelerate.state import AcceleratorState

    AcceleratorState._reset_state(reset_partial_state=True)
    if device.type == "cuda" and device.index is not None:
        torch.cuda.set_device(device)
    precision = config.training.precision
    if precision == "auto":
        # Older GPUs emulate bf16, which is slower than float32.
        native = device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
        precision = "bf16" if native else "fp32"
    accelerator = Accelerator(
        cpu=device.type == "cpu",
        mixed_precision="bf16" if precision == "bf16" else "no",
        log_with=track,
        project_dir=folder,
    )
    if track is not None:
        try:
            accelerator.init_trackers(track)
        except (ImportError, ModuleNotFoundError) as error:
            raise ZooError(f"--track {track}: {error}; pip install 'genzoo[track]'") from None
    return accelerator


def _summary(model: Model, config: Config, data: Dataset) -> dict[str, Any]:
    """What config.json says of the network and of where the data came from."""
    source = config.data.source
    origin = None if names.path_of(source) else names.origin(source)
    found = {
        "parameters": sum(p.numel() for p in model.network.parameters()),
        "latent": asdict(model.latent),
        "dataset": origin.repository if origin else None,
        "data_license": data.license,
        "images": len(data.splits["train"]),
    }
    return {name: value for name, value in found.items() if value is not None}


def _data_record(config: Config, data: Dataset) -> dict[str, Any]:
    return {
        "source": names.absolute(config.data.source),
        "images": len(data.splits["train"]),
    }


def _check_count(folder: RunFolder, data: Dataset) -> None:
    before, now = folder.read_data_record().get("images"), len(data.splits["train"])
    if before is not None and before != now and find_checkpoints(folder.path):
        raise UsageError(
            f"{folder.path} was begun with {before} training pictures, {data.name} has {now} now: "
            "give the same data, or begin another run with --out"
        )


def _cost(model: Model, config: Config, loop: Loop, data: Dataset) -> str:
    count = sum(p.numel() for network in loop.plain.values() for p in network.parameters())
    kept = sum(p.numel() for p in model.network.parameters()) if config.training.ema_decay else 0
    image = data.image_spec
    return (
        f"{model.name} on {data.name}: {len(data.splits['train']):,} pictures "
        f"{image.channels}x{image.size}x{image.size}, {image.bits} bits; {count:,} parameters, "
        f"{(16 * count + 4 * kept) / 2**20:.0f} MiB with gradients and optimizer; "
        f"{loop.limits} on {model.device}"
    )
