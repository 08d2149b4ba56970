"""The hooks of genzoo: everything that a plugin can say to the core.

A plugin is a module, or any object, behind an entry point of the group ``zoo``; its functions
that carry :data:`zoo.hookimpl` are its hooks. A plugin that brings a model has ``zoo_models``,
``zoo_build``, ``zoo_train`` and ``zoo_sample``; the rest is for what its model can do beside.

A hook that names a model is called on the plugin that owns the model and on no other; wrappers
(``@hookimpl(wrapper=True)``) of other plugins stay around it. A plugin may leave out arguments that
it does not need. Nothing heavy is imported when a plugin is: torch is imported inside the hooks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from zoo.plugins.markers import hookspec

if TYPE_CHECKING:
    from pathlib import Path

    import click
    from torch import Tensor, nn

    from zoo.config.sections import Config
    from zoo.data.batch import Batch
    from zoo.model import Likelihood
    from zoo.objectives.objective import Objective
    from zoo.run import Run
    from zoo.specs import Format, Graph, ImageSpec, ModelConfig, ModelSpec


@hookspec
def zoo_models() -> Sequence[ModelSpec]:  # type: ignore[empty-body]
    """The models that this plugin offers.

    ::

        @hookimpl
        def zoo_models():
            return [
                ModelSpec(
                    name="tiny",
                    family="flow",
                    title="Tiny",
                    paper="https://…",
                    config=TinyConfig,
                    presets={"digits": {}},
                )
            ]
    """


@hookspec(firstresult=True)
def zoo_build(model: str, config: ModelConfig, image: ImageSpec) -> nn.Module:  # type: ignore[empty-body]
    """The network of ``model``, with random weights from torch's global generator.

    ``config`` is the model's own section, ``image`` what the data have. The network has
    ``latent``, a :class:`zoo.Latent`: the length and distribution of the vectors it samples from.
    Raise :class:`zoo.UsageError` where the two do not fit, naming the key.

    ::

        @hookimpl
        def zoo_build(config, image):
            from tiny.model import Tiny
            return Tiny(config, image)
    """


@hookspec(firstresult=True)
def zoo_train(model: str, network: nn.Module, config: Config) -> Objective:  # type: ignore[empty-body]
    """What training does with the network: an :class:`zoo.objectives.Objective`.

    ``config`` is the whole configuration. The network averaged and saved is ``network``.

    ::

        @hookimpl
        def zoo_train(network, config):
            from zoo.objectives import MaximumLikelihood
            return MaximumLikelihood(network, config.training, nats_per_image)
    """


@hookspec(firstresult=True)
def zoo_sample(  # type: ignore[empty-body]
    model: str, network: nn.Module, latents: Tensor, temperature: float, labels: Tensor | None
) -> Tensor:
    """Pictures, float in [0, 1], ``[N, C, H, W]``, of ``latents`` ``[N, latent.size]``.

    The same latents give the same pictures: a sampler draws nothing itself. ``labels`` are int64
    ``[N]`` or None; ``temperature`` scales the spread, 1 being the model's own. For exporters it
    must hold for every N (``latents.shape[0]``, not ``len``) and for a temperature that is a
    scalar tensor.

    ::

        @hookimpl
        def zoo_sample(network, latents, temperature):
            return network.inverse(latents * temperature).clamp(0, 1)
    """


@hookspec(firstresult=True)
def zoo_encode(  # type: ignore[empty-body]
    model: str, network: nn.Module, images: Tensor, labels: Tensor | None
) -> Mapping[str, Tensor]:
    """Named tensors for pictures in [0, 1], ``[N, C, H, W]``.

    A model with exact likelihood gives ``z`` ``[N, latent.size]`` and ``log_prob`` ``[N]`` in nats
    (density in the unit cube); one with a variational posterior ``mean`` and ``log_variance``.

    ::

        @hookimpl
        def zoo_encode(network, images):
            z, log_prob = network(images)
            return {"z": z, "log_prob": log_prob}
    """


@hookspec(firstresult=True)
def zoo_score(model: str, network: nn.Module, batch: Batch) -> Tensor:  # type: ignore[empty-body]
    """Nats for each discrete picture of the batch, ``[N]``: -log P(x), or an upper bound on it.

    Random draws (dequantisation, posterior samples) come from the batch.

    ::

        @hookimpl
        def zoo_score(network, batch):
            return discrete_nats(network(batch.dequantized)[1], batch)
    """


@hookspec(firstresult=True)
def zoo_likelihood(model: str, network: nn.Module) -> Likelihood:  # type: ignore[empty-body]
    """How the nats of ``zoo_score`` are counted, and a bound that more samples tighten.

    Without this hook, the protocol states whether the batch was dequantized.

    ::

        @hookimpl
        def zoo_likelihood(network):
            return Likelihood("exact, without dequantization")
    """


@hookspec(firstresult=True)
def zoo_graphs(model: str, network: nn.Module) -> Sequence[Graph]:  # type: ignore[empty-body]
    """The modules that an exporter turns into graphs; without this hook, the sampler and, where
    the model can encode, the encoder, of the frozen network (:mod:`zoo.freezing`).

    ::

        @hookimpl
        def zoo_graphs(network):
            inputs = {"z": torch.zeros(2, network.latent.size), "temperature": torch.ones(())}
            return [
                Graph(
                    name="sampler",
                    module=Sampler(freeze(network)),
                    inputs=inputs,
                    outputs=("image",),
                )
            ]
    """


@hookspec
def zoo_formats() -> Sequence[Format]:  # type: ignore[empty-body]
    """The formats that this plugin writes runs in: for ``run.export``, ``zoo sample --backend`` and
    ``zoo check``.

    ::

        @hookimpl
        def zoo_formats():
            return [Format("stone", carve, read, lambda: None)]
    """


@hookspec(firstresult=True)
def zoo_fetch(
    source: str,
    revision: str | None,
    token: str | None,
    files: Sequence[str],
    optional: Sequence[str],
) -> Path | None:
    """A folder with ``files`` of the run called ``source``, a name for which no path exists, and
    those of ``optional`` that it has; None for a name of another kind.

    The files are of one and the same ``revision``, the newest where it is None, and nobody writes
    into the folder. Raise :class:`zoo.UsageError` where there is no such run, revision or file,
    :class:`zoo.ZooError` where it cannot be fetched.

    ::

        @hookimpl
        def zoo_fetch(source, files, optional):
            if source.startswith("shelf:"):
                return copied(source, [*files, *optional])
    """


@hookspec(firstresult=True)
def zoo_push(run: Run, target: str, options: Mapping[str, Any]) -> str | None:
    """Send ``run`` to ``target`` and return the address where it is then; None for a target of
    another kind. ``options`` are the arguments that ``run.push`` got beside.

    ::

        @hookimpl
        def zoo_push(run, target):
            if target.startswith("shelf:"):
                return stored(run.path, target)
    """


@hookspec
def zoo_commands(cli: click.Group) -> None:
    """Add commands to ``zoo`` with ``cli.add_command``; a name that is taken is refused.

    ::

        @hookimpl
        def zoo_commands(cli):
            cli.add_command(publish)
    """


@hookspec
def zoo_run_started(run: Run) -> None:
    """A run begins, or goes on after a break; its folder and configuration stand.

    ::

        @hookimpl
        def zoo_run_started(run):
            print(run.path, file=sys.stderr)
    """


@hookspec
def zoo_run_step(run: Run, step: int, metrics: Mapping[str, Any]) -> None:
    """A line was added to metrics.jsonl: plain numbers, averaged since the line before.

    ::

        @hookimpl
        def zoo_run_step(run, step, metrics):
            writer.add_scalar("loss", metrics["loss"], step)
    """


@hookspec
def zoo_run_checkpoint(run: Run, step: int) -> None:
    """Weights, training state and sample pictures of ``step`` are on the disk.

    ::

        @hookimpl
        def zoo_run_checkpoint(run, step):
            shutil.copy(run.path / "samples" / "grid.png", "latest.png")
    """


@hookspec
def zoo_run_finished(run: Run, step: int) -> None:
    """The run is over: it reached its limit or was interrupted; all is written.

    ::

        @hookimpl
        def zoo_run_finished(run, step):
            writer.close()
    """
