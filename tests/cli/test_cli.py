"""The command line: exit status, streams, messages, help and completion."""

from __future__ import annotations

import errno
import json
import os
import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import click
import pytest

from zoo import cli as command_line
from zoo.cli.group import BUILT_IN
from zoo.errors import Interrupted, UsageError, ZooError

HEAVY = {
    *("torch", "numpy", "PIL", "rich", "accelerate", "huggingface_hub", "onnx", "onnxruntime"),
    *("datasets", "matplotlib", "safetensors", "pyarrow"),
}


def test_zoo_list_imports_nothing_heavy() -> None:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "zoo", "list"],
        capture_output=True,
        text=True,
        check=True,
    )
    imported = {
        line.rsplit("|", 1)[1].strip().partition(".")[0]
        for line in done.stderr.splitlines()
        if line.startswith("import time:")
    }
    assert {"zoo", "click", "pluggy"} <= imported
    assert not imported & HEAVY


@pytest.mark.parametrize(
    "calls",
    [
        [["list"], ["show", "glow"], ["plugins"], ["runs"], ["-h"]],
        [["train", "-h"], ["sample", "-h"], ["train", "x"], ["train", "glow", "--set", "x=1"]],
    ],
)
def test_help_and_refusals_import_nothing_heavy(calls: list[list[str]]) -> None:
    code = (
        "import sys\nfrom zoo.cli import main\n"
        f"for call in {calls}: main(call)\n"
        f"sys.exit(' '.join(['imported:', *(sys.modules.keys() & {HEAVY})]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr.splitlines()[-1] == "imported:"


def test_the_greeting_shows_existing_commands(commands) -> None:
    result = commands()
    assert result.status == 0
    assert result.err == ""
    for line in re.findall(r"^  zoo (.+?)(?:  |$)", result.out, re.MULTILINE):
        name = line.split()[0]
        assert name in BUILT_IN or name == "-h", line


def test_version(commands) -> None:
    result = commands("--version")
    assert (result.status, result.out) == (0, f"zoo, version {version('genzoo')}\n")


@pytest.mark.parametrize("option", ["-h", "--help"])
@pytest.mark.parametrize("command", [None, *BUILT_IN])
def test_every_command_has_help(commands, command: str | None, option: str) -> None:
    result = commands(*([command] if command else []), option)
    assert result.status == 0
    assert result.err == ""
    assert result.out.startswith(f"Usage: zoo {command or '[OPTIONS]'}")
    assert "--debug" in result.out


def test_every_option_has_help() -> None:
    for name in BUILT_IN:
        command = command_line.cli.get_command(click.Context(command_line.cli), name)
        assert command.help, name
        for parameter in command.params:
            if isinstance(parameter, click.Option):
                assert parameter.help or parameter.show_default, f"{name} {parameter.name}"


def test_help_lists_every_command(commands) -> None:
    listed = re.findall(r"^  (\w[\w-]*)  ", commands("-h").out.split("Commands:")[1], re.MULTILINE)
    assert set(BUILT_IN) <= set(listed)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["lst"], "there is no command 'lst': did you mean 'list'? (see zoo -h)"),
        (["trian", "glow"], "there is no command 'trian': did you mean 'train'?"),
        (["--nope"], "No such option '--nope'. (see zoo -h)"),
        (["list", "--jsn"], "No such option '--jsn'. Did you mean '--json'?"),
        (["train"], "Missing argument 'MODEL'. (see zoo train -h)"),
        (["train", "glow", "extra"], "Got unexpected extra argument (extra)"),
        (["train", "glow", "--steps", "many"], "'many' is not a valid integer"),
        (["train", "glow", "--steps"], "Option '--steps' requires an argument"),
        (["train", "glwo"], "there is no model 'glwo': did you mean 'glow'?"),
        (["show", "glwo"], "there is no model 'glwo': did you mean 'glow'?"),
        (["show", ""], "there is no model ''"),
        (["sample", "r", "-n", "0"], "0 is not in the range x>=1"),
        (["sample", "nowhere"], "there is no run folder nowhere"),
    ],
)
def test_a_wrong_call_is_one_message_and_status_2(commands, here, arguments, message: str) -> None:
    assert message in commands.fails(2, *arguments)


RAISED = {
    "usage": (UsageError("it is odd: take an even one"), 2, "it is odd: take an even one"),
    "failure": (ZooError("it broke:\n  mend it"), 1, "it broke: mend it"),
    "interrupted": (Interrupted("stopped at step 3", 143), 143, "stopped at step 3"),
    "ctrl-c": (KeyboardInterrupt(), 130, "interrupted"),
    "abort": (click.Abort(), 130, "interrupted"),
    "click": (click.FileError("f.toml", "no"), 1, "Could not open file 'f.toml': no"),
    "file": (
        PermissionError(errno.EACCES, "Permission denied", "/a/b"),
        1,
        "/a/b cannot be read or written: Permission denied",
    ),
    "socket": (BrokenPipeError(errno.EPIPE, "Broken pipe"), 1, "reading or writing failed: Broken"),
}


@pytest.mark.parametrize("name", RAISED)
def test_an_exception_sets_status_and_message(
    commands, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    error, status, message = RAISED[name]

    def raises(*_: object) -> None:
        raise error

    monkeypatch.setattr("zoo.cli.list.host", raises)
    assert message in commands.fails(status, "list")


def test_debug_shows_the_traceback_and_the_same_status(
    commands, monkeypatch: pytest.MonkeyPatch
) -> None:
    def breaks() -> None:
        raise UsageError("it is odd")

    monkeypatch.setattr("zoo.cli.list.host", breaks)
    for arguments in (["list", "--debug"], ["--debug", "list"]):
        result = commands(*arguments)
        assert result.status == 2
        assert "Traceback" in result.err
        assert "in breaks" in result.err
        assert result.err.endswith("zoo: it is odd\n")
    assert "Traceback" not in commands("lst", "--debug").err


def test_an_error_is_one_harmless_line_of_a_traceback(
    commands, monkeypatch: pytest.MonkeyPatch
) -> None:
    def breaks() -> None:
        try:
            raise ValueError("a\nzoo: forged\x1b[2J")
        except ValueError as error:
            raise ZooError(f"it is odd: {error}") from error

    monkeypatch.setattr("zoo.cli.list.host", breaks)
    lines = commands("list", "--debug").err.split("\n")
    assert "\x1b" not in "".join(lines)
    assert "builtins.ValueError: a\\nzoo: forged\\x1b[2J" in lines
    assert "zoo.errors.ZooError: it is odd: a\\nzoo: forged\\x1b[2J" in lines
    assert lines.count("Traceback (most recent call last):") == 2


def test_a_fault_of_ours_asks_for_a_report(commands, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zoo.cli.list.host", lambda: {}["x"])
    result = commands("list")
    assert result.status == 1
    assert result.err == (
        "zoo: internal error, KeyError: 'x' (please report it, with the traceback of --debug)\n"
    )


def test_status_of_a_command_is_the_process_status(process) -> None:
    result = process("lst")
    assert (result.status, result.out) == (2, "")
    assert result.sentence.startswith("there is no command 'lst'")


JSON = [["list"], ["show", "glow"], ["plugins"], ["doctor"]]


@pytest.mark.parametrize("arguments", JSON)
def test_json_is_one_document_and_nothing_else(commands, arguments: list[str]) -> None:
    result = commands(*arguments, "--json")
    assert result.status == 0
    assert result.err == ""
    json.loads(result.out, parse_constant=pytest.fail)


def test_list_json_has_the_promised_keys(commands) -> None:
    models = json.loads(commands("list", "--json").out)
    (glow,) = [entry for entry in models if entry["name"] == "glow"]
    assert glow == {
        "name": "glow",
        "family": "flow",
        "title": "Glow: Generative Flow with Invertible 1x1 Convolutions",
        "paper": "https://arxiv.org/abs/1807.03039",
        "capabilities": ["sample", "encode", "log_prob", "interpolate"],
        "presets": ["digits", "mnist", "cifar10", "celebahq256", "faces64"],
        "plugin": {"name": "glow", "distribution": "genzoo", "version": version("genzoo")},
    }


def test_show_names_every_key_with_its_values_default_and_presets(commands) -> None:
    keys = {key["key"]: key for key in json.loads(commands("show", "glow", "--json").out)["config"]}
    assert keys["model.depth"]["values"] == "1 to 64"
    assert keys["model.depth"]["default"] == 8
    assert keys["model.depth"]["presets"]["cifar10"] == 32
    assert keys["data.channels"]["values"] == "1 | 3 | null"
    assert keys["training.learning_rate"]["values"] == "above 0 to 1"
    shown = commands("show", "glow").out
    assert all(f"\n{key} " in shown for key in keys)
    assert all(key["description"] for key in keys.values())


@pytest.mark.parametrize("arguments", [["show", "glow"], ["-h"], ["list", "--json"], []])
def test_a_closed_pipe_is_no_error(arguments: list[str]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as output:
        done = subprocess.run(
            [sys.executable, "-m", "zoo", *arguments],
            stdout=output,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_output_that_cannot_be_written_is_a_failure() -> None:
    with open("/dev/full", "wb") as output:
        done = subprocess.run(
            [sys.executable, "-m", "zoo", "list"],
            stdout=output,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 1
    assert done.stderr == "zoo: reading or writing failed: No space left on device\n"


def test_no_standard_output_at_all_is_no_error(tmp_path: Path) -> None:
    command = f'"{sys.executable}" -m zoo list >&-'
    done = subprocess.run(command, shell=True, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_output_off_a_terminal_is_plain(process) -> None:
    for environment in ({}, {"NO_COLOR": 1}, {"TERM": "dumb"}):
        for arguments in (["list"], ["lst"]):
            result = process(*arguments, **environment)
            assert "\x1b" not in result.out + result.err


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts(commands, monkeypatch: pytest.MonkeyPatch, shell: str) -> None:
    monkeypatch.setenv("_ZOO_COMPLETE", f"{shell}_source")
    result = commands()
    assert result.status == 0
    assert f"{shell}_complete" in result.out
    assert "zoo" in result.out


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("zoo tr", {"train"}),
        ("zoo train gl", {"glow"}),
        ("zoo show gl", {"glow"}),
        ("zoo train glow --ba", {"--batch-size"}),
        ("zoo train glow --track t", {"tensorboard"}),
    ],
)
def test_completion_finds_commands_models_and_options(
    commands, monkeypatch: pytest.MonkeyPatch, words: str, found: set[str]
) -> None:
    monkeypatch.setenv("_ZOO_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", words)
    monkeypatch.setenv("COMP_CWORD", str(len(words.split()) - 1))
    result = commands()
    assert result.status == 0
    assert {line.partition(",")[2] for line in result.out.splitlines()} == found


def test_completion_imports_no_torch(process) -> None:
    code = (
        "import sys\nfrom zoo.cli import main\nstatus = main()\n"
        "sys.exit(1 if 'torch' in sys.modules else status)"
    )
    environment = {"_ZOO_COMPLETE": "bash_complete", "COMP_WORDS": "zoo tr", "COMP_CWORD": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout.strip()) == (0, "plain,train")


def test_commands_can_be_called_again_in_one_process(commands) -> None:
    assert [commands("list").status for _ in range(3)] == [0, 0, 0]


# Sampling


def test_sample_writes_a_grid_an_array_or_a_folder(commands, trained, here) -> None:
    import numpy as np
    from PIL import Image

    grid = commands("sample", trained.path, "-n", 5, "--seed", 3, "-o", "a.png")
    assert (grid.status, grid.out, grid.err) == (0, "a.png\n", "")
    assert Image.open("a.png").mode == "L"

    assert commands("sample", trained.path, "-n", 5, "--seed", 3, "-o", "a.npy").status == 0
    array = np.load("a.npy")
    assert (array.shape, array.dtype) == ((5, 1, 8, 8), np.float32)
    np.testing.assert_array_equal(array, trained.sample(5, seed=3).numpy())

    for folder in ("new", "empty"):
        Path("empty").mkdir(exist_ok=True)
        done = commands("sample", trained.path, "-n", 11, "--seed", 3, "-o", folder)
        assert done.status == 0
        assert sorted(path.name for path in Path(folder).iterdir()) == [
            f"{i:02d}.png" for i in range(11)
        ]
    pixels = np.asarray(Image.open("new/04.png"))
    np.testing.assert_array_equal(pixels, np.rint(array[4, 0] * 255))
    assert sorted(path.name for path in here.iterdir()) == ["a.npy", "a.png", "empty", "new"]


def test_sample_interpolates_one_pair_per_row(commands, trained, here) -> None:
    import numpy as np

    arguments = ["--interpolate", "-n", 16, "--seed", 3, "-o", "walk.npy"]
    assert commands("sample", trained.path, *arguments).status == 0
    walk = np.load("walk.npy")
    assert walk.shape == (16, 1, 8, 8)
    ends = trained.sample(4, seed=3).numpy()
    np.testing.assert_allclose(walk[[0, 7, 8, 15]], ends, atol=1e-4)
