"""The wheel and the sdist: what is in them, and that the wheel works away from the tree."""

from __future__ import annotations

import json
import sys
import tarfile
import zipfile
from importlib.metadata import version
from pathlib import Path

from environments import run
from project import ROOT

ROOTS = ("zoo", "plugins", "exporters", "model_cards")
LEFT_OUT = ROOT / "model_cards" / "reference"
"""Cards of runs, with images: they are read in the tree."""


def contents(wheel: Path) -> dict[str, bytes]:
    """The wheel's files by name."""
    with zipfile.ZipFile(wheel) as archive:
        assert len(archive.namelist()) == len(set(archive.namelist()))
        return {name: archive.read(name) for name in archive.namelist()}


def test_the_wheel_has_every_file_of_the_source_roots_once_and_no_other(wheel: Path) -> None:
    expected = {
        path.relative_to(ROOT if root == "zoo" else ROOT / root).as_posix()
        for root in ROOTS
        for path in (ROOT / root).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and path.name[0] != "."
        if not path.is_relative_to(LEFT_OUT)
    } | {"zoo/constraints.txt"}
    names = {name for name in contents(wheel) if ".dist-info/" not in name}
    assert names == expected
    assert not any(name.startswith(("reference", "model_cards")) for name in names)


def test_the_wheel_has_packages_data_cards_and_typing_marks(wheel: Path) -> None:
    names = set(contents(wheel))
    packages = {name.split("/")[0] for name in names if ".dist-info/" not in name}
    assert packages >= {"zoo", "zoo_glow", "zoo_cards"}
    assert {p for p in packages if p != "zoo" and not p.startswith("zoo_")} == set()
    assert {f"{package}/py.typed" for package in packages} <= names
    assert contents(wheel)["zoo/constraints.txt"] == (ROOT / "constraints.txt").read_bytes()
    assert {"zoo/data/digits.npz", "zoo/data/digits.txt", "zoo_cards/glow.md"} <= names


def test_the_metadata_name_the_license_the_command_and_the_plugins(wheel: Path) -> None:
    files = contents(wheel)
    info = f"genzoo-{version('genzoo')}.dist-info"
    metadata = files[f"{info}/METADATA"].decode()
    assert "\nLicense-Expression: Apache-2.0\n" in metadata
    assert "\nRequires-Python: >=3.11\n" in metadata
    assert files[f"{info}/licenses/LICENSE"] == (ROOT / "LICENSE").read_bytes()
    entries = files[f"{info}/entry_points.txt"].decode()
    assert "zoo = zoo.cli:main" in entries
    assert "glow = zoo_glow" in entries


SAFE = hasattr(tarfile, "data_filter")


def test_the_sdist_builds_the_same_wheel(built: Path, wheel: Path, tmp_path: Path) -> None:
    (sdist,) = built.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        # Python has the filter from 3.11.4 on.
        archive.extractall(tmp_path, **({"filter": "data"} if SAFE else {}))
    (tree,) = tmp_path.iterdir()
    again = tmp_path / "again"
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", again, cwd=tree)
    assert contents(again / wheel.name) == contents(wheel)


def test_the_wheel_lists_its_models_away_from_the_tree(away: Path) -> None:
    where = run(away / "env/bin/python", "-c", "import zoo; print(zoo.__file__)", cwd=away)
    assert Path(where.strip()).is_relative_to(away / "env")
    models = json.loads(run(away / "env/bin/zoo", "list", "--json", cwd=away))
    assert "glow" in [model["name"] for model in models]


def test_the_wheel_trains_on_its_own_digits_and_writes_the_card(away: Path, wheel: Path) -> None:
    small = ("--steps", "2", "--set", "depth=1", "--set", "width=8", "--device", "cpu")
    printed = run(away / "env/bin/zoo", "train", "glow", *small, cwd=away)
    folder = away / "runs/glow-digits"
    assert "runs/glow-digits/samples/grid.png" in printed
    assert {"model.safetensors", "config.json"} <= {path.name for path in folder.iterdir()}
    card = contents(wheel)["zoo_cards/glow.md"].decode().splitlines()
    filled = (folder / "README.md").read_text("utf-8").splitlines()
    assert [line for line in card if "$" not in line and line not in filled] == []
    assert not any("$" in line for line in filled)
