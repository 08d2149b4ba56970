"""SN-GAN: layers as in the paper, spectral normalization in training and export, losses."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch
from torch import nn

import zoo
from zoo import ImageSpec, UsageError
from zoo.config.sections import TrainingConfig
from zoo.export.graphs import graphs_of, trace
from zoo.freezing import freeze
from zoo.gan.spectral import SpectralNorm
from zoo.runs.weights import load_tensors
from zoo_sngan.config import PRESETS, SNGANConfig
from zoo_sngan.model import build_critic, build_generator

SIZES = (8, 16, 32, 64)
SMALL = {"width": 8, "critic_width": 8}


@pytest.mark.parametrize("architecture", ["cnn", "resnet"])
@pytest.mark.parametrize("size", SIZES)
def test_networks_fit_every_image_size(size: int, architecture: str) -> None:
    config = SNGANConfig(architecture=architecture, width=4, critic_width=6)
    image = ImageSpec(3, size)
    images = build_generator(config, image)(torch.randn(2, 128))
    assert images.shape == (2, 3, size, size)
    assert images.abs().max() <= 1
    assert build_critic(config, image)(images).shape == (2,)


def layers(network: nn.Module) -> list[tuple[str, int]]:
    """Type and parameter count of each layer that has parameters; a block's shortcut comes last."""
    return [
        (type(m).__name__.removeprefix("Parametrized"), sum(p.numel() for p in m.parameters()))
        for m in network.modules()
        if isinstance(
            m, nn.Linear | nn.Conv2d | nn.ConvTranspose2d | nn.BatchNorm1d | nn.BatchNorm2d
        )
    ]


def test_cifar10_has_the_layers_of_the_paper() -> None:
    """Table 3, with M_g = 4 and biases; batch normalization of the dense layer's units as in
    pfnet-research/chainer-gan-lib, common/net.py, DCGANGenerator (l0, bn0 to dc4)."""
    config, image = SNGANConfig(**PRESETS["cifar10"]["model"]), ImageSpec(3, 32)
    assert layers(build_generator(config, image)) == [
        ("Linear", 128 * 8192 + 8192),
        ("BatchNorm1d", 2 * 8192),
        ("ConvTranspose2d", 16 * 512 * 256 + 256),
        ("BatchNorm2d", 2 * 256),
        ("ConvTranspose2d", 16 * 256 * 128 + 128),
        ("BatchNorm2d", 2 * 128),
        ("ConvTranspose2d", 16 * 128 * 64 + 64),
        ("BatchNorm2d", 2 * 64),
        ("Conv2d", 9 * 64 * 3 + 3),
    ]
    critic = build_critic(config, image)
    assert layers(critic) == [
        ("Conv2d", 9 * 3 * 64 + 64),
        ("Conv2d", 16 * 64 * 64 + 64),
        ("Conv2d", 9 * 64 * 128 + 128),
        ("Conv2d", 16 * 128 * 128 + 128),
        ("Conv2d", 9 * 128 * 256 + 256),
        ("Conv2d", 16 * 256 * 256 + 256),
        ("Conv2d", 9 * 256 * 512 + 512),
        ("Linear", 512 * 4 * 4 + 1),
    ]
    assert {m.negative_slope for m in critic.modules() if isinstance(m, nn.LeakyReLU)} == {0.1}


def test_cifar10_resnet_has_the_layers_of_the_official_code() -> None:
    """pfnet-research/sngan_projection: gen_models/resnet_32.py (l1 to c5, ch = 256) and
    dis_models/snresnet_32.py (block1 to l5, ch = 128, l5 without a bias), whose configuration is
    configs/sn_cifar10_unconditional.yml."""
    config, image = SNGANConfig(**PRESETS["cifar10-resnet"]["model"]), ImageSpec(3, 32)

    def conv(kernel: int, ins: int, outs: int) -> tuple[str, int]:
        return ("Conv2d", kernel**2 * ins * outs + outs)

    norm = ("BatchNorm2d", 2 * 256)
    up = [norm, conv(3, 256, 256), norm, conv(3, 256, 256), conv(1, 256, 256)]
    generator = build_generator(config, image)
    assert layers(generator) == [
        ("Linear", 128 * 4096 + 4096), *up, *up, *up, norm, conv(3, 256, 3)
    ]  # fmt: skip
    assert sum(count for _, count in layers(generator)) == 4_276_739
    same = [conv(3, 128, 128), conv(3, 128, 128)]
    critic = build_critic(config, image)
    assert layers(critic) == [
        conv(3, 3, 128), conv(3, 128, 128), conv(1, 3, 128),
        *same, conv(1, 128, 128), *same, *same, ("Linear", 128)
    ]  # fmt: skip
    assert sum(count for _, count in layers(critic)) == 1_053_824


def test_cifar10_resnet_trains_as_the_official_code() -> None:
    """configs/sn_cifar10_unconditional.yml: batchsize 64, n_gen_samples 128, n_dis 5, 50,000
    iterations with a decay from the first, Adam of 2e-4 with betas 0 and 0.9, hinge."""
    preset = PRESETS["cifar10-resnet"]
    config = SNGANConfig(**preset["model"])
    training = TrainingConfig(**preset["training"])
    assert (config.loss, config.critic_steps, config.latent) == ("hinge", 5, 128)
    assert config.generator_batches * training.batch_size == 128
    assert (training.beta1, training.beta2, training.learning_rate) == (0, 0.9, 2e-4)
    assert (training.steps, training.decay, training.batch_size) == (50_000, "linear", 64)


def test_the_shortcut_of_a_residual_block_commutes_with_resampling() -> None:
    """The official code upsamples before the shortcut's 1x1 convolution and pools after it."""
    from zoo_sngan.resnet import DownBlock, UpBlock

    torch.manual_seed(0)
    x = torch.randn(2, 6, 8, 8)
    up, pool = nn.Upsample(scale_factor=2), nn.AvgPool2d(2)
    shortcut = UpBlock(6).shortcut
    assert torch.allclose(shortcut(x), shortcut[0](up(x)), atol=1e-5)
    shortcut = DownBlock(6, halve=True).shortcut
    assert torch.allclose(shortcut(x), pool(shortcut[1](x)), atol=1e-5)


@pytest.mark.parametrize("spectral_norm", ["critic", "both", "none"])
@pytest.mark.parametrize("architecture", ["cnn", "resnet"])
def test_every_layer_is_normalized_in_the_chosen_networks(
    architecture: str, spectral_norm: str
) -> None:
    config = SNGANConfig(
        architecture=architecture, spectral_norm=spectral_norm, width=4, critic_width=4
    )
    image = ImageSpec(1, 16)
    for network, choices in [
        (build_critic(config, image), ("critic", "both")),
        (build_generator(config, image), ("both",)),
    ]:
        norms = [m for m in network.modules() if isinstance(m, SpectralNorm)]
        weights = [name for name, _ in layers(network) if not name.startswith("BatchNorm")]
        assert len(norms) == (len(weights) if spectral_norm in choices else 0)


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> zoo.Run:
    """A small run with spectral normalization of both networks, trained for 80 steps at a learning
    rate so low that the power iteration tracks the weights closely."""
    config = {**SMALL, "spectral_norm": "both", "learning_rate": 1e-5, "checkpoint_every": 40}
    out = tmp_path_factory.mktemp("runs") / "both"
    return zoo.train("sngan", steps=80, config=config, out=out, device="cpu", quiet=True)


def trained_critic(run: zoo.Run) -> nn.Module:
    """The critic of a run's last checkpoint."""
    state = load_tensors(sorted((run.path / "checkpoints").iterdir())[-1] / "state.safetensors")
    prefix = "network/critic/"
    critic = build_critic(run.config.model, run.image_spec)
    critic.load_state_dict(
        {k.removeprefix(prefix): t for k, t in state.items() if k.startswith(prefix)}
    )
    return critic


def test_trained_weights_have_spectral_norm_one(both: zoo.Run) -> None:
    """Against the singular value decomposition, with the iterations of training only."""
    critic = trained_critic(both)
    norms = [
        torch.linalg.svdvals(m.weight.detach().flatten(1))[0].item()
        for m in critic.modules()
        if isinstance(m, nn.Conv2d | nn.Linear)
    ]
    assert len(norms) == 6
    assert norms == pytest.approx([1] * 6, abs=1e-3)


def test_freezing_a_trained_critic_keeps_its_scores(both: zoo.Run) -> None:
    critic, x = trained_critic(both), torch.rand(16, 1, 8, 8) * 2 - 1
    frozen = freeze(critic)
    assert torch.equal(frozen(x), critic(x))
    assert not [name for name in frozen.state_dict() if "parametrizations" in name]


def test_the_graph_of_a_normalized_generator_has_plain_weights(both: zoo.Run) -> None:
    (graph,) = graphs_of(both)
    assert not [name for name in graph.module.state_dict() if "parametrizations" in name]
    assert any("parametrizations" in name for name in both.network.state_dict())
    z = torch.randn(5, 128)
    expected = both.decode(z, temperature=0.7)
    assert torch.allclose(graph.module(z, torch.tensor(0.7)), expected, atol=1e-6)
    operations = {str(node.target) for node in trace(graph).graph.nodes}
    assert not [name for name in operations if "mv" in name or "dot" in name]


def test_a_resumed_run_equals_an_uninterrupted_one(both: zoo.Run, tmp_path: Path) -> None:
    """Byte for byte: the checkpoint includes the vectors of the power iteration."""
    out = Path(shutil.copytree(both.path, tmp_path / "run"))
    last = "checkpoints/step-00000080"
    shutil.rmtree(out / last)
    zoo.train("sngan", out=out, resume=True, device="cpu", quiet=True)
    for name in ("model.safetensors", f"{last}/state.safetensors"):
        assert (out / name).read_bytes() == (both.path / name).read_bytes(), name
    assert any(
        name.endswith("weight.0.u") for name in load_tensors(out / last / "state.safetensors")
    )


@pytest.mark.parametrize(
    "config",
    [
        {"loss": "bce", "critic_steps": 2},
        {"loss": "wasserstein", "generator_batches": 2, "architecture": "resnet"},
        {"loss": "wasserstein", "gradient_penalty": 10.0},
        {"loss": "wasserstein", "spectral_norm": "none", "gradient_penalty": 10.0},
        {"loss": "wasserstein", "spectral_norm": "none", "clip_weights": 0.01},
        {"loss": "hinge", "training.precision": "bf16"},
    ],
    ids=["bce", "wasserstein", "penalty", "plain-penalty", "plain-clipped", "bf16"],
)
def test_every_loss_trains(config: dict, tmp_path: Path) -> None:
    run = zoo.train("sngan", steps=5, config=config | SMALL, out=tmp_path / "run", quiet=True)
    assert run.sample(4).shape == (4, 1, 8, 8)


def test_wasserstein_without_a_lipschitz_constraint_is_an_error(tmp_path: Path) -> None:
    config = {"loss": "wasserstein", "spectral_norm": "none"}
    with pytest.raises(UsageError, match=r"model.loss = wasserstein .* spectral_norm to critic"):
        zoo.train("sngan", steps=1, config=config, out=tmp_path / "run", quiet=True)
    assert not (tmp_path / "run").exists()


def test_temperature_scales_the_latents() -> None:
    from zoo_sngan import zoo_sample

    network = zoo.build("sngan", image_size=8, channels=1, width=8).eval()
    z = torch.randn(5, 128)
    with torch.no_grad():
        mean = zoo_sample(network, z, 0.0)
        assert torch.allclose(mean, mean[:1].expand_as(mean))
        assert torch.equal(zoo_sample(network, z, 0.5), (network(z / 2) + 1) / 2)
