"""A plugin to begin from: ``zoo new-plugin NAME`` fills the templates that lie beside this file.

A template is a :class:`string.Template`. ``$name`` is the model, ``$module`` its name in
Python, ``$package`` its package, ``$network`` and ``$config`` its classes, ``$title`` its name in
words; ``$$`` is a dollar.
"""

from __future__ import annotations

import ast
import keyword
import re
from collections.abc import Mapping
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from string import Template

from zoo.errors import UsageError
from zoo.system.files import replacing_folder

_TEMPLATES = {
    "pyproject.toml": "pyproject.toml.in",
    "README.md": "README.md.in",
    "$package/__init__.py": "init.py.in",
    "$package/config.py": "config.py.in",
    "$package/model.py": "model.py.in",
    "$package/card.md": "card.md.in",
    "tests/test_$module.py": "test.py.in",
}


def write_plugin(name: str, parent: Path) -> Path:
    """Write the plugin of the model ``name`` to ``parent/genzoo-NAME`` and return that folder."""
    return write_plugin_to(name, parent / f"genzoo-{name}")


def write_plugin_to(name: str, folder: Path) -> Path:
    """The same to a folder of another name; it appears whole or not at all.

    Raises UsageError for a name that cannot be, and where something stands at ``folder``.
    """
    texts = _filled(name)
    if folder.exists() or folder.is_symlink():
        raise UsageError(f"something stands at {folder}: name another folder with --out")
    with replacing_folder(folder) as beside:
        for path, text in texts.items():
            (beside / path).parent.mkdir(exist_ok=True)
            (beside / path).write_text(text, encoding="utf-8")
    return folder


def _filled(name: str) -> dict[str, str]:
    """The plugin's files by path. Raises UsageError for a name that cannot be."""
    if not re.fullmatch(r"[a-z]([a-z0-9_-]*[a-z0-9])?", name):
        raise UsageError(
            f"a model cannot be called {name!r}: take lower-case letters, digits, - and _, with a "
            "letter first and no - or _ at the end"
        )
    module = name.replace("-", "_")
    words = [word.capitalize() for word in module.split("_") if word]
    network, package = "".join(words), f"zoo_{module}"
    if keyword.iskeyword(name) or keyword.iskeyword(network):
        raise UsageError(f"{name!r} is a word of Python's own: choose another name")
    if find_spec(package) is not None:
        raise UsageError(f"there is a package {package} already: choose another name")
    config, title = f"{network}Config", " ".join(words)
    values = {
        "name": name,
        "module": module,
        "package": package,
        "network": network,
        "config": config,
        "title": title,
    }
    texts = {_fill(path, values): _fill(_read(file), values) for path, file in _TEMPLATES.items()}
    for path, text in texts.items():
        if path.endswith(".py") and (taken := {network, config} & _imported(text, package)):
            raise UsageError(
                f"the name {name!r} asks for a class {min(taken)}, which is one of genzoo's own: "
                "choose another name"
            )
    return {**texts, f"{package}/py.typed": ""}


def _fill(text: str, values: Mapping[str, str]) -> str:
    return Template(text).substitute(values)


def _read(template: str) -> str:
    return files(__name__).joinpath(template).read_text(encoding="utf-8")


def _imported(code: str, package: str) -> set[str]:
    """The names that code imports from elsewhere than ``package``."""
    return {
        alias.name
        for node in ast.walk(ast.parse(code))
        if isinstance(node, ast.ImportFrom) and package not in str(node.module).split(".")
        for alias in node.names
    }
