"""The rooms of genzoo: imports run one way, and the core knows no model by name."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from pathlib import Path

import pytest
from imports import Graph, cycles, grouped, import_graph, imported, modules_of
from project import ROOT

CORE = sorted((ROOT / "zoo").rglob("*.py"))
PLUGINS = sorted(path for path in (ROOT / "plugins").iterdir() if (path / "__init__.py").exists())
EXPORTERS = sorted(
    path for path in (ROOT / "exporters").glob("*") if (path / "__init__.py").exists()
)
FAMILIES = re.compile(r"glow|dcgan|realnvp|nice|sngan|vae|\bflow\b|\bgan\b", re.IGNORECASE)


def rooms() -> dict[str, set[str]]:
    """The rooms that each room may import, in order, by the table of docs/architecture.md."""
    found: dict[str, set[str]] = {}
    text = (ROOT / "docs/architecture.md").read_text("utf-8")
    for room, cell in re.findall(r"^\| `(\w+)` \|.*\| (.*) \|$", text, re.MULTILINE):
        listed = set(re.findall(r"`(\w+)`", cell))
        assert listed <= found.keys(), f"{room} may import rooms above it alone"
        found[room] = found.keys() - listed if cell.startswith("everything above") else listed
    return found


ROOMS = rooms()
MODULES = modules_of(ROOT, ROOT / "plugins", ROOT / "exporters")
SOURCES = {
    name: path
    for name, path in MODULES.items()
    if name.partition(".")[0] == "zoo" or name.startswith("zoo_")
}


def room_of(module: str) -> str:
    """``system`` for ``zoo.system.files``, the package for a plugin or an exporter."""
    top, *rest = module.split(".")
    return rest[0] if top == "zoo" and rest else top


def by_room(sources: Mapping[str, Path]) -> Graph:
    return grouped(import_graph(sources), {module: room_of(module) for module in sources})


def test_no_modules_import_each_other() -> None:
    assert not cycles(import_graph(SOURCES))


def test_no_rooms_import_each_other() -> None:
    assert not cycles(by_room(SOURCES))


def test_rooms_import_what_the_table_allows() -> None:
    graph = by_room(SOURCES)
    wrong = {(room, target) for room in ROOMS for target in graph.get(room, set()) - ROOMS[room]}
    assert not wrong


def test_every_module_of_the_core_is_in_a_room_of_the_table() -> None:
    found = {room_of(name) for name in SOURCES if name.startswith("zoo.")}
    assert found - {"__main__"} == ROOMS.keys()


def test_the_top_level_has_at_most_seven_modules() -> None:
    modules = {path.stem for path in (ROOT / "zoo").glob("*.py")} - {"__init__", "__main__"}
    assert len(modules) <= 7


@pytest.mark.parametrize(
    ("module", "code"),
    [
        ("zoo.specs", "from zoo.config import sections"),
        ("zoo.system.console", "def f():\n    from zoo.system.progress import Bar"),
        ("zoo.runs.folder", "if TYPE_CHECKING:\n    from zoo.run import Run"),
        ("zoo.sampling.latents", "import zoo.model"),
        ("zoo_glow.config", "def f():\n    import zoo_glow.model"),
        ("zoo_vae.config", "if TYPE_CHECKING:\n    from zoo_vae import zoo_build"),
    ],
)
def test_a_planted_cycle_is_found(module: str, code: str, tmp_path: Path) -> None:
    planted = tmp_path / "planted.py"
    planted.write_text(SOURCES[module].read_text("utf-8") + f"\n\n{code}\n")
    sources = {**SOURCES, module: planted}
    found = [*cycles(import_graph(sources)), *cycles(by_room(sources))]
    assert any(module in cycle or room_of(module) in cycle for cycle in found)


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", CORE, ids=named)
def test_the_core_imports_no_plugin_exporter_or_card(path: Path) -> None:
    rooms = {room.name for room in [*PLUGINS, *EXPORTERS]} | {"zoo_cards"}
    for module, _ in imported(path):
        top = module.partition(".")[0]
        assert top not in rooms | {"plugins", "exporters", "model_cards"}
        assert not top.startswith("zoo_")


@pytest.mark.parametrize("package", [*PLUGINS, *EXPORTERS], ids=named)
def test_a_plugin_imports_the_core_and_no_other_plugin(package: Path) -> None:
    """An exporter may import another inside a function, after it asked the host for its status."""
    others = {room.name for room in [*PLUGINS, *EXPORTERS]} - {package.name}
    exporters = {room.name for room in EXPORTERS} if package in EXPORTERS else set()
    for path in package.rglob("*.py"):
        at_import = {module for module, _ in imported(path, functions=False)}
        for module, _ in imported(path):
            top = module.partition(".")[0]
            allowed = top in exporters and module not in at_import
            assert allowed or top not in others | {"plugins", "exporters"}, named(path)


@pytest.mark.parametrize("package", PLUGINS, ids=named)
def test_a_plugin_has_the_rooms_of_every_plugin(package: Path) -> None:
    names = {path.name for path in package.iterdir()}
    assert {"__init__.py", "config.py", "model.py", "py.typed"} <= names


@pytest.mark.parametrize("path", CORE, ids=named)
def test_the_code_of_the_core_names_no_model_and_no_family(path: Path) -> None:
    """Docstrings and comments may give examples, the greeting may too; code may not."""
    if room_of(".".join(path.relative_to(ROOT).with_suffix("").parts)) in ("flows", "gan"):
        return
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        body = getattr(node, "body", [])
        for statement in body if isinstance(body, list) else []:
            if is_text(statement) or is_greeting(statement):
                statement.value = ast.Constant(value=None)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(
            ("zoo.flows", "zoo.gan")
        ):
            node.module, node.names = "", []
    found = [line for line in ast.unparse(tree).splitlines() if FAMILIES.search(line)]
    assert not found


def is_text(statement: ast.stmt) -> bool:
    """A docstring, of a module, class, function or of the constant above it."""
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def is_greeting(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Assign) and ast.unparse(statement.targets[0]) == "GREETING"


def test_no_module_is_longer_than_can_be_read_at_once() -> None:
    for root in ("zoo", "plugins", "exporters"):
        for path in (ROOT / root).rglob("*.py"):
            assert len(path.read_text(encoding="utf-8").splitlines()) <= 350, named(path)
