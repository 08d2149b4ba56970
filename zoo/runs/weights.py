"""Weights in safetensors: the same tensors give the same bytes, and nothing is ever unpickled."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from zoo.errors import ZooError
from zoo.system.files import write_bytes

if TYPE_CHECKING:
    from torch import Tensor, nn

TIMES = 4
"""How much more than its weights a network may hold while it is built: a weight that is replaced by
a parametrization stands for a moment beside what replaces it."""

SPARE = 2**26
"""Bytes that it may hold beyond that; masks and permutations are in no file."""


def save_tensors(path: Path, tensors: Mapping[str, Tensor]) -> None:
    """Write tensors, contiguous and on the CPU, whole or not at all."""
    from safetensors.torch import save

    ready = {name: t.detach().cpu().contiguous().clone() for name, t in tensors.items()}
    write_bytes(path, save(ready, metadata={"format": "pt"}))


def load_tensors(path: Path) -> dict[str, Tensor]:
    """Read what :func:`save_tensors` wrote. Raises ZooError for a file that is none."""
    from safetensors.torch import load_file

    with _readable(path):
        return load_file(path)


def load_weights(network: nn.Module, path: Path) -> None:
    """Fill ``network`` from a file that must hold its tensors, all of them and no other.

    Raises ZooError that names the first tensor that does not fit; names and shapes are compared
    before any tensor is read.
    """
    shapes, wanted = tensor_shapes(path), network.state_dict()
    for name in sorted(wanted.keys() | shapes.keys()):
        if name not in shapes:
            raise _misfit(path, f"the tensor {name} is missing")
        if name not in wanted:
            raise _misfit(path, f"the network has no tensor {name}")
        if shapes[name] != [*wanted[name].shape]:
            said = f"{shapes[name]}, not {list(wanted[name].shape)}"
            raise _misfit(path, f"the tensor {name} is {said}")
    found = load_tensors(path)
    for name in sorted(found):
        if found[name].dtype != wanted[name].dtype:
            kinds = f"{found[name].dtype}, not {wanted[name].dtype}"
            raise _misfit(path, f"the tensor {name} is {kinds}")
    network.load_state_dict(found)


def tensor_shapes(path: Path) -> dict[str, list[int]]:
    """The shapes in a file by name, from its header alone. Raises as :func:`load_tensors`."""
    from safetensors import safe_open

    with _readable(path), safe_open(path, "pt") as file:
        return {name: file.get_slice(name).get_shape() for name in file.keys()}  # noqa: SIM118


@contextmanager
def no_larger_than(path: Path) -> Iterator[None]:
    """Inside, a network is built that is to hold the tensors of the file ``path``: ZooError is
    raised as soon as it registers many times as much, so that a configuration within its bounds
    that asks for more memory than there is ends before that memory is touched.

    Counted are parameters and buffers, as modules get them in this thread; torch's own layers
    register a tensor before they fill it.
    """
    from torch.nn.modules import module

    size = path.stat().st_size
    most = TIMES * size + SPARE
    thread, held = threading.get_ident(), 0

    def count(owner: object, name: str, tensor: Tensor | None) -> None:
        nonlocal held
        if tensor is not None and threading.get_ident() == thread:
            held += tensor.nbytes
            if held > most:
                raise _misfit(path, f"that asks for far more than {size:,} bytes")

    hooks = [
        module.register_module_parameter_registration_hook(count),
        module.register_module_buffer_registration_hook(count),
    ]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    """What safetensors raises inside becomes a ZooError."""
    from safetensors import SafetensorError

    try:
        yield
    except FileNotFoundError:
        raise ZooError(f"there is no file {path}: take the folder whole") from None
    except (SafetensorError, OSError) as error:
        raise ZooError(
            f"{path} cannot be read as safetensors, it is damaged or cut off: {error}"
        ) from error


def _misfit(path: Path, what: str) -> ZooError:
    return ZooError(
        f"{path} does not fit the network of config.json: {what}; "
        "take both files from one and the same run"
    )
