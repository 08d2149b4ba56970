"""The speeds of a run's sampler: every backend drew the right pictures before one is timed."""

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
from zoo_onnx.bench.backends import TITLES, Batch, Draw

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from zoo.run import Run
    from zoo_onnx.bench.limit import Product
    from zoo_onnx.bench.measure import Timing

WRONG = 1e-2
"""Most that a value of a picture in [0, 1] may be off from torch's."""

PRODUCT = "product"
"""Among the backends that take turns, the matrix product."""


@dataclass(frozen=True)
class Speed:
    """A backend at a batch size: its timing, or in words why there is none. ``of_limit`` is the
    part of its time that its multiply-adds alone would take, at the rate of the matrix product in
    the same rounds, and ``times_torch`` how many times as fast as torch it was in them."""

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
    """What was measured of a run; ``product`` is the matrix product that sets the limit, at its
    fastest. ``preparation`` are the seconds that each backend took before: tracing, compiling,
    exporting and its first batch of each size."""

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
        """Images a second if nothing but the multiply-adds took time, and those ran at the
        machine's matrix rate; None where there are none."""
        return self.product.rate / (2 * self.multiply_adds) if self.multiply_adds else None


def bench(
    run: Run,
    names: Sequence[str],
    sizes: Sequence[int],
    seconds: float,
    told: Progress | None = None,
) -> Bench:
    """Measure the backends ``names`` at the batch sizes ``sizes``, each for ``seconds``.

    Where torch.compile fails, its speeds say why. Raises ZooError where another fails, and for
    pictures that are not those of the network itself.
    """
    told = told or Progress()
    if "onnx" in names:
        require_provider(run.device.type)
    told.show("measuring the matrix rate", 0, 1)
    product = limit.fastest_product(run.device)
    graph = backends.sampler_of(run)
    multiply_adds = limit.multiply_adds(run, graph)
    batches = {size: backends.batch_of(run, size) for size in sizes}
    wanted = _pictures_of(run, batches)
    draws: dict[str, Draw] = {}
    preparation: dict[str, float] = {}
    failed: dict[str, str] = {}
    for name in names:
        if name == "compile":
            told.say("torch.compile compiles the sampler, which can take minutes")
        start = time.perf_counter()
        try:
            with graphs.quietly() if name == "compile" else contextlib.nullcontext():
                draws[name] = backends.make(name, run, graph, told)
                for size in sorted(sizes, reverse=True):
                    _require_right(name, draws[name](batches[size]), wanted[size])
        except WrongPictures:
            raise
        except Exception as error:
            if name != "compile":
                raise
            draws.pop(name, None)
            failed[name] = backends.because(error)
        preparation[name] = time.perf_counter() - start
    speeds: list[Speed] = []
    for index, size in enumerate(sizes):
        told.show(f"measuring batch size {size}", index, len(sizes))
        calls = {name: functools.partial(draw, batches[size]) for name, draw in draws.items()}
        timed = measure.alternate(calls | {PRODUCT: product.call}, seconds) if calls else {}
        if PRODUCT in timed:
            fastest = min(product.seconds, *timed[PRODUCT].calls)
            product = dataclasses.replace(product, seconds=fastest)
        products = multiply_adds * size / product.multiply_adds
        speeds += [_speed(name, size, timed, products, failed) for name in names]
    parameters = sum(one.numel() for one in run.network.parameters())
    machine = hardware(run.device)
    return Bench(run, parameters, multiply_adds, product, seconds, preparation, machine, speeds)


class WrongPictures(ZooError):
    """A backend draws other pictures than the network."""


def _pictures_of(run: Run, batches: Mapping[int, Batch]) -> dict[int, NDArray[Any]]:
    draw = backends.eager(run)
    drawn = {size: draw(batch) for size, batch in batches.items()}
    for size, images in drawn.items():
        if not np.isfinite(images).all():
            raise ZooError(
                f"the network draws pictures that are not finite, at batch size {size}: there is "
                "nothing to measure"
            )
    return drawn


def _require_right(name: str, got: NDArray[Any], wanted: NDArray[Any]) -> None:
    size = len(wanted)
    if got.shape != wanted.shape:
        raise WrongPictures(
            f"{TITLES[name]} draws {list(got.shape)} and the network {list(wanted.shape)}: export "
            "the run again with zoo export"
        )
    off = float(np.abs(got.astype(np.float64) - wanted).max())
    if not off <= WRONG:
        mend = (
            ""
            if name != "onnx"
            else ": zoo export writes it anew, if the run was trained further since"
        )
        raise WrongPictures(
            f"{TITLES[name]} draws other pictures than the network, {off:.2g} off at batch size "
            f"{size}, more than {WRONG:g}{mend}"
        )


def _speed(
    name: str,
    size: int,
    timed: Mapping[str, Timing],
    products: float,
    failed: Mapping[str, str],
) -> Speed:
    if name in failed:
        return Speed(name, size, failed=failed[name])
    part = timed[name].part_of(timed[PRODUCT], products) if products else None
    ratio = timed[name].times_as_fast_as(timed["torch"]) if "torch" in timed else None
    return Speed(name, size, timed[name], part, ratio)
