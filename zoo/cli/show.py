"""``zoo show MODEL``: a model and its configuration keys."""

from __future__ import annotations

import json
import textwrap
from pathlib import Path
from typing import Any

import click

from zoo.api import host
from zoo.cli.group import columns, complete_models, echo_json, json_option
from zoo.config.resolve import preset_settings, sections_of
from zoo.runs.folder import CONFIG, RunFolder
from zoo.runs.integrity import best_of, integrity_of
from zoo.runs.state import plain
from zoo.runs.stored import StoredRun
from zoo.specs import CAPABILITIES, ModelSpec, Section
from zoo.system.console import echo, terminal_width


@click.command("show")
@click.argument("model", shell_complete=complete_models)
@json_option
def command(model: str, as_json: bool) -> None:
    """Show MODEL and all its configuration keys, or which weights a run folder has."""
    plugins = host()
    if model not in plugins.models and (Path(model) / CONFIG).is_file():
        return show_run(StoredRun.read(RunFolder(Path(model)), plugins.spec), as_json)
    spec = plugins.spec(model)
    keys = describe_keys(spec)
    if as_json:
        echo_json(
            {
                "name": spec.name,
                "family": spec.family,
                "title": spec.title,
                "paper": spec.paper,
                "capabilities": [c for c in CAPABILITIES if c in spec.capabilities],
                "plugin": plugins.owner(model).plugin.reference(),
                "presets": {name: dict(values) for name, values in spec.presets.items()},
                "config": keys,
            }
        )
        return None
    echo(f"{spec.name}: {spec.title}", spec.paper, "")
    echo(f"capabilities: {', '.join(c for c in CAPABILITIES if c in spec.capabilities)}")
    echo(f"plugin: {plugins.owner(model).plugin}", "")
    echo(*_table(keys, list(spec.presets)))
    echo("", f"Set a key with: zoo train {model} --set KEY=VALUE")
    return None


def _table(keys: list[dict[str, Any]], presets: list[str]) -> list[str]:
    """Returns the keys as a table, or where the terminal is too narrow for it, one below the
    other."""
    rows = [("KEY", "VALUES", "DEFAULT", *(f"[{name}]" for name in presets), "")]
    for key in keys:
        own = [json.dumps(key["presets"][p]) if p in key["presets"] else "" for p in presets]
        rows.append(
            (key["key"], key["values"], json.dumps(key["default"]), *own, key["description"])
        )
    lines = columns(rows)
    width = terminal_width()
    if width is None or max(map(len, lines)) <= width:
        return lines
    lines = []
    for key in keys:
        values = [key["values"], f"default {json.dumps(key['default'])}"]
        values += [f"[{name}] {json.dumps(value)}" for name, value in key["presets"].items()]
        lines.append(key["key"])
        for text in ("; ".join(values), key["description"]):
            lines += textwrap.wrap(
                text, width, initial_indent="    ", subsequent_indent="    ",
                break_long_words=False, break_on_hyphens=False,
            )  # fmt: skip
    return lines


def show_run(run: StoredRun, as_json: bool) -> None:
    """Shows which step the weights of a run are of, and why."""
    integrity, best = integrity_of(run.document), best_of(run.document)
    step = None if integrity is None else integrity.step
    if as_json:
        echo_json(
            {
                "model": run.name,
                "data": run.config.data.source,
                "step": step,
                "best": None if best is None else plain(best),
                "config": run.config.dump(),
            }
        )
        return
    weights = "none yet" if step is None else f"step {step}, the last"
    echo(str(run), f"weights: {weights if best is None else best}")


def describe_keys(spec: ModelSpec) -> list[dict[str, Any]]:
    """Returns every key with its values, default, presets and description."""
    by_preset = {
        name: {setting.name: setting.value for setting in preset_settings(spec, name)}
        for name in spec.presets
    }
    return [
        {
            "key": f"{section}.{key}",
            "values": _values(schema),
            "default": part.model_fields[key].get_default(),
            "presets": {
                name: values[f"{section}.{key}"]
                for name, values in by_preset.items()
                if f"{section}.{key}" in values
            },
            "description": schema.get("description", ""),
        }
        for section, part in sections_of(spec).items()
        for key, schema in _properties(part).items()
    ]


def _properties(section: type[Section]) -> dict[str, Any]:
    properties: dict[str, Any] = section.model_json_schema().get("properties", {})
    return properties


def _values(schema: dict[str, Any]) -> str:
    """``"1 to 64"``, ``"additive | affine"``, ``"true | false"``, ``"text"``, ``"... | null"``."""
    parts = [part for part in schema.get("anyOf", [schema]) if part.get("type") != "null"]
    text = " | ".join(_kind(part) for part in parts)
    return text + (" | null" if len(parts) < len(schema.get("anyOf", [schema])) else "")


def _kind(schema: dict[str, Any]) -> str:
    if "enum" in schema or "const" in schema:
        return " | ".join(str(value) for value in schema.get("enum", [schema.get("const")]))
    if schema.get("type") == "boolean":
        return "true | false"
    if schema.get("type") == "string":
        return "text"
    if schema.get("type") == "array":
        items, count = _kind(schema["items"]), schema["minItems"]
        more = ", ..." if schema["maxItems"] > count else ""
        return f"[{', '.join([items] * count)}{more}]"
    low = schema.get("minimum", schema.get("exclusiveMinimum"))
    high = schema.get("maximum", schema.get("exclusiveMaximum"))
    above = "above " if "exclusiveMinimum" in schema else ""
    below = "below " if "exclusiveMaximum" in schema else ""
    if low is not None and high is not None:
        return f"{above}{low:g} to {below}{high:g}"
    if low is not None:
        return f"above {low:g}" if above else f"{low:g} or more"
    return "number"
