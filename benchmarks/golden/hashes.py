"""Hashes of tensors and the comparison of two records; needs numpy alone."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray


def array_hash(array: NDArray[Any]) -> str:
    """Dtype, shape and the first 16 digits of the SHA-256 of the array's bytes in C order."""
    digest = hashlib.sha256(array.tobytes()).hexdigest()[:16]
    return f"{array.dtype}{list(array.shape)} {digest}"


def multiset(arrays: Iterable[NDArray[Any]]) -> list[str]:
    """Sorted hashes of arrays: independent of their names and order."""
    return sorted(map(array_hash, arrays))


def all_floats(value: Any) -> list[float]:
    """Sorted floats at any depth of a JSON document, whatever their keys; integers are left out."""
    if isinstance(value, Mapping):
        return sorted(number for inner in value.values() for number in all_floats(inner))
    if isinstance(value, list | tuple):
        return sorted(number for inner in value for number in all_floats(inner))
    return [value] if isinstance(value, float) else []


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """A line for each entry that differs between two records or is in only one of them."""
    lines = []
    for name in sorted({*before, *after}):
        if name not in after:
            lines.append(f"{name}: only in the record")
        elif name not in before:
            lines.append(f"{name}: not in the record")
        elif before[name] != after[name]:
            lines.append(f"{name}: {_difference(before[name], after[name])}")
    return lines


def _difference(before: Any, after: Any) -> str:
    if not (isinstance(before, list) and isinstance(after, list)):
        return f"{before} in the record, now {after}"
    old, new = Counter(map(str, before)), Counter(map(str, after))
    gone, added = list((old - new).elements()), list((new - old).elements())
    if not gone and not added:
        return "the same values in another order"
    example = f"{gone[0] if gone else 'nothing'} in the record, now {added[0] if added else 'none'}"
    return f"{len(gone)} of {len(before)} values gone, {len(added)} new; the first: {example}"
