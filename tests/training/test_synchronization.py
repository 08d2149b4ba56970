"""Training steps do not synchronize with the device, tested without a GPU.

The networks are on torch's ``meta`` device in place of a GPU; operations that read a value from it
or copy to it from the host are detected. ``tests/gpu/test_training.py`` tests the same on a GPU.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from zoo.api import host
from zoo.config.resolve import Setting, resolve
from zoo.data.batch import Batch
from zoo.specs import ImageSpec
from zoo.training.ema import ema_of
from zoo.training.meter import Meter

SYNCHRONIZING = {
    f"aten::{name}"
    for name in ("_local_scalar_dense", "_linalg_check_errors", "equal", "masked_select", "nonzero")
}
COPYING = {"aten::_to_copy", "aten::copy_"}


class Waits(TorchDispatchMode):
    """Records in ``found`` the operations that would synchronize on CUDA."""

    def __init__(self) -> None:
        super().__init__()
        self.found: set[str] = set()

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Any = None
    ) -> Any:
        name, tensors = func._schema.name, [arg for arg in args if isinstance(arg, Tensor)]
        if name in SYNCHRONIZING and any(tensor.is_meta for tensor in tensors):
            self.found.add(name)
        out = func(*args, **(kwargs or {}))
        if name in COPYING and len({tensor.is_meta for tensor in (*tensors, out)}) == 2:
            self.found.add(name)
        return out


@pytest.fixture(autouse=True)
def _autocast(monkeypatch: pytest.MonkeyPatch) -> None:
    """Replaces autocast on the meta device, which has none, by that of the CPU."""

    class Autocast(torch.autocast):
        def __init__(self, device_type: str, **settings: Any) -> None:
            super().__init__("cpu", **settings)

    def of_cpu(ask: Callable[[str], Any]) -> Callable[[str], Any]:
        return lambda device_type: ask("cpu")

    monkeypatch.setattr(torch, "autocast", Autocast)
    for name in ("is_autocast_enabled", "get_autocast_dtype"):
        monkeypatch.setattr(torch, name, of_cpu(getattr(torch, name)))


@pytest.mark.parametrize(
    ("model", "size", "changed"),
    [
        ("nice", 8, {}),
        ("realnvp", 8, {"width": 8, "blocks": 1}),
        ("glow", 8, {"depth": 2}),
        ("glow", 8, {"depth": 2, "permutation": "1x1", "memory": "reversible"}),
        ("dcgan", 8, {}),
        ("dcgan", 8, {"loss": "wasserstein", "gradient_penalty": 10.0}),
        ("sngan", 8, {"spectral_norm": "both", "clip_weights": 0.1}),
        (
            "sngan",
            16,
            {"architecture": "resnet", "width": 8, "critic_width": 8, "generator_batches": 2},
        ),
        ("vae", 8, {}),
        ("vae", 8, {"network": "convolutional", "free_bits": 0.1}),
        ("vae", 8, {"likelihood": "gaussian", "scale": "shared"}),
    ],
    ids=str,
)
def test_a_step_does_not_synchronize(model: str, size: int, changed: Mapping[str, Any]) -> None:
    config = resolve(
        host().spec(model),
        "digits",
        None,
        [Setting("model", key, value, key) for key, value in changed.items()],
    )
    image = ImageSpec(1, size, 0, config.data.bits)
    network = host().owner(model).call("zoo_build", config=config.model, image=image)
    objective = host().owner(model).call("zoo_train", network=network, config=config)
    ema_network = ema_of(network, 0.9)
    for module in (*objective.networks.values(), ema_network.module):
        module.to("meta").train()
    levels = torch.zeros(4, 1, size, size, dtype=torch.uint8, device="meta")
    meter = Meter(SimpleNamespace(device=torch.device("meta")))  # type: ignore[arg-type]
    updated, norms = [], []

    def update(name: str, loss: Tensor) -> None:
        loss.backward()
        norms.append(torch.nn.utils.clip_grad_norm_(objective.networks[name].parameters(), 1.0))
        updated.append(name)

    with Waits() as waits:
        for step in range(2):
            batches = [Batch(levels, None, image.bits) for _ in range(objective.batches_per_step)]
            metrics = objective.step(batches, update)
            ema_network.update_parameters(network)
            meter.add(step, metrics, norms)
    assert waits.found == set()
    assert {*updated} == {*objective.networks}
    assert all(metric.is_meta for metric in metrics.values())


def test_synchronization_is_detected() -> None:
    on_device = torch.ones(3, 3, device="meta")
    with Waits() as waits:
        torch.ones(3).to("meta")
        with pytest.raises(RuntimeError):
            on_device.sum().item()
        torch.linalg.inv(on_device)
    expected = {"_to_copy", "_local_scalar_dense", "_linalg_check_errors"}
    assert waits.found == {f"aten::{name}" for name in expected}
