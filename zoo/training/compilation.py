"""Training steps whose networks are compiled by torch.compile, region by region."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import nn

from zoo.errors import ZooError
from zoo.training.regions import regions_of

BACKEND = "inductor"

MAX_GRAPHS = 128
"""Maximum number of graphs: for each shape of a region, with and without gradients."""

COMPILERS = ("g++", "clang++", "c++")
"""Compilers of C++ that torch.compile may use on a CPU."""


class Compilation:
    """The regions of an objective's networks, compiled while a step runs.

    Regions of the same layers and shapes share a graph, so the time to compile does not grow with
    the depth of a network. Modules and their state keep their names. Outside a step, as in
    evaluation and sampling, and in copies of a network, nothing is compiled.
    """

    compiling = False
    """Whether the last step compiled, and so took longer."""

    def __init__(
        self, networks: Mapping[str, nn.Module], eager: Collection[str], say: Callable[[str], None]
    ) -> None:
        """``eager`` names the ``networks`` that are differentiated twice."""
        self._say = say
        self._first, self._active = True, False
        self._regions: list[nn.Module] = []
        for name, network in networks.items():
            if name in eager:
                say(f"{name} is not compiled: torch.compile has no second derivatives")
            else:
                self._regions += regions_of(network)

    @contextmanager
    def installed(self) -> Iterator[None]:
        """Lets the regions run compiled inside :meth:`step`."""
        if not self._regions:  # torch need not import its compiler
            yield
            return
        self._compiled = torch.compile(_call, backend=BACKEND, dynamic=False)
        for region in self._regions:
            region._compiled_call_impl = partial(self._run, region)
        try:
            with torch._dynamo.config.patch(recompile_limit=MAX_GRAPHS):
                yield
        finally:
            for region in self._regions:
                region._compiled_call_impl = None

    @contextmanager
    def step(self) -> Iterator[None]:
        """Runs a training step with compiled regions.

        Raises ZooError for an objective that differentiates a compiled network twice.
        """
        self._active = bool(self._regions)
        self.compiling, self._first = self._active and self._first, False
        if self.compiling:
            self._say("compiling in the first step, which may take a minute")
        try:
            yield
        except RuntimeError as error:
            if self._active and "double backward" in str(error):
                raise ZooError(
                    "torch.compile has no second derivatives: set training.compile to off, or "
                    "name the network in second_derivatives of the objective"
                ) from error
            raise
        finally:
            self._active = False

    def _run(self, region: nn.Module, *args: Any, **kwargs: Any) -> Any:
        if self._active:
            try:
                return self._compiled(region, *args, **kwargs)
            except torch._dynamo.exc.TorchDynamoException as error:
                self._give_up(error)
        return _call(region, *args, **kwargs)

    def _give_up(self, error: Exception) -> None:
        self._active = False
        for region in self._regions:
            region._compiled_call_impl = None
        self._regions.clear()
        cause = getattr(error, "inner_exception", error)
        reason = next(filter(None, map(str.strip, str(cause).splitlines())), repr(cause))
        self._say(f"training without torch.compile, which failed: {reason}")


def missing_compiler(device: torch.device) -> str | None:
    """Returns what torch.compile lacks on ``device``, or None."""
    if device.type == "cuda":
        from torch.utils._triton import has_triton

        return None if has_triton() else "triton, which is not installed"
    names = [name] if (name := os.environ.get("CXX")) else COMPILERS
    if any(shutil.which(name) for name in names):
        return None
    return f"a C++ compiler, and there is no {' or '.join(names)}"


def _call(module: nn.Module, *args: Any, **kwargs: Any) -> Any:
    """Calls ``module``. A function of genzoo, since torch.compile does not compile the frames of
    torch's own modules, such as Sequential."""
    return module._call_impl(*args, **kwargs)  # type: ignore[no-untyped-call]
