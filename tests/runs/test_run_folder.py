"""Errors for foreign, hostile, truncated and mismatched run folders."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

import zoo
from zoo.errors import UsageError, ZooError
from zoo.runs.folder import RunFolder
from zoo.runs.log import check_log, truncate_log
from zoo.runs.weights import load_tensors, load_weights, save_tensors


def edit_config(folder: Path, change: Callable[[dict], object]) -> None:
    values = json.loads((folder / "config.json").read_text())
    changed = change(values)
    (folder / "config.json").write_text(json.dumps(values if changed is None else changed))


def put(*keys: str, value: object) -> Callable[[dict], None]:
    """A change that sets one value deep in config.json."""

    def change(values: dict) -> None:
        for key in keys[:-1]:
            values = values[key]
        values[keys[-1]] = value

    return change


HOSTILE = [
    (lambda _: [], 2, "is not a run folder: genzoo did not write its config.json"),
    (lambda _: 5, 2, "is not a run folder"),
    (lambda _: {"model_type": "bert"}, 2, "is not a run folder"),
    (put("library_name", value="diffusers"), 2, "is not a run folder"),
    (put("format_version", value=5), 1, "has format version 5 and this genzoo"),
    (put("format_version", value=True), 1, "has format version true"),
    (put("format_version", value=None), 1, "has format version null"),
    (put("model", value="../x"), 2, "config.json: there is no model '../x'"),
    (put("model", value="zoo_nice"), 2, "(the run came from genzoo: install that)"),
    (put("model", value=5), 2, "model must be the name of a model, got 5"),
    (put("model", value=["glow"]), 2, "model must be the name of a model"),
    (put("config", value=5), 2, "a configuration must have sections of keys, got 5"),
    (put("config", value=None), 2, "a configuration must have sections of keys, got null"),
    (put("config", "model", value=5), 2, "model must be a section of keys, got 5"),
    (put("config", "modle", value={}), 2, "there is no section 'modle'"),
    (put("config", "model", "evil", value=1), 2, "there is no key 'model.evil'"),
    (put("config", "model", "depth", value=10**9), 2, "model.depth must be at most 64"),
    (put("config", "model", "depth", value="9" * 9999), 2, "model.depth must be an integer"),
    (put("config", "model", "depth", value=3), 1, "does not fit the network of config.json"),
    (put("config", "model", "width", value=17), 1, "is [16, 1, 3, 3], not [17, 1, 3, 3]"),
    (
        put("image", value=5),
        2,
        "image must have the whole numbers channels, size, classes and bits",
    ),
    (put("image", "class_names", value=["a", "b"]), 2, "image.class_names must be 10 different"),
    (put("image", "class_names", value=["a"] * 10), 2, "image.class_names must be 10 different"),
    (put("image", "class_names", value=[0] * 10), 2, "image.class_names must be 10 different"),
    (put("image", "class_names", value="0123456789"), 2, "image.class_names must be 10 different"),
    (
        put("image", "evil", value=1),
        2,
        "image must have the whole numbers channels, size, classes and bits",
    ),
    (
        put("image", "size", value="8"),
        2,
        "image must have the whole numbers channels, size, classes and bits",
    ),
    (
        put("image", "size", value=None),
        2,
        "image must have the whole numbers channels, size, classes and bits",
    ),
    (put("image", "size", value=2**40), 2, "image: data.size must be at most 1024"),
    (put("image", "size", value=10), 2, "to be a multiple of 4, got 10"),
    (put("image", "channels", value=-1), 2, "image: data.channels must be 1 or 3, got -1"),
    (put("image", "bits", value=99), 2, "image: data.bits must be at most 8, got 99"),
    (
        put("image", "classes", value=10**12),
        2,
        "image must have the whole numbers channels, size, classes and bits",
    ),
]


@pytest.mark.parametrize(("change", "status", "text"), HOSTILE)
def test_a_foreign_or_hostile_config_is_refused(
    commands, here, untouched, trained_copy, change, status: int, text: str
) -> None:
    edit_config(trained_copy, change)
    before = (trained_copy / "config.json").read_bytes()
    message = commands.fails(status, "sample", trained_copy)
    assert text in message
    assert str(trained_copy) in message or "needs data.size" in message
    assert len(message) < 1000
    commands.fails(status if status == 2 or "format" in text else 2, *resumed(trained_copy))
    assert (trained_copy / "config.json").read_bytes() == before


def resumed(folder: Path) -> list[object]:
    return ["train", "glow", "--device", "cpu", "--resume", "--seed", "5", "--out", folder]


@pytest.mark.parametrize("text", [b"", b"{", b"\xff\xfe", b"[" * 100_000, b"\0"])
def test_a_config_that_is_not_json(commands, here, untouched, trained_copy, text: bytes) -> None:
    (trained_copy / "config.json").write_bytes(text)
    message = commands.fails(1, "sample", trained_copy)
    assert message.startswith(f"{trained_copy / 'config.json'} is damaged, not valid JSON: ")


def test_a_config_that_is_a_folder(commands, here, untouched, trained_copy) -> None:
    (trained_copy / "config.json").unlink()
    (trained_copy / "config.json").mkdir()
    message = commands.fails(1, "sample", trained_copy)
    assert message.startswith(f"{trained_copy / 'config.json'} is not a regular file: ")


def test_weights_that_are_missing(commands, here, untouched, trained_copy) -> None:
    (trained_copy / "model.safetensors").unlink()
    message = commands.fails(1, "sample", trained_copy)
    assert message == (
        f"{trained_copy} has no weights yet: resume with zoo train glow --out {trained_copy} "
        "--resume"
    )


@pytest.mark.parametrize("size", [0, 4, 100, 20_000])
def test_truncated_weights(commands, here, untouched, trained_copy, size: int) -> None:
    os.truncate(trained_copy / "model.safetensors", size)
    message = commands.fails(1, "sample", trained_copy)
    assert f"{trained_copy / 'model.safetensors'} cannot be read as safetensors, it is" in message


def test_weights_that_do_not_fit_name_the_tensor(commands, here, untouched, trained_copy) -> None:
    path = trained_copy / "model.safetensors"
    tensors = load_tensors(path)
    name = sorted(tensors)[0]
    for change, text in (
        ({name: tensors[name].repeat(2)}, f"the tensor {name} is "),
        ({name: tensors[name].double()}, f"the tensor {name} is torch.float64, not torch.float32"),
        ({"extra": torch.zeros(2)}, "the network has no tensor extra"),
    ):
        save_tensors(path, tensors | change)
        assert text in commands.fails(1, "sample", trained_copy)
    save_tensors(path, {key: tensor for key, tensor in tensors.items() if key != name})
    assert f"the tensor {name} is missing" in commands.fails(1, "sample", trained_copy)


def test_a_file_that_does_not_fit_changes_no_weights(tmp_path: Path) -> None:
    network = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Linear(2, 2))
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    bad = {name: torch.ones_like(tensor) for name, tensor in before.items()}
    save_tensors(tmp_path / "w.safetensors", bad | {"1.bias": torch.ones(3)})
    with pytest.raises(ZooError, match=r"the tensor 1\.bias is \[3\], not \[2\]"):
        load_weights(network, tmp_path / "w.safetensors")
    assert all(torch.equal(before[name], t) for name, t in network.state_dict().items())


def test_weights_files_are_reproducible_and_have_only_their_format_as_metadata(
    tmp_path: Path,
) -> None:
    tensors = {"b": torch.arange(6.0).view(2, 3).T, "a": torch.zeros(2, dtype=torch.int64)}
    save_tensors(tmp_path / "1", tensors)
    save_tensors(tmp_path / "2", dict(reversed(tensors.items())))
    data = (tmp_path / "1").read_bytes()
    assert data == (tmp_path / "2").read_bytes()
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    assert header["__metadata__"] == {"format": "pt"}
    assert torch.equal(load_tensors(tmp_path / "1")["b"], tensors["b"])


def test_load_raises_the_same_errors(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no run folder"):
        zoo.load(tmp_path / "nowhere")
    with pytest.raises(UsageError, match=r"it has no config\.json"):
        zoo.load(tmp_path)


@pytest.mark.parametrize("text", [b"5", b'{"a": 1}', b"\xff\xfe", b'{"step"', b"[" * 99_999])
def test_a_damaged_line_of_metrics_costs_no_other(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "metrics.jsonl").write_bytes(
        b'{"step": 10}\n' + text + b'\n{"step": 20}\n{"step": 30}\n' + text[:6]
    )
    folder, log = RunFolder(tmp_path), tmp_path / "metrics.jsonl"
    assert folder.read_metrics() == [{"step": 10}, {"step": 20}, {"step": 30}]
    assert truncate_log(log, 20) == 1, "the last line is one that a kill cut off"
    folder.append_metrics({"step": 21})
    assert folder.read_metrics() == [{"step": 10}, {"step": 20}, {"step": 21}]
    assert truncate_log(log, 30) == 0


@pytest.mark.parametrize(
    ("bound", "value", "text"),
    [("MAX_LINES", 3, "over 3 lines: no more"), ("MAX_BYTES", 50, "52 bytes: at most 50")],
)
def test_a_log_of_any_size_is_shown_and_a_huge_one_is_not_rewritten(
    bound: str, value: int, text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = tmp_path / "metrics.jsonl"
    log.write_bytes(b'{"step": 10}\n' * 4)
    assert check_log(log).descent == (10, 10)
    monkeypatch.setattr(f"zoo.runs.log.{bound}", value)
    assert len(RunFolder(tmp_path).read_metrics()) == 4
    for read in (check_log, truncate_log):
        with pytest.raises(ZooError, match=f"has {text} are read; move it away"):
            read(log)
    assert log.read_bytes() == b'{"step": 10}\n' * 4
