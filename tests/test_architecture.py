"""Imports run one way, and the core knows no model by name."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CORE = sorted((ROOT / "zoo").rglob("*.py"))
PLUGINS = sorted(path for path in (ROOT / "plugins").iterdir() if (path / "__init__.py").exists())
EXPORTERS = sorted(
    path for path in (ROOT / "exporters").glob("*") if (path / "__init__.py").exists()
)
FAMILIES = re.compile(r"glow|dcgan|realnvp|nice|sngan|vae|\bflow\b|\bgan\b", re.IGNORECASE)


def imports(path: Path) -> Iterator[str]:
    """Every module that a file imports, wherever in it, as full names."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}: say whole names of modules"
            yield node.module or ""


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", CORE, ids=named)
def test_the_core_imports_no_plugin_exporter_or_card(path: Path) -> None:
    rooms = {room.name for room in [*PLUGINS, *EXPORTERS]} | {"zoo_cards"}
    for module in imports(path):
        top = module.partition(".")[0]
        assert top not in rooms | {"plugins", "exporters", "model_cards"}
        assert not top.startswith("zoo_")


@pytest.mark.parametrize("package", [*PLUGINS, *EXPORTERS], ids=named)
def test_a_plugin_imports_the_core_and_no_other_plugin(package: Path) -> None:
    others = {room.name for room in [*PLUGINS, *EXPORTERS]} - {package.name}
    for path in package.rglob("*.py"):
        for module in imports(path):
            assert module.partition(".")[0] not in others | {"plugins", "exporters"}, named(path)


@pytest.mark.parametrize("package", PLUGINS, ids=named)
def test_a_plugin_has_the_rooms_of_every_plugin(package: Path) -> None:
    assert {"__init__.py", "model.py", "py.typed"} <= {path.name for path in package.iterdir()}


@pytest.mark.parametrize("path", CORE, ids=named)
def test_the_code_of_the_core_names_no_model_and_no_family(path: Path) -> None:
    """Docstrings and comments may give examples, the greeting may too; code may not."""
    if path.is_relative_to(ROOT / "zoo" / "flows"):
        return
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        body = getattr(node, "body", [])
        for statement in body if isinstance(body, list) else []:
            if is_text(statement) or is_greeting(statement):
                statement.value = ast.Constant(value=None)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("zoo.flows"):
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
