"""Repositories that somebody made to do harm: a sentence each, and nothing run or written."""

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

import zoo


class Bomb:
    """What makes a file when it is unpickled."""

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
    """Within all bounds, and some ten gigabytes."""
    values = json.loads(files["config.json"])
    values["config"]["model"] |= {"depth": 64, "width": 4096, "levels": 3}
    return files | {"config.json": json.dumps(values).encode()}


def tensors(change: Callable[[dict[str, torch.Tensor]], object]) -> Callable[[Files], Files]:
    def changed(files: Files) -> Files:
        found = load(files["model.safetensors"])
        change(found)
        return files | {"model.safetensors": save(found, metadata={"format": "pt"})}

    return changed


def first(found: dict[str, torch.Tensor]) -> str:
    return min(name for name in found if found[name].dim() == 4)


def header(files: Files) -> Files:
    """A header that speaks of 2^60 bytes."""
    said = json.dumps({"a": {"dtype": "F32", "shape": [2**58], "data_offsets": [0, 2**60]}})
    return files | {"model.safetensors": len(said).to_bytes(8, "little") + said.encode()}


def pickled(name: str) -> Callable[[Files], Files]:
    def change(files: Files) -> Files:
        kept = {path: data for path, data in files.items() if path != "model.safetensors"}
        return kept | {name: pickle.dumps(Bomb())}

    return change


def graph(location: str) -> Callable[[Files], Files]:
    """A sampler whose first weights are in a file of that name."""

    def change(files: Files) -> Files:
        model = load_from_string(files["onnx/sampler.onnx"])
        tensor = next(one for one in model.graph.initializer if one.data_type == TensorProto.FLOAT)
        tensor.ClearField("raw_data")
        tensor.data_location = TensorProto.EXTERNAL
        tensor.external_data.add(key="location", value=location)
        return files | {"onnx/sampler.onnx": model.SerializeToString(), "w.bin": b"0" * 9999}

    return change


def metadata(key: str, value: str | None) -> Callable[[Files], Files]:
    def change(files: Files) -> Files:
        model = load_from_string(files["onnx/sampler.onnx"])
        said = {one.key: one.value for one in model.metadata_props} | {key: value}
        helper.set_model_props(model, {k: v for k, v in said.items() if v is not None})
        return files | {"onnx/sampler.onnx": model.SerializeToString()}

    return change


def hidden(files: Files) -> Files:
    """The same in a branch of a node, where a glance at the initializers does not see it."""
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
    "json": (
        lambda files: files | {"config.json": b"[" * 100_000},
        1,
        "is damaged, not valid JSON",
    ),
    "cut": (
        lambda files: files | {"model.safetensors": files["model.safetensors"][:-9]},
        1,
        "cannot be read as safetensors, it is damaged or cut off",
    ),
    "header": (header, 1, "cannot be read as safetensors, it is damaged or cut off"),
    "swapped": (other, 1, "does not fit the network of config.json"),
    "shape": (
        tensors(lambda found: found.update({first(found): found[first(found)][:1]})),
        1,
        "does not fit the network of config.json: the tensor",
    ),
    "extra": (
        tensors(lambda found: found.update(extra=torch.zeros(10**6))),
        1,
        "the network has no tensor extra",
    ),
    "missing": (tensors(lambda found: found.pop(first(found))), 1, "is missing"),
    "bin": (pickled("pytorch_model.bin"), 1, "has no model.safetensors"),
    "pkl": (pickled("model.pkl"), 1, "has no model.safetensors"),
    "inside": (lambda files: files | {"model.safetensors": pickle.dumps(Bomb())}, 1, "safetensors"),
}
"""How a run is spoilt, the exit status of ``zoo sample`` and ``zoo pull``, and what they say."""

PULLS: dict[str, tuple[Callable[[Files], Files], str]] = {
    "up": (lambda files: files | {"onnx/../../evil": b"x"}, 'a file "onnx/../../evil", which'),
    "dots": (lambda files: files | {"../evil": b"x"}, 'a file "../evil", which leads out'),
    "absolute": (lambda files: files | {"/tmp/evil": b"x"}, 'a file "/tmp/evil", which leads'),
    "backslash": (lambda files: files | {"..\\evil": b"x"}, "which leads out of its folder"),
    "weights": (graph("../../../secret"), 'keeps weights in another file, "../../../secret"'),
    "beside": (graph("w.bin"), 'keeps weights in another file, "w.bin"'),
    "rooted": (graph("/etc/passwd"), 'keeps weights in another file, "/etc/passwd"'),
    "branch": (hidden, 'keeps weights in another file, "../../secret"'),
    "onnx": (lambda files: files | {"onnx/sampler.onnx": b"no graph"}, "is no ONNX file"),
}
"""The same of ``zoo pull`` alone, which fails."""

GRAPHS: dict[str, tuple[Callable[[Files], Files], str]] = {
    "latents": (
        metadata("latent_size", str(2**40)),
        "its metadata and the graph disagree",
    ),
    "picture": (
        metadata("image_shape", "[1, 1048576, 1048576]"),
        "its metadata and the graph disagree",
    ),
    "silent": (metadata("classes", None), "its metadata lack classes"),
    "nobody": (metadata("library_name", "x"), "is not a genzoo sampler"),
}
"""The same of ``zoo sample --backend onnx`` alone."""


@dataclass(frozen=True)
class Harm:
    """How each command ended, by the repository's name, and the folder that they worked in."""

    sampled: dict[str, Step]
    pulled: dict[str, Step]
    drawn: dict[str, Step]
    root: Path
    peak: int


@pytest.fixture(scope="module")
def harm(exported: Callable[[str], zoo.Run], tmp_path_factory: pytest.TempPathFactory) -> Harm:
    """Every repository, sampled from and pulled in one process whose memory is bounded."""
    root = tmp_path_factory.mktemp("hostile")
    OTHER.update(files_of(exported("nice")))
    (root / "work").mkdir()
    (root / "secret").write_bytes(b"0" * 9999)
    with loopback_hub() as hub:
        for name, (change, *_) in {**LOADS, **PULLS, **GRAPHS}.items():
            hub.create(f"tester/{name}", files=change(files_of(exported("glow"))))
        every = [*LOADS, *PULLS]
        sample = [["sample", f"tester/{name}", "-n", "1", "-o", "x.npy"] for name in LOADS]
        pull = [["pull", f"tester/{name}", f"pulled-{name}"] for name in every]
        draw = [
            ["sample", f"tester/{n}", "--backend", "onnx", "-o", "y.npy"] for n in [*PULLS, *GRAPHS]
        ]
        peak = "import resource; print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)"
        environment = hub.environment(root / "home", hub.tokens.read, hurry=True)
        *done, used = run_steps(environment, root / "work", *sample, *pull, *draw, peak)
        for step in done:
            assert hub.tokens.read not in step.out + step.err
    a, b = len(sample), len(sample) + len(pull)
    return Harm(
        dict(zip(LOADS, done[:a], strict=True)),
        dict(zip(every, done[a:b], strict=True)),
        dict(zip([*PULLS, *GRAPHS], done[b:], strict=True)),
        root,
        int(used.out),
    )


@pytest.mark.parametrize("name", LOADS)
def test_a_spoilt_run_is_refused_by_a_sentence(harm: Harm, name: str) -> None:
    _, status, said = LOADS[name]
    for step in (harm.sampled[name], harm.pulled[name]):
        assert step.status == status, step
        if status:
            assert said in step.sentence
            assert f"tester/{name}" in step.sentence or "pixels" in step.sentence
            assert len(step.sentence) < 600


def test_a_plugin_that_is_not_here_is_named_with_where_it_comes_from(harm: Harm) -> None:
    for step in (harm.sampled["absent"], harm.pulled["absent"]):
        assert step.sentence.endswith("(the run came from genzoo-waves: install that)")


@pytest.mark.parametrize("name", PULLS)
def test_a_repository_that_reaches_out_of_itself_is_not_pulled(harm: Harm, name: str) -> None:
    _, said = PULLS[name]
    assert harm.pulled[name].status == 1
    assert said in harm.pulled[name].sentence


@pytest.mark.parametrize("name", ["weights", "rooted", "branch", "onnx"])
def test_a_graph_that_reaches_out_of_its_folder_is_not_run(harm: Harm, name: str) -> None:
    assert harm.drawn[name].status == 1
    assert "cannot be opened" in harm.drawn[name].sentence


@pytest.mark.parametrize("name", GRAPHS)
def test_a_graph_whose_metadata_are_not_its_own_is_refused(harm: Harm, name: str) -> None:
    assert harm.drawn[name].status == 1
    assert GRAPHS[name][1] in harm.drawn[name].sentence


def test_nothing_was_unpickled_run_or_written_outside_the_cache(harm: Harm) -> None:
    good = {name for name, (_, status, _) in LOADS.items() if status == 0}
    drawn = {"y.npy"} if any(step.status == 0 for step in harm.drawn.values()) else set()
    work = {path.name for path in (harm.root / "work").iterdir()}
    assert work == {"x.npy"} | drawn | {f"pulled-{name}" for name in good}
    assert {path.name for path in harm.root.iterdir()} == {"work", "home", "secret"}
    assert not any("evil" in name for name in contents(harm.root / "home"))
    assert not Path("/tmp/evil").exists()


def test_a_configuration_of_ten_gigabytes_takes_no_memory(harm: Harm) -> None:
    assert harm.peak < 1500
