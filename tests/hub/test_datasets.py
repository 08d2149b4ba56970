"""Datasets on the Hub in two forms: parquet files and folders of images, with classes by name."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hub_steps import run_steps
from loopback_hub import LoopbackHub
from numbered import numbered_image, png

OPEN = """
import json
from zoo.config.sections import DataConfig
from zoo.data.find import find_source

source = find_source(DataConfig(source={name!r}))
names = [*source.class_names, None]
print(json.dumps({{
    "kind": source.kind,
    "column": source.column,
    "left_out": [part.what for part in source.left_out],
    "labels": {{k: [names[i] for i in part.labels.tolist()] for k, part in source.splits.items()}},
    "first": {{k: part.images.open(0).getpixel((0, 0))[0] for k, part in source.splits.items()}},
}}))
"""


def parquet(start: int, labels: list[str]) -> bytes:
    images = [
        {"bytes": png(numbered_image(start + i)), "path": f"{i}.png"} for i in range(len(labels))
    ]
    table = pa.table({"image": images, "label": labels, "id": list(range(len(labels)))})
    features = {
        "image": {"_type": "Image"},
        "label": {"dtype": "string", "_type": "Value"},
        "id": {"dtype": "int64", "_type": "Value"},
    }
    table = table.replace_schema_metadata(
        {"huggingface": json.dumps({"info": {"features": features}})}
    )
    buffer = io.BytesIO()
    pq.write_table(table, buffer)
    return buffer.getvalue()


FORMS: dict[str, dict[str, bytes]] = {
    "parquet": {
        "data/train-00000-of-00001.parquet": parquet(10, ["wren", "10", "2", "wren"]),
        "data/test-00000-of-00001.parquet": parquet(20, ["2", "eel"]),
    },
    "images": {
        f"{folder}/{name}/{i}.png": png(numbered_image(number))
        for folder, name, i, number in (
            ("train", "wren", 0, 12),
            ("train", "10", 1, 10),
            ("train", "2", 2, 11),
            ("test", "2", 0, 20),
            ("test", "wren", 1, 21),
        )
    },
}

FOUND: dict[str, dict[str, Any]] = {
    "parquet": {
        "left_out": ["the column id"],
        "labels": {"train": ["wren", "10", "2", "wren"], "test": ["2", "eel"]},
        "first": {"train": 10, "test": 20},
    },
    "images": {
        "left_out": [],
        "labels": {"train": ["10", "2", "wren"], "test": ["2", "wren"]},
        "first": {"train": 10, "test": 20},
    },
}


@pytest.mark.parametrize("form", FORMS)
def test_a_dataset_on_the_hub_is_read_with_its_classes_by_name(
    form: str, hub: LoopbackHub, tmp_path: Path
) -> None:
    hub.create(f"tester/{form}", "dataset", FORMS[form])
    environment = hub.environment(tmp_path / "home", hub.tokens.read)
    code = OPEN.format(name=f"tester/{form}")
    (step,) = run_steps(environment, tmp_path, code, torch=False)
    assert json.loads(step.out) == {
        "kind": "a dataset on the Hub",
        "column": "image",
        **FOUND[form],
    }
    # From the cache.
    offline = hub.environment(tmp_path / "home", hub.tokens.read, offline=True)
    (again,) = run_steps(offline, tmp_path, code, torch=False)
    assert again.out == step.out


def test_a_table_on_the_hub_reads_no_file_of_this_machine(hub: LoopbackHub, tmp_path: Path) -> None:
    (tmp_path / "private.png").write_bytes(png(numbered_image(1)))
    cells = [{"bytes": None, "path": str(tmp_path / "private.png")}] * 3
    kind = pa.struct({"bytes": pa.binary(), "path": pa.string()})
    buffer = io.BytesIO()
    pq.write_table(pa.table({"image": pa.array(cells, kind)}), buffer)
    hub.create(
        "tester/curious", "dataset", {"data/train-00000-of-00001.parquet": buffer.getvalue()}
    )
    (step,) = run_steps(
        hub.environment(tmp_path / "home", hub.tokens.read), tmp_path, ["data", "tester/curious"]
    )
    assert step.status == 1
    assert "private.png', which is not in the folder of the data" in step.err


@pytest.mark.parametrize(
    ("rows", "cell", "text"),
    [(2**20 + 1, 1, "has 1,048,577 rows in"), (1000, 2**21, "unpacks from")],
)
def test_a_table_on_the_hub_that_unpacks_to_gigabytes_is_refused(
    rows: int, cell: int, text: str, hub: LoopbackHub, tmp_path: Path
) -> None:
    equal = pa.DictionaryArray.from_arrays(pa.array([0] * rows, pa.int8()), [b"x" * cell])
    buffer = io.BytesIO()
    pq.write_table(pa.table({"image": equal}), buffer, compression="zstd")
    hub.create("tester/huge", "dataset", {"data/train-00000-of-00001.parquet": buffer.getvalue()})
    environment = hub.environment(tmp_path / "home", hub.tokens.read)
    (step,) = run_steps(environment, tmp_path, ["data", "tester/huge"], torch=False)
    assert step.status == 1
    assert text in step.sentence
    assert not [*(tmp_path / "home").rglob("*.arrow")]


STRANGE = {
    "absolute": "{root}/private/*.png",
    "climbing": "../../../../../../../..{root}/private/*.png",
    "url": "file://{root}/private/*.png",
    "archive": "zip://*.png::{root}/private/all.zip",
    "other": "hf://datasets/tester/own/train/*.png",
}
"""Files that a card names outside of its repository."""


@pytest.mark.parametrize("name", STRANGE)
def test_a_card_reads_no_file_outside_of_its_repository(
    name: str, hub: LoopbackHub, tmp_path: Path
) -> None:
    (tmp_path / "private").mkdir()
    (tmp_path / "private/0.png").write_bytes(png(numbered_image(1)))
    with zipfile.ZipFile(tmp_path / "private/all.zip", "w") as archive:
        archive.writestr("0.png", png(numbered_image(1)))
    hub.create("tester/own", "dataset", {"train/0.png": png(numbered_image(1))}, private=True)
    files = json.dumps(STRANGE[name].format(root=tmp_path))
    card = f"---\nconfigs:\n- config_name: default\n  data_files: {files}\n---\n"
    hub.create("tester/strange", "dataset", {"README.md": card.encode(), "a.png": b"png"})
    environment = hub.environment(tmp_path / "home", hub.tokens.read)
    (step,) = run_steps(environment, tmp_path, ["data", "tester/strange"], torch=False)
    assert step.status == 1
    assert step.sentence.startswith("tester/strange cannot be read by datasets: ")
    assert not [*(tmp_path / "home").rglob("*.arrow")]


@pytest.mark.parametrize("name", ["train/NUL.png", "train/a:b.png", "train /a.png", "train/A.png"])
def test_a_dataset_with_names_that_not_every_system_has_is_refused(
    name: str, hub: LoopbackHub, tmp_path: Path
) -> None:
    image = png(numbered_image(1))
    hub.create("tester/named", "dataset", {"train/a.png": image, name: image})
    environment = hub.environment(tmp_path / "home", hub.tokens.read)
    (step,) = run_steps(environment, tmp_path, ["data", "tester/named"], torch=False)
    assert step.status == 1
    assert "tester/named has a file " in step.sentence
    assert step.sentence.endswith(": the dataset is not read")


@pytest.mark.parametrize("name", ["README.md", "dataset_infos.json", ".huggingface.yaml"])
def test_a_large_description_of_a_dataset_is_not_read(
    name: str, hub: LoopbackHub, tmp_path: Path
) -> None:
    hub.create("tester/wordy", "dataset", {name: b" " * (2**24 + 1), "a.png": b"png"})
    environment = hub.environment(tmp_path / "home", hub.tokens.read)
    (step,) = run_steps(environment, tmp_path, ["data", "tester/wordy"], torch=False)
    assert step.status == 1
    assert "dataset tester/wordy was not transferred" in step.sentence
    assert "sent more than 16,777,216 bytes" in step.sentence
