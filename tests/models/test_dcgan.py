"""DCGAN: layers and initialization as in the paper, temperature, losses."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

import zoo
from zoo import ImageSpec, UsageError
from zoo_dcgan.config import PRESETS, DCGANConfig
from zoo_dcgan.model import build_critic, build_generator

SIZES = (8, 16, 32, 64)


@pytest.mark.parametrize("kernel", [4, 5])
@pytest.mark.parametrize("size", SIZES)
def test_networks_fit_every_image_size(size: int, kernel: int) -> None:
    config = DCGANConfig(width=4, critic_width=6, kernel=kernel)
    image = ImageSpec(3, size)
    generator, critic = build_generator(config, image), build_critic(config, image)
    images = generator(torch.rand(2, 100))
    assert images.shape == (2, 3, size, size)
    assert images.abs().max() <= 1
    assert critic(images).shape == (2,)
    transposed = [m for m in generator.modules() if isinstance(m, nn.ConvTranspose2d)]
    assert min(4, size // 4) * 2 ** len(transposed) == size
    assert len(transposed) >= 2
    assert [m.in_channels for m in transposed] == [4 * 2**i for i in range(len(transposed))][::-1]
    strided = [m for m in critic.modules() if isinstance(m, nn.Conv2d)]
    assert [m.out_channels for m in strided] == [6 * 2**i for i in range(len(strided))]


def parameters(network: nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


def test_faces64_has_the_parameters_of_the_authors_code() -> None:
    """Newmu/dcgan_code, faces/train_uncond_dcgan.py: gw to gwx and dw to dwy, with ngf = ndf = 128,
    5x5 kernels, batch normalization of each unit of the first layer, and no biases."""
    config = DCGANConfig(**PRESETS["faces64"]["model"])
    image = ImageSpec(3, 64)
    first = 1024 * 4 * 4
    middle = [(1024, 512), (512, 256), (256, 128)]
    inner = sum(25 * a * b + 2 * b for a, b in middle)
    assert (
        parameters(build_generator(config, image)) == 100 * first + 2 * first + inner + 25 * 128 * 3
    )
    inner = sum(25 * a * b + 2 * a for a, b in middle)
    assert parameters(build_critic(config, image)) == 25 * 3 * 128 + inner + first


def test_batch_normalization_is_everywhere_except_next_to_the_images() -> None:
    config, image = DCGANConfig(width=4, critic_width=4), ImageSpec(1, 32)

    def kinds(network: nn.Module) -> list[str]:
        return [type(m).__name__ for m in network.modules() if not list(m.children())]

    up = ["ConvTranspose2d", "BatchNorm2d", "ReLU"]
    assert kinds(build_generator(config, image)) == [
        "Linear", "BatchNorm1d", "ReLU", "Unflatten", *up, *up, "ConvTranspose2d", "Tanh"
    ]  # fmt: skip
    down = ["Conv2d", "BatchNorm2d", "LeakyReLU"]
    assert kinds(build_critic(config, image)) == [
        "Conv2d", "LeakyReLU", *down, *down, "Flatten", "Linear"
    ]  # fmt: skip
    critic = build_critic(config, image)
    assert {m.negative_slope for m in critic.modules() if isinstance(m, nn.LeakyReLU)} == {0.2}


def test_with_a_gradient_penalty_a_score_depends_on_its_image_only() -> None:
    image = ImageSpec(1, 32)
    x, other = torch.rand(4, 1, 32, 32), torch.rand(4, 1, 32, 32)

    def depends_on_batch(critic: nn.Module) -> bool:
        scores = critic(x)[:2]
        scores_in_other_batch = critic(torch.cat([x[:2], other]))[:2]
        return not torch.allclose(scores, scores_in_other_batch, atol=1e-6)

    torch.manual_seed(0)
    assert depends_on_batch(build_critic(DCGANConfig(critic_width=8), image))
    penalized = DCGANConfig(critic_width=8, gradient_penalty=10.0)
    assert not depends_on_batch(build_critic(penalized, image))


def test_initial_weights_follow_the_paper() -> None:
    torch.manual_seed(0)
    config, image = DCGANConfig(), ImageSpec(3, 32)
    for network in (build_generator(config, image), build_critic(config, image)):
        for module in network.modules():
            if isinstance(module, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
                assert module.bias is None
                assert module.weight.std().item() == pytest.approx(0.02, rel=0.1)
                assert module.weight.mean().item() == pytest.approx(0, abs=0.002)
            if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
                assert module.weight.mean().item() == pytest.approx(1, abs=0.02)
                assert module.weight.std().item() == pytest.approx(0.02, rel=0.4)
                assert not module.bias.any()


@pytest.mark.parametrize("noise", ["uniform", "normal"])
def test_temperature_scales_the_noise_around_its_mean(noise: str) -> None:
    from zoo_dcgan import zoo_sample

    network = zoo.build("dcgan", noise=noise, image_size=8, channels=1, width=8).eval()
    z = torch.rand(5, 100) if noise == "uniform" else torch.randn(5, 100)
    with torch.no_grad():
        mean = zoo_sample(network, z, 0.0)
        assert torch.allclose(mean, mean[:1].expand_as(mean))
        images = zoo_sample(network, z, 1.0)
        scaled = 2 * z - 1 if noise == "uniform" else z
        assert torch.allclose(images, (network.layers(scaled) + 1) / 2, atol=1e-6)


def test_wasserstein_without_a_lipschitz_constraint_is_an_error(tmp_path: Path) -> None:
    config = {"loss": "wasserstein"}
    with pytest.raises(UsageError, match=r"model.loss = wasserstein .* gradient_penalty"):
        zoo.train("dcgan", steps=1, config=config, out=tmp_path / "run", quiet=True)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    "config",
    [
        {"loss": "hinge", "critic_steps": 2},
        {"loss": "wasserstein", "gradient_penalty": 10.0},
        {"loss": "wasserstein", "clip_weights": 0.01},
    ],
    ids=["hinge", "penalty", "clipped"],
)
def test_every_loss_trains(config: dict, tmp_path: Path) -> None:
    small = {"width": 16, "critic_width": 16, "data.size": 16, "data.pad": 4}
    run = zoo.train("dcgan", steps=5, config=config | small, out=tmp_path / "run", quiet=True)
    assert run.sample(4).shape == (4, 1, 16, 16)
