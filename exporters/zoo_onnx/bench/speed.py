"""Speeds of a run's sampler. The images of every backend are checked before it is timed."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.errors import ZooError
from zoo.export import graphs
from zoo.system.hardware import hardware
from zoo.system.onnxruntime import require_provider
from zoo.system.progress import Progress
from zoo_onnx.bench import backends, limit, measure
from zoo_onnx.bench.backends import TITLES, Backend, LatentBatch

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from zoo.run import Run
    from zoo_onnx.bench.limit import Product
    from zoo_onnx.bench.measure import Timing

TOLERANCE = 1e-2
"""Maximum difference of a value of an image in [0, 1] from torch's."""

PRODUCT = "product"
"""Name of the matrix product among the calls that alternate."""


@dataclass(frozen=True)
class Speed:
    """A backend at a batch size: its timing, or why it failed.

    ``of_limit`` is the fraction of its time that its multiply-adds alone would take, at the rate
    of the matrix product in the same rounds; ``times_torch`` is its speed relative to torch's.
    """

    backend: str
    batch_size: int
    timing: Timing | None = None
    of_limit: float | None = None
    times_torch: float | None = None
    failed: str = ""

    @property
    def images_per_second(self) -> float | None:
        return self.batch_size / self.timing.median if self.timing else None


@dataclass(frozen=True)
class Bench:
    """The results of a run.

    ``product`` is the matrix product that sets the limit, at its fastest. ``preparation`` holds
    each backend's seconds of tracing, compiling, exporting and its first batch of each size.
    """

    run: Run
    parameters: int
    multiply_adds: int
    product: Product
    seconds: float
    preparation: Mapping[str, float]
    hardware: Mapping[str, Any]
    speeds: Sequence[Speed]

    @property
    def limit(self) -> float | None:
        """Images per second if only the multiply-adds took time, at the machine's matrix rate;
        None for a model without any."""
        return self.product.rate / (2 * self.multiply_adds) if self.multiply_adds else None


def bench(
    run: Run,
    names: Sequence[str],
    sizes: Sequence[int],
    seconds: float,
    progress: Progress | None = None,
) -> Bench:
    """Measures the backends ``names`` at the batch sizes ``sizes``, each for ``seconds``.

    If torch.compile fails, its speeds state the reason. Raises ZooError if another backend fails,
    and for images that differ from the network's own.
    """
    progress = progress or Progress()
    if "onnx" in names:
        require_provider(run.device.type)
    progress.show("measuring the matrix rate", 0, 1)
    product = limit.fastest_product(run.device)
    graph = backends.sampler_of(run)
    multiply_adds = limit.multiply_adds(run, graph)
    batches = {size: backends.batch_of(run, size) for size in sizes}
    expected = _expected_images(run, batches)
    samplers: dict[str, Backend] = {}
    preparation: dict[str, float] = {}
    failed: dict[str, str] = {}
    for name in names:
        if name == "compile":
            progress.say("compiling the sampler with torch.compile, which can take minutes")
        start = time.perf_counter()
        try:
            with graphs.quietly() if name == "compile" else contextlib.nullcontext():
                samplers[name] = backends.make(name, run, graph, progress)
                for size in sorted(sizes, reverse=True):
                    _require_equal(name, samplers[name](batches[size]), expected[size])
        except WrongImages:
            raise
        except Exception as error:
            if name != "compile":
                raise
            samplers.pop(name, None)
            failed[name] = backends.reason_of(error)
        preparation[name] = time.perf_counter() - start
    speeds: list[Speed] = []
    for index, size in enumerate(sizes):
        progress.show(f"measuring batch size {size}", index, len(sizes))
        calls = {name: functools.partial(call, batches[size]) for name, call in samplers.items()}
        timings = measure.alternate(calls | {PRODUCT: product.call}, seconds) if calls else {}
        if PRODUCT in timings:
            fastest = min(product.seconds, *timings[PRODUCT].calls)
            product = dataclasses.replace(product, seconds=fastest)
        products = multiply_adds * size / product.multiply_adds
        speeds += [_speed(name, size, timings, products, failed) for name in names]
    parameters = sum(parameter.numel() for parameter in run.network.parameters())
    machine = hardware(run.device)
    return Bench(run, parameters, multiply_adds, product, seconds, preparation, machine, speeds)


class WrongImages(ZooError):
    """The images of a backend differ from the network's."""


def _expected_images(run: Run, batches: Mapping[int, LatentBatch]) -> dict[int, NDArray[Any]]:
    sample = backends.eager(run)
    expected = {size: sample(batch) for size, batch in batches.items()}
    for size, images in expected.items():
        if not np.isfinite(images).all():
            raise ZooError(
                f"the images of the network are not finite at batch size {size}: nothing to measure"
            )
    return expected


def _require_equal(name: str, actual: NDArray[Any], expected: NDArray[Any]) -> None:
    size = len(expected)
    if actual.shape != expected.shape:
        raise WrongImages(
            f"{TITLES[name]} returns images {list(actual.shape)} and the network "
            f"{list(expected.shape)}: run zoo export again"
        )
    difference = float(np.abs(actual.astype(np.float64) - expected).max())
    if not difference <= TOLERANCE:
        fix = ": run zoo export again if the run was trained since" if name == "onnx" else ""
        raise WrongImages(
            f"the images of {TITLES[name]} differ from the network's by {difference:.2g} at batch "
            f"size {size}, more than {TOLERANCE:g}{fix}"
        )


def _speed(
    name: str,
    size: int,
    timings: Mapping[str, Timing],
    products: float,
    failed: Mapping[str, str],
) -> Speed:
    if name in failed:
        return Speed(name, size, failed=failed[name])
    of_limit = timings[name].fraction_of(timings[PRODUCT], products) if products else None
    ratio = timings[name].times_as_fast_as(timings["torch"]) if "torch" in timings else None
    return Speed(name, size, timings[name], of_limit, ratio)
