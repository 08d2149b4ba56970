"""The templates of ``zoo new-plugin NAME``, and the function that fills them.

Each ``.in`` file is a :class:`string.Template`. ``$name`` is the model, ``$module`` its name as an
identifier, ``$package`` its package, ``$network`` and ``$config`` its classes, and ``$title`` its
name in words; ``$$`` is a dollar sign.
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
    """Writes a plugin with the model ``name`` to ``parent/genzoo-NAME`` and returns that folder."""
    return write_plugin_to(name, parent / f"genzoo-{name}")


def write_plugin_to(name: str, folder: Path) -> Path:
    """Writes a plugin with the model ``name`` to ``folder``, atomically.

    Raises UsageError if the name is invalid or taken, or if ``folder`` exists.
    """
    texts = _filled_templates(name)
    if folder.exists() or folder.is_symlink():
        raise UsageError(f"{folder} exists: choose another folder with --out")
    with replacing_folder(folder) as new:
        for path, text in texts.items():
            (new / path).parent.mkdir(exist_ok=True)
            (new / path).write_text(text, encoding="utf-8")
    return folder


def _filled_templates(name: str) -> dict[str, str]:
    """The plugin's files by path. Raises UsageError if the name is invalid or taken."""
    if not re.fullmatch(r"[a-z]([a-z0-9_-]*[a-z0-9])?", name):
        raise UsageError(
            f"{name!r} is not a valid model name: use lower-case letters, digits, - and _, with a "
            "letter first and a letter or digit last"
        )
    module = name.replace("-", "_")
    words = [word.capitalize() for word in module.split("_") if word]
    network, package = "".join(words), f"zoo_{module}"
    if keyword.iskeyword(name) or keyword.iskeyword(network):
        raise UsageError(f"{name!r} is a Python keyword: choose another name")
    if find_spec(package) is not None:
        raise UsageError(f"a package {package} is already installed: choose another name")
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
                f"the name {name!r} needs a class {min(taken)}, which genzoo has already: "
                "choose another name"
            )
    return {**texts, f"{package}/py.typed": ""}


def _fill(text: str, values: Mapping[str, str]) -> str:
    return Template(text).substitute(values)


def _read(template: str) -> str:
    return files(__name__).joinpath(template).read_text(encoding="utf-8")


def _imported(code: str, package: str) -> set[str]:
    """The names that ``code`` imports from packages other than ``package``."""
    return {
        alias.name
        for node in ast.walk(ast.parse(code))
        if isinstance(node, ast.ImportFrom) and package not in str(node.module).split(".")
        for alias in node.names
    }
