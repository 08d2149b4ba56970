"""How networks run in training steps: compiled and with activation checkpointing, by region."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from zoo.errors import ZooError
from zoo.objectives.buffers import restored_buffers
from zoo.training.regions import regions_of

if TYPE_CHECKING:
    from zoo.config.sections import TrainingConfig

BACKEND = "inductor"

MAX_GRAPHS = 128
"""Maximum number of graphs: for each shape of a region, with and without gradients."""


class Execution:
    """The regions of networks, compiled, or recomputed in backward passes, while a step runs.

    Compiled regions of the same layers and shapes share a graph, so the time to compile does not
    grow with the depth of a network. Modules and their state keep their names. Outside a step, as
    in evaluation and sampling, and in copies of a network, nothing changes.
    """

    compiling = False
    """Whether the last step compiled, and so took longer."""

    def __init__(
        self,
        networks: Mapping[str, nn.Module],
        second_derivatives: Collection[str],
        training: TrainingConfig,
        say: Callable[[str], None],
    ) -> None:
        """``second_derivatives`` names the ``networks`` that are differentiated twice, which
        neither can be."""
        self._say = say
        self._compile, self._recompute = training.compile == "on", training.activation_checkpointing
        self._networks = networks if self._compile or self._recompute else {}
        self._second_derivatives = second_derivatives
        self._regions: list[nn.Module] = []
        self._forward: Callable[..., Any] = _call
        self._first, self._active = True, False

    @contextmanager
    def installed(self) -> Iterator[None]:
        """Lets the regions run so inside :meth:`step`."""
        for name, network in self._networks.items():
            if name not in self._second_derivatives:
                self._regions += regions_of(network)
            elif self._compile:
                self._say(f"{name} is not compiled: torch.compile has no second derivatives")
        limit: AbstractContextManager[None] = nullcontext()
        if self._regions and self._compile:  # or torch need not import its compiler
            self._forward = torch.compile(_call, backend=BACKEND, dynamic=False)
            limit = _compiler_settings()
        for region in self._regions:
            region._compiled_call_impl = partial(self._run, region)
        try:
            with limit:
                yield
        finally:
            for region in self._regions:
                region._compiled_call_impl = None
            self._regions = []

    @contextmanager
    def step(self) -> Iterator[None]:
        """Runs a training step.

        Raises ZooError for an objective that differentiates a compiled network twice.
        """
        self._active = bool(self._regions)
        self.compiling, self._first = self._active and self._compile and self._first, False
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
        if not self._active:
            return _call(region, *args, **kwargs)
        if self._recompute and torch.is_grad_enabled():
            from torch.utils.checkpoint import checkpoint

            return checkpoint(
                self._forward_of,
                region,
                *args,
                use_reentrant=False,
                context_fn=partial(_contexts, region),
                **kwargs,
            )
        return self._forward_of(region, *args, **kwargs)

    def _forward_of(self, region: nn.Module, *args: Any, **kwargs: Any) -> Any:
        if self._forward is not _call:
            try:
                return self._forward(region, *args, **kwargs)
            except torch._dynamo.exc.TorchDynamoException as error:
                self._forward = _call
                cause = getattr(error, "inner_exception", error)
                reason = next(filter(None, map(str.strip, str(cause).splitlines())), repr(cause))
                self._say(f"training without torch.compile, which failed: {reason}")
        return _call(region, *args, **kwargs)


def _call(module: nn.Module, *args: Any, **kwargs: Any) -> Any:
    """Calls ``module``. A function of genzoo, since torch.compile does not compile the frames of
    torch's own modules, such as Sequential."""
    return module._call_impl(*args, **kwargs)  # type: ignore[no-untyped-call]


@contextmanager
def _compiler_settings() -> Iterator[None]:
    """Allows ``MAX_GRAPHS``, and trusts the C++ compiler with the vector instructions of the
    processor, where TORCHINDUCTOR_VEC_ISA_OK says nothing: torch would compile a test program for
    them, a sixth of the time of a first step. Where the trust is wrong, compilation fails."""
    from torch._inductor import config

    chosen = {"cpp.vec_isa_ok": True} if config.cpp.vec_isa_ok is None else {}
    with torch._dynamo.config.patch(recompile_limit=MAX_GRAPHS), config.patch(chosen):
        yield


def _contexts(
    region: nn.Module,
) -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
    """Returns the contexts of a forward pass, which begins now, and of its repetition."""
    frozen = [parameter for parameter in region.parameters() if not parameter.requires_grad]
    return nullcontext(), _repeated(region, frozen)


@contextmanager
def _repeated(region: nn.Module, frozen: Sequence[nn.Parameter]) -> Iterator[None]:
    """Disables gradients of the ``frozen`` parameters again, and keeps the state of ``region``."""
    thawed = [parameter for parameter in frozen if parameter.requires_grad]
    for parameter in thawed:
        parameter.requires_grad_(False)
    try:
        with restored_buffers(region):
            yield
    finally:
        for parameter in thawed:
            parameter.requires_grad_(True)
