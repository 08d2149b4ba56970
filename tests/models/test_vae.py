"""The VAE: bounds against a model with a known density, likelihoods, objective, networks."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.distributions import MultivariateNormal, Normal, kl_divergence
from torch.nn.functional import binary_cross_entropy

import zoo
from zoo import UsageError
from zoo.config.sections import TrainingConfig
from zoo.data.batch import Batch
from zoo_vae import zoo_encode, zoo_likelihood, zoo_sample, zoo_score
from zoo_vae.bounds import importance_weighted_nats, kl_from_standard_normal, negative_elbo
from zoo_vae.config import VAEConfig
from zoo_vae.likelihood import Bernoulli, DiscretizedLogistic, Gaussian
from zoo_vae.model import VAE
from zoo_vae.objective import VariationalBound, kl_cost

SMALL = {"network": "mlp", "width": 16, "latent": 4, "image_size": 8, "channels": 1}


def small(**config: object) -> VAE:
    torch.manual_seed(0)
    return zoo.build("vae", **{**SMALL, **config}).eval()


def batch_of(n: int, bits: int, size: int = 8, channels: int = 1, classes: int = 0) -> Batch:
    torch.manual_seed(1)
    levels = torch.randint(0, 2**bits, (n, channels, size, size), dtype=torch.uint8)
    return Batch(levels, torch.arange(n) % classes if classes else None, bits)


# Bounds, on probabilistic principal component analysis


class LinearGaussian:
    """A VAE without hidden layers, at the optimum of probabilistic PCA (Tipping and Bishop 1999,
    sections 3.2 and 3.3): x = W z + m + std * noise, whose posterior is N(M^-1 W'(x - m),
    std^2 M^-1) with M = W'W + std^2 I, diagonal if the columns of W are orthogonal.

    ``looseness`` is added to the log variance of the encoder.
    """

    def __init__(self, looseness: float = 0.0) -> None:
        self.network = small(depth=0, likelihood="gaussian", scale="shared", bits=3).double()
        self.batch = batch_of(6, bits=3)
        std, lengths = 0.3, torch.tensor([1.0, 0.7, 0.5, 0.2])
        directions = torch.linalg.qr(torch.randn(64, 4, dtype=torch.float64))[0]
        w = directions * lengths
        m = torch.rand(64, dtype=torch.float64)
        precision = lengths.double().square() + std**2
        encode = w.T / precision[:, None]
        with torch.no_grad():
            encoder = self.network.encoder.layers[-1]
            encoder.weight.copy_(torch.cat([encode, torch.zeros(4, 64)]))
            log_variance = (std**2 / precision).log() + looseness
            encoder.bias.copy_(torch.cat([torch.zeros(4), log_variance]))
            self.network.decoder.last.weight.copy_(w)
            self.network.decoder.last.bias.copy_(m)
            self.network.log_scale.fill_(math.log(std))
        # The encoder takes images, the likelihood dequantized images: make them equal.
        x = self.batch.dequantized.double()
        self.batch.__dict__["images"] = x
        encoder.bias.data[:4] = -(encode @ m)
        density = MultivariateNormal(m, w @ w.T + std**2 * torch.eye(64, dtype=torch.float64))
        self.exact = 64 * 3 * math.log(2) - density.log_prob(x.flatten(1))


def test_the_bound_is_exact_at_the_optimum_of_probabilistic_pca() -> None:
    model = LinearGaussian()
    # The ELBO is exact in expectation; an importance weight p / q equals p(x) for every sample.
    elbos = torch.stack([zoo_score(model.network, model.batch) for _ in range(4000)])
    error = elbos.std(0) / math.sqrt(len(elbos))
    assert ((elbos.mean(0) - model.exact).abs() < 4 * error).all()
    assert error.max() < 0.1
    weighted = zoo_likelihood(model.network).importance_weighted
    for samples in (1, 5):
        assert torch.allclose(weighted(model.batch, samples), model.exact)


def test_importance_weights_close_the_gap_of_a_wrong_posterior() -> None:
    model = LinearGaussian(looseness=0.7)
    # The gap is KL(q || posterior), of variances too large by exp(0.7).
    gap = 4 * 0.5 * (math.exp(0.7) - 1 - 0.7)
    bounds = {
        k: torch.stack(
            [importance_weighted_nats(model.network, model.batch, k) for _ in range(4000 // k)]
        ).mean(0)
        for k in (1, 4, 16, 2000)
    }
    gaps = {k: (bound - model.exact).mean().item() for k, bound in bounds.items()}
    assert gaps[1] == pytest.approx(gap, rel=0.05)
    assert gaps[1] > gaps[4] > gaps[16] > gaps[2000]
    assert gaps[2000] == pytest.approx(0, abs=0.01)
    elbo = torch.stack([negative_elbo(model.network, model.batch) for _ in range(4000)]).mean(0)
    assert (elbo - model.exact).mean().item() == pytest.approx(gap, rel=0.1)


def test_kl_matches_torch() -> None:
    mean, log_variance = torch.randn(5, 3), torch.randn(5, 3)
    posterior = Normal(mean, (0.5 * log_variance).exp())
    expected = kl_divergence(posterior, Normal(0.0, 1.0))
    assert torch.allclose(kl_from_standard_normal(mean, log_variance), expected, atol=1e-6)


# Likelihoods


@pytest.mark.parametrize("bits", [1, 4, 8])
def test_the_discretized_logistic_sums_to_one_over_the_levels(bits: int) -> None:
    levels = torch.arange(2**bits, dtype=torch.uint8).reshape(-1, 1, 1, 1)
    likelihood = DiscretizedLogistic(bits)
    for location in (-0.4, 0.0, 0.3, 1.0, 1.7):
        for log_scale in (-9.0, -6.0, -3.0, 0.0, 4.0):
            decoded = torch.tensor([location, log_scale], dtype=torch.float64)
            decoded = decoded.reshape(1, 2, 1, 1, 1).expand(2**bits, -1, -1, -1, -1)
            nats = likelihood.nats(decoded, Batch(levels, None, bits))
            assert torch.exp(-nats).sum().item() == pytest.approx(1, abs=1e-12)


def test_the_discretized_logistic_is_a_difference_of_cdfs() -> None:
    """In float64, with scales at their bounds."""
    levels = torch.tensor([0, 3, 9, 15], dtype=torch.uint8).reshape(4, 1, 1, 1)
    decoded = torch.tensor([[0.2, -2.0], [0.2, -2.5], [0.5, 3.0], [0.8, -1.0]])
    nats = DiscretizedLogistic(4).nats(decoded.reshape(4, 2, 1, 1, 1), Batch(levels, None, 4))
    scale = decoded[:, 1].clamp(-7, 2).exp()
    logistic = LogisticCDF(decoded[:, 0].double(), scale.double())
    low = torch.where(levels.flatten() == 0, -math.inf, levels.flatten() / 16)
    high = torch.where(levels.flatten() == 15, math.inf, (levels.flatten() + 1) / 16)
    assert torch.allclose(nats.double(), -(logistic(high) - logistic(low)).log(), rtol=1e-4)


class LogisticCDF:
    def __init__(self, location: Tensor, scale: Tensor) -> None:
        self.location, self.scale = location, scale

    def __call__(self, x: Tensor) -> Tensor:
        return 0.5 * (1 + torch.tanh((x - self.location) / (2 * self.scale)))


def test_the_discretized_logistic_is_finite_far_from_its_location() -> None:
    """At 2,000 scales from the level, where the difference of sigmoids underflows in float32."""
    decoded = torch.tensor([2.0, -7.0]).reshape(1, 2, 1, 1, 1).requires_grad_()
    level = torch.tensor([[[[17]]]], dtype=torch.uint8)
    nats = DiscretizedLogistic(8).nats(decoded, Batch(level, None, 8))
    scale = math.exp(-7)
    tail = (2 - 18 / 256) / scale - math.log(-math.expm1(-1 / 256 / scale))
    assert nats.item() == pytest.approx(tail, rel=1e-5)
    nats.backward()
    assert decoded.grad.isfinite().all()
    assert decoded.grad[0, 0].item() == pytest.approx(1 / scale, rel=1e-4)


@pytest.mark.parametrize("log_scale", [-6.0, -3.0, -1.0, 1.0])
def test_the_mean_of_the_discretized_logistic_is_the_mean_of_its_levels(log_scale: float) -> None:
    levels = torch.arange(16, dtype=torch.uint8).reshape(16, 1, 1, 1)
    likelihood = DiscretizedLogistic(4)
    for location in (-0.5, 0.03125, 0.3, 0.96875, 1.5):
        decoded = torch.tensor([location, log_scale]).reshape(1, 2, 1, 1, 1)
        expanded = decoded.expand(16, -1, -1, -1, -1)
        probability = torch.exp(-likelihood.nats(expanded, Batch(levels, None, 4)))
        mean_level = (probability * torch.arange(16) / 15).sum().item()
        half_a_level = 0.5 / 15
        assert likelihood.mean(decoded).item() == pytest.approx(mean_level, abs=half_a_level)
        if log_scale > -4:  # the rounding to levels is negligible
            assert likelihood.mean(decoded).item() == pytest.approx(mean_level, abs=1e-3)


def test_bernoulli_matches_torch() -> None:
    batch, logits = batch_of(3, bits=1), 3 * torch.randn(3, 1, 1, 8, 8)
    expected = binary_cross_entropy(logits[:, 0].sigmoid(), batch.images, reduction="none")
    likelihood = Bernoulli(1)
    assert torch.allclose(likelihood.nats(logits, batch), expected.sum((1, 2, 3)), rtol=1e-5)
    assert torch.equal(likelihood.mean(logits), logits[:, 0].sigmoid())


def test_a_discretized_logistic_of_one_bit_is_a_bernoulli() -> None:
    batch, logits = batch_of(3, bits=1), torch.randn(3, 1, 1, 8, 8)
    decoded = torch.cat([0.5 + 0.1 * logits, torch.full_like(logits, math.log(0.1))], dim=1)
    expected = Bernoulli(1).nats(logits, batch)
    assert torch.allclose(DiscretizedLogistic(1).nats(decoded, batch), expected, rtol=1e-5)


def test_gaussian_matches_torch_on_the_dequantized_image() -> None:
    batch, decoded = batch_of(3, bits=5), torch.randn(3, 2, 1, 8, 8)
    mean, std = decoded[:, 0], decoded[:, 1].clamp(-7, 2).exp()
    log_prob = Normal(mean, std).log_prob(batch.dequantized).sum((1, 2, 3))
    expected = 64 * 5 * math.log(2) - log_prob
    assert torch.allclose(Gaussian(5).nats(decoded, batch), expected, rtol=1e-5)


@pytest.mark.parametrize(
    ("likelihood", "bits", "description"),
    [
        ("bernoulli", 1, "with a Bernoulli likelihood, without dequantization"),
        ("logistic", 4, "with a discretized logistic likelihood, without dequantization"),
        (
            "gaussian",
            4,
            "with a Gaussian likelihood and one sample of uniform dequantization noise",
        ),
    ],
)
def test_the_protocol_mentions_dequantization_noise_if_it_is_used(
    likelihood, bits, description
) -> None:
    network, batch = small(likelihood=likelihood, bits=bits), batch_of(2, bits=bits)
    likelihood = zoo_likelihood(network)
    assert likelihood.decoder == description
    with torch.no_grad():
        zoo_score(network, batch)
    assert ("dequantized" in vars(batch)) == ("one sample of uniform" in likelihood.decoder)


def test_bernoulli_with_several_bits_is_an_error() -> None:
    with pytest.raises(UsageError, match=r"bernoulli .* got 8: set data\.bits to 1"):
        zoo.build("vae", likelihood="bernoulli")


# Objective


def take_step(network: VAE, batch: Batch, **config: object) -> tuple[Tensor, dict[str, Tensor]]:
    """Takes one training step; returns its loss and metrics."""
    objective = VariationalBound(network, VAEConfig(**config), TrainingConfig())
    losses: list[Tensor] = []
    torch.manual_seed(2)
    metrics = objective.step([batch], lambda name, loss: losses.append(loss))
    return losses[0], dict(metrics)


@pytest.mark.parametrize("config", [{}, {"beta": 4.0}, {"free_bits": 0.1}])
def test_beta_and_free_bits_change_the_loss_but_not_the_logged_bound(config: dict) -> None:
    network, batch = small(bits=4), batch_of(16, bits=4)
    loss, metrics = take_step(network, batch, **config)
    torch.manual_seed(2)
    noise = torch.randn(16, 4)
    mean, log_variance, decoded = network(batch.images, noise)
    kl = kl_from_standard_normal(mean, log_variance).mean(0)
    assert (kl < 0.1).any()
    cost = kl.clamp(min=config.get("free_bits", 0)).sum() * config.get("beta", 1)
    reconstruction = network.likelihood.nats(decoded, batch).mean()
    nats_per_bit = 64 * math.log(2)
    assert torch.allclose(loss, (reconstruction + cost) / nats_per_bit)
    assert torch.allclose(metrics["bits_per_dim"], (reconstruction + kl.sum()) / nats_per_bit)
    assert torch.allclose(metrics["reconstruction"], reconstruction)
    assert torch.allclose(metrics["kl"], kl.sum())
    assert ("loss" in metrics) == bool(config)
    assert next(iter(metrics)) == "bits_per_dim"
    torch.manual_seed(2)
    assert torch.allclose(zoo_score(network, batch).mean() / nats_per_bit, metrics["bits_per_dim"])


def test_free_bits_have_no_gradient() -> None:
    kl = torch.tensor([0.1, 0.6, 0.5], requires_grad=True)
    cost = kl_cost(kl, 0.5)
    assert cost.item() == pytest.approx(0.5 + 0.6 + 0.5)
    cost.backward()
    assert kl.grad.tolist() == [0, 1, 0]
    assert kl_cost(torch.tensor([0.1, 0.2]), 0.0).item() == pytest.approx(0.3)


def test_training_with_beta_logs_the_bound(tmp_path: Path) -> None:
    config = {"beta": 10.0, "width": 32, "training.log_every": 1}
    run = zoo.train("vae", steps=30, config=config, out=tmp_path / "run", quiet=True)
    first, last = (run.folder.read_metrics()[i] for i in (0, -1))
    assert last["loss"] < first["loss"]
    for line in (first, last):
        bound = (line["reconstruction"] + line["kl"]) / (64 * math.log(2))
        assert line["bits_per_dim"] == pytest.approx(bound, rel=1e-4)


# Networks


@pytest.mark.parametrize("likelihood", ["gaussian", "logistic"])
@pytest.mark.parametrize("scale", ["shared", "decoded"])
@pytest.mark.parametrize(("size", "channels"), [(8, 1), (16, 3), (28, 1), (32, 3)])
@pytest.mark.parametrize("network", ["mlp", "convolutional"])
def test_networks_fit_every_image_size(
    network: str, size: int, channels: int, scale: str, likelihood: str
) -> None:
    vae = small(
        network=network, image_size=size, channels=channels, scale=scale, likelihood=likelihood,
        width=4, latent=6,
    )  # fmt: skip
    batch = batch_of(2, bits=8, size=size, channels=channels)
    with torch.no_grad():
        posterior = zoo_encode(vae, batch.images, None)
        assert posterior["mean"].shape == posterior["log_variance"].shape == (2, 6)
        images = zoo_sample(vae, torch.randn(2, 6), 1.0, None)
        assert images.shape == (2, channels, size, size)
        assert zoo_score(vae, batch).shape == (2,)


def test_convolutions_halve_to_four_pixels_or_an_odd_size() -> None:
    from zoo_vae.networks import stages

    assert stages(32, 8) == [(16, 8), (8, 16), (4, 32)]
    assert stages(28, 8) == [(14, 8), (7, 16)]
    assert stages(8, 8) == [(4, 8)]
    assert stages(2, 8) == [(1, 8)]


def test_convolutions_with_an_odd_image_size_are_an_error() -> None:
    with pytest.raises(UsageError, match=r"requires an even image size; got 27: set data\.size"):
        zoo.build("vae", image_size=27)
    assert zoo.build("vae", network="mlp", image_size=27).latent.size == 32


@pytest.mark.parametrize("network", ["mlp", "convolutional"])
def test_labels_change_samples_and_posteriors(network: str) -> None:
    vae = small(network=network, conditional=True, classes=3, bits=4)
    assert vae.latent.classes == 3
    batch, z = batch_of(3, bits=4, classes=3), torch.randn(1, 4).expand(3, -1)
    with torch.no_grad():
        images = zoo_sample(vae, z, 1.0, batch.labels)
        means = zoo_encode(vae, batch.images[:1].expand(3, -1, -1, -1), batch.labels)["mean"]
        assert zoo_score(vae, batch).shape == (3,)
    for output in (images, means):
        assert not torch.allclose(output[0], output[1], atol=1e-4)
        assert not torch.allclose(output[1], output[2], atol=1e-4)
    with pytest.raises(UsageError, match="conditional = true needs data with labels"):
        small(conditional=True)


def test_temperature_zero_decodes_the_mean_latent() -> None:
    vae = small(bits=4)
    with torch.no_grad():
        images = zoo_sample(vae, torch.randn(3, 4), 0.0, None)
        mean = vae.likelihood.mean(vae.decode(torch.zeros(1, 4)))
    assert torch.allclose(images, mean.expand(3, -1, -1, -1))


def test_the_pythae_preset_has_the_parameters_of_pythae() -> None:
    """clementchadebec/benchmark_VAE, examples/scripts/reproducibility/vae.py: 784 to 400, 400 to 40
    twice, 40 to 400, 400 to 784, each with biases."""
    vae = zoo.build("vae", preset="pythae", image_size=28, channels=1, bits=1)
    layers = [(784, 400), (400, 40), (400, 40), (40, 400), (400, 784)]
    expected = sum(inputs * outputs + outputs for inputs, outputs in layers)
    assert sum(p.numel() for p in vae.parameters()) == expected == 676_864
    assert vae.latent.size == 40


def test_reconstructions_of_digits_resemble_them(tmp_path: Path) -> None:
    """After a few seconds of training a reconstruction is closer to its image than the mean image
    is."""
    run = zoo.train("vae", steps=400, out=tmp_path / "run", quiet=True)
    split = run.open_data().splits["train"]
    images = run.as_images(split.images[:200])
    error = (run.reconstruct(images) - images).square().mean()
    variance = (images - images.mean(0)).square().mean()
    assert error < 0.7 * variance
