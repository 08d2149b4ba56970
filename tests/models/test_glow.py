"""The Glow plugin: exact inverse and density in every variant, and the official architecture."""

import itertools
import math

import pytest
import torch

import zoo
from zoo.data.batch import Batch
from zoo.data.quantize import to_unit
from zoo.errors import UsageError
from zoo.flows import initialize_from_data

SMALL = {"levels": 2, "depth": 2, "width": 8, "image_size": 8, "channels": 1}


def random_glow(noise: float = 0.02, **config: object) -> torch.nn.Module:
    """A Glow with random parameters, and activation normalizations initialized from a batch."""
    torch.manual_seed(0)
    network = zoo.build("glow", **{**SMALL, **config})
    with torch.no_grad():
        for parameter in network.parameters():
            parameter += noise * torch.randn_like(parameter)
    shape = (64, network.image.channels, network.image.size, network.image.size)
    labels = torch.arange(64) % network.latent.classes if network.latent.classes else None
    initialize_from_data(network, lambda: network(torch.rand(shape), labels))
    return network.eval()


@pytest.mark.parametrize(
    ("permutation", "coupling", "scale", "actnorm"),
    [
        *itertools.product(
            ["reverse", "shuffle", "1x1", "lu"], ["additive", "affine"], ["sigmoid"], ["data"]
        ),
        ("lu", "affine", "tanh", "data"),
        ("1x1", "affine", "sigmoid", "zero"),
    ],
)
def test_inverse_and_density_in_every_variant(permutation, coupling, scale, actnorm) -> None:
    network = random_glow(permutation=permutation, coupling=coupling, scale=scale, actnorm=actnorm)
    x = torch.rand(4, 1, 8, 8)
    with torch.no_grad():
        z, _ = network(x)
        assert z.shape == (4, 64)
        assert (network.inverse(z) - x).abs().max() < 1e-4
    exact = network.double()
    one = x[:1].double()
    z, log_prob = exact(one)
    jacobian = torch.autograd.functional.jacobian(lambda v: exact(v)[0], one).reshape(64, 64)
    density = -0.5 * (z.square().sum() + 64 * math.log(2 * math.pi))
    assert abs(log_prob.item() - (density + torch.linalg.slogdet(jacobian)[1]).item()) < 1e-8


def test_the_depth_of_the_paper_is_invertible_in_float32() -> None:
    network = random_glow(0.01, levels=3, depth=32, width=16, image_size=32, channels=3)
    x = torch.rand(2, 3, 32, 32)
    with torch.no_grad():
        assert (network.inverse(network(x)[0]) - x).abs().max() < 1e-4


def test_a_conditional_prior_scores_and_samples_by_label() -> None:
    network = random_glow(conditional=True, classes=10)
    assert network.latent.classes == 10
    x, labels = torch.rand(3, 1, 8, 8), torch.tensor([1, 2, 3])
    with torch.no_grad():
        z, log_prob = network(x, labels)
        assert torch.allclose(network.inverse(z, labels), x, atol=1e-4)
        assert not torch.allclose(log_prob, network(x, labels + 1)[1])


def test_reversible_memory_gives_the_same_gradients() -> None:
    gradients = []
    for memory in ("standard", "reversible"):
        network = random_glow(memory=memory).double().train()
        network(torch.full((2, 1, 8, 8), 0.3, dtype=torch.float64))[1].sum().backward()
        gradients.append([p.grad for p in network.parameters()])
    for standard, reversible in zip(*gradients, strict=True):
        assert torch.allclose(standard, reversible, atol=1e-8)


def official_parameters(levels: int, depth: int, width: int, channels: int) -> int:
    """Parameters of openai/glow with plain 1x1 convolutions and affine couplings, without the
    weights of its top prior's convolution, which is only applied to zeros."""
    total = 0
    for level in range(levels):
        channels *= 4
        half = channels // 2
        actnorm, rotation = 2 * channels, channels**2
        first = 9 * (half + 1) * width + 2 * width
        second = width * width + 2 * width
        last = 9 * (width + 1) * channels + 2 * channels
        total += depth * (actnorm + rotation + first + second + last)
        if level < levels - 1:
            total += 9 * (half + 1) * channels + 2 * channels
            channels = half
    return total + 2 * channels


def test_the_cifar10_preset_has_as_many_parameters_as_the_official_code() -> None:
    with torch.device("meta"):
        glow = zoo.build("glow", preset="cifar10", image_size=32, channels=3)
    count = sum(p.numel() for p in glow.parameters())
    assert count == official_parameters(3, 32, 512, 3)
    assert 44e6 < count < 45e6


def test_bits_per_dim_of_the_identity() -> None:
    """With every layer the identity, the density is a standard normal at x - 1/2."""
    network = zoo.build(
        "glow", **{**SMALL, "depth": 1, "actnorm": "zero", "permutation": "reverse",
                   "coupling": "additive"}
    )  # fmt: skip
    levels = torch.randint(0, 32, (4, 1, 8, 8), dtype=torch.uint8)
    batch = Batch(levels, None, 5)
    from zoo_glow import zoo_score

    exact = torch.distributions.Normal(0.0, 1.0).log_prob(batch.dequantized - 0.5).sum((1, 2, 3))
    assert torch.allclose(zoo_score(network, batch), 64 * 5 * math.log(2) - exact, rtol=1e-5)


def test_images_are_encoded_at_the_centers_of_their_bins() -> None:
    network, x = random_glow(bits=5), torch.randint(0, 32, (2, 1, 8, 8)) / 31
    from zoo_glow import zoo_encode, zoo_sample

    with torch.no_grad():
        z = zoo_encode(network, x, None)["z"]
        assert torch.equal(z, network(to_unit(x, 5))[0])
        assert torch.allclose(zoo_sample(network, z, 1.0, None), x, atol=1e-4)


def test_an_indivisible_size_is_refused() -> None:
    with pytest.raises(UsageError, match=r"model\.levels = 3 .* multiple of 8, got 20"):
        zoo.build("glow", levels=3, image_size=20)
    with pytest.raises(UsageError, match="conditional"):
        zoo.build("glow", **SMALL, conditional=True)
