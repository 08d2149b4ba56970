"""The minimal plugin of docs/plugins.md registers, trains and samples."""

import re
from pathlib import Path

import pytest
from project import ROOT

from zoo import hookspecs
from zoo.config.resolve import Setting
from zoo.plugins.host import Host, Plugin
from zoo.run import train
from zoo.system.progress import Progress
from zoo.training.request import Request

PAGE = ROOT / "docs/plugins.md"


def test_it_trains_and_samples(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "zoo_dot"
    package.mkdir()
    _, _, section = PAGE.read_text("utf-8").partition("## A minimal plugin")
    for block in re.findall(r"^```python\n(.*?)^```$", section, re.DOTALL | re.MULTILINE):
        match = re.match(r"# zoo_dot/(\w+\.py)", block)
        assert match, block
        (package / match[1]).write_text(block, "utf-8")
    assert {path.name for path in package.iterdir()} == {"__init__.py", "model.py"}
    monkeypatch.syspath_prepend(tmp_path)
    import zoo_dot

    host = Host(hookspecs)
    assert host.add(Plugin("dot", "page", "0"), zoo_dot).cause is None
    settings = [Setting("training", "steps", 100, "")]
    request = Request("dot", settings=settings, out=tmp_path / "run", device="cpu")
    run = train(host, request, Progress())
    lines = run.folder.read_metrics()
    assert lines[-1]["bits_per_dim"] < lines[0]["bits_per_dim"] - 0.1
    assert run.sample(3).shape == (3, 1, 8, 8)
