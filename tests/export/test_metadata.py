"""Metadata of exported graphs: read back as written, or refused with the reason."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from zoo.config import text
from zoo.errors import ZooError
from zoo.export.metadata import Description, Metadata, parity_values
from zoo.export.report import ParityReport
from zoo.specs import Latent

PATH = Path("sampler.onnx")
DESCRIPTION = Description(
    library_name="genzoo",
    genzoo_version="1.0",
    model="glow",
    family="flow",
    title="Glow",
    paper="https://arxiv.org/abs/1807.03039",
    graph="sampler",
    precision="fp32",
    opset=20,
    latent_size=64,
    latent_distribution="normal",
    classes=10,
    class_names=(*"abcdefghi", 'jürgen, "7"'),
    temperature=0.7,
    image_shape=(1, 8, 8),
    image_bits=4,
    data="7",
    data_licence="CC0-1.0",
    weights_sha256="0" * 64,
)
STORED = {key: text.write(value) for key, value in DESCRIPTION.values().items()}


def test_a_file_is_read_as_it_was_written() -> None:
    parity = {key: text.write(value) for key, value in parity_values({"image": 1e-7}, 2e-4).items()}
    metadata = Metadata.read(STORED | parity | {"own": "of a plugin"}, PATH, "sampler")
    assert Description(**DESCRIPTION.values()) == DESCRIPTION
    assert metadata.values() == DESCRIPTION.values() | parity_values({"image": 1e-7}, 2e-4)
    assert metadata.latent == Latent(64, "normal", 10)
    assert (metadata.data, metadata.data_license) == ("7", "CC0-1.0")
    assert (metadata.parity, metadata.round_trip) == ({"image": 1e-7}, 2e-4)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"classes": None}, "lack classes"),
        ({"classes": "-1"}, "state classes -1"),
        ({"latent_size": "true"}, "state latent_size True"),
        ({"temperature": "NaN"}, "state temperature nan"),
        ({"latent_distribution": "cauchy"}, "state latent_distribution 'cauchy'"),
        ({"library_name": "other"}, "state library_name 'other'"),
        ({"graph": "encoder"}, "state graph 'encoder'"),
        ({"class_names": '["a", "b"]'}, "state class_names ['a', 'b']"),
        ({"class_names": '["a", 1]'}, "state class_names.1 1"),
        ({"class_names": json.dumps(["a"] * 10)}, f"state class_names {['a'] * 10}"),
        ({"class_names": "cat, dog"}, "state class_names 'cat, dog'"),
    ],
)
def test_metadata_of_another_kind_are_refused(changes: dict[str, str | None], reason: str) -> None:
    stored = {key: value for key, value in {**STORED, **changes}.items() if value is not None}
    with pytest.raises(ZooError) as error:
        Metadata.read(stored, PATH, "sampler")
    expected = f"sampler.onnx is not a genzoo sampler: its metadata {reason}; zoo export writes one"
    assert str(error.value) == expected


def test_a_file_without_names_of_classes_is_read() -> None:
    stored = {key: value for key, value in STORED.items() if key != "class_names"}
    metadata = Metadata.read(stored, PATH, "sampler")
    assert metadata.class_names == ()
    assert "class_names" not in metadata.values()


def test_graphs_of_different_models_name_the_difference() -> None:
    encoder = DESCRIPTION.model_copy(update={"graph": "encoder", "precision": "fp16"})
    assert DESCRIPTION.difference(encoder) is None
    larger = encoder.model_copy(update={"latent_size": 65})
    assert DESCRIPTION.difference(larger) == "latent_size"


def test_a_report_is_read_or_refused(tmp_path: Path) -> None:
    output = {"max_abs_error_float64": float("nan"), "tolerance": 1e-4, "batches": {"1": {}}}
    values = DESCRIPTION.values() | {
        "sha256": "1" * 64,
        "onnxruntime_version": "1.30.0",
        "inputs": {"z": "seed 2^63"},
        "outputs": {"image": output},
        "round_trip": {"max_abs_error": 1e-3, "tolerance": 1e-3, "images": 64},
    }
    path = tmp_path / "sampler.json"
    path.write_text(json.dumps(values), "utf-8")
    report = ParityReport.read(path)
    assert not report.outputs["image"].error <= report.outputs["image"].tolerance
    assert report.round_trip is not None
    assert report.round_trip.error == 1e-3
    del values["outputs"]
    for content in ("[]", "{", json.dumps(values)):
        path.write_text(content, "utf-8")
        with pytest.raises(ZooError, match=r"sampler\.json is not a parity report: "):
            ParityReport.read(path)


def test_reading_imports_no_torch() -> None:
    code = (
        "import sys\nfrom zoo_onnx import OnnxModel\nfrom zoo.export.metadata import Metadata\n"
        "sys.exit(bool({'torch', 'onnx', 'onnxscript'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
