"""Every configuration builds a network, or is refused with a UsageError."""

from __future__ import annotations

from typing import get_args

from torch import nn

from zoo.config.resolve import validate
from zoo.errors import UsageError
from zoo.specs import ImageSpec, Latent, LatentDistribution
from zoo.testing.configuration import choices, with_value
from zoo.testing.promise import Broken, blame, promise
from zoo.testing.sampling import checked_samples
from zoo.testing.subject import Subject


@promise("builds", "the model builds from its defaults and from the preset", ("presets",))
def builds(subject: Subject) -> str:
    _check_latent(subject.built.network)
    defaults = validate(subject.spec, []).model
    try:
        model = subject.build(defaults)
    except UsageError:  # the defaults may need larger images: use the image spec of zoo.build
        model = subject.build(defaults, ImageSpec(3, 32))
    _check_latent(model.network)
    network = subject.built.network
    return f"{_count(network)} parameters, {_count(model.network)} by default; {network.latent}"


@promise("choices", "every value of every choice builds and samples, or is refused", ("samples",))
def every_choice(subject: Subject) -> str:
    accepted, refused, failures = 0, 0, []
    for key, field in subject.spec.config.model_fields.items():
        current = getattr(subject.config.model, key)
        for value in choices(field.annotation):
            if value is None or value == current:
                continue
            try:
                checked_samples(subject, subject.build(with_value(subject, key, value)))
                accepted += 1
            except UsageError:
                refused += 1
            except Exception as error:
                failures.append(f"model.{key} = {value!r}: {blame(subject, error)}")
    if failures:
        raise Broken("; ".join(failures))
    return f"{accepted} other values work, {refused} are refused"


def _check_latent(network: nn.Module) -> None:
    latent = getattr(network, "latent", None)
    if not isinstance(latent, Latent):
        raise Broken(f"network.latent must be a zoo.Latent, got {latent!r}")
    if type(latent.size) is not int or latent.size < 1:
        raise Broken(f"network.latent.size must be an integer of at least 1, got {latent.size!r}")
    if latent.distribution not in get_args(LatentDistribution):
        names = ", ".join(get_args(LatentDistribution))
        raise Broken(
            f"network.latent.distribution must be one of {names}, got {latent.distribution!r}"
        )
    if type(latent.classes) is not int or latent.classes < 0:
        raise Broken(
            f"network.latent.classes must be an integer of at least 0, got {latent.classes!r}"
        )


def _count(network: nn.Module) -> str:
    return f"{sum(p.numel() for p in network.parameters()):,}"
