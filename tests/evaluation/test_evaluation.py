"""``zoo evaluate``: reproducible, finite metrics with their protocols."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from sealed import write_weights

import zoo
from zoo.errors import UsageError, ZooError
from zoo.evaluation import Evaluation, Metric, Protocol
from zoo.evaluation.measure import Plan
from zoo.evaluation.metrics import NAMES, read_evaluation, title_of
from zoo.runs.weights import load_tensors

PROTOCOL = Protocol("digits", "test", 90, 0, 4, 64, "exact")
ALL = ["bits_per_dim", "nats", "fid_cnn", "kid_cnn", "precision_cnn", "recall_cnn"]


@pytest.fixture(scope="module")
def vae(tmp_path_factory: pytest.TempPathFactory) -> zoo.Run:
    out = tmp_path_factory.mktemp("runs") / "vae-digits"
    config = {"width": 16, "depth": 1}
    return zoo.train("vae", steps=20, config=config, out=out, device="cpu", quiet=True)


def spoil(folder: Path, name: str) -> None:
    """Fills one tensor of a run's weights with NaN."""
    weights = load_tensors(folder / "model.safetensors")
    weights[name].fill_(float("nan"))
    write_weights(folder, weights)


# The command


def test_metrics_are_printed_stored_and_reproducible(commands, trained_copy: Path) -> None:
    first = commands("evaluate", trained_copy, "--json")
    assert first.status == 0, first
    document = json.loads(first.out, parse_constant=pytest.fail)
    assert first.out == (trained_copy / "metrics.json").read_text()
    assert [metric["name"] for metric in document["metrics"]] == ALL
    again = commands("evaluate", trained_copy, "--json")
    assert (again.out, again.err) == (first.out, "")
    assert (trained_copy / "metrics.json").read_text() == first.out
    table = commands("evaluate", trained_copy).out
    for metric in document["metrics"]:
        assert f"{metric['value']:.4f}" in table
        assert metric["protocol_text"] in table
    bits = document["metrics"][0]
    assert f"{bits['value']:.4f} ± {bits['standard_error']:.4f}" in table
    evaluation = zoo.load(trained_copy).evaluate()
    assert evaluation == read_evaluation(trained_copy), "Python and the file agree"


def test_every_metric_states_its_protocol(trained: zoo.Run) -> None:
    evaluation = trained.evaluate(seed=3, temperature=0.5, samples=70, images=80)
    bits, fid = evaluation["bits_per_dim"], evaluation["fid_cnn"]
    assert str(bits.protocol) == (
        "mean over 80 of the 90 images of the test split of digits, evenly spread, 64 values of 4 "
        "bits each, an upper bound with one uniform dequantization noise per image, seed 3"
    )
    assert evaluation["nats"].value == pytest.approx(bits.value * 64 * math.log(2))
    assert fid.title == "FID-CNN"
    text, protocol = str(fid.protocol), fid.protocol
    assert text.startswith(
        "70 samples at temperature 0.5, seed 3, against 80 of the 90 images of the test split "
        "of digits, evenly spread, "
        "64 values of 4 bits each, in the 64 features of a small CNN trained on the 10 classes of "
        f"the training split (test accuracy {100 * protocol.accuracy:.2f} %, "
    )
    assert text.endswith(
        "; KID over 100 subsets of 70, precision and recall by the k = 3 nearest neighbors"
    )
    assert {str(evaluation[name].protocol) for name in ALL[2:]} == {text}
    kid = evaluation["kid_cnn"]
    assert (protocol.samples, protocol.images, protocol.feature_dimensions) == (70, 80, 64)
    assert protocol.accuracy > 0.85
    assert evaluation["precision_cnn"].protocol.neighbors == 3
    assert (kid.protocol.subsets, kid.protocol.subset_size) == (100, 70)
    assert kid.deviation > 0
    defaults = trained.evaluate(metrics=["fid"])["fid_cnn"].protocol
    assert (defaults.temperature, defaults.samples) == (0.7, 90)


def test_metrics_of_an_earlier_evaluation_stay_until_they_are_measured_again(
    commands, trained_copy: Path
) -> None:
    def measure(*arguments: object) -> dict:
        result = commands("evaluate", trained_copy, *arguments, "--json")
        assert result.status == 0, result
        return {metric["name"]: metric for metric in json.loads(result.out)["metrics"]}

    first = measure("--metric", "recall", "--metric", "nats", "-n", 50)
    assert [*first] == ["nats", "recall_cnn"]
    second = measure("--metric", "bits_per_dim", "--metric", "nats")
    assert [*second] == ["bits_per_dim", "nats", "recall_cnn"]
    assert second["recall_cnn"] == first["recall_cnn"]
    assert (first["nats"]["protocol"]["images"], second["nats"]["protocol"]["images"]) == (50, 90)
    text = (trained_copy / "README.md").read_text()
    for metric in second.values():
        assert f"| {metric['title']} | {metric['value']:.4f}" in text
        assert metric["protocol_text"] in text, "the card shows every metric with its protocol"
    weights = load_tensors(trained_copy / "model.safetensors")
    weights["flow.prior.mean"] += 0.01
    write_weights(trained_copy, weights)
    assert [*measure("--metric", "nats")] == ["nats"], "metrics of other weights are dropped"


def test_text_that_a_person_added_to_the_card_is_preserved(commands, trained_copy: Path) -> None:
    card = trained_copy / "README.md"
    original = card.read_text()
    for _ in range(2):
        card.write_text(card.read_text().replace("# glow-digits:", "# My", 1) + "Mine.\n")
        assert commands("evaluate", trained_copy, "--metric", "nats").status == 0
    lines = card.read_text().splitlines()
    assert lines.count("Mine.") == 2
    assert [line for line in lines if line.startswith("| nats per image |")] == [
        line for line in lines if "| nats" in line
    ]
    assert set(original.splitlines()) - set(lines) == {"# glow-digits: Glow on digits"}
    card.write_text("All mine.\n")
    assert commands("evaluate", trained_copy, "--metric", "nats").status == 0
    assert card.read_text() == "All mine.\n"


def test_a_damaged_metrics_json_is_reported_and_overwritten(commands, trained_copy: Path) -> None:
    (trained_copy / "metrics.json").write_text('{"bits_per_dim": 2.5}')
    result = commands("evaluate", trained_copy, "--metric", "nats")
    assert (result.status, result.err) == (0, "metrics.json is damaged and is replaced\n")
    assert [metric.name for metric in read_evaluation(trained_copy)] == ["nats"]


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["--metric", "fdi"], 2, "'fdi' is not one of"),
        (["--metric", "importance_weighted_nats"], 2, "glow has no importance-weighted nats"),
        (["--temperature", "nan"], 2, "temperature must be a finite number, at least 0; got nan"),
        (["--samples", "0"], 2, "0 is not in the range x>=1"),
        (["--samples", "3"], 1, "need at least 4 images and samples, got 90 and 3"),
        (["--features", "net.pt"], 2, "net.pt: must be an .onnx file or inception; pickled"),
        (["--features", "net.onnx"], 2, "--features net.onnx: there is no such file"),
        (["--features", "inception"], 1, 'pip install "genzoo[fid]", or pass an .onnx file'),
    ],
)
def test_metrics_that_cannot_be_measured_are_refused(
    commands, trained: zoo.Run, here, arguments, status, message
) -> None:
    metrics = [] if "--metric" in arguments else ["--metric", "fid", "--metric", "recall"]
    assert message in commands.fails(status, "evaluate", trained.path, *arguments, *metrics)
    assert not (trained.path / "metrics.json").exists()


# Data


@pytest.fixture
def unlabeled(tmp_path: Path) -> Path:
    folder = tmp_path / "noise"
    folder.mkdir()
    for i in range(120):
        pixels = np.random.default_rng(i).integers(0, 256, (8, 8), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{i:03}.png")
    return folder


def test_data_without_labels_has_likelihoods_and_a_reason_for_skipped_distances(
    commands, trained_copy: Path, unlabeled: Path
) -> None:
    result = commands("evaluate", trained_copy, "--data", unlabeled, "--json")
    reason = "noise has no labels to train a feature network on: pass one with --features"
    assert result.status == 0
    assert result.err == (
        f"not counted: FID-CNN, KID-CNN, precision-CNN, recall-CNN, for {reason}\n"
    )
    document = json.loads(result.out)
    assert [metric["name"] for metric in document["metrics"]] == ["bits_per_dim", "nats"]
    assert document["skipped"] == dict.fromkeys(ALL[2:], reason)
    arguments = ("evaluate", trained_copy, "--data", unlabeled, "--metric", "fid")
    assert commands.fails(1, *arguments) == reason


# A VAE


def test_the_protocol_of_a_variational_bound_describes_it(vae: zoo.Run) -> None:
    evaluation = vae.evaluate(importance_samples=20, images=40)
    assert [metric.name for metric in evaluation] == [*NAMES[:3], *ALL[2:]]
    nats, weighted = evaluation["nats"], evaluation["importance_weighted_nats"]
    likelihood = "with a discretized logistic likelihood, without dequantization"
    assert nats.protocol.method == (
        "an upper bound, the negative ELBO with one posterior sample per image and the analytic "
        f"KL, {likelihood}"
    )
    assert weighted.protocol.method == (
        "an upper bound, -log of the mean of k = 20 importance weights per image, " + likelihood
    )
    assert weighted.protocol.importance_samples == 20
    assert weighted.value < nats.value


def test_an_error_in_importance_weights_names_the_hook(vae: zoo.Run, monkeypatch) -> None:
    import zoo_vae.bounds

    def fail(network, batch, samples):
        raise RuntimeError("no such luck")

    monkeypatch.setattr(zoo_vae.bounds, "importance_weighted_nats", fail)
    with pytest.raises(ZooError, match=r"zoo_likelihood.*no such luck"):
        vae.evaluate(metrics=["importance_weighted_nats"])


# Values that are not finite


def test_a_likelihood_that_is_not_finite_names_the_image(commands, trained_copy: Path) -> None:
    spoil(trained_copy, "flow.prior.mean")
    message = commands.fails(1, "evaluate", trained_copy)
    assert message.startswith("image 0 of the test split has no finite likelihood")
    assert not (trained_copy / "metrics.json").exists()


def test_a_sample_that_is_not_finite_is_named(trained: zoo.Run, monkeypatch) -> None:
    def stream(self: zoo.Run, n: int, **_: object) -> Iterator[torch.Tensor]:
        part = torch.zeros(n, 1, 8, 8)
        part[17, 0, 3, 3] = float("inf")
        yield part

    monkeypatch.setattr(zoo.Run, "stream", stream)
    with pytest.raises(ZooError, match="sample 17 of seed 5 is not finite: evaluate at a lower"):
        trained.evaluate(seed=5, metrics=["fid"])


def test_features_that_are_not_finite_name_the_image() -> None:
    from zoo.evaluation.features import FeatureNetwork, features_of

    def root(images: torch.Tensor) -> torch.Tensor:
        return (images - 0.5).sqrt()

    network = FeatureNetwork("roots", "", "roots", root)
    batches = [torch.ones(3, 2), torch.tensor([[1.0, 1.0], [1.0, 0.2]])]
    with pytest.raises(ZooError, match="image 4 has features that are not finite, by roots"):
        features_of(network, batches, lambda i: f"image {i}", lambda done: None)


def test_a_metric_must_be_finite() -> None:
    with pytest.raises(ZooError, match="FID is inf, not finite"):
        Metric("fid", math.inf, "", PROTOCOL)


def test_the_shape_of_a_plugins_scores_is_checked(vae: zoo.Run, monkeypatch) -> None:
    import zoo_vae.bounds

    monkeypatch.setattr(zoo_vae.bounds, "importance_weighted_nats", lambda *_: torch.zeros(3))
    with pytest.raises(ZooError, match=r"vae returned nats \[3\] for a batch of 90 images"):
        vae.evaluate(metrics=["importance_weighted_nats"])


# Documents


def test_titles_are_the_usual_names_of_metrics() -> None:
    assert [title_of(name) for name in (*NAMES[:3], "fid", "kid_cnn", "recall_cnn")] == [
        "bits/dim", "nats per image", "importance-weighted nats per image", "FID", "KID-CNN",
        "recall-CNN",
    ]  # fmt: skip


def test_a_newer_evaluation_overrides_an_older_one() -> None:
    bits = Metric("bits_per_dim", 2.0, "bits/dim", PROTOCOL, 0.1)
    fid, kid = Metric("fid_cnn", 9.0, "", PROTOCOL), Metric("kid_cnn", 0.1, "", PROTOCOL)
    old = Evaluation((bits, fid), {"kid_cnn": "no labels"}, "a")
    new = Evaluation((replace(bits, value=1.0), kid), {"fid_cnn": "no labels"}, "a")
    both = new.over(old)
    assert [(metric.name, metric.value) for metric in both] == [
        ("bits_per_dim", 1.0), ("fid_cnn", 9.0), ("kid_cnn", 0.1),
    ]  # fmt: skip
    assert both.skipped == {"fid_cnn": "no labels"}
    assert replace(new, weights="b").over(old) == replace(new, weights="b")
    with pytest.raises(KeyError, match="no metric 'x' was measured, only bits_per_dim, kid_cnn"):
        new["x"]
    with pytest.raises(UsageError, match="there is no metric 'recal': did you mean 'recall'"):
        Plan(metrics=("recal",))


def test_a_metrics_json_with_nan_is_damaged(tmp_path: Path) -> None:
    from zoo.evaluation.metrics import write_evaluation

    write_evaluation(tmp_path, Evaluation((Metric("nats", 2.0, "nats", PROTOCOL),), {}, "a"))
    path = tmp_path / "metrics.json"
    path.write_text(path.read_text().replace("2.0", "NaN"))
    with pytest.raises(ZooError, match="is damaged: measure again with zoo evaluate"):
        read_evaluation(tmp_path)


def test_a_moved_run_has_the_same_metrics(trained: zoo.Run, tmp_path: Path) -> None:
    moved = Path(shutil.copytree(trained.path, tmp_path / "moved"))
    names = ["bits_per_dim", "kid"]
    assert zoo.load(moved).evaluate(metrics=names) == trained.evaluate(metrics=names)
