"""The hashes in config.json, and whether the file still has the contents that they state.

Each checkpoint has a manifest with the SHA-256 of its files, a copy of config.json among them.
config.json states the hash of its other contents and that of the weights, in ``integrity``; so the
hashes travel with a run that is pushed or copied. Runs of format version 3 and older have none.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

from zoo.runs.state import Best, Damaged, Integrity, parse_record, plain

INTEGRITY = "integrity"
BEST = "best"
"""The key of config.json with the validation that its weights are of; absent for the last ones."""


def sha256(data: bytes) -> str:
    """Returns the SHA-256 of bytes, in hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


def sealed(
    document: Mapping[str, Any],
    step: int | None = None,
    weights: str | None = None,
    best: Best | None = None,
) -> dict[str, Any]:
    """Returns the contents of a config.json with their hash, and that of the weights, which are
    those of the ``best`` validation, if there is one."""
    values = {key: value for key, value in document.items() if key not in (INTEGRITY, BEST)}
    if best is not None:
        values[BEST] = plain(best)
    integrity = Integrity(config=_digest(values), step=step, weights=weights)
    return {**values, INTEGRITY: plain(integrity)}


def integrity_of(document: Mapping[str, Any]) -> Integrity | None:
    """Returns the hashes in a config.json; None for format version 3 and older, which have none.
    Raises Damaged."""
    version = document.get("format_version")
    if isinstance(version, int) and version < 4:
        return None
    if INTEGRITY not in document:
        raise Damaged(f"{INTEGRITY} is missing in config.json")
    return parse_record(document[INTEGRITY], Integrity, f"{INTEGRITY} in config.json")


def best_of(document: Mapping[str, Any]) -> Best | None:
    """Returns the validation that the weights of a config.json are of; None for the last weights,
    and for damaged values."""
    try:
        return parse_record(document[BEST], Best, BEST) if BEST in document else None
    except Damaged:
        return None


def is_unchanged(document: Mapping[str, Any]) -> bool:
    """Whether a config.json has the contents that genzoo wrote; True for one without hashes."""
    try:
        integrity = integrity_of(document)
    except Damaged:
        return False
    values = {key: value for key, value in document.items() if key != INTEGRITY}
    return integrity is None or integrity.config == _digest(values)


def differences(
    before: Mapping[str, Any], after: Mapping[str, Any]
) -> Iterator[tuple[str, Any, Any]]:
    """Yields key, old and new value of all that differs in two config.json, but their hashes and
    the state of training.

    The keys of the configuration are ``section.key``, as on the command line.
    """
    old, new = _flat(before), _flat(after)
    for key in dict.fromkeys([*old, *new]):
        if old.get(key) != new.get(key):
            yield key, old.get(key), new.get(key)


def _flat(document: Mapping[str, Any]) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in document.items():
        if name in (INTEGRITY, BEST):
            continue
        inner = value if isinstance(value, Mapping) else {}
        if name == "config":
            for section, part in inner.items():
                keys = part if isinstance(part, Mapping) else {}
                flat |= {f"{section}.{key}": item for key, item in keys.items()}
        elif inner:
            flat |= {f"{name}.{key}": item for key, item in inner.items()}
        else:
            flat[name] = value
    return flat


def _digest(values: Mapping[str, Any]) -> str:
    return sha256(json.dumps(values, sort_keys=True, separators=(",", ":")).encode())
