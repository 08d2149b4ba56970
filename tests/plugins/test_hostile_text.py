"""The texts of a plugin, also of its errors, are printed as text."""

from __future__ import annotations

import pytest
from hostile_text import HOSTILE, harmless

from zoo.errors import printable

CODE = """
from zoo import ModelConfig, ModelSpec, hookimpl

class Config(ModelConfig):
    depth: int = 1

@hookimpl
def zoo_models():
    text = {text!r}
    spec = dict(family="test", title=text, paper=text, config=Config)
    return [ModelSpec(name="odd", presets={{"digits": {{}}}}, capabilities=("sample",), **spec)]

@hookimpl
def zoo_build(config, image):
    raise RuntimeError({text!r})

@hookimpl
def zoo_train():
    pass

@hookimpl
def zoo_sample(latents):
    pass
"""


@pytest.mark.parametrize("text", HOSTILE)
def test_a_title_a_cause_and_an_error_are_lines(text: str, site, here, commands) -> None:
    site.add("genzoo-odd", CODE.format(text=text))
    site.add("genzoo-broken", f"raise RuntimeError({text!r})")
    shown = printable(text).rstrip()
    result = commands("list")
    assert any(line.startswith("odd ") and line.endswith(shown) for line in lines(result.out))
    assert len(lines(result.err)) == 1
    result = commands("show", "odd")
    assert lines(result.out)[:3] == [f"odd: {printable(text)}", printable(text), ""]
    for command in ("plugins", "doctor"):
        result = commands(command)
        lines(result.out + result.err)
    result = commands("train", "odd", "--steps", "1")
    assert result.status == 1
    *_, sentence = lines(result.err)
    assert sentence.startswith("zoo: ")
    assert "RuntimeError" in sentence


def lines(text: str) -> list[str]:
    assert harmless(text), text
    assert "\nzoo: all is well" not in text
    return text.splitlines()
