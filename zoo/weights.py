"""Weights in safetensors: the same tensors give the same bytes, and nothing is ever unpickled."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from zoo.errors import ZooError
from zoo.files import write_bytes

if TYPE_CHECKING:
    from torch import Tensor, nn


def save_tensors(path: Path, tensors: Mapping[str, Tensor]) -> None:
    """Write tensors, contiguous and on the CPU, whole or not at all."""
    from safetensors.torch import save

    ready = {name: t.detach().cpu().contiguous().clone() for name, t in tensors.items()}
    write_bytes(path, save(ready, metadata={"format": "pt"}))


def load_tensors(path: Path) -> dict[str, Tensor]:
    """Read what :func:`save_tensors` wrote. Raises ZooError for a file that is none."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except FileNotFoundError:
        raise ZooError(f"there is no file {path}: take the folder whole") from None
    except (SafetensorError, OSError) as error:
        raise ZooError(
            f"{path} cannot be read as safetensors, it is damaged or cut off: {error}"
        ) from error


def load_weights(network: nn.Module, path: Path) -> None:
    """Fill ``network`` from a file that must hold its tensors, all of them and no other.

    Raises ZooError that names the first tensor that does not fit.
    """
    found, wanted = load_tensors(path), network.state_dict()
    for name in sorted(wanted.keys() | found.keys()):
        if name not in found:
            raise _misfit(path, f"the tensor {name} is missing")
        if name not in wanted:
            raise _misfit(path, f"the network has no tensor {name}")
        if found[name].shape != wanted[name].shape:
            shapes = f"{list(found[name].shape)}, not {list(wanted[name].shape)}"
            raise _misfit(path, f"the tensor {name} is {shapes}")
        if found[name].dtype != wanted[name].dtype:
            kinds = f"{found[name].dtype}, not {wanted[name].dtype}"
            raise _misfit(path, f"the tensor {name} is {kinds}")
    network.load_state_dict(found)


def _misfit(path: Path, what: str) -> ZooError:
    return ZooError(
        f"{path} does not fit the network of config.json: {what}; "
        "take both files from one and the same run"
    )
