"""A network comes out of every configuration, or a sentence says why not."""

from __future__ import annotations

from typing import get_args

from torch import nn

from zoo.config.resolve import validate
from zoo.errors import UsageError
from zoo.specs import ImageSpec, Latent, LatentDistribution
from zoo.testing.configuring import choices, with_value
from zoo.testing.drawing import check_shape
from zoo.testing.promise import Broken, blame, promise
from zoo.testing.subject import Subject


@promise("builds", "it builds from its defaults and from the preset", ("presets",))
def builds(subject: Subject) -> str:
    _check(subject.built.network)
    defaults = validate(subject.spec, []).model
    try:
        model = subject.build(defaults)
    except UsageError:  # the defaults may be for larger pictures: those of zoo.build
        model = subject.build(defaults, ImageSpec(3, 32))
    _check(model.network)
    latent = subject.built.network.latent
    return (
        f"{_count(subject.built.network)} parameters, {_count(model.network)} by default; {latent}"
    )


@promise("choices", "every value of every choice builds and draws, or is refused", ("draws",))
def every_choice(subject: Subject) -> str:
    drawn, refused, failed = 0, 0, []
    for key, field in subject.spec.config.model_fields.items():
        now = getattr(subject.config.model, key)
        for value in choices(field.annotation):
            if value is None or value == now:
                continue
            try:
                check_shape(subject, subject.build(with_value(subject, key, value)))
                drawn += 1
            except UsageError:
                refused += 1
            except Exception as error:
                failed.append(f"model.{key} = {value!r}: {blame(subject, error)}")
    if failed:
        raise Broken("; ".join(failed))
    return f"{drawn} other values draw, {refused} are refused"


def _check(network: nn.Module) -> None:
    latent = getattr(network, "latent", None)
    if not isinstance(latent, Latent):
        raise Broken(f"network.latent is {latent!r}, which is no zoo.Latent")
    if type(latent.size) is not int or latent.size < 1:
        raise Broken(f"network.latent.size is {latent.size!r}, not a number from 1 on")
    if latent.distribution not in get_args(LatentDistribution):
        raise Broken(f"network.latent.distribution is {latent.distribution!r}, which is none")
    if type(latent.classes) is not int or latent.classes < 0:
        raise Broken(f"network.latent.classes is {latent.classes!r}, not a number from 0 on")


def _count(network: nn.Module) -> str:
    return f"{sum(p.numel() for p in network.parameters()):,}"
