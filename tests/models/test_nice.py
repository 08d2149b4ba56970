"""The NICE plugin: exact inverse and density in every variant, and the paper's layers."""

import itertools
import math

import pytest
import torch
from torch import Tensor

import zoo
from zoo.config.sections import Config, DataConfig, TrainingConfig
from zoo.data.batch import Batch
from zoo.data.quantize import to_unit
from zoo.flows import standard_logistic_log_prob, standard_normal_log_prob
from zoo.objectives import discrete_nats
from zoo_nice import PRESETS, NICEConfig, zoo_encode, zoo_sample, zoo_score, zoo_train

SMALL = {"width": 24, "depth": 2, "image_size": 4, "channels": 1}
PRIORS = {"logistic": standard_logistic_log_prob, "normal": standard_normal_log_prob}
VARIANTS = list(
    itertools.product(
        ["odd-even", "half"], ["alternate", "shuffle", "1x1", "lu"], ["additive", "affine"]
    )
)


def initial_nice(**config: object) -> torch.nn.Module:
    """A NICE with initial parameters: all couplings are the identity, all scales 1."""
    torch.manual_seed(0)
    return zoo.build("nice", **{**SMALL, **config}).eval()


def random_nice(**config: object) -> torch.nn.Module:
    """A NICE with random parameters in float64."""
    network = initial_nice(**config).double()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter += 0.2 * torch.randn_like(parameter)
    return network


def random_batch(bits: int = 8) -> Batch:
    levels = torch.randint(0, 2**bits, (5, 1, 4, 4), dtype=torch.uint8)
    return Batch(levels, None, bits)


def jacobian(network: torch.nn.Module, x: Tensor) -> Tensor:
    """dz/dx of one image, ``[D, D]``."""
    size = x.numel()
    return torch.autograd.functional.jacobian(lambda v: network(v)[0], x).reshape(size, size)


def couplings(network: torch.nn.Module) -> list[torch.nn.Module]:
    return [layer for layer in network.layers.layers if hasattr(layer, "network")]


@pytest.mark.parametrize("size", [4, 5])
@pytest.mark.parametrize(("split", "permutation", "coupling"), VARIANTS)
def test_inverse_and_density_in_every_variant(split, permutation, coupling, size) -> None:
    variant = {"split": split, "permutation": permutation, "coupling": coupling}
    for prior, log_prior in PRIORS.items():
        network = random_nice(**variant, prior=prior, image_size=size)
        x = torch.rand(3, 1, size, size, dtype=torch.float64)
        z, log_prob = network(x)
        assert z.shape == (3, size**2)
        assert (network.inverse(z) - x).abs().max() < 1e-10
        exact = log_prior(z[:1]) + torch.linalg.slogdet(jacobian(network, x[:1]))[1]
        assert abs(log_prob[0] - exact.item()) < 1e-9


@pytest.mark.parametrize("prior", ["logistic", "normal"])
@pytest.mark.parametrize("split", ["odd-even", "half"])
def test_initially_the_density_is_the_prior_of_the_dequantized_image(prior, split) -> None:
    network, batch = initial_nice(prior=prior, split=split), random_batch()
    flat = batch.dequantized.flatten(1).double()
    if prior == "normal":
        exact = torch.distributions.Normal(0.0, 1.0).log_prob(flat).sum(1)
    else:
        exact = -torch.log((1 + flat.exp()) * (1 + torch.exp(-flat))).sum(1)
    nats = zoo_score(network, batch).double()
    assert torch.allclose(nats, 16 * 8 * math.log(2) - exact, rtol=1e-6)


@pytest.mark.parametrize("permutation", ["alternate", "shuffle"])
@pytest.mark.parametrize("prior", PRIORS)
def test_additive_couplings_preserve_volume_and_only_the_scaling_counts(prior, permutation) -> None:
    network = random_nice(prior=prior, permutation=permutation)
    z, log_prob = network(torch.rand(4, 1, 4, 4, dtype=torch.float64))
    scaling = network.layers.layers[-1].log_scale
    assert torch.allclose(log_prob - PRIORS[prior](z), scaling.sum().expand(4), atol=1e-11)
    assert scaling.shape == (16,)


def test_a_value_of_b_bits_takes_b_bits_where_the_density_is_1() -> None:
    """A logistic density of scale exp(-s) is exp(s) / 4 at its center."""
    network = initial_nice()
    with torch.no_grad():
        network.layers.layers[-1].log_scale.fill_(math.log(4))
    for bits in (4, 8):
        batch = random_batch(bits)
        _, log_prob = network(torch.zeros(5, 1, 4, 4))
        bits_per_dim = discrete_nats(log_prob, batch) / (16 * math.log(2))
        assert bits_per_dim.tolist() == pytest.approx([bits] * 5, abs=1e-6)


def shifted_by(index: int, **config: object) -> list[bool]:
    """The values of an image that one coupling shifts while all others are the identity."""
    network, x = initial_nice(**config), torch.rand(1, 1, 4, 4)
    identity = network(x)[0]
    with torch.no_grad():
        couplings(network)[index].network.layers[-1].bias.fill_(1.0)
        shifted = network(x)[0] - identity
    order = initial_nice(**config)(torch.arange(16.0).reshape(1, 1, 4, 4))[0][0].int()
    changed = torch.zeros(16)
    changed[order.long()] = shifted[0]
    return changed.isclose(torch.ones(16)).tolist()


def test_odd_and_even_values_swap_roles() -> None:
    """Section 5.1: odd values, counted from 1, shift even ones, then the reverse."""
    even, odd = [False, True] * 8, [True, False] * 8
    assert [shifted_by(i) for i in range(4)] == [even, odd, even, odd]


def test_halves_swap_roles() -> None:
    second, first = [False] * 8 + [True] * 8, [True] * 8 + [False] * 8
    assert [shifted_by(i, split="half") for i in range(4)] == [second, first, second, first]


@pytest.mark.parametrize("split", ["odd-even", "half"])
@pytest.mark.parametrize(("size", "least"), [(4, 2), (5, 3)])
def test_every_value_is_shifted_by_some_coupling(split, size, least) -> None:
    network = initial_nice(split=split, image_size=size, couplings=least)
    x = torch.rand(1, 1, size, size)
    before = network(x)[0]
    with torch.no_grad():
        for coupling in couplings(network):
            coupling.network.layers[-1].bias.fill_(1.0)
    assert (network(x)[0] - before).min() > 0.99


def test_with_three_couplings_every_value_depends_on_every_other() -> None:
    """Section 3.2: three are necessary and sufficient."""
    x = torch.rand(1, 1, 4, 4, dtype=torch.float64)
    assert (jacobian(random_nice(couplings=3), x) != 0).all()
    assert not (jacobian(random_nice(couplings=2), x) != 0).all()


@pytest.mark.parametrize("prior", PRIORS)
def test_the_temperature_multiplies_latents(prior) -> None:
    network = random_nice(prior=prior).float()
    assert (network.latent.size, network.latent.distribution) == (16, prior)
    z = 0.1 * torch.randn(3, 16)
    images = zoo_sample(network, z, 0.5)
    assert torch.equal(images, zoo_sample(network, z * 0.5, 1.0))
    assert not torch.equal(images, zoo_sample(network, z, 1.0))


def test_images_are_encoded_at_the_centers_of_their_bins() -> None:
    network, x = random_nice(bits=5).float(), torch.randint(0, 32, (2, 1, 4, 4)) / 31
    with torch.no_grad():
        z = zoo_encode(network, x)["z"]
        assert torch.equal(z, network(to_unit(x, 5))[0])
        assert torch.allclose(zoo_sample(network, z, 1.0), x, atol=1e-4)


def test_scales_are_initialized_from_a_batch_or_stay_1() -> None:
    for scaling in ("data", "zero"):
        network, batch = initial_nice(scaling=scaling), random_batch()
        config = Config(NICEConfig(scaling=scaling), DataConfig(), TrainingConfig())
        zoo_train(network, config).initialize(batch)
        z, _ = network(batch.dequantized)
        if scaling == "data":
            assert torch.allclose(z.var(0, correction=0), torch.ones(16), atol=1e-3)
        else:
            assert torch.equal(z, initial_nice()(batch.dequantized)[0])


def test_the_paper_preset_has_the_layers_of_the_paper() -> None:
    """Section 5.1: four couplings, each with five hidden layers of 1000 units between the 392 odd
    and the 392 even values of an image, and a scale for each of the 784."""
    with torch.device("meta"):
        network = zoo.build("nice", preset="paper", image_size=28, channels=1)
    first, hidden, last = 392 * 1000 + 1000, 1000 * 1000 + 1000, 1000 * 392 + 392
    assert [
        [sum(p.numel() for p in module.parameters()) for module in coupling.network.layers]
        for coupling in couplings(network)
    ] == 4 * [[first, 0, hidden, 0, hidden, 0, hidden, 0, hidden, 0, last]]
    total = 4 * (first + 4 * hidden + last) + 784
    assert sum(p.numel() for p in network.parameters()) == total == 19_158_352
    assert network.latent == zoo.Latent(784, "logistic")
    assert network.layers.layers[-1].log_scale.shape == (784,)


def test_the_results_of_the_paper_in_bits() -> None:
    """A log-density of 1980.50 nats in the unit cube is 4.36 bits for each of 784 values of 8 bits;
    one of 5371.78 in the cube of side 2 is 4.48 bits for each of 3072."""
    for log_prob, shape, bits in [
        (torch.tensor([1980.50]), (1, 28, 28), 4.36),
        (torch.tensor([5371.78 + 3072 * math.log(2)]), (3, 32, 32), 4.48),
    ]:
        batch = Batch(torch.zeros(1, *shape, dtype=torch.uint8), None, 8)
        nats = discrete_nats(log_prob, batch).item()
        assert nats / (batch.dimensions * math.log(2)) == pytest.approx(bits, abs=0.005)


def test_epsilon_is_rescaled_from_gradients_of_nats() -> None:
    """Adam on bits/dim with the preset's epsilon is Adam on nats with the paper's 1e-4."""
    dimensions = 784 * math.log(2)
    trained = []
    for factor, epsilon in [(1.0, 1e-4), (1 / dimensions, PRESETS["paper"]["training"]["epsilon"])]:
        weight = torch.nn.Parameter(torch.tensor([1e-4, 0.3], dtype=torch.float64))
        adam = torch.optim.Adam([weight], lr=1e-3, betas=(0.9, 0.99), eps=epsilon)
        for _ in range(20):
            adam.zero_grad()
            (factor * weight.square().sum()).backward()
            adam.step()
        trained.append(weight.detach())
    assert torch.allclose(*trained, rtol=1e-9)
