"""Parameters that do not train, by patterns of their names."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from fnmatch import fnmatchcase

from torch import nn

from zoo.errors import UsageError


def freeze(network: nn.Module, patterns: Sequence[str]) -> None:
    """Disables gradients of the parameters whose names match one of ``patterns``, as in
    :mod:`fnmatch`: optimizers then neither change them nor store a state for them.

    Raises UsageError for a pattern without a match, and if no parameter is left to train.
    """
    parameters = dict(network.named_parameters())
    for pattern in patterns:
        frozen = [name for name in parameters if fnmatchcase(name, pattern)]
        if not frozen:
            hint = _suggestion(pattern, [*parameters])
            raise UsageError(f"training.freeze: {pattern!r} matches no parameter{hint}")
        for name in frozen:
            parameters[name].requires_grad_(False)
    if patterns and not any(parameter.requires_grad for parameter in parameters.values()):
        raise UsageError(
            f"training.freeze: {', '.join(patterns)} leaves no parameter to train: freeze fewer"
        )


def trained_count(network: nn.Module) -> int:
    """Returns the number of values of the parameters that train."""
    return sum(p.numel() for p in network.parameters() if p.requires_grad)


def _suggestion(pattern: str, names: Sequence[str]) -> str:
    """The names of parameters, and of layers as patterns, that are nearest to ``pattern``."""
    layers = {
        f"{'.'.join(parts[:end])}.*"
        for parts in (name.split(".") for name in names)
        for end in range(1, len(parts))
    }
    close = difflib.get_close_matches(pattern, [*names, *sorted(layers)], n=3, cutoff=0.0)
    return f"; the nearest are {', '.join(close)}" if close else ": the network has none"
