"""Configuration: which layer wins, and the sentence for each thing that is wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import pytest
from pydantic import Field, model_validator

import zoo
from zoo.config.resolve import (
    Setting,
    changed,
    once,
    overlay,
    parse_assignment,
    preset_settings,
    resolve,
    sections_of,
    setting_of,
    validate,
)
from zoo.config.sections import SECTIONS, Config
from zoo.errors import UsageError


class ToyConfig(zoo.ModelConfig):
    """A field of each kind; ``bits`` is also a key of data."""

    depth: Annotated[int, Field(ge=1, le=64)] = 8
    share: Annotated[float, Field(gt=0, lt=1)] = 0.5
    even: Annotated[int, Field(multiple_of=2)] = 2
    kind: Literal["additive", "affine"] = "affine"
    fast: bool = False
    name: Annotated[str, Field(min_length=1)] = "toy"
    bits: int = 1

    @model_validator(mode="after")
    def _fits(self) -> ToyConfig:
        if self.fast and self.depth > 32:
            raise ValueError("fast needs a depth of 32 at most")
        return self


TOY = zoo.ModelSpec(
    name="toy",
    family="test",
    title="Toy",
    paper="-",
    config=ToyConfig,
    presets={
        "digits": {"model": {"depth": 2}, "training": {"steps": 100, "learning_rate": 0.5}},
        "other": {"model": {"depth": 3}, "data": {"source": "mnist"}},
    },
)


def assigned(*texts: str) -> list[Setting]:
    return [parse_assignment(TOY, text) for text in texts]


def settled(*texts: str, preset: str | None = None, file: Path | None = None) -> Config:
    return resolve(TOY, preset, file, assigned(*texts))


def sentence(*texts: str, preset: str | None = None, file: Path | None = None) -> str:
    with pytest.raises(UsageError) as error:
        settled(*texts, preset=preset, file=file)
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.fixture
def toml(tmp_path: Path):
    def write(text: str) -> Path:
        path = tmp_path / "settings.toml"
        path.write_text(text)
        return path

    return write


def test_later_layers_win(toml) -> None:
    file = toml("[model]\ndepth = 4\n[data]\npad = 4\n[training]\nlearning_rate = 0.25")
    assert validate(TOY, []).model.depth == 8, "the default"
    assert settled().model.depth == 2, "the first preset"
    assert settled(preset="other").model.depth == 3
    assert settled(file=file).model.depth == 4
    config = settled("depth=5", "learning_rate=0.125", file=file)
    assert config.model.depth == 5
    assert config.training.learning_rate == 0.125
    assert config.data.pad == 4, "of the file"
    assert config.training.steps == 100, "of the preset"
    assert config.training.batch_size == 64, "the default"


def test_a_limit_drops_the_limits_of_the_layers_below(toml) -> None:
    assert settled().training.steps == 100
    config = settled("minutes=2")
    assert (config.training.steps, config.training.minutes) == (None, 2)
    file = toml("[training]\nepochs = 3")
    config = settled(file=file)
    assert (config.training.steps, config.training.epochs) == (None, 3)
    config = settled("minutes=2", file=file)
    assert (config.training.epochs, config.training.minutes) == (None, 2)
    config = settled("steps=7", "minutes=2")
    assert (config.training.steps, config.training.minutes) == (7, 2), "of one layer, both"
    learning = assigned("learning_rate=0.1")
    assert validate(TOY, overlay(preset_settings(TOY, None), learning)).training.steps == 100


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("depth=99", "--set depth=99: model.depth must be at most 64, got 99"),
        ("depth=0", "--set depth=0: model.depth must be at least 1, got 0"),
        ("share=0", "--set share=0: model.share must be more than 0.0, got 0"),
        ("share=1", "--set share=1: model.share must be less than 1.0, got 1"),
        ("even=3", "--set even=3: model.even must be a multiple of 2, got 3"),
        ("depth=true", "--set depth=true: model.depth must be a whole number, got true"),
        ("depth=2.5", "--set depth=2.5: model.depth must be a whole number, got 2.5"),
        ("depth=two", '--set depth=two: model.depth must be a whole number, got "two"'),
        ("depth=null", "--set depth=null: model.depth must be a whole number, got null"),
        ("depth=[1]", "--set depth=[1]: model.depth must be a whole number, got [1]"),
        ("depth=", '--set depth=: model.depth must be a whole number, got ""'),
        ("depth=NaN", "--set depth=NaN: model.depth must be a whole number, got NaN"),
        ("share=NaN", "--set share=NaN: model.share must be a finite number, got NaN"),
        ("share=-Infinity", "must be a finite number, got -Infinity"),
        ("share=half", 'model.share must be a number, got "half"'),
        ("fast=1", "--set fast=1: model.fast must be true or false, got 1"),
        ("fast=yes", 'model.fast must be true or false, got "yes"'),
        ("name=5", "--set name=5: model.name must be text, got 5"),
        ("name=", "model.name must not be empty"),
        ("kind=afine", "model.kind must be 'additive' or 'affine', got \"afine\""),
        ("channels=2", "--set channels=2: data.channels must be 1 or 3, got 2"),
        ("channels=true", "--set channels=true: data.channels must be 1 or 3, got true"),
        ("channels=1.0", "--set channels=1.0: data.channels must be 1 or 3, got 1.0"),
        ("seed=-1", "training.seed must be at least 0, got -1"),
        ("depht=3", "--set depht=3: there is no key 'depht': did you mean 'model.depth'?"),
        ("model.depht=3", "there is no key 'model.depht': did you mean 'model.depth'?"),
        ("data.depth=3", "--set data.depth=3: there is no key 'data.depth'"),
        ("training.sede=3", "there is no key 'training.sede': did you mean 'training.seed'?"),
        ("modle.depth=3", "there is no section 'modle': did you mean 'model'?"),
        ("xyz.depth=3", "there is no section 'xyz'; there is data, model, training"),
        ("model.depth.deep=3", "there is no key 'model.depth.deep'"),
        ("bits=4", "--set bits=4: bits is ambiguous: model.bits or data.bits"),
        ("depth", "--set depth: write it as KEY=VALUE"),
        ("=5", "--set =5: there is no key ''"),
    ],
)
def test_an_error_names_layer_key_bound_and_value(text: str, said: str) -> None:
    assert said in sentence(text)


def test_the_nearest_key_lies_in_the_section_that_was_named() -> None:
    assert "'data.bits'" in sentence("data.bit=3")
    assert "model" not in sentence("data.depth=3").split("'data.depth'")[1]


def test_numbers_and_brackets_without_end_are_a_short_sentence() -> None:
    for value in ("9" * 5000, "[" * 100_000):
        said = sentence(f"depth={value}")
        assert "model.depth must be a whole number" in said
        assert len(said) < 400


def test_what_cannot_be_printed_is_escaped_so_that_a_sentence_is_one_line() -> None:
    assert sentence("kind=a\nb\x1b[1m") == (
        "--set kind=a\\nb\\x1b[1m: model.kind must be 'additive' or 'affine', got "
        '"a\\nb\\u001b[1m"'
    )
    assert "--set de\\npth=1: there is no key" in sentence("de\npth=1")


@pytest.mark.parametrize(
    "value",
    [np.eye(3), "9\n" * 99, 10**5000, {1: object()}],
    ids=["array", "lines", "digits", "dict"],
)
def test_no_value_in_python_makes_a_long_sentence_or_another_error(here, value: object) -> None:
    calls = [
        lambda: zoo.build("glow", depth=value),
        lambda: zoo.build("glow", classes=-value if isinstance(value, int) else value),
        lambda: zoo.train("glow", config={"depth": value}),
        lambda: zoo.train("glow", steps=value),
    ]
    for call in calls:
        with pytest.raises(UsageError) as error:
            call()
        assert "\n" not in str(error.value)
        assert len(str(error.value)) < 250


def test_values_are_json_else_text() -> None:
    config = settled("name=a=b", "fast=false", "share=1e-3", "size=null", 'kind="additive"')
    assert config.model.name == "a=b"
    assert config.model.kind == "additive"
    assert config.model.share == 1e-3
    assert config.data.size is None
    assert settled("steps=5", " depth =3").model.depth == 3


def test_a_rule_between_keys_is_said_with_the_settings_that_broke_it() -> None:
    said = sentence("fast=true", "depth=40")
    assert said.endswith(": fast needs a depth of 32 at most")
    assert "--set fast=true" in said
    assert "--set depth=40" in said


def test_a_key_that_has_no_default_is_asked_for() -> None:
    class Needy(zoo.ModelConfig):
        depth: int

    spec = zoo.ModelSpec(
        name="needy", family="test", title="N", paper="-", config=Needy, presets={"digits": {}}
    )
    with pytest.raises(UsageError, match=r"^model.depth has no default: give it with --set"):
        resolve(spec)


def test_a_key_that_is_set_twice_names_both() -> None:
    flag = Setting("training", "steps", 5, "--steps 5")
    with pytest.raises(UsageError) as error:
        resolve(TOY, settings=[flag, *assigned("training.steps=6")])
    assert str(error.value) == (
        "training.steps is set twice, by --steps 5 and by --set training.steps=6: keep one of them"
    )
    assert "model.depth is set twice" in sentence("depth=1", "model.depth=1")
    assert once([flag]) == [flag]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[model]\ndepth = 99", "settings.toml: model.depth must be at most 64, got 99"),
        ("[model]\ndepht = 9", "there is no key 'model.depht': did you mean 'model.depth'?"),
        ("[modl]\ndepth = 9", "there is no section 'modl': did you mean 'model'?"),
        ("depth = 9", "the key 'depth' stands in no section: put it under model, data or training"),
        ("model = 9", "model is a section of keys, got 9"),
        ("[model.deep]\nx = 1", "there is no key 'model.deep'"),
        ("[model]\ndepth = 2024-01-01", "model.depth must be a whole number, got"),
        ("[model\ndepth = 9", "settings.toml is no TOML: "),
        ("[model]\ndepth = 1\ndepth = 2", "settings.toml is no TOML: "),
    ],
)
def test_a_file_is_named_with_what_is_wrong_in_it(toml, text: str, said: str) -> None:
    found = sentence(file=toml(text))
    assert said in found
    assert "settings.toml" in found


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    missing = tmp_path / "missing.toml"
    assert sentence(file=missing) == f"--config {missing}: No such file or directory"
    assert sentence(file=tmp_path) == f"--config {tmp_path}: Is a directory"
    binary = tmp_path / "binary.toml"
    binary.write_bytes(b"\xff\xfe\x00")
    assert sentence(file=binary).startswith(f"--config {binary} is no TOML: ")


def test_an_unknown_preset_fails_with_the_nearest() -> None:
    assert sentence(preset="othr") == "toy has no preset 'othr': did you mean 'other'?"
    assert sentence(preset="") == "toy has no preset ''; there is digits, other"


def test_a_preset_that_is_wrong_names_itself() -> None:
    spec = zoo.ModelSpec(
        name="bad",
        family="test",
        title="B",
        paper="-",
        config=ToyConfig,
        presets={"digits": {"model": {"depth": 0}}},
    )
    with pytest.raises(UsageError, match=r"^preset digits: model.depth must be at least 1, got 0$"):
        resolve(spec)


def test_what_differs_is_found_and_limits_are_not_a_difference() -> None:
    before, after = settled(), settled("steps=900", "depth=3", "source=mnist")
    assert changed(before, after) == [("model.depth", 2, 3), ("data.source", "digits", "mnist")]


def test_a_configuration_dumps_to_json_and_comes_back_the_same() -> None:
    config = settled("share=0.125", "flip=true", preset="other")
    stored = json.loads(json.dumps(config.dump()))
    assert list(stored) == list(SECTIONS)
    settings = [
        setting_of(TOY, f"{section}.{key}", value, "stored")
        for section, values in stored.items()
        for key, value in values.items()
    ]
    assert validate(TOY, settings) == config


def test_every_key_of_the_core_has_a_description() -> None:
    for section in ("data", "training"):
        for name, field in sections_of(TOY)[section].model_fields.items():
            assert field.description, f"{section}.{name}"


def test_every_preset_of_every_model_is_valid_and_ends() -> None:
    for spec in zoo.list_models():
        for preset in spec.presets:
            training = resolve(spec, preset).training
            assert training.steps or training.epochs or training.minutes, preset


# The same in Python


def test_build_takes_keys_of_the_model_over_a_preset() -> None:
    network = zoo.build("glow", preset="digits", depth=1, width=8, image_size=8, channels=1, bits=4)
    assert network.latent == zoo.Latent(64, "normal", 0)
    assert network.image == zoo.ImageSpec(1, 8, 0, 4)
    assert len(network.flow.scales) == 2, "of the preset"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"depht": 1}, "depht=1: there is no key 'model.depht': did you mean 'model.depth'?"),
        ({"depth": 99}, "depth=99: model.depth must be at most 64, got 99"),
        ({"depth": True}, "depth=True: model.depth must be a whole number, got true"),
        ({"preset": "mnst"}, "glow has no preset 'mnst': did you mean 'mnist'?"),
        ({"image_size": 0}, "image_size=0: data.size must be at least 2, got 0"),
        ({"channels": 2}, "channels=2: data.channels must be 1 or 3, got 2"),
        ({"bits": 9}, "bits=9: data.bits must be at most 8, got 9"),
        ({"classes": -1}, "classes=-1: the number of classes must be at least 0"),
        ({"image_size": 12}, "which 12 pixels a side cannot be"),
    ],
)
def test_build_says_what_is_wrong(arguments: dict, said: str) -> None:
    with pytest.raises(UsageError) as error:
        zoo.build("glow", **{"levels": 3, **arguments})
    assert said in str(error.value)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"config": {"depht": 1}}, "config depht=1: there is no key 'depht'"),
        ({"config": {"depth": 99}}, "config depth=99: model.depth must be at most 64, got 99"),
        ({"config": {"training.learning_rate": 2.0}}, "training.learning_rate must be at most 1"),
        ({"steps": 0}, "steps=0: training.steps must be at least 1, got 0"),
        (
            {"steps": 5, "config": {"training.steps": 6}},
            "training.steps is set twice, by steps=5 and by config training.steps=6",
        ),
        ({"data": "digts"}, "data.source is 'digts'"),
        ({"preset": "x"}, "glow has no preset 'x'"),
    ],
)
def test_train_says_what_is_wrong_before_it_writes(here, arguments: dict, said: str) -> None:
    with pytest.raises(UsageError) as error:
        zoo.train("glow", device="cpu", quiet=True, **arguments)
    assert said in str(error.value)
    assert not any(here.iterdir())


def test_an_argument_that_train_does_not_have_is_a_type_error() -> None:
    with pytest.raises(TypeError, match="unexpected argument 'stepz'"):
        zoo.train("glow", stepz=3)


def test_train_in_python_sets_what_was_asked_for(trained) -> None:
    assert trained.config.model.depth == 2
    assert trained.config.training.steps == 24
    assert trained.config.training.checkpoint_every == 12
    preset = trained.spec.presets["digits"]["training"]
    assert trained.config.training.learning_rate == preset["learning_rate"]
    stored = json.loads((trained.path / "config.json").read_text())
    assert stored["config"] == trained.config.dump()
