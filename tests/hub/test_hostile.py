"""Hostile repositories: one sentence each, and nothing is executed or written."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from folders import contents, files_of
from hub_steps import Step, run_steps
from loopback_hub import loopback_hub
from onnx import TensorProto, helper, load_from_string
from safetensors.torch import load, save
from sealed import resealed

import zoo


class Bomb:
    """Creates a file when it is unpickled."""

    def __reduce__(self):
        return Path.touch, (Path("unpickled"),)


Files = dict[str, bytes]


def config(*keys: str, value: object) -> Callable[[Files], Files]:
    def change(files: Files) -> Files:
        values = json.loads(files["config.json"])
        inner = values
        for key in keys[:-1]:
            inner = inner[key]
        inner[keys[-1]] = value
        return files | {"config.json": json.dumps(values).encode()}

    return change


def huge(files: Files) -> Files:
    """A configuration within all bounds that needs ten gigabytes."""
    values = json.loads(files["config.json"])
    values["config"]["model"] |= {"depth": 64, "width": 4096, "levels": 3}
    return files | {"config.json": json.dumps(values).encode()}


def tensors(change: Callable[[dict[str, torch.Tensor]], object]) -> Callable[[Files], Files]:
    def changed(files: Files) -> Files:
        weights = load(files["model.safetensors"])
        change(weights)
        return files | {"model.safetensors": save(weights, metadata={"format": "pt"})}

    return changed


def first(weights: dict[str, torch.Tensor]) -> str:
    return min(name for name in weights if weights[name].dim() == 4)


def header(files: Files) -> Files:
    """A header that states 2^60 bytes."""
    header = json.dumps({"a": {"dtype": "F32", "shape": [2**58], "data_offsets": [0, 2**60]}})
    return files | {"model.safetensors": len(header).to_bytes(8, "little") + header.encode()}


def pickled(name: str) -> Callable[[Files], Files]:
    def change(files: Files) -> Files:
        kept = {path: data for path, data in files.items() if path != "model.safetensors"}
        return kept | {name: pickle.dumps(Bomb())}

    return change


def graph(location: str) -> Callable[[Files], Files]:
    """A sampler that keeps its first weights in the file ``location``."""

    def change(files: Files) -> Files:
        model = load_from_string(files["onnx/sampler.onnx"])
        tensor = next(t for t in model.graph.initializer if t.data_type == TensorProto.FLOAT)
        tensor.ClearField("raw_data")
        tensor.data_location = TensorProto.EXTERNAL
        tensor.external_data.add(key="location", value=location)
        return files | {"onnx/sampler.onnx": model.SerializeToString(), "w.bin": b"0" * 9999}

    return change


def metadata(key: str, value: str | None) -> Callable[[Files], Files]:
    def change(files: Files) -> Files:
        model = load_from_string(files["onnx/sampler.onnx"])
        properties = {entry.key: entry.value for entry in model.metadata_props} | {key: value}
        helper.set_model_props(model, {k: v for k, v in properties.items() if v is not None})
        return files | {"onnx/sampler.onnx": model.SerializeToString()}

    return change


def hidden(files: Files) -> Files:
    """External weights in a branch of a node, not among the initializers."""
    model = load_from_string(files["onnx/sampler.onnx"])
    outside = TensorProto(name="w", data_type=1, dims=[4], data_location=TensorProto.EXTERNAL)
    outside.external_data.add(key="location", value="../../secret")
    inner = helper.make_graph([], "inner", [], [], [outside])
    node = helper.make_node("If", ["c"], ["y"], then_branch=inner, else_branch=inner)
    model.graph.node.append(node)
    return files | {"onnx/sampler.onnx": model.SerializeToString()}


def other(files: Files) -> Files:
    return files | {"model.safetensors": OTHER["model.safetensors"]}


OTHER: Files = {}

LOADS: dict[str, tuple[Callable[[Files], Files], int, str]] = {
    "depth": (config("config", "model", "depth", value=10**9), 1, "depth must be at most 64"),
    "huge": (huge, 1, "that asks for far more than"),
    "key": (config("config", "model", "evil", value=1), 1, "there is no key 'model.evil'"),
    "auto": (config("auto_map", value={"AutoModel": "evil.Evil"}), 0, ""),
    "path": (config("model", value="../../evil"), 1, "there is no model '../../evil'"),
    "absent": (
        lambda files: config("plugin", value={"distribution": "genzoo-waves"})(
            config("model", value="waves")(files)
        ),
        1,
        "there is no model 'waves'",
    ),
    "module": (config("model", value="os"), 1, "there is no model 'os'"),
    "plugin": (config("plugin", value={"name": "x", "distribution": 5}), 0, ""),
    "version": (config("format_version", value=99), 1, "has format version 99"),
    "foreign": (
        config("library_name", value="diffusers"),
        1,
        "is not a run folder: genzoo did not",
    ),
    "size": (config("image", "size", value=2**40), 1, "data.size must be at most 1024"),
    "resized": (config("config", "data", "size", value=64), 1, "they must agree"),
    "json": (
        lambda files: files | {"config.json": b"[" * 100_000},
        1,
        "is damaged, not valid JSON",
    ),
    "cut": (
        lambda files: files | {"model.safetensors": files["model.safetensors"][:-9]},
        1,
        "cannot be read as safetensors, it is damaged or truncated",
    ),
    "header": (header, 1, "cannot be read as safetensors, it is damaged or truncated"),
    "swapped": (other, 1, "does not fit the network of config.json"),
    "shape": (
        tensors(lambda weights: weights.update({first(weights): weights[first(weights)][:1]})),
        1,
        "does not fit the network of config.json: the tensor",
    ),
    "extra": (
        tensors(lambda weights: weights.update(extra=torch.zeros(10**6))),
        1,
        "the network has no tensor extra",
    ),
    "missing": (tensors(lambda weights: weights.pop(first(weights))), 1, "is missing"),
    "bin": (pickled("pytorch_model.bin"), 1, "has no model.safetensors"),
    "pkl": (pickled("model.pkl"), 1, "has no model.safetensors"),
    "inside": (lambda files: files | {"model.safetensors": pickle.dumps(Bomb())}, 1, "safetensors"),
}
"""Changes to a run, with the exit status and message of ``zoo sample`` and ``zoo pull``."""

PULLS: dict[str, tuple[Callable[[Files], Files], str]] = {
    "up": (lambda files: files | {"onnx/../../evil": b"x"}, 'a file "onnx/../../evil", which'),
    "dots": (lambda files: files | {"../evil": b"x"}, 'a file "../evil", which leads out'),
    "absolute": (lambda files: files | {"/tmp/evil": b"x"}, 'a file "/tmp/evil", which leads'),
    "backslash": (lambda files: files | {"..\\evil": b"x"}, "which leads out of its folder"),
    "device": (lambda files: files | {"onnx/NUL.onnx": b"x"}, "is a device on Windows"),
    "drive": (lambda files: files | {"C:evil": b"x"}, "which leads out of its folder"),
    "stream": (lambda files: files | {"config.json:evil": b"x"}, "which has the character :"),
    "dot": (lambda files: files | {"onnx/evil.": b"x"}, "which ends with a dot or a space"),
    "control": (lambda files: files | {"evil\x1b[2J": b"x"}, "which has a control character"),
    "case": (lambda files: files | {"Config.json": b"evil"}, "some systems do not tell from"),
    "unicode": (lambda files: files | {"é": b"x", "e\u0301": b"evil"}, "do not tell from"),
    "long": (lambda files: files | {"evil" * 64: b"x"}, "which is too long"),
    "weights": (graph("../../../secret"), 'keeps weights in another file, "../../../secret"'),
    "beside": (graph("w.bin"), 'keeps weights in another file, "w.bin"'),
    "rooted": (graph("/etc/passwd"), 'keeps weights in another file, "/etc/passwd"'),
    "branch": (hidden, 'keeps weights in another file, "../../secret"'),
    "onnx": (lambda files: files | {"onnx/sampler.onnx": b"no graph"}, "is not an ONNX file"),
}
"""Changes for ``zoo pull`` alone, which fails, with its message."""

GRAPHS: dict[str, tuple[Callable[[Files], Files], str]] = {
    "latents": (
        metadata("latent_size", str(2**20)),
        "its metadata and the graph disagree",
    ),
    "enormous": (
        metadata("latent_size", str(2**40)),
        "its metadata state latent_size 1099511627776",
    ),
    "image": (
        metadata("image_shape", "[1, 1048576, 1048576]"),
        "its metadata and the graph disagree",
    ),
    "silent": (metadata("classes", None), "its metadata lack classes"),
    "nobody": (metadata("library_name", "x"), "is not a genzoo sampler"),
}
"""Changes for ``zoo sample --backend onnx`` alone, with its message."""


@dataclass(frozen=True)
class Outcome:
    """How each command ended, by name of the repository, their folder, and the peak memory."""

    sampled: dict[str, Step]
    pulled: dict[str, Step]
    onnx: dict[str, Step]
    root: Path
    peak: int


@pytest.fixture(scope="module")
def outcome(
    exported: Callable[[str], zoo.Run], tmp_path_factory: pytest.TempPathFactory
) -> Outcome:
    """Samples from and pulls every repository in one process."""
    root = tmp_path_factory.mktemp("hostile")
    OTHER.update(files_of(exported("nice")))
    (root / "work").mkdir()
    (root / "secret").write_bytes(b"0" * 9999)
    with loopback_hub() as hub:
        for name, (change, *_) in {**LOADS, **PULLS, **GRAPHS}.items():
            hub.create(f"tester/{name}", files=resealed(change(files_of(exported("glow")))))
        every = [*LOADS, *PULLS]
        sample = [["sample", f"tester/{name}", "-n", "1", "-o", "x.npy"] for name in LOADS]
        pull = [["pull", f"tester/{name}", f"pulled-{name}"] for name in every]
        onnx = [
            ["sample", f"tester/{n}", "--backend", "onnx", "-o", "y.npy"] for n in [*PULLS, *GRAPHS]
        ]
        peak = "import resource; print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)"
        environment = hub.environment(root / "home", hub.tokens.read, hurry=True)
        *done, used = run_steps(environment, root / "work", *sample, *pull, *onnx, peak)
        for step in done:
            assert hub.tokens.read not in step.out + step.err
    a, b = len(sample), len(sample) + len(pull)
    return Outcome(
        dict(zip(LOADS, done[:a], strict=True)),
        dict(zip(every, done[a:b], strict=True)),
        dict(zip([*PULLS, *GRAPHS], done[b:], strict=True)),
        root,
        int(used.out),
    )


@pytest.mark.parametrize("name", LOADS)
def test_a_hostile_run_is_refused_with_a_sentence(outcome: Outcome, name: str) -> None:
    _, status, message = LOADS[name]
    for step in (outcome.sampled[name], outcome.pulled[name]):
        assert step.status == status, step
        if status:
            assert message in step.sentence
            assert f"tester/{name}" in step.sentence or "pixels" in step.sentence
            assert len(step.sentence) < 600


def test_a_missing_plugin_is_named_with_its_distribution(outcome: Outcome) -> None:
    for step in (outcome.sampled["absent"], outcome.pulled["absent"]):
        assert step.sentence.endswith("(the run came from genzoo-waves: install that)")


@pytest.mark.parametrize("name", PULLS)
def test_a_repository_with_paths_outside_itself_is_not_pulled(outcome: Outcome, name: str) -> None:
    _, message = PULLS[name]
    assert outcome.pulled[name].status == 1
    assert message in outcome.pulled[name].sentence


@pytest.mark.parametrize("name", ["weights", "beside", "rooted", "branch", "onnx"])
def test_a_graph_with_external_weights_is_not_run(outcome: Outcome, name: str) -> None:
    assert outcome.onnx[name].status == 1
    assert PULLS[name][1] in outcome.onnx[name].sentence


@pytest.mark.parametrize("name", GRAPHS)
def test_a_graph_with_false_metadata_is_refused(outcome: Outcome, name: str) -> None:
    assert outcome.onnx[name].status == 1
    assert GRAPHS[name][1] in outcome.onnx[name].sentence


def test_nothing_is_unpickled_or_written_outside_the_cache(outcome: Outcome) -> None:
    good = {name for name, (_, status, _) in LOADS.items() if status == 0}
    sampled = {"y.npy"} if any(step.status == 0 for step in outcome.onnx.values()) else set()
    work = {path.name for path in (outcome.root / "work").iterdir()}
    assert work == {"x.npy"} | sampled | {f"pulled-{name}" for name in good}
    assert {path.name for path in outcome.root.iterdir()} == {"work", "home", "secret"}
    assert not any("evil" in name for name in contents(outcome.root / "home"))
    assert not Path("/tmp/evil").exists()


def test_a_configuration_of_ten_gigabytes_allocates_no_memory(outcome: Outcome) -> None:
    assert outcome.peak < 1500
