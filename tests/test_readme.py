"""What README shows is so: its plugin, its listing, its Python."""

import re
import sys
from pathlib import Path

import pytest
import torch

import zoo
from zoo.plugins import Host, Plugin
from zoo.settings import Setting
from zoo.training.reporter import Reporter
from zoo.training.session import Request, train

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def test_the_plugin_of_readme_trains_and_samples(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "zoo_dot"
    package.mkdir()
    for block in blocks("python"):
        if match := re.match(r"# zoo_dot/(\w+\.py)", block):
            (package / match[1]).write_text(block)
    assert {p.name for p in package.iterdir()} == {"__init__.py", "model.py"}
    monkeypatch.syspath_prepend(tmp_path)
    import zoo_dot

    host = Host()
    assert host.add(Plugin("dot", "readme", "0"), zoo_dot).cause is None
    settings = [Setting("training", "steps", 100, "")]
    run = train(
        host, Request("dot", settings=settings, out=tmp_path / "r", device="cpu"), Reporter()
    )
    first, last = (zoo.folder.read_metrics(run.path)[i]["bits_per_dim"] for i in (0, -1))
    assert last < first - 0.1
    assert run.sample(3).shape == (3, 1, 8, 8)
    sys.modules.pop("zoo_dot.model")


def test_the_listing_is_what_zoo_list_prints(capsys: pytest.CaptureFixture[str]) -> None:
    from zoo.cli import main

    (block,) = [b for b in blocks("console") if "zoo list" in b]
    assert main(["list"]) == 0
    assert block == "$ zoo list\n" + capsys.readouterr().out


def test_the_commands_and_options_exist() -> None:
    from zoo.cli import cli

    for line in re.findall(r"^\$ (zoo .*?)(?:\s+#.*)?$", README, re.MULTILINE):
        _, name, *rest = line.split()
        command = cli.get_command(None, name)
        assert command is not None, line
        known = {option for parameter in command.params for option in parameter.opts}
        assert {word for word in rest if word.startswith("-")} <= known, line


def test_the_python_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (block,) = [b for b in blocks("python") if "zoo.train(" in b]
    monkeypatch.chdir(tmp_path)
    names: dict = {}
    short = block.replace("steps=500", 'steps=20, quiet=True, config={"depth": 1, "width": 8}')
    exec(compile(short, "README.md", "exec"), names)
    assert names["pictures"].shape == (16, 1, 8, 8)
    again = names["run"].decode(names["z"])
    assert torch.allclose(again, names["pictures"], atol=1e-4)
    assert names["bits"].shape == (16,)
