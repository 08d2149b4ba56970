"""MultiScale: inverse, density, order of the latents, and freezing."""

import pytest
import torch
from torch import nn

from zoo.flows import (
    ActNorm,
    Composition,
    InvertibleLU1x1,
    Logit,
    MultiScale,
    SplitPrior,
    Squeeze,
    TopPrior,
    standard_normal_log_prob,
)
from zoo.flows.bijection import Bijection
from zoo.freezing import freeze

LABELS = torch.tensor([2, 0, 1])


def scale(channels: int, split: bool) -> Bijection:
    layers: list[Bijection] = [Squeeze(), ActNorm(channels, "zero"), InvertibleLU1x1(channels)]
    if split:
        layers.append(SplitPrior(nn.Conv2d(channels // 2, channels, 1)))
    return Composition(layers)


def whitened() -> MultiScale:
    """Three scales of 8x8 images, each half whitened as it is factored out, with three classes."""
    scales = [scale(4, True), scale(8, True), scale(16, False)]
    return MultiScale(scales, (16, 1, 1), prior=TopPrior(16, classes=3))


def plain() -> MultiScale:
    """Two scales of 8x8 images after a logit, and no prior to whiten with."""
    return MultiScale([scale(4, False), scale(8, False)], (8, 2, 2), first=Logit())


def single() -> MultiScale:
    return MultiScale([scale(4, False)], (4, 4, 4))


@pytest.fixture(params=[whitened, plain, single])
def flow(request: pytest.FixtureRequest) -> MultiScale:
    """A flow with random parameters in float64."""
    torch.manual_seed(0)
    flow = request.param().double()
    with torch.no_grad():
        for parameter in flow.parameters():
            parameter += 0.1 * torch.randn_like(parameter)
    return flow


def random_images() -> torch.Tensor:
    return torch.rand(3, 1, 8, 8, dtype=torch.float64)


def test_inverse_recovers_the_input(flow: MultiScale) -> None:
    x = random_images()
    z, _ = flow(x, LABELS)
    assert z.shape == (3, 64)
    assert torch.allclose(flow.inverse(z, LABELS), x, atol=1e-10)


def test_log_prob_is_the_change_of_variables(flow: MultiScale) -> None:
    x = random_images()
    z, log_prob = flow(x, LABELS)
    for i in range(3):
        one, label = x[i : i + 1], LABELS[i : i + 1]
        jacobian = torch.autograd.functional.jacobian(lambda v, y=label: flow(v, y)[0], one)
        log_det = torch.linalg.slogdet(jacobian.reshape(64, 64))[1]
        assert abs(log_prob[i] - standard_normal_log_prob(z)[i] - log_det) < 1e-8


def test_a_frozen_flow_computes_the_same(flow: MultiScale) -> None:
    flow.eval()
    x, frozen = random_images(), freeze(flow)
    with torch.no_grad():
        for exact, value in zip(flow(x, LABELS), frozen(x, LABELS), strict=True):
            torch.testing.assert_close(value, exact)
        z, _ = flow(x, LABELS)
        torch.testing.assert_close(frozen.inverse(z, LABELS), x)
    assert "InvertibleLU1x1" not in {type(module).__name__ for module in frozen.modules()}


def test_each_scale_factors_out_the_second_half_and_the_coarsest_latents_are_last() -> None:
    flow = MultiScale([Squeeze(), Squeeze(), Squeeze()], (16, 1, 1))
    assert flow.sizes == [32, 16, 16]
    x = torch.arange(64.0).reshape(1, 1, 8, 8)
    squeezed = Squeeze()(x)[0]
    again = Squeeze()(squeezed[:, :2])[0]
    last = Squeeze()(again[:, :4])[0]
    expected = [squeezed[:, 2:], again[:, 4:], last]
    assert torch.equal(flow(x)[0], torch.cat([part.flatten(1) for part in expected], dim=1))


def test_the_prior_depends_on_the_label() -> None:
    torch.manual_seed(0)
    flow = whitened()
    with torch.no_grad():
        flow.prior.by_class.weight.normal_()
    x = random_images().float()
    z, log_prob = flow(x, LABELS)
    other_z, other_log_prob = flow(x, (LABELS + 1) % 3)
    assert torch.equal(z[:, :48], other_z[:, :48])
    assert (z[:, 48:] != other_z[:, 48:]).all()
    assert (log_prob != other_log_prob).all()
    with pytest.raises(ValueError, match="label"):
        flow(x)
