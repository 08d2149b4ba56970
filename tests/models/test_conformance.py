"""Every model that comes with genzoo keeps every promise that a plugin makes."""

from __future__ import annotations

from typing import Any

import pytest
from contract import PROMISES, SHIPPED

from zoo.api import host
from zoo.testing import assert_conforms, kit

STEPS = 20

SMALLER: dict[str, dict[str, int]] = {
    "glow": {"depth": 2, "width": 16},
    "realnvp": {"blocks": 1, "width": 8},
}
"""Of those whose preset for the digits takes long to build and draw with each choice."""


@pytest.mark.parametrize("model", SHIPPED)
def test_it_keeps_every_promise(
    commands, here, untouched, monkeypatch: pytest.MonkeyPatch, model: str
) -> None:
    """``zoo check`` and ``assert_conforms`` ask the same; it is measured for the first alone."""
    measure, asked, reports = kit.check_settings, [], []

    def once(host: Any, model: str, preset: Any, settings: Any, *how: Any) -> kit.Report:
        steps, device = how[:2]
        values = {setting.name: setting.value for setting in settings}
        asked.append((model, preset, values, steps, device))
        if not reports:
            reports.append(measure(host, model, preset, settings, *how))
        return reports[0]

    monkeypatch.setattr(kit, "check_settings", once)
    smaller = SMALLER.get(model, {})
    flags = [f"--set={key}={value}" for key, value in smaller.items()]
    result = commands("check", model, "--steps", STEPS, "--device", "cpu", *flags)
    assert (result.status, result.err) == (0, ""), result
    assert_conforms(model, steps=STEPS, device="cpu", config=smaller)
    assert asked[0] == asked[1]

    *lines, last = result.out.splitlines()
    capabilities = host().spec(model).capabilities
    other = [] if "log_prob" in capabilities else ["inverts", "density"]
    other += [] if "encode" in capabilities else ["scores", "encodes"]
    for line, name in zip(lines, PROMISES, strict=True):
        status = "does not apply" if name in other else "kept"
        assert line.split()[: len(status.split()) + 1] == [*status.split(), name]
    assert last == f"{model} keeps all {len(PROMISES) - len(other)} promises that apply to it"
