"""The defaults of torch that a caller may have changed, set aside while genzoo computes."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator


@contextlib.contextmanager
def default_state(gradients: bool = False) -> Iterator[None]:
    """Sets torch's default type to float32 and its default device to the CPU, and restores both;
    with ``gradients``, gradients are recorded inside ``no_grad`` and ``inference_mode`` too.

    Also a decorator. Changes nothing where the defaults are torch's own: the default type is that
    of all threads.
    """
    import torch

    dtype = torch.get_default_dtype()
    with contextlib.ExitStack() as stack:
        if dtype != torch.float32:
            stack.callback(torch.set_default_dtype, dtype)
            torch.set_default_dtype(torch.float32)
        if torch.get_default_device().type != "cpu":
            stack.enter_context(torch.device("cpu"))
        if gradients and torch.is_inference_mode_enabled():
            stack.enter_context(torch.inference_mode(False))
        if gradients and not torch.is_grad_enabled():
            stack.enter_context(torch.enable_grad())
        yield
