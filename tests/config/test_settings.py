"""Configuration: precedence of layers, and the message of each error."""

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
    overlay,
    parse_assignment,
    preset_settings,
    resolve,
    sections_of,
    setting_of,
    unique,
    validate,
)
from zoo.config.sections import SECTIONS, Config
from zoo.errors import UsageError


class ToyConfig(zoo.ModelConfig):
    """A field of each type; ``bits`` is also a key of data."""

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
            raise ValueError("fast needs a depth of at most 32")
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


def assignments(*texts: str) -> list[Setting]:
    return [parse_assignment(TOY, text) for text in texts]


def resolved(*texts: str, preset: str | None = None, file: Path | None = None) -> Config:
    return resolve(TOY, preset, file, assignments(*texts))


def error_message(*texts: str, preset: str | None = None, file: Path | None = None) -> str:
    with pytest.raises(UsageError) as error:
        resolved(*texts, preset=preset, file=file)
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
    assert resolved().model.depth == 2, "the first preset"
    assert resolved(preset="other").model.depth == 3
    assert resolved(file=file).model.depth == 4
    config = resolved("depth=5", "learning_rate=0.125", file=file)
    assert config.model.depth == 5
    assert config.training.learning_rate == 0.125
    assert config.data.pad == 4, "from the file"
    assert config.training.steps == 100, "from the preset"
    assert config.training.batch_size == 64, "the default"


def test_a_limit_drops_the_limits_of_the_layers_below(toml) -> None:
    assert resolved().training.steps == 100
    config = resolved("minutes=2")
    assert (config.training.steps, config.training.minutes) == (None, 2)
    file = toml("[training]\nepochs = 3")
    config = resolved(file=file)
    assert (config.training.steps, config.training.epochs) == (None, 3)
    config = resolved("minutes=2", file=file)
    assert (config.training.epochs, config.training.minutes) == (None, 2)
    config = resolved("steps=7", "minutes=2")
    assert (config.training.steps, config.training.minutes) == (7, 2), "both from one layer"
    learning = assignments("learning_rate=0.1")
    assert validate(TOY, overlay(preset_settings(TOY, None), learning)).training.steps == 100


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("depth=99", "--set depth=99: model.depth must be at most 64, got 99"),
        ("depth=0", "--set depth=0: model.depth must be at least 1, got 0"),
        ("share=0", "--set share=0: model.share must be more than 0.0, got 0"),
        ("share=1", "--set share=1: model.share must be less than 1.0, got 1"),
        ("even=3", "--set even=3: model.even must be a multiple of 2, got 3"),
        ("depth=true", "--set depth=true: model.depth must be an integer, got true"),
        ("depth=2.5", "--set depth=2.5: model.depth must be an integer, got 2.5"),
        ("depth=two", '--set depth=two: model.depth must be an integer, got "two"'),
        ("depth=null", "--set depth=null: model.depth must be an integer, got null"),
        ("depth=[1]", "--set depth=[1]: model.depth must be an integer, got [1]"),
        ("depth=", '--set depth=: model.depth must be an integer, got ""'),
        ("depth=NaN", "--set depth=NaN: model.depth must be an integer, got NaN"),
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
        ("depth", "--set depth: use KEY=VALUE"),
        ("=5", "--set =5: there is no key ''"),
    ],
)
def test_an_error_names_layer_key_bound_and_value(text: str, message: str) -> None:
    assert message in error_message(text)


def test_the_suggested_key_is_in_the_named_section() -> None:
    assert "'data.bits'" in error_message("data.bit=3")
    assert "model" not in error_message("data.depth=3").split("'data.depth'")[1]


def test_long_numbers_and_brackets_are_shortened() -> None:
    for value in ("9" * 5000, "[" * 100_000):
        message = error_message(f"depth={value}")
        assert "model.depth must be an integer" in message
        assert len(message) < 400


def test_unprintable_characters_are_escaped() -> None:
    assert error_message("kind=a\nb\x1b[1m") == (
        "--set kind=a\\nb\\x1b[1m: model.kind must be 'additive' or 'affine', got "
        '"a\\nb\\u001b[1m"'
    )
    assert "--set de\\npth=1: there is no key" in error_message("de\npth=1")


@pytest.mark.parametrize(
    "value",
    [np.eye(3), "9\n" * 99, 10**5000, {1: object()}],
    ids=["array", "lines", "digits", "dict"],
)
def test_any_python_value_makes_a_short_usage_error(here, value: object) -> None:
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
    config = resolved("name=a=b", "fast=false", "share=1e-3", "size=null", 'kind="additive"')
    assert config.model.name == "a=b"
    assert config.model.kind == "additive"
    assert config.model.share == 1e-3
    assert config.data.size is None
    assert resolved("steps=5", " depth =3").model.depth == 3


def test_a_rule_between_keys_names_the_settings_that_break_it() -> None:
    message = error_message("fast=true", "depth=40")
    assert message.endswith(": fast needs a depth of at most 32")
    assert "--set fast=true" in message
    assert "--set depth=40" in message


def test_a_key_without_default_is_required() -> None:
    class RequiredConfig(zoo.ModelConfig):
        depth: int

    spec = zoo.ModelSpec(
        name="required",
        family="test",
        title="N",
        paper="-",
        config=RequiredConfig,
        presets={"digits": {}},
    )
    with pytest.raises(UsageError, match=r"^model.depth has no default: set it with --set"):
        resolve(spec)


def test_a_key_that_is_set_twice_names_both() -> None:
    flag = Setting("training", "steps", 5, "--steps 5")
    with pytest.raises(UsageError) as error:
        resolve(TOY, settings=[flag, *assignments("training.steps=6")])
    assert str(error.value) == (
        "training.steps is set twice, by --steps 5 and by --set training.steps=6: keep one of them"
    )
    assert "model.depth is set twice" in error_message("depth=1", "model.depth=1")
    assert unique([flag]) == [flag]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[model]\ndepth = 99", "settings.toml: model.depth must be at most 64, got 99"),
        ("[model]\ndepht = 9", "there is no key 'model.depht': did you mean 'model.depth'?"),
        ("[modl]\ndepth = 9", "there is no section 'modl': did you mean 'model'?"),
        ("depth = 9", "the key 'depth' has no section: put it under model, data or training"),
        ("model = 9", "model must be a section of keys, got 9"),
        ("[model.deep]\nx = 1", "there is no key 'model.deep'"),
        ("[model]\ndepth = 2024-01-01", "model.depth must be an integer, got"),
        ("[model\ndepth = 9", "settings.toml is not valid TOML: "),
        ("[model]\ndepth = 1\ndepth = 2", "settings.toml is not valid TOML: "),
    ],
)
def test_an_error_in_a_file_names_the_file(toml, text: str, message: str) -> None:
    error = error_message(file=toml(text))
    assert message in error
    assert "settings.toml" in error


def test_an_unreadable_file_is_named(tmp_path: Path) -> None:
    missing = tmp_path / "missing.toml"
    assert error_message(file=missing) == f"--config {missing}: No such file or directory"
    assert error_message(file=tmp_path) == f"--config {tmp_path}: Is a directory"
    binary = tmp_path / "binary.toml"
    binary.write_bytes(b"\xff\xfe\x00")
    assert error_message(file=binary).startswith(f"--config {binary} is not valid TOML: ")


def test_an_unknown_preset_suggests_the_nearest() -> None:
    assert error_message(preset="othr") == "toy has no preset 'othr': did you mean 'other'?"
    assert error_message(preset="") == "toy has no preset ''; there is digits, other"


def test_an_error_in_a_preset_names_the_preset() -> None:
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


def test_changed_lists_differences_except_in_limits() -> None:
    before, after = resolved(), resolved("steps=900", "depth=3", "source=mnist")
    assert changed(before, after) == [("model.depth", 2, 3), ("data.source", "digits", "mnist")]


def test_a_dumped_configuration_validates_to_the_same() -> None:
    config = resolved("share=0.125", "flip=true", preset="other")
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


def test_every_preset_is_valid_and_has_a_limit() -> None:
    for spec in zoo.list_models():
        for preset in spec.presets:
            training = resolve(spec, preset).training
            assert training.steps or training.epochs or training.minutes, preset


# The Python API


def test_build_applies_keys_to_a_preset() -> None:
    network = zoo.build("glow", preset="digits", depth=1, width=8, image_size=8, channels=1, bits=4)
    assert network.latent == zoo.Latent(64, "normal", 0)
    assert network.image == zoo.ImageSpec(1, 8, 0, 4)
    assert len(network.flow.scales) == 2, "from the preset"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"depht": 1}, "depht=1: there is no key 'model.depht': did you mean 'model.depth'?"),
        ({"depth": 99}, "depth=99: model.depth must be at most 64, got 99"),
        ({"depth": True}, "depth=True: model.depth must be an integer, got true"),
        ({"preset": "mnst"}, "glow has no preset 'mnst': did you mean 'mnist'?"),
        ({"image_size": 0}, "image_size=0: data.size must be at least 2, got 0"),
        ({"channels": 2}, "channels=2: data.channels must be 1 or 3, got 2"),
        ({"bits": 9}, "bits=9: data.bits must be at most 8, got 9"),
        ({"classes": -1}, "classes=-1: the number of classes must be at least 0"),
        ({"image_size": 12}, "needs data.size to be a multiple of"),
    ],
)
def test_build_names_wrong_arguments(arguments: dict, message: str) -> None:
    with pytest.raises(UsageError) as error:
        zoo.build("glow", **{"levels": 3, **arguments})
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("arguments", "message"),
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
def test_train_names_wrong_arguments_before_it_writes(here, arguments: dict, message: str) -> None:
    with pytest.raises(UsageError) as error:
        zoo.train("glow", device="cpu", quiet=True, **arguments)
    assert message in str(error.value)
    assert not any(here.iterdir())


def test_an_unknown_argument_of_train_is_a_type_error() -> None:
    with pytest.raises(TypeError, match="unexpected argument 'stepz'"):
        zoo.train("glow", stepz=3)


def test_train_applies_its_arguments(trained) -> None:
    assert trained.config.model.depth == 2
    assert trained.config.training.steps == 24
    assert trained.config.training.checkpoint_every == 12
    preset = trained.spec.presets["digits"]["training"]
    assert trained.config.training.learning_rate == preset["learning_rate"]
    stored = json.loads((trained.path / "config.json").read_text())
    assert stored["config"] == trained.config.dump()
