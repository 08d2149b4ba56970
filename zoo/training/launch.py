"""A training run from a request: where it goes, whether it goes on, and what it is made of."""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.config.resolve import (
    Setting,
    changed,
    file_settings,
    once,
    overlay,
    preset_settings,
    resolve,
    sectioned_settings,
    validate,
)
from zoo.config.sections import Config
from zoo.data import open_data
from zoo.data.hub import repository_of
from zoo.data.source import local_name
from zoo.errors import UsageError, ZooError
from zoo.plugins.host import Host
from zoo.runs import folder as files
from zoo.sampling.seeding import WEIGHTS, seed_torch
from zoo.system.console import duration
from zoo.system.device import choose_device
from zoo.system.files import sweep, write_json
from zoo.system.hardware import hardware
from zoo.system.progress import Reporter
from zoo.training.checkpoint import find_checkpoints

if TYPE_CHECKING:
    import torch
    from accelerate import Accelerator

    from zoo.data.dataset import Dataset
    from zoo.run import Run


@dataclass(frozen=True)
class Request:
    """What a user asks for; ``settings`` are those of flags and ``--set``."""

    model: str
    preset: str | None = None
    file: Path | None = None
    settings: Sequence[Setting] = ()
    out: Path | None = None
    resume: bool = False
    device: str = "auto"
    track: str | None = None


def train(host: Host, request: Request, reporter: Reporter) -> Run:
    """Train as requested and return the finished run, loaded.

    Raises UsageError or ZooError, one sentence each, before anything is written where the request
    cannot be met; Interrupted after Ctrl-C or SIGTERM, with a checkpoint written.
    """
    device = choose_device(request.device)
    folder, config = _continued(host, request) if request.resume else _fresh(host, request)
    try:
        data = open_data(config.data, reporter.reading)
        with _locked(folder):
            accelerator = _accelerator(config, device, folder, request.track)
            folder = _of_the_first(folder)
            if not accelerator.is_main_process:
                reporter = Reporter()
            return _run(host, request, folder, config, data, accelerator, reporter)
    finally:
        reporter.close()


def unasked_preset(host: Host, request: Request) -> str | None:
    """What is told of the preset that holds unasked, where it was made for other data than the
    user's: the bits of a value, say, are its own. None where nothing is to be told."""
    named = request.preset is not None or request.file is not None or request.resume
    sources = [setting.value for setting in request.settings if setting.name == "data.source"]
    if named or not sources:
        return None
    name, preset = next(iter(host.spec(request.model).presets.items()), ("", {}))
    made_for = preset.get("data", {}).get("source")
    if made_for is None or name_of(sources[0]) == made_for:
        return None
    return (
        f"No preset was named: settings are those of {name}, made for {made_for}. "
        f"zoo show {request.model} has them all."
    )


def _run(
    host: Host,
    request: Request,
    folder: Path,
    config: Config,
    data: Dataset,
    accelerator: Accelerator,
    reporter: Reporter,
) -> Run:
    from zoo.run import Run
    from zoo.training.loop import Loop

    model = request.model
    seed_torch(config.training.seed, WEIGHTS)
    network = host.call("zoo_build", model, config=config.model, image=data.image)
    objective = host.call("zoo_train", model, network=network, config=config)
    run = Run(folder, model, config, data.image, network, accelerator.device, host)
    loop = Loop(run, objective, data, accelerator, reporter)
    if accelerator.is_main_process:
        if request.resume:
            _check_pictures(folder, data)
        machine = hardware(accelerator.device, accelerator.num_processes)
        facts = _facts(run, data)
        files.write_config(folder, host, model, config, data.image, data.name, machine, facts)
        write_json(folder / files.DATA_FACTS, _data_facts(config, data))
    accelerator.wait_for_everyone()
    if (note := unasked_preset(host, request)) is not None:
        reporter.say(note)
    for note in data.notes:
        reporter.say(note)
    reporter.say(_cost(run, loop, data))
    loop.fit(request.resume)
    seconds = duration(loop.progress.seconds)
    reporter.say(f"{loop.progress.step} steps in {seconds}: {folder}")
    network.eval()
    return run


def _fresh(host: Host, request: Request) -> tuple[Path, Config]:
    spec = host.spec(request.model)
    config = resolve(spec, request.preset, request.file, request.settings)
    if request.out is None:
        base = Path("runs") / f"{request.model}-{name_of(config.data.source).replace('/', '-')}"
        return next(path for path in _numbered(base) if not path.exists()), config
    taken = request.out.exists() and (not request.out.is_dir() or any(request.out.iterdir()))
    if taken and _leads():  # another process may find what the first of them has begun
        what = "a run" if (request.out / files.CONFIG).exists() else "something"
        raise UsageError(
            f"{what} stands at {request.out}: go on with it by --resume, or name another --out"
        )
    return request.out, config


def _continued(host: Host, request: Request) -> tuple[Path, Config]:
    """The folder and configuration of a run that goes on; only its limits may differ."""
    spec = host.spec(request.model)
    folder = request.out or _newest(request, host)
    values = files.read_config(folder)
    if values.get("model") != request.model:
        raise UsageError(f"{folder} is a run of {values.get('model')}, not of {request.model}")
    before, _ = files.parse_config(folder, host, values)
    stored = sectioned_settings(spec, values["config"], str(folder / files.CONFIG))
    above = once(request.settings)
    if request.file is not None:
        above = overlay(file_settings(spec, request.file), above)
    if request.preset is not None:
        above = overlay(preset_settings(spec, request.preset), above)
    config = validate(spec, overlay(stored, above))
    source = config.data.source
    named = replace(config, data=config.data.model_copy(update={"source": name_of(source)}))
    for key, old, new in changed(before, named):
        raise UsageError(
            f"{folder} was begun with {key} = {json.dumps(old)}, not {json.dumps(new)}: "
            "leave it as it was, or begin another run with --out"
        )
    if source == before.data.source:
        source = files.read_data_facts(folder).get("source", source)
    return folder, replace(config, data=config.data.model_copy(update={"source": source}))


def _newest(request: Request, host: Host) -> Path:
    sources = [setting.value for setting in request.settings if setting.name == "data.source"]
    if not sources:
        config = resolve(host.spec(request.model), request.preset, request.file, request.settings)
        sources = [config.data.source]
    base = Path("runs") / f"{request.model}-{name_of(sources[0]).replace('/', '-')}"
    standing = list(itertools.takewhile(Path.exists, _numbered(base)))
    if not standing:
        raise UsageError(f"there is no run {base} to go on with: name one with --out")
    return standing[-1]


def _numbered(base: Path) -> Iterator[Path]:
    yield base
    for number in itertools.count(2):
        yield base.with_name(f"{base.name}-{number}")


def _leads() -> bool:
    """Whether this is the first process on its machine."""
    return os.environ.get("LOCAL_RANK", "0") == "0"


def _of_the_first(folder: Path) -> Path:
    """The folder that the first of all processes has chosen; called once they know each other."""
    from accelerate.utils import broadcast_object_list

    (chosen,) = broadcast_object_list([str(folder)])
    return Path(chosen)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """One process, or one group of processes, trains in a folder at a time."""
    from filelock import FileLock, Timeout

    if not _leads():
        yield
        return
    inside = folder / files.CHECKPOINTS
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
        sweep(folder)
        yield
    finally:
        lock.release()
        if not (folder / files.CONFIG).exists():
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


def _facts(run: Run, data: Dataset) -> dict[str, Any]:
    """What config.json says of the network and of where the data came from."""
    source = run.config.data.source
    local = Path(source).expanduser().exists()
    found = {
        "parameters": sum(p.numel() for p in run.network.parameters()),
        "latent": asdict(run.latent),
        "dataset": None if local else repository_of(source),
        "data_licence": data.licence,
        "pictures": len(data.splits["train"]),
    }
    return {name: value for name, value in found.items() if value is not None}


def _data_facts(config: Config, data: Dataset) -> dict[str, Any]:
    source = config.data.source
    path = Path(source).expanduser()
    return {
        "source": str(path.resolve()) if path.exists() else source,
        "pictures": len(data.splits["train"]),
    }


def _check_pictures(folder: Path, data: Dataset) -> None:
    before, now = files.read_data_facts(folder).get("pictures"), len(data.splits["train"])
    if before is not None and before != now and find_checkpoints(folder):
        raise UsageError(
            f"{folder} was begun with {before} training pictures and {data.name} has {now} now: "
            "give the same data, or begin another run with --out"
        )


def _cost(run: Run, loop: Any, data: Dataset) -> str:
    count = sum(p.numel() for network in loop.plain.values() for p in network.parameters())
    average = run.config.training.average > 0
    kept = sum(p.numel() for p in run.network.parameters()) if average else 0
    image = data.image
    return (
        f"{run.model} on {data.name}: {len(data.splits['train']):,} pictures "
        f"{image.channels}x{image.size}x{image.size}, {image.bits} bits; {count:,} parameters, "
        f"{(16 * count + 4 * kept) / 2**20:.0f} MiB with gradients and optimizer; "
        f"{loop.limits} on {run.device}"
    )


def name_of(source: str) -> str:
    """What a run calls its data: a path's last component, else the source as it is."""
    path = Path(source).expanduser()
    return local_name(path) if path.exists() else source
