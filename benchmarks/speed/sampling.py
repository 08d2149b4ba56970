"""A row of sampling: ``n`` images of a seed by a run, beside its peer and a matrix product.

genzoo's call is ``sample(n, seed=0)`` of the run in torch or in onnxruntime, latents included, or
the sampler that ``zoo bench`` compiles. The peer ``plain`` calls the network as trained with normal
noise of torch's, ``normflows`` its own ``sample``. The limit counts the multiply-adds of the frozen
sampler. Weights are initial ones; all is in float32, without TF32.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import libraries
import measure
import torch
from plan import Row
from subjects import Subject, noise_images, shape

import zoo
from zoo.api import host
from zoo.model import build
from zoo.runs.folder import WEIGHTS, RunFolder
from zoo.runs.weights import save_tensors
from zoo.sampling.seeding import INITIALIZATION, seed_for
from zoo.system.hardware import hardware
from zoo_onnx.bench import backends, limit
from zoo_onnx.runtime import OnnxModel

if TYPE_CHECKING:
    from zoo.specs import Graph

Sample = Callable[[int], object]


def measured(row: Row, device: torch.device) -> dict[str, Any]:
    with (
        tempfile.TemporaryDirectory() as folder,
        torch.backends.cudnn.flags(enabled=True, allow_tf32=False),
    ):
        run = initial_run(row.subject, Path(folder), device)
        return _measured(row, run, device)


def _measured(row: Row, run: zoo.Run, device: torch.device) -> dict[str, Any]:
    n = row.batch
    graph = backends.sampler_of(run)
    operations = 2 * limit.multiply_adds(run, graph)
    memory, start = measure.Memory(device), time.perf_counter()
    sample = SAMPLERS[row.backend](run, graph, device)
    sample(n)
    measure.wait(device)
    result: dict[str, Any] = {"images": n, "operations_per_image": operations}
    result["first_step_seconds"] = time.perf_counter() - start
    memory.restart()
    sample(n)
    result["peak_bytes"] = memory.peak()
    calls: dict[str, measure.Step] = {"genzoo": lambda: sample(n)}
    try:
        peer = _peer(row, run, device)
        calls[row.peer] = lambda: peer(n)
    except libraries.MissingPackage as error:
        result["peer_failed"] = str(error)
    calls[measure.PRODUCT], per_product = measure.product("fp32", device)
    times = measure.alternate(calls, row.rounds, row.seconds, device)
    result |= measure.timing(times, "genzoo", n)
    result["of_limit"] = measure.fraction_of_limit(times, "genzoo", operations * n, per_product)
    if row.peer in times:
        result["peer_result"] = measure.timing(times, row.peer, n)
        result["times_peer"] = measure.ratio(times, "genzoo", row.peer)
    return result


def initial_run(subject: Subject, folder: Path, device: torch.device) -> zoo.Run:
    """A run in ``folder`` with the initial weights of ``subject``."""
    config = subject.config("fp32", 1)
    data = noise_images(*shape(config))
    torch.manual_seed(seed_for(0, INITIALIZATION))
    model = build(host().owner(subject.model), config.model, data.image_spec, torch.device("cpu"))
    RunFolder(folder).write_config(
        model=model.name,
        plugin=model.owner.plugin.reference(),
        config=config,
        image=data.image_spec,
        source=data.name,
        hardware=hardware(torch.device("cpu")),
        summary={},
    )
    save_tensors(folder / WEIGHTS, model.network.state_dict())
    return zoo.load(folder, device.type)


def _torch(run: zoo.Run, graph: Graph, device: torch.device) -> Sample:
    return lambda n: run.sample(n, seed=0)


def _onnx(run: zoo.Run, graph: Graph, device: torch.device) -> Sample:
    run.export(graph="sampler")
    model = OnnxModel.load(run.path, device.type, threads=torch.get_num_threads())
    return lambda n: model.sample(n, seed=0)


def _compile(run: zoo.Run, graph: Graph, device: torch.device) -> Sample:
    sample = backends.compiled(run, graph)
    return lambda n: sample(backends.batch_of(run, n))


SAMPLERS = {"torch": _torch, "onnx": _onnx, "compile": _compile}


def _peer(row: Row, run: zoo.Run, device: torch.device) -> Sample:
    if row.peer != "plain":
        config = row.subject.config("fp32", row.batch)
        library = libraries.MAKERS[row.peer](row.subject.model, config, device)
        library.step()  # data-dependent initialization
        for network in library.networks:
            network.eval()
        return torch.inference_mode()(lambda n: library.sample(n).cpu())
    run.network.eval()

    @torch.inference_mode()
    def sample(n: int) -> torch.Tensor:
        z = torch.randn(n, run.latent.size, device=device)
        labels = None
        if run.latent.classes:
            labels = torch.arange(n, device=device) % run.latent.classes
        return run.sample_hook(z, run.temperature, labels).cpu()

    return sample
