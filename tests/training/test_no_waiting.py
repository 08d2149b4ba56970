"""Nothing in a training step waits for the device, as far as that shows without one.

The networks lie on torch's device ``meta``, which stands for a GPU: what asks it for a value, or
copies to it from the host, is seen. ``test_gpu_training.py`` asks a GPU itself.
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

WAITING = {
    f"aten::{name}"
    for name in ("_local_scalar_dense", "_linalg_check_errors", "equal", "masked_select", "nonzero")
}
COPYING = {"aten::_to_copy", "aten::copy_"}


class Waits(TorchDispatchMode):
    """Notes in ``found`` the operations at which CUDA would wait."""

    def __init__(self) -> None:
        super().__init__()
        self.found: set[str] = set()

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Any = None
    ) -> Any:
        name, given = func._schema.name, [one for one in args if isinstance(one, Tensor)]
        if name in WAITING and any(one.is_meta for one in given):
            self.found.add(name)
        out = func(*args, **(kwargs or {}))
        if name in COPYING and len({one.is_meta for one in (*given, out)}) == 2:
            self.found.add(name)
        return out


@pytest.fixture(autouse=True)
def _autocast(monkeypatch: pytest.MonkeyPatch) -> None:
    """The device meta has no autocast of its own."""

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
def test_a_step_waits_for_nothing(model: str, size: int, changed: Mapping[str, Any]) -> None:
    config = resolve(
        host().spec(model),
        "digits",
        None,
        [Setting("model", key, value, key) for key, value in changed.items()],
    )
    image = ImageSpec(1, size, 0, config.data.bits)
    network = host().owner(model).call("zoo_build", config=config.model, image=image)
    objective = host().owner(model).call("zoo_train", network=network, config=config)
    average = ema_of(network, 0.9)
    for one in (*objective.networks.values(), average.module):
        one.to("meta").train()
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
            average.update_parameters(network)
            meter.add(step, metrics, norms)
    assert waits.found == set()
    assert {*updated} == {*objective.networks}
    assert all(one.is_meta for one in metrics.values())


def test_what_waits_is_seen() -> None:
    far = torch.ones(3, 3, device="meta")
    with Waits() as waits:
        torch.ones(3).to("meta")
        with pytest.raises(RuntimeError):
            far.sum().item()
        torch.linalg.inv(far)
    wanted = {"_to_copy", "_local_scalar_dense", "_linalg_check_errors"}
    assert waits.found == {f"aten::{name}" for name in wanted}
