"""The listing and the Python of README; test_docs.py runs its commands."""

import re
from pathlib import Path

import pytest
import torch
from project import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def test_the_listing_is_what_zoo_list_prints(capsys: pytest.CaptureFixture[str]) -> None:
    from zoo.cli import main

    (block,) = [b for b in blocks("console") if "zoo list" in b]
    assert main(["list"]) == 0
    assert block == "$ zoo list\n" + capsys.readouterr().out


def test_the_python_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (block,) = [b for b in blocks("python") if "zoo.train(" in b]
    monkeypatch.chdir(tmp_path)
    names: dict = {}
    short = block.replace("steps=500", 'steps=20, quiet=True, config={"depth": 1, "width": 8}')
    exec(compile(short, "README.md", "exec"), names)
    assert names["images"].shape == (16, 1, 8, 8)
    again = names["run"].decode(names["z"])
    assert torch.allclose(again, names["images"], atol=1e-4)
    assert names["bits"].shape == (16,)


def test_the_graphs_generate_the_images_of_the_run(exported) -> None:
    (block,) = [b for b in blocks("python") if "OnnxModel" in b]
    run = exported("nice")
    names: dict = {}
    exec(compile(block.replace("runs/glow-digits", str(run.path)), "README.md", "exec"), names)
    expected = run.sample(16, seed=7)
    assert abs(names["images"] - expected.numpy()).max() < 1e-4
    assert abs(names["model"].decode(names["z"]) - expected.numpy()).max() < 1e-3
