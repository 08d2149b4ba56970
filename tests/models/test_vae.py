"""The VAE plugin: its bounds against models solved by hand, its likelihoods, its networks."""

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


# A model solved by hand: probabilistic principal component analysis


class LinearGaussian:
    """A VAE without hidden layers, at the optimum of probabilistic PCA (Tipping and Bishop 1999,
    sections 3.2 and 3.3): x = W z + m + std * noise, whose posterior is N(M^-1 W'(x - m),
    std^2 M^-1) with M = W'W + std^2 I, diagonal where the columns of W are orthogonal."""

    def __init__(self, looseness: float = 0.0) -> None:
        self.network = small(depth=0, likelihood="gaussian", scale="shared", bits=3).double()
        self.batch = batch_of(6, bits=3)
        std, lengths = 0.3, torch.tensor([1.0, 0.7, 0.5, 0.2])
        directions = torch.linalg.qr(torch.randn(64, 4, dtype=torch.float64))[0]
        w = directions * lengths
        m = torch.rand(64, dtype=torch.float64)
        precision = lengths.double().square() + std**2
        inwards = w.T / precision[:, None]
        with torch.no_grad():
            encoder = self.network.encoder.layers[-1]
            encoder.weight.copy_(torch.cat([inwards, torch.zeros(4, 64)]))
            log_variance = (std**2 / precision).log() + looseness
            encoder.bias.copy_(torch.cat([torch.zeros(4), log_variance]))
            self.network.decoder.last.weight.copy_(w)
            self.network.decoder.last.bias.copy_(m)
            self.network.log_scale.fill_(math.log(std))
        # The encoder sees pictures, the likelihood their dequantised form: this makes them one.
        x = self.batch.dequantized.double()
        self.batch.__dict__["images"] = x
        encoder.bias.data[:4] = -(inwards @ m)
        density = MultivariateNormal(m, w @ w.T + std**2 * torch.eye(64, dtype=torch.float64))
        self.exact = 64 * 3 * math.log(2) - density.log_prob(x.flatten(1))


def test_the_bound_is_exact_at_the_optimum_of_probabilistic_pca() -> None:
    model = LinearGaussian()
    # By a closed-form KL one draw is noisy still, though not on average; weights p / q are all
    # p(x), of whichever draw.
    draws = torch.stack([zoo_score(model.network, model.batch) for _ in range(4000)])
    error = draws.std(0) / math.sqrt(len(draws))
    assert ((draws.mean(0) - model.exact).abs() < 4 * error).all()
    assert error.max() < 0.1
    weighted = zoo_likelihood(model.network).importance_weighted
    for samples in (1, 5):
        assert torch.allclose(weighted(model.batch, samples), model.exact)


def test_importance_weights_close_the_gap_of_a_posterior_that_is_off() -> None:
    model = LinearGaussian(looseness=0.7)
    # What the bound lacks is KL(q || posterior): variances too large by exp(0.7).
    gap = 4 * 0.5 * (math.exp(0.7) - 1 - 0.7)
    bounds = {
        k: torch.stack(
            [importance_weighted_nats(model.network, model.batch, k) for _ in range(4000 // k)]
        ).mean(0)
        for k in (1, 4, 16, 2000)
    }
    over = {k: (bound - model.exact).mean().item() for k, bound in bounds.items()}
    assert over[1] == pytest.approx(gap, rel=0.05)
    assert over[1] > over[4] > over[16] > over[2000]
    assert over[2000] == pytest.approx(0, abs=0.01)
    one = torch.stack([negative_elbo(model.network, model.batch) for _ in range(4000)]).mean(0)
    assert (one - model.exact).mean().item() == pytest.approx(gap, rel=0.1)


def test_kl_is_that_of_torch() -> None:
    mean, log_variance = torch.randn(5, 3), torch.randn(5, 3)
    posterior = Normal(mean, (0.5 * log_variance).exp())
    expected = kl_divergence(posterior, Normal(0.0, 1.0))
    assert torch.allclose(kl_from_standard_normal(mean, log_variance), expected, atol=1e-6)


# Likelihoods


@pytest.mark.parametrize("bits", [1, 4, 8])
def test_the_discretized_logistic_has_the_sum_one_over_the_levels(bits: int) -> None:
    levels = torch.arange(2**bits, dtype=torch.uint8).reshape(-1, 1, 1, 1)
    likelihood = DiscretizedLogistic(bits)
    for location in (-0.4, 0.0, 0.3, 1.0, 1.7):
        for log_scale in (-9.0, -6.0, -3.0, 0.0, 4.0):
            decoded = torch.tensor([location, log_scale], dtype=torch.float64)
            decoded = decoded.reshape(1, 2, 1, 1, 1).expand(2**bits, -1, -1, -1, -1)
            nats = likelihood.nats(decoded, Batch(levels, None, bits))
            assert torch.exp(-nats).sum().item() == pytest.approx(1, abs=1e-12)


def test_the_discretized_logistic_is_a_difference_of_cdfs() -> None:
    """Of torch's logistic, a transformed uniform, in float64; the bounds of the scale too."""
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


def test_the_discretized_logistic_stays_finite_far_from_its_middle() -> None:
    """At 2,000 scales from the level, where a difference of sigmoids in float32 is 0."""
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
def test_the_mean_of_the_discretized_logistic_is_that_of_its_levels(log_scale: float) -> None:
    levels = torch.arange(16, dtype=torch.uint8).reshape(16, 1, 1, 1)
    likelihood = DiscretizedLogistic(4)
    for location in (-0.5, 0.03125, 0.3, 0.96875, 1.5):
        decoded = torch.tensor([location, log_scale]).reshape(1, 2, 1, 1, 1)
        all_of_them = decoded.expand(16, -1, -1, -1, -1)
        probability = torch.exp(-likelihood.nats(all_of_them, Batch(levels, None, 4)))
        of_levels = (probability * torch.arange(16) / 15).sum().item()
        half_a_level = 0.5 / 15
        assert likelihood.mean(decoded).item() == pytest.approx(of_levels, abs=half_a_level)
        if log_scale > -4:  # the rounding to levels is then even
            assert likelihood.mean(decoded).item() == pytest.approx(of_levels, abs=1e-3)


def test_bernoulli_is_that_of_torch() -> None:
    batch, logits = batch_of(3, bits=1), 3 * torch.randn(3, 1, 1, 8, 8)
    expected = binary_cross_entropy(logits[:, 0].sigmoid(), batch.images, reduction="none")
    likelihood = Bernoulli(1)
    assert torch.allclose(likelihood.nats(logits, batch), expected.sum((1, 2, 3)), rtol=1e-5)
    assert torch.equal(likelihood.mean(logits), logits[:, 0].sigmoid())


def test_one_bit_of_a_discretized_logistic_is_a_bernoulli() -> None:
    batch, logits = batch_of(3, bits=1), torch.randn(3, 1, 1, 8, 8)
    decoded = torch.cat([0.5 + 0.1 * logits, torch.full_like(logits, math.log(0.1))], dim=1)
    expected = Bernoulli(1).nats(logits, batch)
    assert torch.allclose(DiscretizedLogistic(1).nats(decoded, batch), expected, rtol=1e-5)


def test_gaussian_is_that_of_torch_on_the_dequantized_picture() -> None:
    batch, decoded = batch_of(3, bits=5), torch.randn(3, 2, 1, 8, 8)
    mean, std = decoded[:, 0], decoded[:, 1].clamp(-7, 2).exp()
    log_prob = Normal(mean, std).log_prob(batch.dequantized).sum((1, 2, 3))
    expected = 64 * 5 * math.log(2) - log_prob
    assert torch.allclose(Gaussian(5).nats(decoded, batch), expected, rtol=1e-5)


@pytest.mark.parametrize(
    ("likelihood", "bits", "said"),
    [
        ("bernoulli", 1, "by a Bernoulli likelihood of black and white, without dequantisation"),
        ("logistic", 4, "by a discretised logistic likelihood of the levels, without"),
        ("gaussian", 4, "by a Gaussian likelihood of the picture after one uniform dequantisation"),
    ],
)
def test_what_is_said_of_dequantization_is_what_was_done(likelihood, bits, said) -> None:
    network, batch = small(likelihood=likelihood, bits=bits), batch_of(2, bits=bits)
    likelihood = zoo_likelihood(network)
    assert likelihood.decoder.startswith(said)
    with torch.no_grad():
        zoo_score(network, batch)
    assert ("dequantized" in vars(batch)) == ("after one uniform" in likelihood.decoder)


def test_bernoulli_of_gray_levels_is_refused() -> None:
    with pytest.raises(UsageError, match=r"bernoulli .* data\.bits is 8: set data\.bits to 1"):
        zoo.build("vae", likelihood="bernoulli")


# What training minimises


def trained_on(network: VAE, batch: Batch, **config: object) -> tuple[Tensor, dict[str, Tensor]]:
    """The loss of one step, and what is logged."""
    objective = VariationalBound(network, VAEConfig(**config), TrainingConfig())
    losses: list[Tensor] = []
    torch.manual_seed(2)
    logged = objective.step([batch], lambda name, loss: losses.append(loss))
    return losses[0], dict(logged)


@pytest.mark.parametrize("config", [{}, {"beta": 4.0}, {"free_bits": 0.1}])
def test_the_loss_is_of_beta_and_free_bits_and_what_is_logged_is_the_bound(config: dict) -> None:
    network, batch = small(bits=4), batch_of(16, bits=4)
    loss, logged = trained_on(network, batch, **config)
    torch.manual_seed(2)
    noise = torch.randn(16, 4)
    mean, log_variance, decoded = network(batch.images, noise)
    kl = kl_from_standard_normal(mean, log_variance).mean(0)
    assert (kl < 0.1).any()
    cost = kl.clamp(min=config.get("free_bits", 0)).sum() * config.get("beta", 1)
    reconstruction = network.likelihood.nats(decoded, batch).mean()
    bit = 64 * math.log(2)
    assert torch.allclose(loss, (reconstruction + cost) / bit)
    assert torch.allclose(logged["bits_per_dim"], (reconstruction + kl.sum()) / bit)
    assert torch.allclose(logged["reconstruction"], reconstruction)
    assert torch.allclose(logged["kl"], kl.sum())
    assert ("loss" in logged) == bool(config)
    assert next(iter(logged)) == "bits_per_dim"
    torch.manual_seed(2)
    assert torch.allclose(zoo_score(network, batch).mean() / bit, logged["bits_per_dim"])


def test_what_is_free_has_no_gradient() -> None:
    kl = torch.tensor([0.1, 0.6, 0.5], requires_grad=True)
    cost = kl_cost(kl, 0.5)
    assert cost.item() == pytest.approx(0.5 + 0.6 + 0.5)
    cost.backward()
    assert kl.grad.tolist() == [0, 1, 0]
    assert kl_cost(torch.tensor([0.1, 0.2]), 0.0).item() == pytest.approx(0.3)


def test_beta_trains_and_keeps_the_bound(tmp_path: Path) -> None:
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
def test_networks_fit_every_size(
    network: str, size: int, channels: int, scale: str, likelihood: str
) -> None:
    vae = small(
        network=network, image_size=size, channels=channels, scale=scale, likelihood=likelihood,
        width=4, latent=6,
    )  # fmt: skip
    batch = batch_of(2, bits=8, size=size, channels=channels)
    with torch.no_grad():
        found = zoo_encode(vae, batch.images, None)
        assert found["mean"].shape == found["log_variance"].shape == (2, 6)
        pictures = zoo_sample(vae, torch.randn(2, 6), 1.0, None)
        assert pictures.shape == (2, channels, size, size)
        assert zoo_score(vae, batch).shape == (2,)


def test_convolutions_halve_to_four_pixels_or_an_odd_number() -> None:
    from zoo_vae.networks import stages

    assert stages(32, 8) == [(16, 8), (8, 16), (4, 32)]
    assert stages(28, 8) == [(14, 8), (7, 16)]
    assert stages(8, 8) == [(4, 8)]
    assert stages(2, 8) == [(1, 8)]


def test_a_size_that_convolutions_cannot_halve_is_refused() -> None:
    with pytest.raises(UsageError, match=r"which 27 pixels a side cannot be: set data\.size"):
        zoo.build("vae", image_size=27)
    assert zoo.build("vae", network="mlp", image_size=27).latent.size == 32


@pytest.mark.parametrize("network", ["mlp", "convolutional"])
def test_a_label_changes_what_is_drawn_and_encoded(network: str) -> None:
    vae = small(network=network, conditional=True, classes=3, bits=4)
    assert vae.latent.classes == 3
    batch, z = batch_of(3, bits=4, classes=3), torch.randn(1, 4).expand(3, -1)
    with torch.no_grad():
        pictures = zoo_sample(vae, z, 1.0, batch.labels)
        means = zoo_encode(vae, batch.images[:1].expand(3, -1, -1, -1), batch.labels)["mean"]
        assert zoo_score(vae, batch).shape == (3,)
    for different in (pictures, means):
        assert not torch.allclose(different[0], different[1], atol=1e-4)
        assert not torch.allclose(different[1], different[2], atol=1e-4)
    with pytest.raises(UsageError, match="conditional = true needs data with labels"):
        small(conditional=True)


def test_temperature_zero_draws_what_the_middle_of_latents_is_decoded_to() -> None:
    vae = small(bits=4)
    with torch.no_grad():
        cold = zoo_sample(vae, torch.randn(3, 4), 0.0, None)
        middle = vae.likelihood.mean(vae.decode(torch.zeros(1, 4)))
    assert torch.allclose(cold, middle.expand(3, -1, -1, -1))


def test_pythaes_preset_has_pythaes_parameters() -> None:
    """clementchadebec/benchmark_VAE, examples/scripts/reproducibility/vae.py: 784 to 400, 400 to 40
    twice, 40 to 400, 400 to 784, each with biases."""
    vae = zoo.build("vae", preset="pythae", image_size=28, channels=1, bits=1)
    layers = [(784, 400), (400, 40), (400, 40), (40, 400), (400, 784)]
    expected = sum(inputs * outputs + outputs for inputs, outputs in layers)
    assert sum(p.numel() for p in vae.parameters()) == expected == 676_864
    assert vae.latent.size == 40


def test_digits_come_back(tmp_path: Path) -> None:
    """What seconds of training get right: a reconstruction is nearer to its picture than the mean
    picture is."""
    run = zoo.train("vae", steps=400, out=tmp_path / "run", quiet=True)
    from zoo.data import open_data

    split = open_data(run.config.data).splits["train"]
    pictures = run.as_images(split.images[:200])
    error = (run.reconstruct(pictures) - pictures).square().mean()
    spread = (pictures - pictures.mean(0)).square().mean()
    assert error < 0.7 * spread
