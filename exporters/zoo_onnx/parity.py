"""Does a file compute what the network does? Measured in onnxruntime on the CPU.

The reference is the network of the run itself, not the frozen one that was written: in float64,
and beside it in float32, whose own distance from float64 is what rounding alone makes.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from zoo.errors import ZooError
from zoo.export import graphs
from zoo.sampling import latents
from zoo_onnx.float64 import FastConvolutions
from zoo_onnx.session import Session

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from zoo.model import Model
    from zoo.run import Run
    from zoo.specs import Graph
    from zoo.system.progress import Progress

BATCHES = (1, 3, 64)
"""Batch sizes, none of which is the traced one."""

PIXELS = 2**14
"""How many pixels of pictures pass through the reference at a time: of float64's, as many as a
processor has at hand."""

SEED = 2**63
"""Of the latents: far from those that anybody draws with."""

IMAGE = 1e-4
"""Most that a value of a picture in [0, 1] may be off."""

LATENT = 1e-3
"""Most that a latent or another number may be off, next to the largest of its kind, or to 1."""

LOG_PROB = 1e-3
"""Most that a log-density may be off, in nats for each dimension."""

ROUND_TRIP = 1e-3
"""Most that a picture may be off that was encoded and sampled again."""

HALF = 100
"""So many times as much in float16, whose numbers have 11 bits and not 24."""


def measure(
    run: Run,
    chosen: Sequence[Graph],
    paths: Mapping[str, Path],
    precision: str,
    told: Progress,
) -> dict[str, dict[str, Any]]:
    """What was found for each graph of ``chosen``, by name: for each of its outputs, at each batch
    size, the largest distance from the network in float64 and in float32. A batch is the first rows
    of the next.

    Raises ZooError where one is over its tolerance, with the error and where it was.
    """
    threads = torch.get_num_threads()
    sessions = {graph.name: Session(paths[graph.name], "cpu", threads) for graph in chosen}
    networks = [copy.deepcopy(run.network).to(dtype).eval() for dtype in _DTYPES]
    pictures = _Pictures(run)
    found: dict[str, dict[str, Any]] = {}
    last: dict[str, tuple[dict[str, Tensor], dict[str, NDArray[Any]]]] = {}
    for index, graph in enumerate(chosen):
        told.show(f"comparing {graph.name}", index, len(chosen))
        reference = _reference(run, graph)
        inputs = _inputs(run, graph, BATCHES[-1], pictures)
        exact, rounded = (_in_parts(run, reference, one, inputs) for one in networks)
        outputs: dict[str, Any] = {}
        for size in BATCHES:
            got = _run(sessions[graph.name], _rows(inputs, 0, size))
            double, single = _rows(exact, 0, size), _rows(rounded, 0, size)
            for name in graph.outputs:
                facts = _compare(got[name], double[name], single[name])
                limit = _limit(run, name, double[name]) * (HALF if precision == "fp16" else 1)
                _require(facts, limit, f"{graph.name}: {name}", size)
                _keep(outputs.setdefault(name, {"tolerance": limit, "batches": {}}), size, facts)
            last[graph.name] = inputs, got
        found[graph.name] = {"outputs": outputs, "inputs": _described(run, graph, pictures)}
    if {"sampler", "encoder"} <= set(sessions) and "log_prob" in run.spec.capabilities:
        told.show("there and back", 0, 1)
        found["encoder"]["round_trip"] = _round_trip(sessions["sampler"], *last["encoder"])
    return found


def summary(outputs: Mapping[str, Any]) -> str:
    """The largest error of each output, in words."""
    errors = [f"{name} within {one['max_abs_error_float64']:.1e}" for name, one in outputs.items()]
    return ", ".join(errors) + " of float64"


_DTYPES = (torch.float64, torch.float32)


class _Pictures:
    """The first pictures of the test split where they lie on this machine, else samples."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self._found: Tensor | None = None
        self.origin = ""

    def first(self, size: int) -> Tensor:
        if self._found is None:
            self._found, self.origin = self._find()
        rows = torch.arange(size) % len(self._found)
        return self._found[rows]

    def _find(self) -> tuple[Tensor, str]:
        from zoo.data import open_data
        from zoo.data.names import is_local

        run = self.run
        config = run.data_config().model_copy(update={"resident_gib": 0.0})
        if is_local(config.source):
            try:
                split = (data := open_data(config)).splits["test"]
                some = np.stack([split[i][0] for i in range(min(BATCHES[-1], len(split)))])
                return run.as_images(
                    some
                ), f"the first {len(some)} of the test split of {data.name}"
            except (
                ZooError,
                ValueError,
            ):  # other data than then, or no test split: samples will do
                pass
        drawn = run.sample(BATCHES[-1], seed=SEED)
        return drawn, f"{len(drawn)} samples, since the run's data are not on this machine"


def _inputs(model: Model, graph: Graph, size: int, pictures: _Pictures) -> dict[str, Tensor]:
    """A batch of ``size``: fresh latents, pictures, classes in turn; of any other input the rows of
    its example."""
    made = {}
    for name, example in graph.inputs.items():
        rows = example[torch.arange(size) % len(example)] if example.ndim else example
        latent = model.latent
        if name == "z" and list(example.shape[1:]) == [latent.size]:
            z = latents.draw(size, latent.size, latent.distribution, SEED)
            rows = torch.from_numpy(z)
        elif name == "temperature":
            rows = torch.tensor(model.temperature)
        elif name == "image":
            rows = pictures.first(size)
        elif name == "label" and latent.classes:
            rows = torch.arange(size) * 7 % latent.classes
        made[name] = rows.to(example.dtype)
    return made


def _reference(model: Model, graph: Graph) -> Any:
    """What ``graph`` stands for, as a function of a network and inputs to named outputs."""
    known = set(graph.inputs) <= {"z", "temperature", "label", "image"}

    @torch.no_grad()
    def sampled(network: nn.Module, inputs: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        dtype = next((one.dtype for one in network.parameters()), torch.float64)
        temperature = float(inputs.get("temperature", torch.ones(())))
        other = model.with_network(network)
        return {"image": other.sample_hook(inputs["z"].to(dtype), temperature, inputs.get("label"))}

    @torch.no_grad()
    def encoded(network: nn.Module, inputs: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        dtype = next((one.dtype for one in network.parameters()), torch.float64)
        images = inputs["image"].to(dtype)
        return model.with_network(network).encode_hook(images, inputs.get("label"))

    def itself(_: nn.Module, inputs: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        return graphs.run(graph.module, graph, inputs)

    if graph.name == "sampler" and known and graph.outputs == ("image",) and "z" in graph.inputs:
        return sampled
    if graph.name == "encoder" and known and "image" in graph.inputs:
        return encoded
    return itself


def _rows(values: Mapping[str, Tensor], first: int, end: int) -> dict[str, Tensor]:
    """Rows of a batch; what has no dimensions belongs to each."""
    return {name: value[first:end] if value.ndim else value for name, value in values.items()}


def _in_parts(
    model: Model, reference: Any, network: nn.Module, inputs: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    """What ``reference`` gives for all rows, computed a few at a time."""
    count = next(len(value) for value in inputs.values() if value.ndim)
    some = max(1, PIXELS // model.image_spec.size**2)
    with FastConvolutions():
        parts = [
            reference(network, _rows(inputs, first, first + some))
            for first in range(0, count, some)
        ]
    return {
        name: torch.cat([part[name] for part in parts]) if one.ndim else one
        for name, one in parts[0].items()
    }


def _run(session: Session, inputs: Mapping[str, Tensor]) -> dict[str, NDArray[Any]]:
    return session.run({name: inputs[name].numpy() for name in session.inputs})


def _compare(got: NDArray[Any], double: Tensor, single: Tensor) -> dict[str, Any]:
    exact = double.numpy().astype(np.float64)
    if got.shape != exact.shape:
        return {"shape": list(got.shape), "wanted": list(exact.shape)}
    error = np.abs(got - exact)
    error = np.where(np.isnan(error), np.inf, error)
    worst = np.unravel_index(error.argmax(), error.shape)
    return {
        "max_abs_error_float64": float(error.max()),
        "max_abs_error_float32": float(np.abs(got - single.numpy()).max()),
        "torch_float32_from_float64": float(np.abs(single.numpy() - exact).max()),
        "at": [int(index) for index in worst],
    }


def _limit(model: Model, name: str, exact: Tensor) -> float:
    if name == "image":
        return IMAGE
    if name == "log_prob":
        return LOG_PROB * model.image_spec.dimensions
    return LATENT * max(1.0, float(exact.abs().max()))


def _require(facts: Mapping[str, Any], limit: float, what: str, size: int) -> None:
    if "shape" in facts:
        raise ZooError(
            f"{what} is {facts['shape']} at batch size {size} in onnxruntime and "
            f"{facts['wanted']} in torch: nothing was exported"
        )
    if not facts["max_abs_error_float64"] <= limit:
        raise ZooError(
            f"{what} is {facts['max_abs_error_float64']:.2g} off the network in float64, at "
            f"{facts['at']} of batch size {size}, over the tolerance of {limit:.2g} (torch's own "
            f"float32 is {facts['torch_float32_from_float64']:.2g} off): nothing was exported"
        )


def _keep(output: dict[str, Any], size: int, facts: Mapping[str, Any]) -> None:
    output["batches"][str(size)] = facts
    for key in ("max_abs_error_float64", "max_abs_error_float32"):
        output[key] = max(one[key] for one in output["batches"].values())


def _round_trip(
    sampler: Session, inputs: Mapping[str, Tensor], encoded: Mapping[str, NDArray[Any]]
) -> dict[str, Any]:
    """sampler(encoder(x)) beside x, at temperature 1, of the largest batch."""
    back = {"z": torch.from_numpy(encoded["z"]), "temperature": torch.ones(())}
    if "label" in inputs:
        back["label"] = inputs["label"]
    images = _run(sampler, back)["image"]
    error = float(np.abs(images - inputs["image"].numpy()).max())
    if not error <= ROUND_TRIP:
        raise ZooError(
            f"pictures that were encoded and sampled again are {error:.2g} off, over the tolerance "
            f"of {ROUND_TRIP:.2g}: nothing was exported"
        )
    return {"max_abs_error": error, "tolerance": ROUND_TRIP, "pictures": len(images)}


def _described(model: Model, graph: Graph, pictures: _Pictures) -> dict[str, str]:
    words = {
        "z": f"zoo.sampling.latents, {model.latent.distribution}, seed 2^63",
        "temperature": str(model.temperature),
        "image": pictures.origin,
        "label": "classes in turn",
    }
    return {name: words.get(name, "the example's rows") for name in graph.inputs}
