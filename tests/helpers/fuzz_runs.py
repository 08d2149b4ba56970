"""Strategies for a run folder of which a file is hostile, and a command that reads it."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from hypothesis import strategies as st
from mutations import changed, damaged, encoded, lines, raw, texts, values
from sealed import resealed

from zoo.runs.integrity import sha256

Files: TypeAlias = Mapping[str, bytes]
Case: TypeAlias = tuple[Files, Sequence[str], bool]
"""Files, the arguments of a command, and whether it only reads."""

SAMPLE = (["sample", "run", "-n", "1", "-o", "x.npy"], True)
VERIFY = (["verify", "run"], True)
VERIFY_JSON = (["verify", "run", "--json"], True)
REPAIR = (["verify", "run", "--repair"], False)
RUNS = (["runs", "."], True)
COMPARE = (["compare", "run", "other", "-o", "x.png"], True)
CARD = (["card", "run"], False)
EVALUATE = (["evaluate", "run", "--metric", "bits_per_dim", "--device", "cpu"], False)
RESUME = (["train", "tiny", "--out", "run", "--resume", "--steps", "3", "--device", "cpu"], False)
ACCEPT = ([*RESUME[0], "--accept-changes"], False)
ONNX = (["sample", "run", "-n", "1", "-o", "x.npy", "--backend", "onnx"], True)
DEMO = (["demo", "run"], False)
PUSH = (["push", "run", "user/run"], True)
READERS = (SAMPLE, VERIFY, CARD, EVALUATE, PUSH)

STEP = "run/checkpoints/step-00000002"


def _cases(
    files: Files, changes: st.SearchStrategy[Files], commands: Sequence[tuple[list[str], bool]]
) -> st.SearchStrategy[Case]:
    return st.tuples(changes, st.sampled_from(commands)).map(
        lambda picked: ({**files, **picked[0]}, *picked[1])
    )


def _one(name: str, contents: st.SearchStrategy[bytes]) -> st.SearchStrategy[Files]:
    return contents.map(lambda data: {name: data})


def config(files: Files) -> st.SearchStrategy[Case]:
    """config.json, most often with the hashes that genzoo would have written."""
    document = json.loads(files["run/config.json"])
    older = [{**document, "format_version": version} for version in (1, 2, 3)]
    contents = st.sampled_from([document, document, document, *older]).flatmap(encoded)
    changes = st.tuples(contents, st.integers(0, 3)).map(
        lambda picked: _sealed(files, picked[0]) if picked[1] else {"run/config.json": picked[0]}
    )
    return _cases(
        files, changes, [*READERS * 5, VERIFY_JSON, REPAIR, RESUME, ACCEPT, COMPARE, RUNS]
    )


def _sealed(files: Files, config: bytes) -> Files:
    run = {"config.json": config, "model.safetensors": files["run/model.safetensors"]}
    try:
        return {"run/config.json": resealed(run)["config.json"]}
    except ValueError:  # an integer of too many digits for Python
        return {"run/config.json": config}


def log(files: Files) -> st.SearchStrategy[Case]:
    documents = [json.loads(line) for line in files["run/metrics.jsonl"].splitlines()]
    one = _one("run/metrics.jsonl", lines(documents))
    return _cases(files, one, [VERIFY, CARD, CARD, CARD, REPAIR, COMPARE, RUNS])


def metrics(files: Files) -> st.SearchStrategy[Case]:
    document = json.loads(files["run/metrics.json"])
    one = _one("run/metrics.json", encoded(document))
    return _cases(files, one, [VERIFY, CARD, CARD, CARD, EVALUATE, COMPARE])


def checkpoint(files: Files) -> st.SearchStrategy[Case]:
    """A JSON file of a checkpoint, often with a manifest of its hash."""
    state, manifest = (json.loads(files[f"{STEP}/{n}.json"]) for n in ("state", "manifest"))
    config = json.loads(files[f"{STEP}/config.json"])
    changes = st.one_of(
        _one(f"{STEP}/state.json", encoded(state)).map(lambda new: _listed(files, new)),
        _one(f"{STEP}/config.json", encoded(config)).map(lambda new: _listed(files, new)),
        _one(f"{STEP}/state.json", encoded(state)),
        _one(f"{STEP}/manifest.json", encoded(manifest)),
        _one("run/checkpoints/data.json", encoded({"source": "data.npz", "images": 24})),
    )
    return _cases(files, changes, [VERIFY, VERIFY, RESUME, SAMPLE, REPAIR, EVALUATE])


def _listed(files: Files, changes: Files) -> Files:
    """The files of a checkpoint, with a manifest of the changed ones."""
    manifest = json.loads(files[f"{STEP}/manifest.json"])
    for name, data in changes.items():
        entry = {"bytes": len(data), "sha256": sha256(data)}
        manifest["files"][name.removeprefix(f"{STEP}/")] = entry
    return {**changes, f"{STEP}/manifest.json": raw(manifest)}


def weights(files: Files) -> st.SearchStrategy[Case]:
    """Files of tensors, whose hashes reveal no change."""
    one = _one("run/model.safetensors", tensors(files["run/model.safetensors"]))
    sealed = one.map(
        lambda new: (
            new
            | {
                "run/config.json": resealed(
                    {n.removeprefix("run/"): d for n, d in ({**files, **new}).items()}
                )["config.json"]
            }
        )
    )
    state = _one(f"{STEP}/state.safetensors", tensors(files[f"{STEP}/state.safetensors"]))
    return st.one_of(
        _cases(files, sealed, [SAMPLE, SAMPLE, SAMPLE, VERIFY, CARD, EVALUATE, PUSH]),
        _cases(files, state.map(lambda new: _listed(files, new)), [VERIFY, RESUME, REPAIR]),
    )


def tensors(data: bytes) -> st.SearchStrategy[bytes]:
    """A file of tensors with another header, or damaged anywhere."""
    size = int.from_bytes(data[:8], "little")
    header, rest = json.loads(data[8 : 8 + size]), data[8 + size :]
    whole = encoded(header).map(lambda text: len(text).to_bytes(8, "little") + text + rest)
    lengths = st.integers(0, 2**64 - 1) | st.sampled_from([0, 1, 2**32, 2**63, 2**64 - 1])
    other = lengths.map(lambda length: length.to_bytes(8, "little") + data[8:])
    return st.one_of(whole, whole, damaged(data), other)


def graph(files: Files) -> st.SearchStrategy[Case]:
    """A sampler with other bytes, other metadata, or another parity report."""
    import onnx

    data = files["run/onnx/sampler.onnx"]
    properties = {entry.key: entry.value for entry in onnx.load_from_string(data).metadata_props}

    def stored(new: Mapping[str, Any]) -> bytes:
        model = onnx.load_from_string(data)
        del model.metadata_props[:]
        for key, value in new.items():
            text = value if isinstance(value, str) else raw(value).decode()
            model.metadata_props.add(key=_utf8(key), value=_utf8(text))
        return bytes(model.SerializeToString())

    metadata = changed(properties).filter(lambda new: isinstance(new, dict)).map(stored)
    report = encoded(json.loads(files["run/onnx/sampler.json"]))
    changes = st.one_of(
        _one("run/onnx/sampler.onnx", metadata),
        _one("run/onnx/sampler.onnx", damaged(data)),
        _one("run/onnx/sampler.json", report),
    )
    return _cases(files, changes, [ONNX, DEMO, VERIFY, CARD])


def _utf8(text: str) -> str:
    return text.encode("utf-8", "replace").decode()


def card(files: Files) -> st.SearchStrategy[Case]:
    """A README.md with front matter of any kind."""
    data = files["run/README.md"]
    front, body = data.decode().split("---\n", 2)[1:]
    keys = st.sampled_from(["license", "tags", "model-index", "datasets", "library_name"]) | texts
    entries = st.tuples(keys, values | texts).map(
        lambda entry: f"{entry[0]}: {raw(entry[1]).decode()}\n"
    )
    fronts = st.one_of(
        st.lists(entries | texts, max_size=4).map(lambda parts: front + "".join(parts)),
        damaged(front.encode()).map(lambda part: part.decode("utf-8", "replace")),
        st.sampled_from(["a: &a [" + "x, " * 9 + "]\n" + _bomb(), "x: [" * 2000, "? " * 2000]),
        st.sampled_from(["a: 2026-13-45\n", "a: 9" + "9" * 5000 + "\n", "tags: {a: [b}\n"]),
    )
    whole = fronts.map(lambda text: f"---\n{text}---\n{body}".encode("utf-8", "surrogatepass"))
    changes = _one("run/README.md", st.one_of(whole, whole, damaged(data)))
    return _cases(files, changes, [CARD, CARD, CARD, VERIFY, PUSH, EVALUATE])


def _bomb() -> str:
    """Aliases that expand to 9^12 values."""
    names = "abcdefghijklm"
    pairs = itertools.pairwise(names)
    return "".join(f"{b}: &{b} [{', '.join([f'*{a}'] * 9)}]\n" for a, b in pairs)


TARGETS: Mapping[str, tuple[int, Callable[[Files], st.SearchStrategy[Case]]]] = {
    "config.json": (2000, config),
    "metrics.jsonl": (600, log),
    "metrics.json": (800, metrics),
    "checkpoints": (1000, checkpoint),
    "safetensors": (1000, weights),
    "graphs": (600, graph),
    "README.md": (600, card),
}
"""Cases of 10,000, and their strategy."""
