"""The Python in a card runs as pasted, with genzoo and without."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from exported import SMALL
from loopback_hub import LoopbackHub

import zoo

pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")

from zoo.export.report import ParityReport
from zoo_hub.card import refresh
from zoo_hub.card.section import described
from zoo_hub.card.snippet import snippet

SHOW = """
import sys
assert 0 <= images.min() and images.max() <= 1 and images.std() > 0
print(tuple(images.shape), sorted({*sys.modules} & {"torch", "zoo"}))
"""


def blocks(folder: Path) -> tuple[str, str]:
    """The code of a card with genzoo, and with onnxruntime."""
    text = (folder / "README.md").read_text("utf-8")
    first, second = re.findall(r"^```python\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    return first, second


def python(code: str, folder: Path, environment: dict[str, str] | None = None) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return done.stdout


@pytest.fixture(params=sorted(SMALL))
def run(request: pytest.FixtureRequest, exported: Callable[[str], zoo.Run], tmp_path: Path) -> Path:
    """A run of each model: normal, uniform and logistic latents, with labels and without."""
    path = Path(shutil.copytree(exported(request.param).path, tmp_path / "run"))
    refresh(path)
    return path


def test_the_onnxruntime_code_names_the_class(exported: Callable[[str], zoo.Run]) -> None:
    """In a comment, since the graph takes its index."""
    names = (*"abcdefg", "a\ndog", "eel", "fox")
    report = ParityReport.read(exported("glow").path / "onnx/sampler.json")
    assert report.class_names == tuple(map(str, range(10)))
    assert '    "label": np.full(16, 7),\n' in str(snippet("x.onnx", report, "."))
    assert described("label", report) == "`label` int64 [batch], 0 to 9"
    named = report.model_copy(update={"class_names": names})
    assert "    \"label\": np.full(16, 7),  # 'a\\ndog'\n" in str(snippet("x.onnx", named, "."))
    assert described("label", named) == (
        "`label` int64 [batch], 0 to 9: a, b, c, d, e, f, g, 'a\\\\ndog', eel, fox"
    )


def test_the_onnxruntime_code_samples(run: Path) -> None:
    _, code = blocks(run)
    assert len(code.splitlines()) <= 15
    assert python(code + SHOW, run) == "(16, 1, 8, 8) []\n"


def test_the_genzoo_code_samples(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code, _ = blocks(run)
    monkeypatch.chdir(run)
    names: dict[str, object] = {}
    exec(compile(code, "README.md", "exec"), names)
    images, loaded = names["images"], zoo.load(run)
    label = 7 if loaded.latent.classes else None
    assert (images == loaded.sample(16, seed=0, labels=label)).all()  # type: ignore[attr-defined]
    assert f"float32 {list(images.shape)} in [0, 1]" in code  # type: ignore[attr-defined]
    if "z" in names and "returns the images" in code:
        back = loaded.decode(names["z"], labels=label)  # type: ignore[arg-type]
        assert (back - images).abs().max() < 1e-3


def test_both_sample_from_the_hub(
    exported: Callable[[str], zoo.Run], hub: LoopbackHub, tmp_path: Path
) -> None:
    """Each is pasted from the card of a run on the Hub into a new process."""
    path = Path(shutil.copytree(exported("glow").path, tmp_path / "run"))
    refresh(path, "tester/glow-digits")
    names = ("config.json", "model.safetensors", "onnx/sampler.onnx")
    hub.create("tester/glow-digits", files={name: (path / name).read_bytes() for name in names})
    genzoo, onnxruntime = blocks(path)
    shutil.rmtree(path)
    environment = hub.environment(tmp_path / "home")
    assert 'zoo.load("tester/glow-digits")' in genzoo
    assert python(genzoo + SHOW, tmp_path, environment) == "(16, 1, 8, 8) ['torch', 'zoo']\n"
    before = len(hub.log)
    assert python(onnxruntime + SHOW, tmp_path, environment) == "(16, 1, 8, 8) []\n"
    fetched = {request.path for request in hub.log[before:] if request.method == "GET"}
    assert any("onnx/sampler.onnx" in path or "/cdn/" in path for path in fetched)
