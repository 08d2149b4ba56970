"""Parity of exported graphs with the network, measured in onnxruntime on the CPU.

The reference is the run's own network, not the frozen one that was converted: in float64, and in
float32, whose distance from float64 is rounding alone.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
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

BATCH_SIZES = (1, 3, 64)
"""Ascending; none of them is the traced one."""

MAX_PIXELS = 2**14
"""Maximum pixels per batch of the reference, so that float64 values fit into the cache."""

SEED = 2**63
"""Seed of the latents, unlikely to be anybody's."""

IMAGE = 1e-4
"""Tolerance of a value of an image in [0, 1]."""

LATENT = 1e-3
"""Tolerance of a latent or another value, relative to the largest of its kind, at least to 1."""

LOG_PROB = 1e-3
"""Tolerance of a log-density, in nats per dimension."""

ROUND_TRIP = 1e-3
"""Tolerance of an image that was encoded and sampled again."""

HALF = 100
"""Factor of the tolerances in float16, whose significand has 11 bits instead of 24."""

Reference = Callable[[nn.Module, Mapping[str, Tensor]], Mapping[str, Tensor]]
"""A graph's outputs by name, of a network and the graph's inputs."""


def measure(
    run: Run,
    selected: Sequence[Graph],
    paths: Mapping[str, Path],
    precision: str,
    progress: Progress,
) -> dict[str, dict[str, Any]]:
    """Returns the parity of each graph by name.

    For each output and batch size, the largest distance from the network in float64 and in
    float32. A batch is the first rows of the next larger one. Raises ZooError above a tolerance,
    with the error and its position.
    """
    threads = torch.get_num_threads()
    sessions = {graph.name: Session(paths[graph.name], "cpu", threads) for graph in selected}
    networks = [copy.deepcopy(run.network).to(dtype).eval() for dtype in _DTYPES]
    images = _Images(run, progress)
    parity: dict[str, dict[str, Any]] = {}
    largest: dict[str, tuple[dict[str, Tensor], dict[str, NDArray[Any]]]] = {}
    for index, graph in enumerate(selected):
        progress.show(f"comparing {graph.name}", index, len(selected))
        reference = _reference(run, graph)
        inputs = _inputs(run, graph, BATCH_SIZES[-1], images)
        float64, float32 = (_in_chunks(run, reference, network, inputs) for network in networks)
        outputs: dict[str, Any] = {}
        for size in BATCH_SIZES:
            actual = _run(sessions[graph.name], _rows(inputs, 0, size))
            double, single = _rows(float64, 0, size), _rows(float32, 0, size)
            for name in graph.outputs:
                errors = _compare(actual[name], double[name], single[name])
                tolerance = _tolerance(run, name, double[name])
                tolerance *= HALF if precision == "fp16" else 1
                _require(errors, tolerance, f"{graph.name}: {name}", size)
                output = outputs.setdefault(name, {"tolerance": tolerance, "batches": {}})
                _add(output, size, errors)
            largest[graph.name] = inputs, actual
        parity[graph.name] = {"outputs": outputs, "inputs": _origins(run, graph, images)}
    if {"sampler", "encoder"} <= set(sessions) and "log_prob" in run.spec.capabilities:
        progress.show("comparing the round trip", 0, 1)
        parity["encoder"]["round_trip"] = _round_trip(sessions["sampler"], *largest["encoder"])
    return parity


def summary(outputs: Mapping[str, Any]) -> str:
    """The largest error of each output, in words."""
    errors = {name: output["max_abs_error_float64"] for name, output in outputs.items()}
    return ", ".join(f"{name} within {error:.1e}" for name, error in errors.items()) + " of float64"


_DTYPES = (torch.float64, torch.float32)


class _Images:
    """Images spread over the test split if the data are on this machine, else samples."""

    def __init__(self, run: Run, progress: Progress) -> None:
        self.run, self.progress = run, progress
        self._images: Tensor | None = None
        self.origin = ""

    def first(self, size: int) -> Tensor:
        if self._images is None:
            self._images, self.origin = self._load()
        rows = torch.arange(size) % len(self._images)
        return self._images[rows]

    def _load(self) -> tuple[Tensor, str]:
        from zoo.data.names import is_local
        from zoo.data.spread import spread_split

        run, size = self.run, BATCH_SIZES[-1]
        if is_local(run.data_config().source):
            try:
                data = run.open_data(
                    None,
                    lambda done, total: self.progress.show("reading images", done, total),
                    split="test",
                )
                test = data.splits["test"]
                split, indices = spread_split(test, size)
                pixels = np.stack([split[i][0] for i in range(len(split))])
                origin = (
                    f"{len(indices)} of the {len(test):,} images of the test split of {data.name}, "
                    "evenly spread"
                )
                return run.as_images(pixels), origin
            except (ZooError, ValueError):
                pass  # other data than in training, or no test split: samples will do
        samples = run.sample(size, seed=SEED)
        return samples, f"{len(samples)} samples, since the run's data are not on this machine"


def _inputs(model: Model, graph: Graph, size: int, images: _Images) -> dict[str, Tensor]:
    """Inputs of batch size ``size``: fresh latents, images, classes in turn; for any other input
    the rows of its example."""
    inputs = {}
    for name, example in graph.inputs.items():
        rows = example[torch.arange(size) % len(example)] if example.ndim else example
        latent = model.latent
        if name == "z" and list(example.shape[1:]) == [latent.size]:
            z = latents.draw(size, latent.size, latent.distribution, SEED)
            rows = torch.from_numpy(z)
        elif name == "temperature":
            rows = torch.tensor(model.temperature)
        elif name == "image":
            rows = images.first(size)
        elif name == "label" and latent.classes:
            rows = torch.arange(size) * 7 % latent.classes
        inputs[name] = rows.to(example.dtype)
    return inputs


def _reference(model: Model, graph: Graph) -> Reference:
    """The plugin's hook behind a standard sampler or encoder; any other graph's own module."""
    standard = set(graph.inputs) <= {"z", "temperature", "label", "image"}

    @torch.no_grad()
    def sample(network: nn.Module, inputs: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        z = inputs["z"].to(_dtype(network))
        temperature = float(inputs.get("temperature", torch.ones(())))
        other = model.with_network(network)
        return {"image": other.sample_hook(z, temperature, inputs.get("label"))}

    @torch.no_grad()
    def encode(network: nn.Module, inputs: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        images = inputs["image"].to(_dtype(network))
        return model.with_network(network).encode_hook(images, inputs.get("label"))

    def run_module(_: nn.Module, inputs: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        return graphs.run(graph.module, graph, inputs)

    if graph.name == "sampler" and standard and graph.outputs == ("image",) and "z" in graph.inputs:
        return sample
    if graph.name == "encoder" and standard and "image" in graph.inputs:
        return encode
    return run_module


def _dtype(network: nn.Module) -> torch.dtype:
    return next((parameter.dtype for parameter in network.parameters()), torch.float64)


def _rows(values: Mapping[str, Tensor], first: int, end: int) -> dict[str, Tensor]:
    """Rows of a batch; scalars belong to every batch."""
    return {name: value[first:end] if value.ndim else value for name, value in values.items()}


def _in_chunks(
    model: Model, reference: Reference, network: nn.Module, inputs: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    """The outputs of ``reference`` for all rows, computed in chunks."""
    count = next(len(value) for value in inputs.values() if value.ndim)
    chunk = max(1, MAX_PIXELS // model.image_spec.size**2)
    with FastConvolutions():
        parts = [
            reference(network, _rows(inputs, first, first + chunk))
            for first in range(0, count, chunk)
        ]
    return {
        name: torch.cat([part[name] for part in parts]) if value.ndim else value
        for name, value in parts[0].items()
    }


def _run(session: Session, inputs: Mapping[str, Tensor]) -> dict[str, NDArray[Any]]:
    return session.run({name: inputs[name].numpy() for name in session.inputs})


def _compare(actual: NDArray[Any], double: Tensor, single: Tensor) -> dict[str, Any]:
    exact = double.numpy().astype(np.float64)
    if actual.shape != exact.shape:
        return {"shape": list(actual.shape), "expected": list(exact.shape)}
    error = np.abs(actual - exact)
    error = np.where(np.isnan(error), np.inf, error)
    position = np.unravel_index(error.argmax(), error.shape)
    return {
        "max_abs_error_float64": float(error.max()),
        "max_abs_error_float32": float(np.abs(actual - single.numpy()).max()),
        "torch_float32_from_float64": float(np.abs(single.numpy() - exact).max()),
        "at": [int(index) for index in position],
    }


def _tolerance(model: Model, name: str, exact: Tensor) -> float:
    if name == "image":
        return IMAGE
    if name == "log_prob":
        return LOG_PROB * model.image_spec.dimensions
    return LATENT * max(1.0, float(exact.abs().max()))


def _require(errors: Mapping[str, Any], tolerance: float, output: str, size: int) -> None:
    if "shape" in errors:
        raise ZooError(
            f"{output} has shape {errors['shape']} at batch size {size} in onnxruntime and "
            f"{errors['expected']} in torch: nothing was exported"
        )
    if not errors["max_abs_error_float64"] <= tolerance:
        raise ZooError(
            f"{output} differs by {errors['max_abs_error_float64']:.2g} from the network in "
            f"float64, at {errors['at']} of batch size {size}, above the tolerance of "
            f"{tolerance:.2g} (torch in float32: {errors['torch_float32_from_float64']:.2g}): "
            "nothing was exported"
        )


def _add(output: dict[str, Any], size: int, errors: Mapping[str, Any]) -> None:
    output["batches"][str(size)] = errors
    for key in ("max_abs_error_float64", "max_abs_error_float32"):
        output[key] = max(batch[key] for batch in output["batches"].values())


def _round_trip(
    sampler: Session, inputs: Mapping[str, Tensor], encodings: Mapping[str, NDArray[Any]]
) -> dict[str, Any]:
    """The error of sampler(encoder(x)) against x, at temperature 1, of the largest batch."""
    feeds = {"z": torch.from_numpy(encodings["z"]), "temperature": torch.ones(())}
    if "label" in inputs:
        feeds["label"] = inputs["label"]
    images = _run(sampler, feeds)["image"]
    error = float(np.abs(images - inputs["image"].numpy()).max())
    if not error <= ROUND_TRIP:
        raise ZooError(
            f"images that were encoded and sampled again differ by {error:.2g}, above the "
            f"tolerance of {ROUND_TRIP:.2g}: nothing was exported"
        )
    return {"max_abs_error": error, "tolerance": ROUND_TRIP, "images": len(images)}


def _origins(model: Model, graph: Graph, images: _Images) -> dict[str, str]:
    """Where each input came from, in words."""
    origins = {
        "z": f"zoo.sampling.latents, {model.latent.distribution}, seed 2^63",
        "temperature": str(model.temperature),
        "image": images.origin,
        "label": "classes in turn",
    }
    return {name: origins.get(name, "the example's rows") for name in graph.inputs}
