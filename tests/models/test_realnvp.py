"""The RealNVP plugin: inverse and density in every variant, and the official architecture."""

import math

import pytest
import torch

import zoo
from zoo.config.sections import Config, DataConfig, TrainingConfig
from zoo.data.batch import Batch
from zoo.data.quantize import to_unit
from zoo.errors import UsageError
from zoo.flows import BatchNorm, WeightNormConv2d, initialize_from_data

SMALL = {"scales": 2, "blocks": 1, "width": 8, "image_size": 8, "channels": 1}

VARIANTS = [
    {},
    {"coupling": "additive"},
    {"checkerboard": False},
    {"permutation": "reverse"},
    {"permutation": "shuffle"},
    {"norm": "actnorm"},
    {"norm": "none"},
    {"momentum": 0.9},
    {"scales": 1, "checkerboard": False, "coupling": "additive", "norm": "none"},
    {"scales": 3, "permutation": "shuffle", "coupling": "additive"},
    {"scales": 1, "alpha": 0.01},
]


def random_realnvp(noise: float = 0.05, **config: object) -> torch.nn.Module:
    """A RealNVP with random parameters and the running statistics of a few batches, in evaluation
    mode."""
    torch.manual_seed(0)
    network = zoo.build("realnvp", **{**SMALL, **config}).train()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter += noise * torch.randn_like(parameter)
    shape = (64, network.image.channels, network.image.size, network.image.size)
    initialize_from_data(network, lambda: network(torch.rand(shape)))
    with torch.no_grad():
        for _ in range(3):
            network(torch.rand(shape))
    return network.eval()


@pytest.mark.parametrize("variant", VARIANTS, ids=str)
def test_inverse_and_density_in_every_variant(variant) -> None:
    network = random_realnvp(**variant)
    x = torch.rand(4, 1, 8, 8)
    with torch.no_grad():
        z, _ = network(x)
        assert z.shape == (4, 64)
        assert (network.inverse(z) - x).abs().max() < 1e-4
    exact = network.double()
    one = x[:1].double()
    z, log_prob = exact(one)
    assert (exact.inverse(z) - one).abs().max() < 1e-10
    jacobian = torch.autograd.functional.jacobian(lambda v: exact(v)[0], one).reshape(64, 64)
    density = -0.5 * (z.square().sum() + 64 * math.log(2 * math.pi))
    assert abs(log_prob.item() - (density + torch.linalg.slogdet(jacobian)[1]).item()) < 1e-8


def test_the_depth_of_the_paper_is_invertible_in_float32() -> None:
    network = random_realnvp(0.01, blocks=8, width=16, image_size=32, channels=3)
    x = torch.rand(2, 3, 32, 32)
    with torch.no_grad():
        assert (network.inverse(network(x)[0]) - x).abs().max() < 1e-4


def test_each_scale_factors_out_one_color_of_the_checkerboard() -> None:
    network = random_realnvp(scales=3, image_size=16)
    assert network.flow.sizes == [128, 64, 64]
    squeezed = torch.nn.functional.pixel_unshuffle(torch.arange(16.0).reshape(1, 1, 4, 4), 2)
    from zoo_realnvp.model import diagonals_first

    kept, factored_out = diagonals_first(1)(squeezed)[0].chunk(2, dim=1)
    assert sorted(kept.flatten().tolist()) == [0, 2, 5, 7, 8, 10, 13, 15]
    assert sorted(factored_out.flatten().tolist()) == [1, 3, 4, 6, 9, 11, 12, 14]
    of_two = diagonals_first(2)(torch.arange(8.0).reshape(1, 8, 1, 1))[0]
    assert of_two.flatten().tolist() == [0, 4, 3, 7, 1, 5, 2, 6]


def official_parameters(scales: int, blocks: int, width: int, channels: int) -> dict[str, int]:
    """Trainable parameters of tensorflow/models research/real_nvp by kind of coupling, with its
    default batch normalization, weight normalization and skip connections.

    A convolution before a batch normalization has no bias and no magnitude; a batch normalization
    has a beta and no gamma.
    """

    def network(inputs: int, outputs: int, dim: int) -> int:
        h_in = 9 * inputs * dim + dim
        skip = dim * dim + 2 * dim
        block = dim + 9 * dim * dim + dim + 9 * dim * dim + 2 * dim
        out = dim + dim * outputs + 2 * outputs
        return h_in + skip + blocks * (block + skip) + out

    def on_checkerboard(dim: int) -> int:
        return channels + network(2 * channels + 1, 2 * channels, dim) + 1

    total = {"checkerboard": 0, "channel": 0}
    for scale in range(scales):
        last = scale == scales - 1
        total["checkerboard"] += (4 if last else 3) * on_checkerboard(width)
        if not last:
            half = 2 * channels
            total["channel"] += 3 * (half + network(2 * half, 2 * half, 2 * width) + 1)
            channels, width = 2 * channels, 2 * width
    return total


def test_the_cifar10_preset_has_as_many_parameters_as_the_official_code() -> None:
    from zoo.flows import ChannelCoupling, CheckerboardCoupling

    with torch.device("meta"):
        network = zoo.build("realnvp", preset="cifar10", image_size=32, channels=3)

    def count(*modules: torch.nn.Module) -> int:
        return sum(p.numel() for module in modules for p in module.parameters())

    official = official_parameters(2, 8, 64, 3)
    for kind, name in ((CheckerboardCoupling, "checkerboard"), (ChannelCoupling, "channel")):
        couplings = [module for module in network.modules() if isinstance(module, kind)]
        assert count(*couplings) == official[name]
    assert count(network) == sum(official.values())
    shapes = [tuple(m.network.conv_in.direction.shape) for m in network.modules()
              if isinstance(m, (ChannelCoupling, CheckerboardCoupling))]  # fmt: skip
    assert shapes == ([(64, 7, 3, 3)] * 3 + [(128, 12, 3, 3)] * 3 + [(128, 13, 3, 3)] * 4)


def test_every_convolution_is_weight_normalized_and_every_coupling_normalized() -> None:
    network = zoo.build("realnvp", **SMALL)
    kinds = [type(m) for m in network.modules()]
    assert torch.nn.Conv2d not in kinds
    assert kinds.count(WeightNormConv2d) == 10 * (1 + 2 + 2 + 1)
    assert kinds.count(BatchNorm) == 10
    unscaled = [m for m in network.modules() if isinstance(m, WeightNormConv2d) and m.scale is None]
    assert len(unscaled) == 10 * 2
    plain = zoo.build("realnvp", **SMALL, norm="none")
    assert not any("Norm2d" in type(m).__name__ for m in plain.modules())


def test_only_the_scales_of_weight_normalization_are_penalized() -> None:
    """The weight decay of the scales is the gradient of penalty * sum(g^2) / (D log 2)."""
    from zoo_realnvp import RealNVPConfig, zoo_train

    network = zoo.build("realnvp", **SMALL)
    model = RealNVPConfig(scales=2, blocks=1, width=8, scale_penalty=0.5)
    config = Config(model, DataConfig(), TrainingConfig(steps=1))
    optimizer = zoo_train(network, config).optimizers["network"]
    rest, scales = optimizer.param_groups
    assert rest["weight_decay"] == 0
    assert math.isclose(scales["weight_decay"], 2 * 0.5 / (64 * math.log(2)))
    convolutions = [m for m in network.modules() if isinstance(m, WeightNormConv2d)]
    expected = {id(m.scale) for m in convolutions if m.scale is not None}
    assert {id(p) for p in scales["params"]} == expected
    assert len(rest["params"]) + len(scales["params"]) == len(list(network.parameters()))


def test_bits_per_dim_of_the_logit_alone() -> None:
    """With networks that output 0 and no normalization, the density is that of a logistic-normal:
    N(logit(p); 0, 1) p'(x) / (p (1 - p)), p = alpha + (1 - 2 alpha) x."""
    from zoo_realnvp import zoo_score

    network = zoo.build("realnvp", **{**SMALL, "norm": "none"}).eval()
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if name.endswith(("conv_out.scale", "conv_out.bias", "bound")):
                parameter.zero_()
    batch = Batch(torch.randint(0, 16, (4, 1, 8, 8), dtype=torch.uint8), None, 4)
    p = 0.05 + 0.9 * batch.dequantized.double()
    normal = torch.distributions.Normal(0.0, 1.0).log_prob(p.logit())
    exact = (normal + math.log(0.9) - p.log() - (1 - p).log()).sum((1, 2, 3))
    nats = zoo_score(network, batch).double()
    assert torch.allclose(nats, 64 * 4 * math.log(2) - exact, rtol=1e-5)


def test_images_are_encoded_at_the_centers_of_their_bins() -> None:
    network, x = random_realnvp(bits=5), torch.randint(0, 32, (2, 1, 8, 8)) / 31
    from zoo_realnvp import zoo_encode, zoo_sample

    with torch.no_grad():
        z = zoo_encode(network, x)["z"]
        assert torch.equal(z, network(to_unit(x, 5))[0])
        assert torch.allclose(zoo_sample(network, z, 1.0), x, atol=1e-4)


def test_under_autocast_latents_and_densities_stay_float32() -> None:
    network, x = random_realnvp(), torch.rand(4, 1, 8, 8)
    with torch.no_grad():
        z, log_prob = network(x)
        with torch.autocast("cpu", torch.bfloat16):
            rounded, rounded_log_prob = network(x)
            images = network.inverse(rounded)
    assert rounded.dtype == rounded_log_prob.dtype == images.dtype == torch.float32
    assert not torch.equal(rounded, z)
    assert torch.allclose(rounded_log_prob, log_prob, rtol=0.05)
    assert torch.allclose(images, x, atol=0.02)


def test_after_training_samples_in_float32_and_float64_agree(tmp_path) -> None:
    run = zoo.train(
        "realnvp", steps=60, config={"width": 8, "blocks": 1}, out=tmp_path / "run", quiet=True
    )
    z = torch.from_numpy(zoo.sampling.latents.draw(64, 64, "normal", 0))
    with torch.no_grad():
        single = run.network.inverse(z)
        double = run.network.double().inverse(z.double())
    assert single.isfinite().all()
    assert (single - double).abs().max() < 1e-4


def test_an_indivisible_size_is_refused() -> None:
    with pytest.raises(
        UsageError, match=r"model\.scales = 3 .* multiple of 4, got 18: .* lower model\.scales"
    ):
        zoo.build("realnvp", scales=3, image_size=18)
    with pytest.raises(UsageError, match=r"model\.scales = 2 .* multiple of 4, got 14"):
        zoo.build("realnvp", scales=2, image_size=14, checkerboard=False)
    assert zoo.build("realnvp", scales=3, blocks=1, width=2, image_size=28, channels=1)
