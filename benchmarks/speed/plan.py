"""The rows of the benchmark: what is measured, in which order, and about how long it takes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from subjects import COMPILE, Subject

CHECKPOINTING = "training.activation_checkpointing"

ADAM = {"training.optimizer": "adam", "training.ema_decay": 0.0, "training.clip_norm": None}
"""Settings of a step as other libraries do it."""

GLOW = {"depth": 8, "permutation": "lu", **ADAM}
"""The 1x1 convolution as normflows has it by default."""


WITHOUT_PRECISION = ("loading", "loop", "commands")


@dataclass(frozen=True)
class Row:
    """A measurement in a process of its own.

    ``kind`` is a module of this folder. ``peer`` is measured in the same rounds; ``backend`` is a
    sampler of ``zoo bench``; ``over`` and ``sizes`` are those of a cost. At most ``rounds`` rounds
    are measured, in about ``seconds``; the whole row takes about ``estimate`` seconds.
    """

    kind: str
    subject: Subject
    batch: int = 0
    precision: str = "fp32"
    peer: str = ""
    backend: str = ""
    over: str = ""
    sizes: tuple[int, ...] = ()
    rounds: int = 30
    seconds: float = 20.0
    estimate: float = 10.0

    @property
    def compile(self) -> str:
        return str(self.subject.changed.get(COMPILE, "off"))

    @property
    def memory(self) -> str:
        """How activations are kept: ``standard``, ``reversible`` or ``checkpointing``."""
        changed = self.subject.changed
        return "checkpointing" if changed.get(CHECKPOINTING) else str(changed.get("memory", ""))

    @property
    def key(self) -> str:
        """The row's name in results and for ``--only``."""
        subject = self.subject
        parts = [self.kind, subject.model, subject.title, f"batch {self.batch}" * bool(self.batch)]
        parts += ["checkpointing" * (self.memory == "checkpointing")]
        parts += [
            self.precision * (self.kind not in WITHOUT_PRECISION),
            "compile" * (self.compile == "on"),
        ]
        parts += [self.backend, f"by {self.over.rpartition('.')[2]}" * bool(self.over)]
        return " / ".join(part for part in [*parts, self.peer] if part)

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def row_of(values: Mapping[str, Any]) -> Row:
    """The row of :meth:`Row.as_json`."""
    subject = Subject(**values["subject"])
    return Row(**{**values, "subject": subject, "sizes": tuple(values["sizes"])})


@dataclass(frozen=True)
class Case:
    """Training and, if ``sampled``, sampling of a subject.

    ``compiled_peer`` is that of the compiled step, at the largest batch size, in the last
    precision, or of Glow in each; without one the step is not compiled.
    """

    subject: Subject
    batches: tuple[int, ...]
    peer: str = "plain"
    compiled_peer: str = ""
    sampled: bool = True
    estimate: float = 15.0


CPU = (
    Case(Subject("glow", "cifar10", GLOW), (16,), "normflows", "normflows", estimate=75),
    Case(
        Subject("glow", "cifar10", {**GLOW, "memory": "reversible"}),
        (16,),
        "standard",
        sampled=False,
        estimate=80,
    ),
    Case(Subject("realnvp", "mnist"), (32,), "plain", "plain"),
    Case(Subject("nice", "mnist"), (100,), "plain", "compiled"),
    Case(Subject("nice", "paper", ADAM), (100,), "normflows", sampled=False),
    Case(Subject("vae", "mnist"), (100,), "plain", "compiled"),
    Case(Subject("vae", "pythae", {"width": 512}), (100,), "pythae", sampled=False),
    Case(Subject("dcgan", "mnist"), (64,), "plain", "compiled"),
    Case(Subject("sngan", "mnist"), (64,), "plain", "compiled"),
    Case(
        Subject(
            "sngan",
            "cifar10-resnet",
            {"width": 64, "critic_width": 32, "critic_steps": 1, "generator_batches": 1},
        ),
        (16,),
        "mimicry",
        sampled=False,
    ),
)

GPU = (
    Case(
        Subject("glow", "cifar10", {**GLOW, "depth": 32}),
        (64, 128, 256, 512),
        "normflows",
        "normflows",
        estimate=120,
    ),
    Case(
        Subject("glow", "cifar10", {**GLOW, "depth": 32, "memory": "reversible"}),
        (64, 512),
        "standard",
        sampled=False,
        estimate=120,
    ),
    Case(Subject("realnvp", "cifar10"), (64, 256), "plain", "plain"),
    Case(Subject("nice", "mnist"), (64, 256), "plain", "compiled"),
    Case(Subject("nice", "paper", ADAM), (200,), "normflows", sampled=False),
    Case(Subject("vae", "cifar10"), (64, 256), "plain", "compiled"),
    Case(Subject("vae", "pythae", {"width": 512}), (100,), "pythae", sampled=False),
    Case(Subject("dcgan", "cifar10"), (64, 256), "plain", "compiled"),
    Case(Subject("sngan", "cifar10"), (64, 256), "plain", "compiled"),
    Case(
        Subject("sngan", "cifar10-resnet", {"generator_batches": 1}),
        (64,),
        "mimicry",
        sampled=False,
    ),
)

QUICK = (
    Case(
        Subject("glow", "cifar10", {**GLOW, "depth": 1, "levels": 2, "width": 16}),
        (4,),
        "normflows",
        "normflows",
        estimate=6,
    ),
    Case(Subject("vae", "mnist", {"width": 32}), (8,), estimate=6),
    Case(Subject("dcgan", "mnist", {"width": 4, "critic_width": 4}), (8,), estimate=6),
)
"""Small networks: a test whose speeds mean nothing."""

COMPILE_SECONDS = 30.0
"""About what compiling a step and its peer takes."""

MIN_BF16 = 0.5
"""bf16 is measured where its matrix products reach this fraction of float32's rate: other
processors emulate it."""

DEPTHS = (8, 32, 64)

MEMORIES: tuple[dict[str, Any], ...] = (
    {"memory": "standard"},
    {"memory": "standard", CHECKPOINTING: True},
    {"memory": "reversible"},
)
"""Ways to keep activations, or not."""

COSTS = {
    "depth": (2, 4, 8, 16),
    "width": (64, 128, 256, 512),
    "batch": (4, 8, 16, 32),
    "data.size": (16, 32, 64),
}
"""Sizes of Glow's costs, over a network of K = 4 and width 128 at batch size 16."""

MODELS = ("nice", "realnvp", "glow", "vae", "dcgan", "sngan")

QUICK_RUN = {"rounds": 3, "seconds": 1.0}


def rows(device: str, precisions: tuple[str, ...], compiled: bool, quick: bool) -> list[Row]:
    """The default rows on ``device``; ``compiled`` if steps can be."""
    cases = QUICK if quick else GPU if device == "cuda" else CPU
    chosen = [*_training(cases, precisions, compiled and not quick)]
    chosen += _sampling(cases[1:] if quick else cases, device, quick)
    chosen += _memory(quick)
    chosen += _costs(quick)
    chosen += _loading(quick)
    chosen += _overhead(quick)
    if quick:
        return [replace(row, **QUICK_RUN, estimate=min(row.estimate, 6)) for row in chosen]
    return chosen


def _training(
    cases: tuple[Case, ...], precisions: tuple[str, ...], compiled: bool
) -> Iterator[Row]:
    for case in cases:
        for batch in case.batches:
            for precision in precisions:
                row = Row(
                    "training",
                    case.subject,
                    batch,
                    precision,
                    case.peer,
                    seconds=max(20.0, case.estimate),
                    estimate=case.estimate * (0.6 if precision == "bf16" else 1),
                )
                yield row
                is_last = (batch, precision) == (case.batches[-1], precisions[-1])
                if compiled and case.compiled_peer and (is_last or case.subject.model == "glow"):
                    subject = case.subject.with_changes({COMPILE: "on"})
                    seconds = row.estimate + COMPILE_SECONDS
                    yield replace(row, subject=subject, peer=case.compiled_peer, estimate=seconds)


def _sampling(cases: tuple[Case, ...], device: str, quick: bool) -> Iterator[Row]:
    backends = ["torch", "onnx"]
    if device == "cuda":
        backends.insert(1, "compile")
    for case in cases:
        if case.sampled:
            peer = case.peer if case.peer == "normflows" else "plain"
            for backend in ["torch"] if quick else backends:
                yield Row(
                    "sampling", case.subject, 64, "fp32", peer, backend, seconds=8, estimate=14
                )


def _memory(quick: bool) -> Iterator[Row]:
    for depth in (1,) if quick else DEPTHS:
        size = {"depth": depth, "width": 8 if quick else 128, "permutation": "lu", **ADAM}
        for how in MEMORIES:
            subject = Subject("glow", "cifar10", size).with_changes(how)
            yield Row("memory", subject, 4 if quick else 64, estimate=8 + depth / 2.5)


def _costs(quick: bool) -> Iterator[Row]:
    costs = {"depth": (1, 2)} if quick else COSTS
    changed = {"depth": 1, "width": 8} if quick else {"depth": 4, "width": 128}
    for over, sizes in costs.items():
        subject = Subject("glow", "cifar10", {**changed, "permutation": "lu", **ADAM})
        batch = 0 if over == "batch" else 4 if quick else 16
        if over in changed:
            kept = {key: value for key, value in subject.changed.items() if key != over}
            subject = replace(subject, changed=kept)
        yield Row(
            "cost", subject, batch, over=over, sizes=sizes, rounds=10, seconds=20, estimate=30
        )


def _loading(quick: bool) -> Iterator[Row]:
    for source in ("arrays", "png"):
        subject = Subject("", source)
        images = 256 if quick else 2048
        yield Row(
            "loading",
            subject,
            64,
            peer="torch",
            sizes=(images,),
            rounds=10,
            seconds=20,
            estimate=25,
        )


def _overhead(quick: bool) -> Iterator[Row]:
    for model in MODELS[:1] if quick else MODELS:
        yield Row("loop", Subject(model, "digits"), rounds=20, estimate=12)
    if not quick:
        yield Row("commands", Subject("", "start-up"), rounds=4, estimate=80)
