"""The imports between the modules of a source tree, wherever in a file they stand."""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator, Mapping
from pathlib import Path

Graph = Mapping[str, set[str]]
"""The modules that each module imports, by full name."""


@functools.cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def imported(path: Path, functions: bool = True) -> Iterator[tuple[str, str | None]]:
    """Every module that a file imports and the name that it takes from it, if any; without
    ``functions``, imports inside functions are left out."""
    for node in _nodes(_tree(path), functions):
        if isinstance(node, ast.Import):
            yield from ((alias.name, None) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}: write the full names of modules"
            yield from ((node.module or "", alias.name) for alias in node.names)


def _nodes(node: ast.AST, functions: bool) -> Iterator[ast.AST]:
    yield node
    if functions or not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        for child in ast.iter_child_nodes(node):
            yield from _nodes(child, functions)


def modules_of(*roots: Path) -> dict[str, Path]:
    """The modules of the packages directly below each root, by full name."""
    found = {}
    for root in roots:
        for path in sorted(root.glob("*/**/*.py")):
            parts = path.relative_to(root).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def import_graph(modules: Mapping[str, Path]) -> Graph:
    """Imports among ``modules``; ``from a import b`` is an import of ``a.b`` where that is one."""
    graph: dict[str, set[str]] = {}
    for module, path in modules.items():
        targets = {
            full if (full := f"{base}.{name}") in modules else base for base, name in imported(path)
        }
        graph[module] = (targets & modules.keys()) - {module}
    return graph


def grouped(graph: Graph, group: Mapping[str, str]) -> Graph:
    """The same imports between groups of modules."""
    found: dict[str, set[str]] = {name: set() for name in group.values()}
    for module, targets in graph.items():
        found[group[module]] |= {group[target] for target in targets} - {group[module]}
    return found


def cycles(graph: Graph) -> list[set[str]]:
    """The strongly connected components of more than one node (Tarjan 1972)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[set[str]] = []

    def visit(node: str) -> None:
        index[node] = low[node] = len(index)
        stack.append(node)
        for target in sorted(graph[node]):
            if target not in index:
                visit(target)
                low[node] = min(low[node], low[target])
            elif target in stack:
                low[node] = min(low[node], index[target])
        if low[node] == index[node]:
            component = set(stack[stack.index(node) :])
            del stack[stack.index(node) :]
            if len(component) > 1:
                found.append(component)

    for node in sorted(graph):
        if node not in index:
            visit(node)
    return found
