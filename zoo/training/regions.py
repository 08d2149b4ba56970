"""The regions of a network: the parts that are compiled or recomputed, each on its own."""

from __future__ import annotations

from collections.abc import Iterator

from torch import nn


def regions_of(network: nn.Module) -> list[nn.Module]:
    """Returns the regions of ``network``: those that its modules declare, else itself.

    A module's class declares them by an attribute ``regions``, a tuple with the names of children;
    a child that is a :class:`torch.nn.ModuleList` stands for its elements. Modules of a class that
    declares none are searched for those that do. An empty tuple declares that there are none.
    """
    if any(_declares(module) for module in network.modules()):
        return list(dict.fromkeys(_declared(network)))
    return [network]


def _declares(module: nn.Module) -> bool:
    return isinstance(getattr(type(module), "regions", None), tuple)


def _declared(module: nn.Module) -> Iterator[nn.Module]:
    if not _declares(module):
        for child in module.children():
            yield from _declared(child)
        return
    names: tuple[str, ...] = getattr(type(module), "regions")  # noqa: B009
    for name in names:
        child = getattr(module, name)
        yield from child if isinstance(child, nn.ModuleList) else [child]
