"""The hook specifications of genzoo.

A plugin is a module, or any object, behind an entry point of the group ``zoo``; its functions
decorated with :data:`zoo.hookimpl` are its hooks. A plugin with a model needs ``zoo_models``,
``zoo_build``, ``zoo_train`` and ``zoo_sample``; all other hooks are optional.

A hook that takes a model's name is called only on the plugin that owns the model, inside the
wrappers (``@hookimpl(wrapper=True)``) of other plugins. A plugin may omit arguments. Plugins import
torch inside their hooks, since every command imports every plugin.
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
    """Returns the models of the plugin.

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
    """Builds the network of ``model``, with random weights from torch's global generator.

    ``config`` is the section of the model, ``image`` the spec of the data. The network has an
    attribute ``latent``, a :class:`zoo.Latent`: the size and distribution of its latents. Raise
    :class:`zoo.UsageError` that names the key if ``config`` does not fit ``image``.

    ::

        @hookimpl
        def zoo_build(config, image):
            from tiny.model import Tiny
            return Tiny(config, image)
    """


@hookspec(firstresult=True)
def zoo_train(model: str, network: nn.Module, config: Config) -> Objective:  # type: ignore[empty-body]
    """Returns the :class:`zoo.objectives.Objective` that trains ``network``.

    ``config`` is the whole configuration. The EMA and the saved weights are those of ``network``.
    Steps draw random numbers from their batches (``batch.rand``, ``batch.randn``).

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
    """Returns images ``[N, C, H, W]``, float in [0, 1], of ``latents`` ``[N, latent.size]``.

    It is deterministic: all randomness is in ``latents``. ``labels`` are int64 ``[N]`` or None;
    ``temperature`` scales the latents, 1 is the model's distribution. Exporters trace the hook with
    any N (use ``latents.shape[0]``, not ``len``) and with a scalar tensor as temperature.

    ::

        @hookimpl
        def zoo_sample(network, latents, temperature):
            return network.inverse(latents * temperature).clamp(0, 1)
    """


@hookspec(firstresult=True)
def zoo_encode(  # type: ignore[empty-body]
    model: str, network: nn.Module, images: Tensor, labels: Tensor | None
) -> Mapping[str, Tensor]:
    """Encodes images ``[N, C, H, W]`` in [0, 1] and returns tensors by name.

    A model with exact likelihood returns ``z`` ``[N, latent.size]`` and ``log_prob`` ``[N]`` in
    nats (density in the unit cube); a VAE returns ``mean`` and ``log_variance``.

    ::

        @hookimpl
        def zoo_encode(network, images):
            z, log_prob = network(images)
            return {"z": z, "log_prob": log_prob}
    """


@hookspec(firstresult=True)
def zoo_score(model: str, network: nn.Module, batch: Batch) -> Tensor:  # type: ignore[empty-body]
    """Returns -log P(x) of each discrete image of the batch, or an upper bound, in nats, ``[N]``.

    Random numbers (dequantization noise, posterior samples) come from the batch's methods.

    ::

        @hookimpl
        def zoo_score(network, batch):
            return discrete_nats(network(batch.dequantized)[1], batch)
    """


@hookspec(firstresult=True)
def zoo_likelihood(model: str, network: nn.Module) -> Likelihood:  # type: ignore[empty-body]
    """Describes how ``zoo_score`` computes nats, with an importance-weighted bound if there is one.

    Without this hook, the protocol states whether the batch was dequantized.

    ::

        @hookimpl
        def zoo_likelihood(network):
            return Likelihood("exact, without dequantization")
    """


@hookspec(firstresult=True)
def zoo_graphs(model: str, network: nn.Module) -> Sequence[Graph]:  # type: ignore[empty-body]
    """Returns the modules to export as graphs.

    Without this hook they are the sampler and, if the model encodes, the encoder, of the frozen
    network (:mod:`zoo.freezing`).

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
    """Returns the export formats of the plugin, for ``run.export``, ``zoo sample --backend`` and
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
    """Fetches ``files`` of the run ``source``, and those of ``optional`` that exist.

    Returns their folder, or None if the plugin does not support such a name.

    All files come from one ``revision``, the newest if None. The folder is only read. Raise
    :class:`zoo.UsageError` for an unknown run, revision or file, and :class:`zoo.ZooError` if the
    download fails.

    ::

        @hookimpl
        def zoo_fetch(source, files, optional):
            if source.startswith("shelf:"):
                return copied(source, [*files, *optional])
    """


@hookspec(firstresult=True)
def zoo_push(run: Run, target: str, options: Mapping[str, Any]) -> str | None:
    """Uploads ``run`` to ``target`` and returns its address, or None if the plugin does not support
    such a target. ``options`` are the other arguments of ``run.push``.

    ::

        @hookimpl
        def zoo_push(run, target):
            if target.startswith("shelf:"):
                return stored(run.path, target)
    """


@hookspec
def zoo_commands(cli: click.Group) -> None:
    """Adds commands to ``zoo`` with ``cli.add_command``, which raises for a name that exists.

    ::

        @hookimpl
        def zoo_commands(cli):
            cli.add_command(publish)
    """


@hookspec
def zoo_run_started(run: Run) -> None:
    """Called when a run starts or resumes; its folder and configuration exist.

    ::

        @hookimpl
        def zoo_run_started(run):
            print(run.path, file=sys.stderr)
    """


@hookspec
def zoo_run_step(run: Run, step: int, metrics: Mapping[str, Any]) -> None:
    """Called after each line of metrics.jsonl: numbers averaged since the previous line.

    ::

        @hookimpl
        def zoo_run_step(run, step, metrics):
            writer.add_scalar("loss", metrics["loss"], step)
    """


@hookspec
def zoo_run_checkpoint(run: Run, step: int) -> None:
    """Called after weights, training state and samples of ``step`` are written.

    ::

        @hookimpl
        def zoo_run_checkpoint(run, step):
            shutil.copy(run.path / "samples" / "grid.png", "latest.png")
    """


@hookspec
def zoo_run_finished(run: Run, step: int) -> None:
    """Called after a run reached its limit or was interrupted, with all files written.

    ::

        @hookimpl
        def zoo_run_finished(run, step):
            writer.close()
    """
