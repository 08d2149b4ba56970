"""The plugin host: a failing plugin is named and does not affect the others."""

from __future__ import annotations

import inspect
import json
import sys
import types

import pluggy
import pytest
from contract import SHIPPED
from plugin_code import load, model, plugin, sample

import zoo
from zoo import hookspecs
from zoo.errors import UsageError
from zoo.plugins.host import Host
from zoo.plugins.markers import PROJECT, REQUIRED
from zoo.plugins.plugin import Plugin, PluginError

BROKEN = {
    "raises": ("import nothere", "ModuleNotFoundError: No module named 'nothere'"),
    "exits": ("raise SystemExit(3)", "SystemExit: 3"),
    "unknown-hook": (
        model("m", "@hookimpl\ndef zoo_sampel(latents): pass"),
        "an unknown hook, zoo_sampel: did you mean 'zoo_sample'?",
    ),
    "unknown-argument": (
        model("m", "@hookimpl\ndef zoo_score(network, bach): pass"),
        "Argument(s) {'bach'} are declared in the hookimpl but can not be found in the hookspec",
    ),
    "other-api": ("ZOO_HOOK_API = 99", "written for hook API 99, but this genzoo has 1"),
    "models-raise": (
        "from zoo import hookimpl\n@hookimpl\ndef zoo_models(): raise KeyError('x')",
        "zoo_models failed: KeyError: 'x'",
    ),
    "models-junk": (
        "from zoo import hookimpl\n@hookimpl\ndef zoo_models(): return ['glow']",
        "its zoo_models must return zoo.ModelSpec, got 'glow'",
    ),
    "models-number": (
        "from zoo import hookimpl\n@hookimpl\ndef zoo_models(): return 5",
        "zoo_models failed: TypeError: 'int' object is not iterable",
    ),
    "models-nothing": (
        "from zoo import hookimpl\n@hookimpl\ndef zoo_models(): pass",
        "its zoo_models must return a list of zoo.ModelSpec, got None",
    ),
    "no-hooks": (
        model("m").replace("@hookimpl\ndef zoo_train", "def zoo_train"),
        "its model 'm' needs the hook zoo_train",
    ),
    "wraps-only": (
        model("m").replace(
            "@hookimpl\ndef zoo_build(config, image):\n    return",
            "@hookimpl(wrapper=True)\ndef zoo_build(config, image):\n    return (yield) or",
        ),
        "its model 'm' needs the hook zoo_build",
    ),
    "no-encode": (
        model("m", capabilities='("sample", "encode")'),
        "its model 'm' needs the hook zoo_encode",
    ),
    "bad-name": (model("a b"), "the model name 'a b' must be lower-case letters"),
    "no-config": (
        model("m").replace("class Config(ModelConfig)", "class Config"),
        "the config of its model 'm' must be a subclass of zoo.ModelConfig",
    ),
    "no-title": (model("m").replace('"T"', "None"), "the title of its model 'm' must be a string"),
    "twice": (
        model("m").replace("    return [", "    return 2 * ["),
        "two models named 'm'",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_plugin_is_shown_with_its_cause(site, name: str) -> None:
    code, cause = BROKEN[name]
    site.add(name, code)
    site.add("works", model("works"))
    host = load()
    broken = plugin(host, name)
    assert broken.status == "broken"
    assert cause in broken.cause
    assert (broken.distribution, broken.version) == (name, "1.0")
    assert broken.models == broken.hooks == ()
    assert broken in host.broken
    assert {*SHIPPED, "works"} == set(host.models)
    assert sample(host, "works", 1) == ["works", 1]


def test_zoo_list_shows_models_and_broken_plugins(site, process) -> None:
    for name in ("raises", "exits", "other-api"):
        site.add(name, BROKEN[name][0])
    site.add("chatty", "print('hello from chatty')\n" + model("chatty"))
    result = process("list", PYTHONPATH=site.path)
    assert result.status == 0
    assert [line.split()[0] for line in result.out.splitlines()] == ["MODEL", "chatty", *SHIPPED]
    for name in ("raises", "exits", "other-api"):
        assert f"broken: the plugin '{name}' ({name} 1.0): " in result.err
        assert BROKEN[name][1] in result.err

    result = process("list", "--json", PYTHONPATH=site.path)
    assert result.status == 0
    models = json.loads(result.out)
    assert [entry["name"] for entry in models] == ["chatty", *SHIPPED]
    assert models[0]["plugin"] == {"name": "chatty", "distribution": "chatty", "version": "1.0"}
    assert models[0]["capabilities"] == ["sample", "interpolate"]
    assert models[0]["presets"] == ["digits"]
    assert "hello from chatty" in result.err
    assert BROKEN["exits"][1] in result.err


def test_zoo_plugins_shows_status_cause_and_import_time(site, commands) -> None:
    site.add("slow", "import time\ntime.sleep(0.05)\n" + model("slow"))
    site.add("exits", BROKEN["exits"][0])
    entries = {entry["name"]: entry for entry in json.loads(commands("plugins", "--json").out)}
    assert entries["slow"]["milliseconds"] >= 50
    assert entries["slow"]["models"] == ["slow"]
    assert entries["exits"]["status"] == "broken"
    assert entries["exits"]["cause"] == "SystemExit: 3"
    table = commands("plugins").out
    assert "IMPORT TIME" in table.splitlines()[0]
    assert [line.split()[3:5] for line in table.splitlines() if line.startswith("slow")] == [
        ["ok", "slow"]
    ]


def test_doctor_names_broken_plugins_and_fails(site, commands) -> None:
    site.add("raises", BROKEN["raises"][0])
    result = commands("doctor", "--json")
    assert result.status == 1
    findings = {finding["subject"]: finding for finding in json.loads(result.out)}
    assert not findings["plugin raises"]["ok"]
    assert findings["plugin raises"]["message"] == BROKEN["raises"][1]
    assert findings["plugin glow"]["ok"]
    assert findings["torch"]["ok"]


def test_unreadable_metadata_do_not_hide_other_plugins(site) -> None:
    site.add("works", model("works"))
    site.add("garbled", "")
    (site.path / "garbled-1.0.dist-info" / "entry_points.txt").write_text("[zoo]\nno equals\n")
    host = load()
    assert {*SHIPPED, "works"} == set(host.models)
    assert plugin(host, "garbled").cause.startswith(f"an entry_points.txt in {site.path}")


def test_two_plugins_with_the_same_model_are_both_named(site, commands) -> None:
    for name in ("one", "two"):
        site.add(name, model("same"))
    site.add("works", model("works"))
    host = load()
    assert set(host.models) == {*SHIPPED, "works"}
    with pytest.raises(UsageError) as error:
        sample(host, "same")
    sentence = (
        "the model 'same' is claimed by the plugins 'one' (one 1.0) and 'two' (two 1.0): "
        "disable one with ZOO_DISABLE_PLUGINS=two"
    )
    assert str(error.value) == sentence
    assert commands("list").err == f"conflict: {sentence}\n"
    assert commands.fails(2, "train", "same") == sentence


def test_a_conflict_ends_when_one_of_the_plugins_is_disabled(
    site, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("one", "two"):
        site.add(name, model("same"))
    site.add("three", "raise SystemExit")
    monkeypatch.setenv("ZOO_DISABLE_PLUGINS", "two, three")
    host = load()
    assert host.owner("same").plugin.name == "one"
    assert [plugin(host, name).status for name in ("two", "three")] == ["disabled"] * 2
    assert "two" not in sys.modules, "a disabled plugin is not imported"


def test_a_conflict_of_three_plugins_names_all_three(site) -> None:
    for name in ("one", "two", "three"):
        site.add(name, model("same"))
    (sentence,) = load().conflicts
    assert all(name in sentence for name in ("'one'", "'two'", "'three'"))


def test_the_second_entry_point_of_the_same_name_is_broken(site) -> None:
    site.add("first", model("first"), entry="name")
    site.add("second", model("second"), entry="name")
    host = load()
    first, second = [plugin for plugin in host.plugins if plugin.name == "name"]
    assert first.status == "ok"
    assert second.cause == "the plugin name is taken by 'name' (first 1.0)"
    assert sample(host, "first") == ["first", 0]


def test_a_module_with_two_entry_points_is_registered_once(site) -> None:
    site.add("double", model("double"))
    points = site.path / "double-1.0.dist-info" / "entry_points.txt"
    points.write_text("[zoo]\na = double\nb = double\n")
    host = load()
    assert plugin(host, "a").status == "ok"
    assert plugin(host, "b").cause == "it is the same as 'a' (double 1.0)"
    assert sample(host, "double") == ["double", 0]


COMMANDS = """
import click
from zoo import hookimpl

@click.command("{name}")
def command():
    "Print a greeting."
    click.echo("hello")

@hookimpl
def zoo_commands(cli):
    cli.add_command(command)
"""


def test_a_plugin_adds_a_command(site, commands) -> None:
    site.add("greeter", COMMANDS.format(name="greet"))
    assert commands("greet").out == "hello\n"
    assert "Print a greeting." in commands("-h").out
    assert commands.fails(2, "gret").startswith("there is no command 'gret': did you mean 'greet'?")
    assert commands("greet", "--debug").status == 0


@pytest.mark.parametrize("name", ["list", "greet"])
def test_a_taken_command_name_is_an_error(site, commands, name: str) -> None:
    site.add("a-greeter", COMMANDS.format(name="greet"))
    site.add("second", COMMANDS.format(name=name))
    help_ = commands("-h")
    assert help_.status == 0
    assert (
        f"'second' (second 1.0) failed in zoo_commands: ValueError: the command {name!r} exists"
        in help_.err
    )
    assert commands("greet").out == "hello\n"
    assert commands("list").out.startswith("MODEL")


def test_a_failure_in_zoo_commands_names_the_plugin(site, commands) -> None:
    site.add("failing", COMMANDS.format(name="x").replace("cli.add_command(command)", "cli.nope()"))
    result = commands("-h")
    assert result.status == 0
    assert "'failing' (failing 1.0) failed in zoo_commands: AttributeError" in result.err


OBSERVER = """
from zoo import hookimpl
CALLS = []

@hookimpl
def zoo_run_started(run):
    CALLS.append(("started", run))

@hookimpl
def zoo_run_step(step, metrics):
    CALLS.append(("step", step, metrics["loss"]))
"""


def test_observers_are_called_and_named_when_they_fail(site) -> None:
    site.add("watcher", OBSERVER)
    host = load()
    host.notify("zoo_run_started", run="the run")
    host.notify("zoo_run_step", run="the run", step=3, metrics={"loss": 0.5})
    host.notify("zoo_run_finished", run="the run", step=3)
    assert sys.modules["watcher"].CALLS == [("started", "the run"), ("step", 3, 0.5)]
    with pytest.raises(PluginError, match=r"'watcher' .* failed in zoo_run_step: KeyError: 'loss'"):
        host.notify("zoo_run_step", run=None, step=4, metrics={})


def test_an_unknown_model_suggests_the_nearest_name() -> None:
    with pytest.raises(UsageError, match=r"^there is no model 'glwo': did you mean 'glow'\?$"):
        load().spec("glwo")


def test_an_optional_hook_may_be_unknown(site) -> None:
    site.add("ahead", model("ahead", "@hookimpl(optionalhook=True)\ndef zoo_dream(): pass"))
    assert plugin(load(), "ahead").status == "ok"


def test_an_object_can_be_a_plugin() -> None:
    class Watch:
        @zoo.hookimpl
        def zoo_run_finished(self, run):
            run.append("finished")

    host, calls = Host(hookspecs), []
    assert host.add(Plugin("watch", "tests", "0"), Watch()).status == "ok"
    host.notify("zoo_run_finished", run=calls, step=0)
    assert calls == ["finished"]


@pytest.mark.parametrize("name", Host(hookspecs).hook_names)
def test_every_hook_has_an_example(name: str) -> None:
    hook = getattr(hookspecs, name)
    text = inspect.getdoc(hook) or ""
    first, _, example = text.partition("::\n\n")
    assert len(first.splitlines()[0]) > 20, "no description"
    assert f"@hookimpl\n    def {name}(" in example
    module = types.ModuleType("example")
    exec(
        compile("from zoo import hookimpl\n" + inspect.cleandoc(example), name, "exec"),
        vars(module),
    )
    manager = pluggy.PluginManager(PROJECT)
    manager.add_hookspecs(hookspecs)
    manager.register(module)  # validates the example's arguments
    assert [caller.name for caller in manager.get_hookcallers(module)] == [name]


def test_required_hooks_are_hooks() -> None:
    assert set(REQUIRED) < set(Host(hookspecs).hook_names)
