"""A push to huggingface.co and a pull, with HF_TOKEN and ZOO_TEST_HUB_REPO set."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from folders import contents
from hub_steps import licensed, run_steps

VARIABLES = ("HF_TOKEN", "ZOO_TEST_HUB_REPO")
MISSING = [name for name in VARIABLES if not os.environ.get(name)]


@pytest.mark.hub
@pytest.mark.skipif(bool(MISSING), reason=f"{' and '.join(MISSING)} not set")
def test_a_run_is_pushed_to_the_real_hub_and_pulled(exported, tmp_path: Path) -> None:
    repository = os.environ["ZOO_TEST_HUB_REPO"]
    run = licensed(exported("vae").path, tmp_path / "vae")
    environment = {**os.environ, "HF_HOME": str(tmp_path / "home")}
    push = ["push", "vae", repository, "--private"]
    pushed, again, pulled, sampled = run_steps(
        environment,
        tmp_path,
        push,
        push,
        ["pull", repository, "back"],
        ["sample", repository, "-n", "2", "--backend", "onnx", "-o", "x.npy"],
    )
    assert [step.status for step in (pushed, again, pulled, sampled)] == [0, 0, 0, 0]
    assert "is up to date" in again.err
    back = contents(tmp_path / "back")
    for name in ("config.json", "model.safetensors", "onnx/sampler.onnx"):
        assert back[name] == (run / name).read_bytes()
    assert os.environ["HF_TOKEN"] not in pushed.out + pushed.err + pulled.out + pulled.err
