"""A run: a trained model with its folder, its configuration and the plugin host."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.config.resolve import read_as
from zoo.config.sections import Config, DataConfig
from zoo.data.names import absolute
from zoo.errors import ZooError
from zoo.model import Model, build
from zoo.plugins.formats import TORCH, format_of
from zoo.plugins.host import Host
from zoo.report.card import write_card
from zoo.report.dataset import remarks
from zoo.runs.folder import CONFIG, WEIGHTS, RunFolder
from zoo.runs.loaded import check_loaded
from zoo.runs.sources import require_here
from zoo.runs.stored import StoredRun
from zoo.runs.weights import load_weights, no_larger_than, weights_digest
from zoo.sampling.seeding import preserved
from zoo.system.device import choose_device
from zoo.system.torch_state import default_state
from zoo.training.observer import Observer

if TYPE_CHECKING:
    from zoo.data import Dataset
    from zoo.evaluation import Evaluation
    from zoo.system.progress import Progress
    from zoo.training.request import Request


@dataclass(frozen=True, repr=False)
class Run(Model):
    """A :class:`zoo.Model` with the folder that it is stored in.

    ``source`` is the name that the run was fetched by, None for a local folder.
    """

    folder: RunFolder
    config: Config
    host: Host
    source: str | None = None

    def __repr__(self) -> str:
        return f"Run({(self.source or str(self.path))!r}, {self._description()})"

    @property
    def path(self) -> Path:
        """The run folder."""
        return self.folder.path

    def evaluate(
        self,
        data: str | None = None,
        split: str = "test",
        seed: int = 0,
        metrics: Sequence[str] = (),
        *,
        images: int | None = None,
        samples: int | None = None,
        temperature: float | None = None,
        importance_samples: int = 100,
        features: str | Path | None = None,
        settings: Mapping[str, Any] | None = None,
        backend: str = TORCH,
        progress: Progress | None = None,
    ) -> Evaluation:
        """Measures ``metrics`` (default: all that the model supports) on a split of ``data``
        (default: the training data) at the run's size and channels.

        ``settings`` are those of :meth:`data_config`; ``backend`` is ``"torch"``, or the format of
        exported graphs to measure instead of the network. The other arguments are those of
        :class:`zoo.evaluation.measure.Plan`. Writes nothing;
        ``zoo evaluate`` writes metrics.json.
        """
        from zoo.evaluation.exported import Exported
        from zoo.evaluation.measure import Plan, check_plan, evaluate
        from zoo.evaluation.metrics import check_graphs
        from zoo.system.progress import Progress

        plan = Plan(
            split,
            seed,
            tuple(metrics),
            images,
            samples,
            temperature,
            importance_samples,
            features,
        )
        check_plan(self, plan)
        model: Model = self
        if backend != TORCH:
            check_graphs(self.spec, metrics)
            graphs = format_of(self.host, backend).open(self.source or self.path, self.device.type)
            model = Exported.of(self, graphs, backend)
        progress = progress or Progress()
        dataset = self.open_data(
            data,
            lambda done, total: progress.show("reading images", done, total),
            settings=settings,
        )
        for line in remarks(dataset):
            progress.say(line)
        if self.latent.classes and not self.class_names and dataset.image_spec.classes:
            progress.say(f"this {self.name} has no class names: labels are matched by their order")
        return evaluate(model, dataset, plan, weights_digest(self.network)[:12], progress)

    def open_data(
        self,
        source: str | None = None,
        progress: Callable[[int, int], None] | None = None,
        *,
        split: str | None = None,
        settings: Mapping[str, Any] | None = None,
    ) -> Dataset:
        """Opens ``source`` (default: the training data) as :meth:`data_config` says, divided as in
        training.

        With ``split``, the dataset has this split alone, and is streamed: for a few images.
        """
        from zoo.data import SPLITS, open_data

        config = self.data_config(source, settings)
        if split is not None:
            config = config.model_copy(update={"resident_gib": 0.0})
        return open_data(
            config,
            progress,
            seed=self.config.training.seed,
            class_names=self.class_names or None,
            splits=SPLITS if split is None else [split],
        )

    def data_config(
        self, source: str | None = None, settings: Mapping[str, Any] | None = None
    ) -> DataConfig:
        """Returns the configuration that opens ``source`` (default: the training data) at the
        run's size and channels; the layout and the column of other data are found anew.

        ``settings`` say how ``source`` is read, by the keys of ``data`` in
        :data:`zoo.config.sections.READING`; raises UsageError for others.
        """
        stored = self.folder.read_data_record().get("source", self.config.data.source)
        shape = {"size": self.image_spec.size, "channels": self.image_spec.channels}
        update: dict[str, Any] = {"source": source or stored, **shape}
        if source is not None and absolute(source) != absolute(stored):
            update |= {"layout": None, "column": None}
        config = self.config.data.model_copy(update=update)
        return config if settings is None else read_as(config, source, settings)

    def export(self, format: str | None = None, **options: Any) -> Sequence[Any]:
        """Exports the run to a plugin's format, by default the only one, and returns the files.

        ``options`` are the format's own; ``onnx`` takes those of :func:`zoo_onnx.export.export` and
        returns its :class:`zoo_onnx.export.Exported`. Raises UsageError for an unknown format,
        ZooError if something must be installed first or the export fails.
        """
        with default_state():
            return format_of(self.host, format).export(self, **options)

    def push(self, target: str, **options: Any) -> str:
        """Uploads the run to ``target``, ``"user/repo"``, and returns its URL.

        ``options`` are those of the plugin that pushes there (:func:`zoo_hub.push.push`).
        """
        return self.host.push(self, target, options)

    def write_card(self) -> None:
        """Writes README.md, the model card; text that a person added is preserved.

        Raises DamagedCard for a damaged one.
        """
        require_here(self.source or self.path, "download it to a folder to write a card")
        write_card(self.path, self.host.owner)


def load_with(host: Host, path: Path, device: str = "auto") -> Run:
    """Loads the run in a folder with the plugins of ``host``; see :func:`zoo.load`."""
    return load_stored(host, StoredRun.read(RunFolder(path), host.spec), device)


def load_stored(host: Host, stored: StoredRun, device: str = "auto") -> Run:
    """Loads the network of a run whose configuration is read; see :func:`zoo.load`."""
    torch_device = choose_device(device)
    stored.require_weights()
    weights = stored.path / WEIGHTS
    with no_larger_than(weights), preserved(torch_device):
        owner = host.owner(stored.name)
        model = build(owner, stored.config.model, stored.image_spec, torch_device)
    with default_state(gradients=True):
        digest = load_weights(model.network, weights)
        check_loaded(stored.path, stored.document, digest, fetched=stored.source is not None)
        _check_image(stored)
        model.network.to(torch_device).eval()
    return replace(run_of(model, stored.folder, stored.config, host), source=stored.source)


def _check_image(stored: StoredRun) -> None:
    """Raises ZooError unless the configuration describes images as the run states them."""
    for key in ("size", "channels", "bits"):
        stated, actual = getattr(stored.config.data, key), getattr(stored.image_spec, key)
        if stated not in (None, actual):
            raise ZooError(
                f"{stored.path / CONFIG}: data.{key} is {stated} and image.{key} is {actual}: they "
                "must agree"
            )


def run_of(model: Model, folder: RunFolder, config: Config, host: Host) -> Run:
    """Returns the run of a model that is stored in ``folder``."""
    return Run(
        model.spec,
        model.image_spec,
        model.network,
        model.device,
        model.owner,
        folder,
        config,
        host,
    )


class HookObserver(Observer):
    """Calls the observer hooks of all plugins during the training of a run."""

    def __init__(self, host: Host, run: Run) -> None:
        self._host, self._run = host, run

    def started(self) -> None:
        self._host.notify("zoo_run_started", run=self._run)

    def step(self, step: int, metrics: Mapping[str, Any]) -> None:
        self._host.notify("zoo_run_step", run=self._run, step=step, metrics=metrics)

    def checkpoint(self, step: int) -> None:
        self._host.notify("zoo_run_checkpoint", run=self._run, step=step)

    def finished(self, step: int) -> None:
        self._host.notify("zoo_run_finished", run=self._run, step=step)


def train(host: Host, request: Request, progress: Progress) -> Run:
    """Trains as requested and returns the finished run, in evaluation mode.

    Raises as :func:`zoo.training.launch.launch`.
    """
    from zoo.training.launch import launch

    def observe(model: Model, folder: RunFolder, config: Config) -> HookObserver:
        return HookObserver(host, run_of(model, folder, config, host))

    model, folder, config = launch(request, host.owner, progress, observe)
    return run_of(model, folder, config, host)
