"""Weights in safetensors: files are reproducible byte for byte, and nothing is unpickled."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from zoo.errors import ZooError, first_line
from zoo.system.files import require_regular, sha256_of, write_bytes

if TYPE_CHECKING:
    from torch import Tensor, nn

T = TypeVar("T")

SIZE_FACTOR = 4
"""Maximum size of a network during construction, as a multiple of its weights file: a weight and
its parametrization exist at the same time."""

SPARE = 2**26
"""Additional bytes for buffers that are not saved, such as masks and permutations."""

MAX_HEADER = 2**24
"""Maximum bytes of the header of a file, which names its tensors."""


def save_tensors(path: Path, tensors: Mapping[str, Tensor]) -> None:
    """Writes tensors, contiguous and on the CPU, atomically."""
    write_bytes(path, serialized(tensors))


def serialized(tensors: Mapping[str, Tensor]) -> bytes:
    """Returns tensors as the contents of a safetensors file, which depend on nothing else."""
    from safetensors.torch import save

    ready = {name: t.detach().cpu().contiguous().clone() for name, t in tensors.items()}
    return save(ready, metadata={"format": "pt"})


def weights_digest(network: nn.Module) -> str:
    """Returns the SHA-256 of the file that the weights of ``network`` are stored in."""
    return hashlib.sha256(serialized(network.state_dict())).hexdigest()


def load_tensors(path: Path, max_bytes: int | None = None) -> dict[str, Tensor]:
    """Reads a file of :func:`save_tensors`. Raises ZooError for any other file, and for one of more
    than ``max_bytes``."""
    from safetensors.torch import load_file

    with _readable(path):
        if max_bytes is not None and (size := path.stat().st_size) > max_bytes:
            raise ZooError(f"{path} has {size:,} bytes, far more than its network needs")
        return load_file(path)


def load_weights(network: nn.Module, path: Path) -> str:
    """Loads the weights of ``network`` from a file with exactly its tensors; returns the SHA-256 of
    what was loaded.

    Raises ZooError that names the first tensor that does not fit; names and shapes are checked
    before any tensor is read.
    """

    def read() -> dict[str, Tensor]:
        _check_shapes(network, path)
        tensors = load_tensors(path)
        state = network.state_dict()
        for name in sorted(tensors):
            if tensors[name].dtype != state[name].dtype:
                mismatch = f"{tensors[name].dtype}, not {state[name].dtype}"
                raise _misfit(path, f"the tensor {name} is {mismatch}")
        return tensors

    tensors, digest = consistent(path, read)
    network.load_state_dict(tensors)
    return digest


def consistent(path: Path, read: Callable[[], T]) -> tuple[T, str]:
    """Returns what ``read`` returns, and the SHA-256 of the file that it reads, which another
    process may replace meanwhile."""
    before = _identity(path)
    while True:
        result, digest = read(), sha256_of(path)
        if before == (before := _identity(path)):
            return result, digest


def read_tensors(path: Path, names: Iterable[str]) -> dict[str, Tensor]:
    """Reads the tensors of these names alone. Raises as :func:`load_tensors`."""
    from safetensors import safe_open

    with _readable(path), safe_open(path, "pt") as file:
        return {name: file.get_tensor(name) for name in names}


def _identity(path: Path) -> tuple[int, ...]:
    """Returns numbers that differ once a file is replaced."""
    try:
        status = path.stat()
    except OSError:
        return ()
    return status.st_ino, status.st_mtime_ns, status.st_size


def _check_shapes(network: nn.Module, path: Path) -> None:
    shapes, state = tensor_shapes(path), network.state_dict()
    for name in sorted(state.keys() | shapes.keys()):
        if name not in shapes:
            raise _misfit(path, f"the tensor {name} is missing")
        if name not in state:
            raise _misfit(path, f"the network has no tensor {name}")
        if shapes[name] != [*state[name].shape]:
            mismatch = f"{shapes[name]}, not {list(state[name].shape)}"
            raise _misfit(path, f"the tensor {name} is {mismatch}")


def tensor_shapes(path: Path) -> dict[str, list[int]]:
    """Returns the shapes in a file by name, from its header, without torch. Raises as
    :func:`load_tensors`."""
    from safetensors import safe_open

    with _readable(path), safe_open(path, "np") as file:
        return {name: file.get_slice(name).get_shape() for name in file.keys()}  # noqa: SIM118


def check_complete(path: Path) -> None:
    """Raises ZooError for a file that is not as long as its header says; reads no tensor and
    imports nothing."""
    try:
        require_regular(path)
        with open(path, "rb") as file:
            length = int.from_bytes(file.read(8), "little")
            header = json.loads(file.read(min(length, MAX_HEADER)))
            size = file.seek(0, io.SEEK_END)
        ends = [entry["data_offsets"][1] for key, entry in header.items() if key != "__metadata__"]
        complete = size == 8 + length + max(ends, default=0)
    except FileNotFoundError:
        raise ZooError(f"{path} does not exist: use the whole run folder") from None
    except OSError as error:
        raise _damaged(path, first_line(error)) from None
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError):
        raise _damaged(path, "its header is not valid") from None
    if not complete:
        raise _damaged(path, "its length is not the one in its header")


@contextmanager
def no_larger_than(path: Path) -> Iterator[None]:
    """Limits the size of a network that is built inside to a multiple of the file ``path``.

    Raises ZooError as soon as the parameters and buffers registered in this thread exceed it, so
    that a hostile configuration cannot exhaust memory: torch's layers register a tensor before they
    fill it.
    """
    from torch.nn.modules import module

    size = path.stat().st_size
    max_bytes = SIZE_FACTOR * size + SPARE
    thread, total = threading.get_ident(), 0

    def count(owner: object, name: str, tensor: Tensor | None) -> None:
        nonlocal total
        if tensor is not None and threading.get_ident() == thread:
            total += tensor.nbytes
            if total > max_bytes:
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
    """Converts errors of safetensors to ZooError."""
    from safetensors import SafetensorError

    try:
        require_regular(path)
        _check_header(path)
        yield
    except FileNotFoundError:
        raise ZooError(f"{path} does not exist: use the whole run folder") from None
    except (SafetensorError, OSError) as error:
        raise _damaged(path, first_line(error)) from error


def _check_header(path: Path) -> None:
    """Raises ZooError for two things that safetensors accepts: a header of 100 MB, and one that
    describes a tensor twice, of which other readers may take the other."""

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        values = dict(pairs)
        if len(values) < len(pairs):
            raise _damaged(path, "its header has a key twice")
        return values

    with open(path, "rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if length > MAX_HEADER:
            raise _damaged(path, f"it states a header of {length:,} bytes")
        with contextlib.suppress(ValueError, RecursionError):  # safetensors says what is wrong
            json.loads(file.read(length), object_pairs_hook=unique)


def _damaged(path: Path, reason: str) -> ZooError:
    return ZooError(f"{path} cannot be read as safetensors, it is damaged or truncated: {reason}")


def _misfit(path: Path, what: str) -> ZooError:
    return ZooError(
        f"{path} does not fit the network of config.json: {what}; use both files of the same run"
    )
