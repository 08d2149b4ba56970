"""Feature networks: the classifier and its cache, and the user's own networks."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx_bytes
import pytest
import torch

from zoo.config.sections import DataConfig
from zoo.data import Dataset, ResidentSplit, open_data
from zoo.errors import UsageError, ZooError
from zoo.evaluation import classifier
from zoo.evaluation.classifier import cache_folder, classifier_features
from zoo.evaluation.extractors import feature_network
from zoo.evaluation.features import FeatureNetwork
from zoo.evaluation.frechet import frechet_distance
from zoo.evaluation.kernel import kernel_distance
from zoo.evaluation.neighbors import precision_recall
from zoo.evaluation.onnx_features import onnx_features
from zoo.specs import ImageSpec
from zoo.system.progress import Progress

pytest_plugins = ["providers"]

CPU = torch.device("cpu")
GRAY = ImageSpec(channels=1, size=8, classes=10, bits=4)


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return open_data(DataConfig(source="digits", bits=4))


@pytest.fixture
def trainings(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """Records every training of a classifier, which is shortened to three steps."""
    calls: list[int] = []
    train = classifier._train

    def counted(*arguments: object) -> float | None:
        calls.append(1)
        return train(*arguments)

    monkeypatch.setattr(classifier, "_train", counted)
    monkeypatch.setattr(classifier, "STEPS", 3)
    return calls


def images_of(data: Dataset, name: str) -> torch.Tensor:
    split = data.splits[name]
    assert isinstance(split, ResidentSplit)
    return (torch.from_numpy(split.images) >> 4) / 15


def deviation_of_kid(real: torch.Tensor, size: int) -> float:
    """The standard deviation of the KID between ``size`` random images and all others."""
    generator = torch.Generator().manual_seed(0)
    values = []
    for _ in range(20):
        order = torch.randperm(len(real), generator=generator)
        values.append(kernel_distance(real[order[size:]], real[order[:size]])[0])
    return statistics.pstdev(values)


# The classifier


def test_real_images_are_close_to_each_other_and_noise_is_far(digits: Dataset) -> None:
    """FID, KID, precision and recall rank the test split above mirrored digits above noise."""
    network = classifier_features(digits, CPU, Progress())
    assert network.suffix == "_cnn"
    assert network.accuracy > 0.85
    train, test = images_of(digits, "train"), images_of(digits, "test")
    real = network.extract(train).double()
    sets = {
        "test": test,
        "mirrored": test.flip(-1),
        "noise": torch.rand(90, 1, 8, 8, generator=torch.Generator().manual_seed(0)),
    }
    generated = {name: network.extract(images).double() for name, images in sets.items()}
    fid = {name: frechet_distance(real, features) for name, features in generated.items()}
    kid = {name: kernel_distance(real, features)[0] for name, features in generated.items()}
    precision, recall = (
        {name: precision_recall(real, features)[i] for name, features in generated.items()}
        for i in (0, 1)
    )
    assert 2 * fid["test"] < fid["mirrored"] < fid["noise"]
    deviation = deviation_of_kid(real, len(test))
    assert abs(kid["test"]) < 3 * deviation
    assert 4 * deviation < kid["mirrored"] < kid["noise"] / 4
    assert precision["test"] > 0.6
    assert precision["test"] > precision["mirrored"] > precision["noise"]
    assert recall["test"] > recall["mirrored"] >= recall["noise"]
    half = frechet_distance(real[0::2], real[1::2])
    assert half < 0.1 * fid["mirrored"]


def test_a_classifier_is_trained_once_and_cached(
    digits: Dataset, tmp_path: Path, trainings: list[int]
) -> None:
    images = images_of(digits, "test")
    first, second = (classifier_features(digits, CPU, Progress(), tmp_path) for _ in range(2))
    assert trainings == [1]
    assert torch.equal(first.extract(images), second.extract(images))
    assert (first.name, first.method, first.accuracy) == (
        second.name, second.method, second.accuracy,
    )  # fmt: skip
    other = classifier_features(digits, CPU, Progress(), tmp_path / "other")
    assert trainings == [1, 1]
    assert other.name == first.name, "training is deterministic"
    fewer = open_data(DataConfig(source="digits", bits=1))
    assert classifier_features(fewer, CPU, Progress(), tmp_path).name != first.name
    assert trainings == [1, 1, 1]


def test_features_of_the_training_split_have_about_mean_0_and_variance_1(digits: Dataset) -> None:
    features = classifier_features(digits, CPU, Progress()).extract(images_of(digits, "train"))
    assert features.shape == (len(digits.splits["train"]), 64)
    assert features.mean(0).abs().mean() < 0.1
    assert features.var(0).mean().item() == pytest.approx(1, abs=0.2)


@pytest.mark.parametrize("damage", ["no json", "half a json", "half the weights", "other weights"])
def test_a_damaged_cache_is_not_used(
    digits: Dataset, tmp_path: Path, trainings: list[int], damage: str
) -> None:
    first = classifier_features(digits, CPU, Progress(), tmp_path)
    (weights,), (record,) = tmp_path.glob("*.safetensors"), tmp_path.glob("*.json")
    if damage == "no json":
        record.unlink()
    elif damage == "half a json":
        record.write_text(record.read_text()[:20])
    elif damage == "half the weights":
        weights.write_bytes(weights.read_bytes()[:-100])
    else:
        data = bytearray(weights.read_bytes())
        data[-1] ^= 1
        weights.write_bytes(data)
    assert classifier_features(digits, CPU, Progress(), tmp_path).name == first.name
    assert trainings == [1, 1]
    assert classifier_features(digits, CPU, Progress(), tmp_path).name == first.name
    assert trainings == [1, 1]


@pytest.mark.parametrize(
    "image_spec", [ImageSpec(3, 32, 3), ImageSpec(1, 28, 2, bits=1), ImageSpec(3, 5, 4), GRAY]
)
def test_the_classifier_takes_images_of_any_shape(
    image_spec: ImageSpec, tmp_path: Path, trainings: list[int]
) -> None:
    rng = np.random.default_rng(0)
    shape = (image_spec.channels, image_spec.size, image_spec.size)
    splits = {
        name: ResidentSplit(
            rng.integers(0, 256, (n, *shape), dtype=np.uint8), np.arange(n) % image_spec.classes
        )
        for name, n in (("train", 20), ("validation", 1), ("test", 5))
    }
    data = Dataset("noise", image_spec, splits, DataConfig())
    network = classifier_features(data, CPU, Progress(), tmp_path)
    assert network.extract(torch.rand(7, *shape)).shape == (7, 64)
    assert 0 <= network.accuracy <= 1
    unlabeled = {**splits, "test": ResidentSplit(splits["test"].images, np.full(5, -1))}
    data = Dataset("noise", image_spec, unlabeled, DataConfig())
    network = classifier_features(data, CPU, Progress(), tmp_path)
    assert network.accuracy is None
    assert "test accuracy" not in network.method


def test_a_second_process_waits_for_the_training_and_reports_it(
    digits: Dataset, tmp_path: Path, trainings: list[int]
) -> None:
    from filelock import FileLock

    first = classifier_features(digits, CPU, Progress(), tmp_path)
    (file,) = tmp_path.glob("*.lock")
    lock, messages = FileLock(file, thread_local=False), []

    class Waiting(Progress):
        def say(self, text: str) -> None:
            messages.append(text)
            lock.release()

    lock.acquire()
    assert classifier_features(digits, CPU, Waiting(), tmp_path).name == first.name
    assert messages == ["waiting for another process that trains the feature network of this data"]
    assert trainings == [1]


def test_the_cache_is_in_the_users_cache_home(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "genzoo" / "classifiers"
    for unset in ("", "relative"):
        monkeypatch.setenv("XDG_CACHE_HOME", unset)
        assert cache_folder() == Path.home() / ".cache" / "genzoo" / "classifiers"


def test_a_cache_that_cannot_be_written_is_an_error(digits: Dataset, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ZooError, match="could not be written"):
        classifier_features(digits, CPU, Progress(), tmp_path / "file")


# The user's network


def graph(path: Path, shape: list[int | str], kind: int = onnx_bytes.FLOAT) -> Path:
    path.write_bytes(onnx_bytes.flatten_graph(shape, kind))
    return path


def test_an_onnx_network_receives_the_images_that_its_protocol_describes(tmp_path: Path) -> None:
    images = torch.rand(5, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    same = onnx_features(graph(tmp_path / "a.onnx", ["n", 1, "h", "w"]), GRAY, CPU)
    assert torch.equal(same.extract(images), images.flatten(1))
    levels = graph(tmp_path / "b.onnx", ["n", 3, 8, 8], onnx_bytes.UINT8)
    color = onnx_features(levels, GRAY, CPU)
    expected = (images * 255).round().expand(-1, 3, -1, -1).flatten(1)
    assert torch.equal(color.extract(images), expected)
    assert "of images as uint8, 0 to 255, 3 channels" in color.method
    larger = onnx_features(graph(tmp_path / "c.onnx", [2, 3, 16, 12]), GRAY, CPU)
    resized = larger.extract(images).reshape(5, 3, 16, 12)  # batches of two, the last one padded
    bilinear = torch.nn.functional.interpolate(
        images, (16, 12), mode="bilinear", antialias=True, align_corners=False
    )
    assert torch.allclose(resized, bilinear.expand(-1, 3, -1, -1), atol=1e-6)
    assert larger.method.endswith(
        "float32 in [0, 1], 3 channels, resized to 16x12 by bilinear interpolation with "
        "antialiasing"
    )
    assert (larger.suffix, larger.accuracy) == ("", None)
    assert larger.name.startswith("c.onnx ")


def test_metrics_of_the_users_network_have_no_suffix(
    commands, trained_copy: Path, tmp_path: Path
) -> None:
    path = graph(tmp_path / "pixels.onnx", ["n", 3, 4, 4])
    arguments = ("evaluate", trained_copy, "--features", path, "--json")
    result = commands(*arguments)
    assert (result.status, result.err) == (0, "")
    metrics = {metric["name"]: metric for metric in json.loads(result.out)["metrics"]}
    assert [*metrics][2:] == ["fid", "kid", "precision", "recall"]
    protocol = metrics["fid"]["protocol"]
    name, _, digest = protocol["features"].partition(" ")
    assert name == "pixels.onnx"
    assert protocol["feature_dimensions"] == 48
    assert f"pixels.onnx (SHA-256 {digest}…)" in metrics["fid"]["protocol_text"]
    assert commands(*arguments).out == result.out


@pytest.mark.parametrize(
    ("image_spec", "shape", "message"),
    [
        (GRAY, ["n", 2, 8, 8], r"one input, float32 or uint8 \[N, 3, H, W\], got tensor"),
        (GRAY, ["n", 64], r"got tensor\(float\) images \['n', 64\]"),
        (ImageSpec(3, 8), ["n", 1, 8, 8], "takes grayscale images, but the run's are RGB"),
    ],
)
def test_a_graph_that_does_not_take_images_is_refused(tmp_path, image_spec, shape, message) -> None:
    with pytest.raises(UsageError, match=message):
        onnx_features(graph(tmp_path / "x.onnx", shape), image_spec, CPU)


def test_a_file_that_is_not_onnx_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "x.onnx").write_bytes(b"no graph")
    with pytest.raises(ZooError, match=r"x\.onnx is not an ONNX file, or is damaged"):
        onnx_features(tmp_path / "x.onnx", GRAY, CPU)


def test_onnx_features_open_cuda_without_tf32(tmp_path: Path, providers: list[Any]) -> None:
    path = graph(tmp_path / "x.onnx", ["n", 1, 8, 8])
    network = onnx_features(path, GRAY, torch.device("cuda"))
    assert providers == [("CUDAExecutionProvider", {"use_tf32": "0"}), "CPUExecutionProvider"]
    assert network.extract(torch.ones(2, 1, 8, 8)).shape == (2, 64)


def test_without_onnxruntime_the_extra_is_named(tmp_path: Path, monkeypatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(ZooError, match=r'not installed: pip install "genzoo\[cpu\]"'):
        onnx_features(graph(tmp_path / "x.onnx", ["n", 3, 8, 8]), GRAY, CPU)


def test_inception_without_its_package_names_the_extra(
    digits: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torchmetrics.image.fid._TORCH_FIDELITY_AVAILABLE", False)
    with pytest.raises(ZooError, match=r"^--features inception requires torch-fidelity, .*\[fid\]"):
        feature_network(CPU, digits, "inception", Progress())


def test_inception_receives_8_bit_images_of_three_channels(monkeypatch: pytest.MonkeyPatch) -> None:
    """Uses a stand-in for the network, because torch-fidelity is not installed for tests."""
    from zoo.evaluation.inception import inception_features

    class Inception(torch.nn.Module):
        def __init__(self, name: str, features_list: list[str]) -> None:
            super().__init__()
            assert (name, features_list) == ("inception-v3-compat", ["2048"])
            torch.rand(3)  # the layers of the real network initialize themselves

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            assert images.dtype == torch.uint8
            return images.flatten(1)

    monkeypatch.setattr("torchmetrics.image.fid.NoTrainInceptionV3", Inception)
    before = torch.get_rng_state()
    network: FeatureNetwork = inception_features(CPU)
    assert torch.equal(torch.get_rng_state(), before)
    assert network.extract(torch.full((2, 1, 1, 1), 0.5)).tolist() == [[128] * 3] * 2
    assert network.suffix == ""
