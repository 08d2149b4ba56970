"""Every built-in model conforms to the plugin contract."""

from __future__ import annotations

from typing import Any

import pytest
from contract import PROMISES, SHIPPED

from zoo.api import host
from zoo.testing import assert_conforms, kit

STEPS = 20

SMALL_CONFIGS: dict[str, dict[str, int]] = {
    "glow": {"depth": 2, "width": 16},
    "realnvp": {"blocks": 1, "width": 8},
}
"""Settings of models whose digits preset is slow to build and sample."""


@pytest.mark.parametrize("model", SHIPPED)
def test_conformance(
    commands, here, untouched, monkeypatch: pytest.MonkeyPatch, model: str
) -> None:
    """``zoo check`` and ``assert_conforms`` request the same check, which runs only once."""
    check, requests, reports = kit.check_settings, [], []

    def check_once(host: Any, model: str, preset: Any, settings: Any, *options: Any) -> kit.Report:
        steps, device = options[:2]
        values = {setting.name: setting.value for setting in settings}
        requests.append((model, preset, values, steps, device))
        if not reports:
            reports.append(check(host, model, preset, settings, *options))
        return reports[0]

    monkeypatch.setattr(kit, "check_settings", check_once)
    config = SMALL_CONFIGS.get(model, {})
    flags = [f"--set={key}={value}" for key, value in config.items()]
    result = commands("check", model, "--steps", STEPS, "--device", "cpu", *flags)
    assert (result.status, result.err) == (0, ""), result
    assert_conforms(model, steps=STEPS, device="cpu", config=config)
    assert requests[0] == requests[1]

    *lines, last = result.out.splitlines()
    capabilities = host().spec(model).capabilities
    other = [] if "log_prob" in capabilities else ["inverts", "density"]
    other += [] if "encode" in capabilities else ["scores", "encodes"]
    for line, name in zip(lines, PROMISES, strict=True):
        status = "does not apply" if name in other else "kept"
        assert line.split()[: len(status.split()) + 1] == [*status.split(), name]
    assert last == f"{model} keeps all {len(PROMISES) - len(other)} promises that apply to it"
