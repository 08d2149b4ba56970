"""Hostile headers of safetensors files end in a sentence, as weights and in a checkpoint."""

from __future__ import annotations

import json
import resource
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from sealed import resealed

import zoo
from zoo.errors import ZooError
from zoo.runs.integrity import sha256
from zoo.runs.weights import MAX_HEADER, load_tensors, tensor_shapes

DATA = bytes(8)


def entry(dtype: object = "F32", shape: object = (2,), offsets: object = (0, 8)) -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": offsets}


def file(header: object, data: bytes = DATA) -> bytes:
    """A file with a header of JSON, or of any bytes."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data


def of(**one: object) -> bytes:
    return file({"a": entry(**one)})


A = json.dumps(entry()).encode()
CASES: dict[str, bytes] = {
    "no bytes": b"",
    "four bytes": b"\x01\x02\x03\x04",
    "length u64::MAX": (2**64 - 1).to_bytes(8, "little") + b"{}",
    "length i64::MAX": (2**63 - 1).to_bytes(8, "little") + b"{}",
    "length 0": (0).to_bytes(8, "little"),
    "length of more than the file": (3).to_bytes(8, "little") + b"{}",
    "length of 99 MB": (99_000_000).to_bytes(8, "little") + b"{}",
    "length one above the bound": (MAX_HEADER + 1).to_bytes(8, "little") + bytes(MAX_HEADER + 1),
    "overlapping offsets": file({"a": entry(), "b": entry(shape=[1], offsets=[4, 8])}),
    "equal offsets": file({"a": entry(), "b": entry()}),
    "a gap": file({"a": entry(shape=[1], offsets=[4, 8])}),
    "reversed offsets": of(offsets=[8, 0]),
    "offsets out of range": of(shape=[4], offsets=[0, 16]),
    "offsets of 2^60": of(shape=[2**58], offsets=[0, 2**60]),
    "offsets of 2^64": of(offsets=[2**64, 2**64 + 8]),
    "negative offsets": of(offsets=[-8, 0]),
    "one offset": of(offsets=[8]),
    "three offsets": of(offsets=[0, 4, 8]),
    "a tensor twice": file(b'{"a": %s, "a": %s}' % (A, A)),
    "a tensor twice, of two types": file(
        b'{"a": %s, "a": %s}' % (json.dumps(entry("I32")).encode(), A)
    ),
    "a type twice": file(b'{"a": {"dtype": "F32", %s}' % A[1:]),
    "metadata twice": file(b'{"__metadata__": {}, "__metadata__": {}, "a": %s}' % A),
    "a key of the metadata twice": file(b'{"__metadata__": {"x": "", "x": ""}, "a": %s}' % A),
    "2^32 x 2^32": of(shape=[2**32, 2**32]),
    "2^32 x 2^32 of no bytes": file({"a": entry(shape=[2**32, 2**32], offsets=[0, 0])}, b""),
    "2^64": of(shape=[2**64]),
    "a negative shape": of(shape=[-2]),
    "two negative shapes": of(shape=[-1, -2]),
    "a fractional shape": of(shape=[2.0]),
    "a shape of text": of(shape="2"),
    "no shape": file({"a": {"dtype": "F32", "data_offsets": [0, 8]}}),
    "F64 of the size of F32": of(dtype="F64"),
    "F16 of the size of F32": of(dtype="F16"),
    "BOOL of the size of F32": of(dtype="BOOL"),
    "an unknown type": of(dtype="F99"),
    "a type in lower case": of(dtype="f32"),
    "a type that is a number": of(dtype=32),
    "no type": of(dtype=None),
    "not UTF-8": file(b'{"\xff": 1}'),
    "UTF-16": file(json.dumps({"a": entry()}).encode("utf-16")),
    "not JSON": file(b"{a}"),
    "a pickle": b"\x80\x04\x95\x0b\x00\x00\x00\x00\x00\x00\x00\x8c\x07unused.\x94.",
    "a list": file([entry()]),
    "a number": file(b"5"),
    "null": file(b"null"),
    "deep nesting": file(b'{"a":' * 100_000 + b"1" + b"}" * 100_000),
    "deep lists": file(b"[" * 100_000),
    "NaN": file(b'{"a": {"dtype": "F32", "shape": [NaN], "data_offsets": [0, 8]}}'),
    "a number of 5,000 digits": file(b'{"a": %s}' % (b"9" * 5000)),
    "metadata that are a number": file({"__metadata__": 5, "a": entry()}),
    "metadata that are a list": file({"__metadata__": ["pt"], "a": entry()}),
    "metadata of numbers": file({"__metadata__": {"format": 1}, "a": entry()}),
    "trailing bytes": file({"a": entry()}, DATA + b"x"),
    "missing bytes": file({"a": entry()}, DATA[:7]),
}  # fmt: skip
"""Files that are none."""

FOREIGN: dict[str, bytes] = {
    "no tensor": file({}, b""),
    "a tensor without a name": file({"": entry()}),
    "an empty tensor of 2^63": file({"a": entry(shape=[2**32, 2**31, 0], offsets=[0, 0])}, b""),
    "BOOL": file({"a": entry("BOOL", [8])}),
    "F8": file({"a": entry("F8_E4M3", [8])}),
    "F4": file({"a": entry("F4", [16])}),
    "a name of a megabyte": file({"a" * 10**6: entry()}),
    "a hundred thousand tensors": file(
        {str(i): entry(shape=[0], offsets=[0, 0]) for i in range(100_000)}, b""
    ),
}
"""Files of other tensors than a network's."""


@pytest.mark.parametrize("data", CASES.values(), ids=CASES)
def test_a_file_that_is_none_is_a_sentence(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    path.write_bytes(data)
    for read in (load_tensors, tensor_shapes):
        with pytest.raises(ZooError, match="cannot be read as safetensors") as caught:
            read(path)
        assert len(str(caught.value)) < 400


def peak() -> int:
    """The peak of this process's memory, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


@pytest.mark.parametrize("data", [*CASES.values(), *FOREIGN.values()], ids=[*CASES, *FOREIGN])
def test_it_is_a_sentence_of_every_command_that_reads_weights(
    data: bytes, trained_copy: Path, here: Path, commands
) -> None:
    before = peak()
    replace_weights(trained_copy, data)
    replace_state(trained_copy, data)
    with pytest.raises(ZooError, match=r"model\.safetensors (cannot be read|does not fit)"):
        zoo.load(trained_copy, "cpu")
    assert "model.safetensors" in commands.fails(1, "sample", trained_copy, "-n", "1")
    resume = ("train", "glow", "--resume", "--steps", "30", "--device", "cpu", "--out")
    message = commands.fails(1, *resume, trained_copy)
    assert message.startswith("no checkpoint of ")
    assert "state.safetensors" in message
    assert peak() - before < 512
    assert not [*here.iterdir()]


def replace_weights(run: Path, data: bytes) -> None:
    """Writes weights, with their hash in config.json."""
    files = {"config.json": (run / "config.json").read_bytes(), "model.safetensors": data}
    for name, content in resealed(files).items():
        (run / name).write_bytes(content)


def replace_state(run: Path, data: bytes) -> None:
    """Writes the tensors of the last checkpoint, with their hash; removes the others."""
    *others, last = sorted((run / "checkpoints").glob("step-*"))
    for other in others:
        shutil.rmtree(other)
    manifest = json.loads((last / "manifest.json").read_text())
    manifest["files"]["state.safetensors"] = {"bytes": len(data), "sha256": sha256(data)}
    (last / "state.safetensors").write_bytes(data)
    (last / "manifest.json").write_text(json.dumps(manifest))


@pytest.mark.parametrize("command", ["sample", "train"])
def test_a_large_file_takes_little_memory(command: str, trained_copy: Path, tmp_path: Path) -> None:
    """3 GiB of zeros, which take no space on the disk; their hash is not stated."""
    size = 3 * 2**30
    header = file({"a": entry(shape=[size // 4], offsets=[0, size])}, b"")
    *others, last = sorted((trained_copy / "checkpoints").glob("step-*"))
    for other in others:
        shutil.rmtree(other)
    (last / "manifest.json").unlink()
    state = json.loads((last / "state.json").read_text())
    (last / "state.json").write_text(json.dumps({**state, "format_version": None}))
    for path in (trained_copy / "model.safetensors", last / "state.safetensors"):
        with open(path, "wb") as target:
            target.write(header)
            target.truncate(len(header) + size)
    arguments = {
        "sample": ["sample", trained_copy, "-n", "1", "-o", tmp_path / "x.npy"],
        "train": ["train", "glow", "--resume", "--steps", "30", "--out", trained_copy],
    }
    done = subprocess.run(
        [sys.executable, "-m", "zoo", *map(str, arguments[command]), "--device", "cpu"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_DATA, (2**30, 2**30)),
    )
    assert done.returncode == 1, done.stderr
    last_line = done.stderr.splitlines()[-1]
    assert "does not fit the network" in last_line or "bytes, far more than" in last_line
    assert "internal error" not in done.stderr
