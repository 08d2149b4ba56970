"""``zoo new-plugin``: the files that it writes, invalid names, and a test of the written plugin."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from command_line import Commands
from distributions import Site
from folders import contents
from project import ROOT

import zoo
from zoo.errors import UsageError, ZooError
from zoo.scaffold import write_plugin


def tool(*command: str | Path, **environment: str) -> None:
    """Runs a Python module, which must succeed."""
    process = subprocess.run(
        [sys.executable, "-m", *map(str, command)],
        cwd=ROOT,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert process.returncode == 0, process.stdout + process.stderr


def install(site: Site, folder: Path) -> None:
    """Puts a plugin on the path, with the metadata that pip would install."""
    project = tomllib.loads((folder / "pyproject.toml").read_text("utf-8"))["project"]
    ((name, package),) = project["entry-points"]["zoo"].items()
    site.add(project["name"], "", name, project["version"])
    (points,) = site.path.glob("*.dist-info/entry_points.txt")
    points.write_text(f"[zoo]\n{name} = {package}\n")
    (folder / package).rename(site.path / package)
    site.modules += [package, f"{package}.config", f"{package}.model"]


def test_it_writes_every_file_and_fills_every_placeholder(here: Path, commands: Commands) -> None:
    result = commands("new-plugin", "two-moons")
    assert (result.status, result.err) == (0, "")
    files = {name for name, data in contents(here).items() if data is not None}
    assert files == {
        f"genzoo-two-moons/{name}"
        for name in (
            "pyproject.toml",
            "README.md",
            "zoo_two_moons/__init__.py",
            "zoo_two_moons/config.py",
            "zoo_two_moons/model.py",
            "zoo_two_moons/card.md",
            "zoo_two_moons/py.typed",
            "tests/test_two_moons.py",
        )
    }
    for path in here.rglob("*.py"):
        code = path.read_text("utf-8")
        assert "$" not in code
        compile(code, path, "exec")
    package = here / "genzoo-two-moons/zoo_two_moons"
    assert "class TwoMoonsConfig(ModelConfig):" in (package / "config.py").read_text("utf-8")
    assert "class TwoMoons(nn.Module):" in (package / "model.py").read_text("utf-8")
    assert "$facts" in (package / "card.md").read_text("utf-8")


def test_the_project_names_the_distribution_and_the_entry_point(tmp_path: Path) -> None:
    folder = write_plugin("two-moons", tmp_path)
    assert folder == tmp_path / "genzoo-two-moons"
    pyproject = tomllib.loads((folder / "pyproject.toml").read_text("utf-8"))
    assert pyproject["project"]["name"] == "genzoo-two-moons"
    assert pyproject["project"]["dependencies"] == ["genzoo"]
    assert pyproject["project"]["entry-points"] == {"zoo": {"two-moons": "zoo_two_moons"}}
    assert pyproject["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"] == ["zoo_two_moons"]


def test_it_prints_the_next_commands_and_out_sets_the_folder(
    here: Path, commands: Commands
) -> None:
    result = commands("new-plugin", "waves", "-o", "my plugins/sea")
    assert result.out.splitlines() == [
        "written: my plugins/sea",
        "next:    pip install -e 'my plugins/sea'",
        "         zoo check waves",
        "         zoo train waves",
    ]
    assert (here / "my plugins/sea/zoo_waves/model.py").is_file()


@pytest.mark.parametrize("name", ["Waves", "3d", "-waves", "waves-", "a b", "a.b", "../x", "wäve"])
@pytest.mark.usefixtures("untouched")
def test_an_invalid_name_is_an_error(name: str, commands: Commands) -> None:
    message = commands.fails(2, "new-plugin", "--", name)
    assert f"{name!r} is not a valid model name" in message


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("class", "'class' is a Python keyword"),
        ("none", "'none' is a Python keyword"),
        ("model", "needs a class ModelConfig, which genzoo has already"),
        ("batch", "needs a class Batch, which genzoo has already"),
        ("cards", "a package zoo_cards is already installed"),
        ("glow", "the plugin 'glow' (genzoo "),
    ],
)
@pytest.mark.usefixtures("untouched")
def test_a_taken_name_is_an_error(name: str, message: str, commands: Commands) -> None:
    assert message in commands.fails(2, "new-plugin", name)


@pytest.mark.parametrize("kind", ["file", "folder", "link"])
def test_an_existing_target_is_not_changed(kind: str, here: Path, commands: Commands) -> None:
    target = here / "genzoo-waves"
    if kind == "file":
        target.write_text("mine")
    elif kind == "folder":
        target.mkdir()
    else:
        target.symlink_to("nowhere")
    before = contents(here) if kind != "link" else target.readlink()
    assert "genzoo-waves exists" in commands.fails(2, "new-plugin", "waves")
    assert before == (contents(here) if kind != "link" else target.readlink())


def test_it_writes_all_files_or_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = Path.write_text

    def fail_on_model(path: Path, *arguments: object, **keywords: object) -> int:
        if path.name == "model.py":
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(path, *arguments, **keywords)

    monkeypatch.setattr(Path, "write_text", fail_on_model)
    with pytest.raises(ZooError, match="disk is full"):
        write_plugin("waves", tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_second_plugin_with_the_same_name_is_an_error(tmp_path: Path) -> None:
    write_plugin("waves", tmp_path)
    with pytest.raises(UsageError, match="exists"):
        write_plugin("waves", tmp_path)


def test_the_written_plugin_passes_ruff_and_mypy(tmp_path: Path) -> None:
    folder = write_plugin("two-moons", tmp_path)
    config = ("--config", ROOT / "pyproject.toml")
    tool("ruff", "check", "--no-cache", *config, folder)
    tool("ruff", "format", "--no-cache", "--check", *config, folder)
    types = ("--config-file", ROOT / "pyproject.toml", "--cache-dir", ROOT / ".mypy_cache")
    tool("mypy", *types, "-p", "zoo_two_moons", MYPYPATH=str(folder))


def test_a_written_plugin_is_listed_trains_and_samples(
    site: Site, here: Path, commands: Commands
) -> None:
    install(site, write_plugin("two-moons", here))
    (listed,) = [m for m in json.loads(commands("list", "--json").out) if m["name"] == "two-moons"]
    assert listed["capabilities"] == ["sample", "encode", "log_prob", "interpolate"]
    assert listed["plugin"]["distribution"] == "genzoo-two-moons"
    small = ("--steps", "100", "--set", "depth=2", "--set", "width=32", "--device", "cpu")
    assert commands("train", "two-moons", *small).status == 0
    run = zoo.load("runs/two-moons-digits", device="cpu")
    first, last = (run.folder.read_metrics()[i]["bits_per_dim"] for i in (0, -1))
    assert last < first
    images = run.sample(3)
    assert images.shape == (3, 1, 8, 8)
    assert (run.reconstruct(images) - images).abs().max() < 1e-4
    card = (run.path / "README.md").read_text("utf-8")
    assert "# two-moons-digits: Two Moons on digits" in card
    assert "$" not in card
