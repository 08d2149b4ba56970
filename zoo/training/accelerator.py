"""The accelerator of a run: settings from the configuration, none from the environment."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from zoo.errors import ZooError
from zoo.system.launcher import HONORED, Processes

if TYPE_CHECKING:
    import torch
    from accelerate import Accelerator

    from zoo.config.sections import Config

IGNORED = ("ACCELERATE_", "FSDP_", "MEGATRON_LM_", "PARALLELISM_CONFIG_", "FORK_LAUNCHED")
"""Prefixes of the variables that configure accelerate."""

MPI = ("PMI_", "OMPI_COMM_WORLD_", "MV2_COMM_WORLD_", "MPI_LOCAL")
"""Prefixes of the variables of MPI's launchers, which accelerate takes for those of torchrun."""

MPI_SIZES = ("OMPI_COMM_WORLD_SIZE", "MV2_COMM_WORLD_SIZE", "PMI_SIZE")

TF32 = ("TORCH_ALLOW_TF32_CUBLAS_OVERRIDE", "NVIDIA_TF32_OVERRIDE")
"""Variables that change how CUDA multiplies float32 matrices."""

_OFF = ("", "0", "no", "false", "none", "default")


@contextmanager
def own_environment(processes: Processes, device: torch.device) -> Iterator[None]:
    """Hides the variables that accelerate reads and the state that its objects share, selects
    ``device``, and restores all three on exit; the variables of torchrun stay visible to several
    ``processes``."""
    import torch
    from accelerate.state import AcceleratorState, GradientState, PartialState

    hidden = (*IGNORED, *MPI, *(HONORED if processes.world == 1 else ()))
    shared = [state._shared_state for state in (PartialState, AcceleratorState, GradientState)]
    variables, states = _variables((*IGNORED, *MPI, *HONORED)), [dict(state) for state in shared]
    try:
        for state in shared:
            state.clear()
        for name in _variables(hidden):
            del os.environ[name]
        with torch.cuda.device(device) if device.type == "cuda" else nullcontext():
            yield
    finally:
        for name in _variables((*IGNORED, *MPI, *HONORED)):  # accelerate sets some of them
            del os.environ[name]
        os.environ.update(variables)
        for state, values in zip(shared, states, strict=True):
            state.clear()
            state.update(values)


def _variables(prefixes: tuple[str, ...]) -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name.startswith(prefixes)}


def environment_notes(
    processes: Processes, cuda: bool, environment: Mapping[str, str] = os.environ
) -> Iterator[str]:
    """Yields a sentence on each kind of variable that asks for more than a run does."""
    asked = [
        f"{name}={value}"
        for name, value in sorted(environment.items())
        if name.startswith("ACCELERATE_")
        and value.lower() not in (*_OFF, *(("1",) if name.endswith("_STEPS") else ()))
    ]
    if asked:
        more = f" and {len(asked) - 3} more" if len(asked) > 3 else ""
        yield f"{', '.join(asked[:3])}{more} ignored: a run is configured by its settings alone"
    sizes = [name for name in MPI_SIZES if environment.get(name, "1") not in ("", "1")]
    if sizes and processes.world == 1:
        yield (
            f"{sizes[0]}={environment[sizes[0]]} ignored, so this process trains alone: start "
            "several with torchrun or --processes"
        )
    for name in TF32:
        if cuda and environment.get(name):
            yield (
                f"{name}={environment[name]} changes the precision of float32 on this GPU: unset "
                "it for torch's default"
            )


def make_accelerator(
    config: Config, device: torch.device, folder: Path, track: str | None
) -> Accelerator:
    """Returns the accelerator of ``config``, inside :func:`own_environment`.

    Raises ZooError if the log ``track`` cannot be opened.
    """
    import torch
    from accelerate import Accelerator
    from accelerate.utils import GradientAccumulationPlugin

    precision = config.training.precision
    if precision == "auto":
        # Emulated bf16 on older GPUs is slower than float32.
        native = device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
        precision = "bf16" if native else "fp32"
    accelerator = Accelerator(
        cpu=device.type == "cpu",
        mixed_precision="bf16" if precision == "bf16" else "no",
        gradient_accumulation_plugin=GradientAccumulationPlugin(num_steps=1),
        dynamo_backend="no",
        log_with=track,
        project_dir=folder,
    )
    if track is not None:
        try:
            accelerator.init_trackers(track)
        except (ImportError, ModuleNotFoundError) as error:
            raise ZooError(f"--track {track}: {error}; pip install 'genzoo[track]'") from None
    return accelerator


def agree(accelerator: Accelerator, seconds: float, stop: int) -> tuple[float, int]:
    """Returns the clock of the main process and an interrupt of any process."""
    import torch
    from accelerate.utils import broadcast

    clock = broadcast(torch.tensor(seconds, dtype=torch.float64, device=accelerator.device))
    stops = accelerator.gather(torch.tensor([stop], device=accelerator.device))
    return float(clock.item()), int(stops.max().item())


def of_main(value: bool) -> bool:
    """Returns the ``value`` of the main process, in all of them."""
    from accelerate.utils import broadcast_object_list

    values = [value]
    broadcast_object_list(values)
    return values[0]
