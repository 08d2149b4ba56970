"""Bad input: one sentence that names the value and the way out, and nothing half-written."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import zoo
from zoo.errors import UsageError, ZooError
from zoo.files import mended, replacing, replacing_folder, write_bytes
from zoo.folder import append_metrics, keep_metrics, read_metrics
from zoo.weights import load_tensors, load_weights, save_tensors

TRAIN = ["train", "glow", "--steps", "2", "--device", "cpu"]


@pytest.fixture
def pictures(tmp_path: Path) -> Callable[..., Path]:
    """Makes a folder of grey pictures, each of its size."""

    def make(*sizes: tuple[int, int]) -> Path:
        folder = tmp_path / "pictures"
        folder.mkdir()
        for i, (width, height) in enumerate(sizes):
            pixels = np.random.default_rng(i).integers(0, 256, (height, width), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / f"{i}.png")
        return folder

    return make


# Names and values


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["train", "glwo"], 2, "there is no model 'glwo': did you mean 'glow'?"),
        ([*TRAIN, "--preset", "mnst"], 2, "glow has no preset 'mnst': did you mean 'mnist'?"),
        ([*TRAIN, "--dept", "3"], 2, "No such option '--dept'"),
        ([*TRAIN, "--set", "dept=3"], 2, "no key 'dept': did you mean 'model.depth'?"),
        ([*TRAIN, "--set", "depth=99"], 2, "model.depth must be at most 64, got 99"),
        ([*TRAIN, "--batch-size", "0"], 2, "--batch-size 0: training.batch_size must be at least"),
        ([*TRAIN, "--minutes", "nan"], 2, "--minutes nan: training.minutes must be a finite"),
        ([*TRAIN, "--seed", "-1"], 2, "--seed -1: training.seed must be at least 0, got -1"),
        ([*TRAIN, "--precision", "fp8"], 2, "--precision fp8: training.precision must be 'auto'"),
        ([*TRAIN, "--config", "no.toml"], 2, "--config no.toml: No such file or directory"),
        ([*TRAIN, "--set", "training.steps=3"], 2, "by --steps 2 and by --set training.steps=3"),
        ([*TRAIN, "--data", "digts"], 2, "nor a known name: did you mean 'digits'?"),
        ([*TRAIN, "--data", "./nothing"], 2, "'./nothing': there is no such file or folder"),
        ([*TRAIN, "--data", ""], 2, "data.source must not be empty"),
        ([*TRAIN, "--set", "levels=4"], 2, "which 8 pixels a side cannot be: set levels lower"),
        ([*TRAIN, "--set", "data.size=32"], 1, "is 8x8 pixels, smaller than data.size 32: use"),
        ([*TRAIN, "--resume"], 2, "there is no run runs/glow-digits to go on with"),
        ([*TRAIN, "--resume", "--out", "x"], 2, "there is no run folder x"),
        ([*TRAIN, "--device", "tpu"], 2, "there is no device 'tpu': take auto, cpu or"),
        ([*TRAIN, "--device", "meta"], 2, "there is no device 'meta'"),
        (["train", "glow", "--processes", "0"], 2, "0 is not in the range x>=1"),
        (["sample", "nowhere"], 2, "there is no run folder nowhere"),
        (["sample", "."], 2, ". is no run folder: it has no config.json"),
        (["evaluate", "nowhere"], 2, "there is no run folder nowhere"),
    ],
)
def test_a_wrong_value_is_named(commands, here, untouched, arguments, status, said) -> None:
    if "levels=4" in arguments:
        arguments = [*arguments, "--out", "run"]
    assert said in commands.fails(status, *arguments)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_not_there(commands, here, untouched, trained) -> None:
    for arguments in (TRAIN, ["sample", trained.path]):
        said = commands.fails(1, *arguments, "--device", "cuda")
        assert said.startswith("--device cuda: ")
        assert said.endswith("take --device cpu, or see what zoo doctor says")


# Data


def test_an_empty_folder_of_data(commands, here, untouched, pictures) -> None:
    folder = pictures()
    said = commands.fails(1, *TRAIN, "--data", folder)
    assert f"the folder {folder} has no picture" in said


def test_a_file_that_is_no_picture_is_named(commands, here, untouched, pictures) -> None:
    folder = pictures((8, 8), (8, 8))
    (folder / "notes.txt").write_text("hello")
    assert "notes.txt" in commands.fails(1, *TRAIN, "--data", folder)
    (folder / "notes.txt").unlink()
    (folder / "1.png").write_bytes((folder / "1.png").read_bytes()[:60])
    assert "1.png" in commands.fails(1, *TRAIN, "--data", folder)


def test_pictures_of_several_sizes_or_too_small(commands, here, untouched, pictures) -> None:
    folder = pictures((8, 8), (12, 8))
    assert "--set data.size=8" in commands.fails(1, *TRAIN, "--data", folder)
    said = commands.fails(1, *TRAIN, "--data", folder, "--set", "data.size=16")
    assert "smaller than data.size 16" in said


def test_a_file_that_is_no_data(commands, here, untouched, tmp_path: Path) -> None:
    table = tmp_path / "table.csv"
    table.write_text("1,2")
    assert f"{table} is no data that can be read" in commands.fails(2, *TRAIN, "--data", table)
    array = tmp_path / "array.npz"
    array.write_text("no zip")
    assert f"{array} is no .npz file" in commands.fails(1, *TRAIN, "--data", array)


def test_labels_that_are_not_there(commands, here, untouched, pictures) -> None:
    folder = pictures(*[(8, 8)] * 20)
    arguments = ["--data", folder, "--set", "conditional=true", "--out", "run"]
    said = commands.fails(2, *TRAIN, *arguments)
    assert said == "model.conditional = true needs data with labels, and these have none"


# Where a run goes


def test_a_place_that_is_taken_is_refused(commands, here, trained_copy) -> None:
    Path("file").write_text("mine")
    Path("full").mkdir()
    Path("full/file").write_text("mine")
    for name in ("file", "full"):
        said = commands.fails(2, *TRAIN, "--out", name)
        assert said == (
            f"something stands at {name}: go on with it by --resume, or name another --out"
        )
    assert "a run stands at" in commands.fails(2, *TRAIN, "--out", trained_copy)
    assert commands.fails(1, *TRAIN, "--out", "file/run") == (
        "file/run cannot be made: Not a directory"
    )
    assert sorted(str(path) for path in here.rglob("*")) == [
        str(here / name) for name in ("file", "full", "full/file")
    ]


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_a_folder_that_cannot_be_written(commands, here) -> None:
    Path("locked").mkdir(mode=0o555)
    assert "locked/run" in commands.fails(1, *TRAIN, "--out", "locked/run")
    assert not any(Path("locked").iterdir())


def test_a_folder_that_the_system_cannot_write(commands, here, trained) -> None:
    """/proc takes no file from anybody, root or not."""
    if not Path("/proc/self").exists():
        pytest.skip("no /proc")
    said = commands.fails(1, "sample", trained.path, "-n", 1, "-o", "/proc/zoo/x.png")
    assert said.startswith("/proc/zoo/x.png could not be written: ")
    assert commands.fails(1, *TRAIN, "--out", "/proc/zoo").startswith("/proc/zoo cannot be made: ")


# Going on


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--set", "depth=3"], "was begun with model.depth = 2, not 3"),
        (["--seed", "7"], "was begun with training.seed = 0, not 7"),
        (["--preset", "mnist"], "was begun with model."),
        (["--batch-size", "31"], "was begun with training.batch_size = "),
    ],
)
def test_a_changed_configuration_is_refused(commands, here, trained, arguments, said) -> None:
    before = {path: path.stat().st_mtime_ns for path in trained.path.rglob("*")}
    found = commands.fails(2, "train", "glow", "--resume", "--out", trained.path, *arguments)
    assert f"{trained.path} {said}" in found
    assert found.endswith("leave it as it was, or begin another run with --out")
    assert {path: path.stat().st_mtime_ns for path in trained.path.rglob("*")} == before


def test_other_data_are_refused(commands, here, trained_copy, pictures) -> None:
    folder = pictures(*[(8, 8)] * 20).rename("digits")
    arguments = ["--resume", "--out", trained_copy, "--data", folder.absolute()]
    before = (trained_copy / "config.json").read_bytes()
    result = commands("train", "glow", "--device", "cpu", *arguments)
    assert result.status == 2
    assert "was begun with 1618 training pictures and digits has" in result.err
    assert (trained_copy / "config.json").read_bytes() == before


# Run folders


def store(folder: Path, change: Callable[[dict], object]) -> None:
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
    (lambda _: [], 2, "is no run folder: its config.json is not one of genzoo's"),
    (lambda _: 5, 2, "is no run folder"),
    (lambda _: {"model_type": "bert"}, 2, "is no run folder"),
    (put("library_name", value="diffusers"), 2, "is no run folder"),
    (put("format_version", value=2), 1, "has format version 2 and this genzoo"),
    (put("format_version", value=True), 1, "has format version true"),
    (put("format_version", value=None), 1, "has format version null"),
    (put("model", value="../x"), 2, "config.json: there is no model '../x'"),
    (put("model", value="zoo_nice"), 2, "(the run came from genzoo: install that)"),
    (put("model", value=5), 2, "model must be the name of a model, got 5"),
    (put("model", value=["glow"]), 2, "model must be the name of a model"),
    (put("config", value=5), 2, "a configuration has sections with keys, got 5"),
    (put("config", value=None), 2, "a configuration has sections with keys, got null"),
    (put("config", "model", value=5), 2, "model is a section of keys, got 5"),
    (put("config", "modle", value={}), 2, "there is no section 'modle'"),
    (put("config", "model", "evil", value=1), 2, "there is no key 'model.evil'"),
    (put("config", "model", "depth", value=10**9), 2, "model.depth must be at most 64"),
    (put("config", "model", "depth", value="9" * 9999), 2, "model.depth must be a whole number"),
    (put("config", "model", "depth", value=3), 1, "does not fit the network of config.json"),
    (put("config", "model", "width", value=17), 1, "is [16, 1, 3, 3], not [17, 1, 3, 3]"),
    (put("image", value=5), 2, "image must be channels, size, classes and bits"),
    (put("image", "evil", value=1), 2, "image must be channels, size, classes and bits"),
    (put("image", "size", value="8"), 2, "image must be channels, size, classes and bits"),
    (put("image", "size", value=None), 2, "image must be channels, size, classes and bits"),
    (put("image", "size", value=2**40), 2, "image: data.size must be at most 1024"),
    (put("image", "size", value=10), 2, "10 pixels a side cannot be"),
    (put("image", "channels", value=-1), 2, "image: data.channels must be 1 or 3, got -1"),
    (put("image", "bits", value=99), 2, "image: data.bits must be at most 8, got 99"),
    (put("image", "classes", value=10**12), 2, "image must be channels, size, classes and bits"),
]


@pytest.mark.parametrize(("change", "status", "said"), HOSTILE)
def test_a_foreign_or_hostile_config_is_refused(
    commands, here, untouched, trained_copy, change, status: int, said: str
) -> None:
    store(trained_copy, change)
    before = (trained_copy / "config.json").read_bytes()
    found = commands.fails(status, "sample", trained_copy)
    assert said in found
    assert str(trained_copy) in found or "pixels a side" in found
    assert len(found) < 1000
    commands.fails(status if status == 2 or "format" in said else 2, *resumed(trained_copy))
    assert (trained_copy / "config.json").read_bytes() == before


def resumed(folder: Path) -> list[object]:
    return ["train", "glow", "--device", "cpu", "--resume", "--seed", "5", "--out", folder]


@pytest.mark.parametrize("text", [b"", b"{", b"\xff\xfe", b"[" * 100_000, b"\0"])
def test_a_config_that_is_no_json(commands, here, untouched, trained_copy, text: bytes) -> None:
    (trained_copy / "config.json").write_bytes(text)
    said = commands.fails(1, "sample", trained_copy)
    assert said.startswith(f"{trained_copy / 'config.json'} is damaged, it is no JSON: ")


def test_a_config_that_is_a_folder(commands, here, untouched, trained_copy) -> None:
    (trained_copy / "config.json").unlink()
    (trained_copy / "config.json").mkdir()
    said = commands.fails(1, "sample", trained_copy)
    assert said == f"{trained_copy / 'config.json'} cannot be read: Is a directory"


def test_weights_that_are_missing(commands, here, untouched, trained_copy) -> None:
    (trained_copy / "model.safetensors").unlink()
    said = commands.fails(1, "sample", trained_copy)
    assert said == (
        f"{trained_copy} has no weights yet: go on with zoo train glow --out {trained_copy} "
        "--resume"
    )


@pytest.mark.parametrize("size", [0, 4, 100, 20_000])
def test_weights_that_are_cut_off(commands, here, untouched, trained_copy, size: int) -> None:
    os.truncate(trained_copy / "model.safetensors", size)
    said = commands.fails(1, "sample", trained_copy)
    assert f"{trained_copy / 'model.safetensors'} cannot be read as safetensors, it is" in said


def test_weights_that_do_not_fit_name_the_tensor(commands, here, untouched, trained_copy) -> None:
    path = trained_copy / "model.safetensors"
    tensors = load_tensors(path)
    name = sorted(tensors)[0]
    for change, said in (
        ({name: tensors[name].repeat(2)}, f"the tensor {name} is "),
        ({name: tensors[name].double()}, f"the tensor {name} is torch.float64, not torch.float32"),
        ({"extra": torch.zeros(2)}, "the network has no tensor extra"),
    ):
        save_tensors(path, tensors | change)
        assert said in commands.fails(1, "sample", trained_copy)
    save_tensors(path, {key: tensor for key, tensor in tensors.items() if key != name})
    assert f"the tensor {name} is missing" in commands.fails(1, "sample", trained_copy)


def test_no_weight_is_changed_by_a_file_that_does_not_fit(tmp_path: Path) -> None:
    network = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Linear(2, 2))
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    bad = {name: torch.ones_like(tensor) for name, tensor in before.items()}
    save_tensors(tmp_path / "w.safetensors", bad | {"1.bias": torch.ones(3)})
    with pytest.raises(ZooError, match=r"the tensor 1\.bias is \[3\], not \[2\]"):
        load_weights(network, tmp_path / "w.safetensors")
    assert all(torch.equal(before[name], t) for name, t in network.state_dict().items())


def test_weights_are_the_same_bytes_with_no_metadata_but_their_format(tmp_path: Path) -> None:
    tensors = {"b": torch.arange(6.0).view(2, 3).T, "a": torch.zeros(2, dtype=torch.int64)}
    save_tensors(tmp_path / "1", tensors)
    save_tensors(tmp_path / "2", dict(reversed(tensors.items())))
    data = (tmp_path / "1").read_bytes()
    assert data == (tmp_path / "2").read_bytes()
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    assert header["__metadata__"] == {"format": "pt"}
    assert torch.equal(load_tensors(tmp_path / "1")["b"], tensors["b"])


def test_load_in_python_raises_the_same(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no run folder"):
        zoo.load(tmp_path / "nowhere")
    with pytest.raises(UsageError, match=r"it has no config\.json"):
        zoo.load(tmp_path)


@pytest.mark.parametrize("text", [b"5\n", b'{"a": 1}\n', b"\xff\xfe", b'{"step"', b"[" * 99_999])
def test_metrics_are_read_up_to_the_first_line_that_is_none(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "metrics.jsonl").write_bytes(b'{"step": 10}\n{"step": 20}\n' + text)
    assert read_metrics(tmp_path) == [{"step": 10}, {"step": 20}]
    keep_metrics(tmp_path, 10)
    append_metrics(tmp_path, {"step": 11})
    assert read_metrics(tmp_path) == [{"step": 10}, {"step": 11}]


# Sampling


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["-o", "a.txt"], "-o a.txt: end it in .png for a grid, in .npy, or name a folder"),
        (["-o", "full"], "-o full: something stands there; name an empty or a new folder"),
        (["-o", "file"], "-o file: something stands there; name an empty or a new folder"),
        (["-o", "d.png"], "-o d.png: a folder stands there; name a file, or another folder"),
        (["--label", "3"], "this glow is not conditional: it takes no label"),
        (["--temperature", "nan"], "--temperature must be a finite number, got nan"),
        (["--temperature", "inf"], "--temperature must be a finite number, got inf"),
        (["--temperature", "-1"], "-1.0 is not in the range x>=0"),
        (["--seed", str(2**64)], f"the seed must be from 0 to 2^64 - 1, got {2**64}"),
        (["--interpolate", "-n", "1"], "--interpolate needs 2 pictures at least, got -n 1"),
        (["-n", "-4"], "-4 is not in the range x>=1"),
        (["--device", "gpu"], "there is no device 'gpu': take auto, cpu or cuda"),
    ],
)
def test_a_sample_that_cannot_be_drawn(commands, here, trained, arguments, said: str) -> None:
    Path("full").mkdir()
    Path("full/file").touch()
    Path("file").touch()
    Path("d.png").mkdir()
    before = sorted(here.rglob("*"))
    assert said in commands.fails(2, "sample", trained.path, *arguments)
    assert sorted(here.rglob("*")) == before


# A disk that fills up

SMALL_FILES = """
import resource, signal, sys
from zoo.cli import main
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))
sys.exit(main({arguments!r}))
"""


def limited(limit: int, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run a command whose writes fail, as on a full disk, past ``limit`` bytes of any file."""
    code = SMALL_FILES.format(limit=limit, arguments=[str(argument) for argument in arguments])
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=120
    )


def test_a_disk_that_fills_up_while_training_keeps_what_stood(here, trained_copy) -> None:
    """The state of training is the largest file: its next checkpoint cannot be written."""
    weights = (trained_copy / "model.safetensors").read_bytes()
    names = sorted(str(path.relative_to(trained_copy)) for path in trained_copy.rglob("*"))
    limit = len(weights) + 4096
    assert (trained_copy / "checkpoints/step-00000024/state.safetensors").stat().st_size > limit
    done = limited(
        limit,
        *("train", "glow", "--resume", "--steps", 36, "--device", "cpu", "--out", trained_copy),
    )
    assert done.returncode == 1
    last = done.stderr.splitlines()[-1]
    assert last.startswith(f"zoo: {trained_copy}/checkpoints/"), last
    assert "could not be written: File too large" in last
    assert "Traceback" not in done.stderr
    found = sorted(str(path.relative_to(trained_copy)) for path in trained_copy.rglob("*"))
    assert found == names, "no temporary file is left, no earlier one is gone"
    assert (trained_copy / "model.safetensors").read_bytes() == weights
    assert zoo.load(trained_copy, device="cpu").sample(2).shape == (2, 1, 8, 8)
    again = zoo.train("glow", resume=True, steps=30, out=trained_copy, device="cpu", quiet=True)
    assert (again.path / "checkpoints" / "step-00000030").is_dir()


def test_a_disk_that_fills_up_while_sampling_leaves_nothing(here, trained) -> None:
    done = limited(600, "sample", trained.path, "-n", 400, "-o", "x.npy", "--device", "cpu")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "zoo: x.npy could not be written: File too large\n"
    assert not any(here.iterdir())


def test_a_full_disk_is_called_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: Path, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    (tmp_path / "old").write_text("old")
    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(ZooError, match=r"old could not be written: the disk is full \(\d+ MiB"):
        write_bytes(tmp_path / "old", b"new")
    with pytest.raises(ZooError, match="the disk is full"), mended(tmp_path / "log"):
        full(tmp_path, b"")
    assert [path.name for path in tmp_path.iterdir()] == ["old"]
    assert (tmp_path / "old").read_text() == "old"


def test_what_breaks_off_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    (tmp_path / "old").write_text("old")

    def break_off(manager: AbstractContextManager[Path], name: str) -> None:
        with manager as beside:
            (beside / name).write_text("half")
            raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        break_off(replacing(tmp_path / "old"), "")
    with pytest.raises(ValueError, match="broken"):
        break_off(replacing_folder(tmp_path / "new"), "file")
    assert [path.name for path in tmp_path.iterdir()] == ["old"]
    assert (tmp_path / "old").read_text() == "old"


def test_files_have_the_mode_that_the_umask_leaves(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write_bytes(tmp_path / "file", b"")
        with replacing_folder(tmp_path / "folder"):
            pass
    finally:
        os.umask(before)
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o640
    assert (tmp_path / "folder").stat().st_mode & 0o777 == 0o750
