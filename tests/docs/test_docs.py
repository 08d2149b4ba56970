"""The pages: hooks are those of the source, links lead somewhere, commands can be given so."""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from project import ROOT

HOOKS = (ROOT / "docs/hooks.md").read_text("utf-8")
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")]
PAGES += [ROOT / "examples/README.md", *(ROOT / "examples").glob("*/*.md")]
PAGES += [*(ROOT / "benchmarks").glob("*/*.md")]


def specified() -> dict[str, str]:
    """Each hook of the source with its signature, in its order."""
    tree = ast.parse((ROOT / "zoo/hookspecs.py").read_text("utf-8"))
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    return {function.name: signature(function) for function in functions}


def signature(function: ast.FunctionDef) -> str:
    assert function.returns is not None
    return f"{function.name}({ast.unparse(function.args)}) -> {ast.unparse(function.returns)}"


def documented() -> dict[str, str]:
    """Each heading of a hook with the signature below it, in the page's order."""
    found = re.findall(r"^### (\w+)\n\n```python\n(def .*?)\n```$", HOOKS, re.DOTALL | re.MULTILINE)
    parsed = {}
    for name, code in found:
        (function,) = ast.parse(f"{code}: ...").body
        assert isinstance(function, ast.FunctionDef)
        parsed[name] = signature(function)
    assert [*parsed] == re.findall(r"^### (.*)$", HOOKS, re.MULTILINE)
    return parsed


def without_code(page: Path) -> str:
    return re.sub(r"^```.*?^```$", "", page.read_text("utf-8"), flags=re.DOTALL | re.MULTILINE)


def anchors(page: Path) -> set[str]:
    """Anchors of a page: its headings, as GitHub names them."""
    headings = re.findall(r"^#+ (.*)$", without_code(page), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}


def implementations(page: Path) -> Iterator[ast.FunctionDef]:
    """The hooks that a page's Python implements."""
    for code in re.findall(r"^```python\n(.*?)^```$", page.read_text("utf-8"), re.DOTALL | re.M):
        if "@hookimpl" in code:
            for node in ast.walk(ast.parse(code)):
                if isinstance(node, ast.FunctionDef) and node.name.startswith("zoo_"):
                    yield node


def test_the_page_has_every_hook_in_order_with_its_signature() -> None:
    assert specified()
    assert list(documented().items()) == list(specified().items())


def test_each_hook_stands_in_the_table_and_has_an_example() -> None:
    table = re.findall(r"`(zoo_\w+)`", HOOKS.partition("## Conventions")[0])
    assert table == [*specified()]
    examples = {function.name for function in implementations(ROOT / "docs/hooks.md")}
    assert examples == {*specified()}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_hooks_in_examples_take_arguments_that_there_are(page: Path) -> None:
    for function in implementations(page):
        (spec,) = ast.parse(f"def {specified()[function.name]}: ...").body
        assert isinstance(spec, ast.FunctionDef)
        known = {argument.arg for argument in spec.args.args}
        assert {argument.arg for argument in function.args.args} <= known, function.name


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_internal_link_leads_to_something(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", without_code(page)):
        if "://" not in target:
            path, _, anchor = target.partition("#")
            to = page.parent / path if path else page
            assert to.exists(), target
            assert not anchor or anchor in anchors(to), target


def test_the_stated_version_of_the_hooks_is_the_current_one() -> None:
    import zoo

    assert f"`zoo.HOOK_API`, now {zoo.HOOK_API}." in HOOKS


def shown_commands(page: Path) -> Iterator[list[str]]:
    """The words after ``zoo`` of each command that a page shows to end well."""
    for block in re.findall(r"^```console\n(.*?)^```$", page.read_text("utf-8"), re.DOTALL | re.M):
        for line, said in re.findall(r"^\$ zoo (.*)\n((?:(?!\$ ).*\n)*)", block, re.MULTILINE):
            if not re.search(r"^zoo: ", said, re.MULTILINE):
                yield shlex.split(line, comments=True)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_exist_with_their_options_presets_and_keys(page: Path) -> None:
    from zoo.api import host
    from zoo.cli import cli
    from zoo.config.resolve import parse_assignment, preset_settings

    above = click.Context(cli, **cli.context_settings)
    for name, *rest in shown_commands(page):
        command = cli.get_command(above, name)
        assert command is not None, name
        given = command.make_context(name, rest, above).params
        spec = host().models.get(given.get("model", ""))
        if name == "train" and spec is not None:
            for text in given["assignments"]:
                parse_assignment(spec, text)
            if given["preset"] is not None:
                preset_settings(spec, given["preset"])
