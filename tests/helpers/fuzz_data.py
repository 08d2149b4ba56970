"""Strategies for data of which a file is hostile, and a command that reads them."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from fuzz_runs import Case, Files
from hypothesis import strategies as st
from mutations import damaged, encoded, raw, texts, values
from numpy.typing import NDArray
from PIL import Image

KEYS = ("images", "labels", "train_images", "train_labels", "test_images", "x_train", "y_train")
DTYPES = ("u1", "i1", "<u2", ">u2", "<i4", "<i8", "<f2", "<f4", "<f8", "?", "<c8", "U3", "S2", "V4")
WITHOUT = [("JPEG", "1"), ("SGI", "1")]
"""Formats that have no such mode."""

FORMATS = ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "PPM", "ICO", "TGA", "PCX", "SGI")
PIXELS = np.arange(4 * 4 * 16, dtype=np.uint8).reshape(16, 4, 4) * 5
TRAIN = ("--steps", "1", "--device", "cpu", "--set", "training.batch_size=4")


def _commands(source: str) -> st.SearchStrategy[tuple[list[str], bool]]:
    """Reading the data, most often, or training on them."""
    read = st.sampled_from([["data", source], ["data", source, "--json"]])
    listed = st.just(["data", source, "--list", "-o", "x.png"])
    resized = st.sampled_from(["size=4", "pad=2", "bits=2", "layout=classes", "column=x"]).map(
        lambda text: ["data", source, "--set", f"data.{text}"]
    )
    train = st.just(["train", "tiny", "--data", source, *TRAIN])
    commands = st.one_of(*[read] * 6, *[resized] * 3, listed, train)
    return commands.map(lambda arguments: (arguments, True))


def _cases(source: str, contents: st.SearchStrategy[Files]) -> st.SearchStrategy[Case]:
    return st.tuples(contents, _commands(source)).map(lambda picked: (picked[0], *picked[1]))


def _archive(entries: Mapping[str, bytes]) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return data.getvalue()


def _npy(array: NDArray[Any]) -> bytes:
    data = io.BytesIO()
    np.save(data, array)
    return data.getvalue()


@st.composite
def _arrays(pick: st.DrawFn, labels: bool) -> NDArray[Any]:
    """An array of any type, most often of 16 images or labels."""
    dtype = np.dtype(pick(st.sampled_from([*DTYPES, *["u1", "<i8", "<f4"] * 3])))
    usual = [(16,), (16,), (16, 1)] if labels else [(16, 4, 4), (16, 4, 4), (16, 4, 4, 3)]
    shapes = [*usual, *usual, (), (0,), (16, 0, 4), (1, 1, 1, 1, 1), (3, 4, 4), (16, 3, 4, 4)]
    shape = pick(st.sampled_from(shapes))
    size = int(np.prod(shape)) * dtype.itemsize
    pattern = pick(st.binary(min_size=1, max_size=64))
    if dtype.kind == "U":
        return np.full(shape, pick(st.sampled_from(["cat", "d", "", "é"])), dtype)
    return np.frombuffer((pattern * size)[:size], dtype).reshape(shape)


@st.composite
def _npz(pick: st.DrawFn) -> bytes:
    entries = {"images.npy": _npy(PIXELS), "labels.npy": _npy(np.arange(16) % 2)}
    entries = {name: data for name, data in entries.items() if pick(st.integers(0, 3))}
    for key in pick(st.lists(st.sampled_from(KEYS) | texts, max_size=3, unique=True)):
        content = _npy(pick(_arrays(key.endswith("labels") or key.startswith("y"))))
        what = pick(st.integers(0, 5))
        if what == 0:
            content = pick(damaged(content))
        elif what == 1:
            content = pick(_header(content))
        name = key.partition("\0")[0].encode("utf-8", "replace").decode() or "x"
        entries[f"{name}.npy" if pick(st.integers(0, 9)) else name] = content
    return _archive(entries)


@st.composite
def _header(pick: st.DrawFn, content: bytes) -> bytes:
    """The array with another header, of any values."""
    dimension = st.sampled_from([16, 4, 0, -1, 2**31, 2**40, 2**63, 10**30])
    shape = pick(st.lists(dimension, max_size=4).map(tuple) | st.sampled_from([None, 3, "x"]))
    descr = pick(st.sampled_from(["|u1", "|O", "x", None, "<f99", [("a", "<i4")], "|V0", "<M8[s]"]))
    order = pick(st.sampled_from([True, False, None]))
    header = {"descr": descr, "fortran_order": order, "shape": shape}
    text = pick(st.sampled_from([repr(header), repr(header)[:-1], "[" * 500, "9" * 5000, "{}"]))
    version, size = pick(st.sampled_from([(1, "<H"), (2, "<I"), (3, "<I"), (9, "<I")]))
    data = text.encode("latin1", "replace") + b"\n"
    magic = b"\x93NUMPY" + bytes([version, 0]) + struct.pack(size, len(data))
    return magic + data + content[128:]


def npz(files: Files) -> st.SearchStrategy[Case]:
    whole = st.one_of(_npz(), _npz(), damaged(files["data.npz"]))
    return _cases("d.npz", whole.map(lambda data: {"d.npz": data}))


def image(index: int = 0, form: str = "PNG", mode: str = "L", size: int = 4) -> bytes:
    data = io.BytesIO()
    tiled = np.tile(PIXELS[index % 16], (size // 4, size // 4))
    Image.fromarray(tiled).convert(mode).save(data, form)
    return data.getvalue()


@st.composite
def _png(pick: st.DrawFn) -> bytes:
    """A PNG with a hostile header or chunk, and right checksums."""
    number = st.sampled_from([0, 1, 4, 8, 1000, 2**16, 2**31 - 1, 2**32 - 1])
    depth = pick(st.sampled_from([1, 8, 16, 3]))
    color = pick(st.sampled_from([0, 2, 3, 4, 6, 9]))
    start = struct.pack(">IIBBBBB", pick(number), pick(number), depth, color, 0, 0, 0)
    kinds = [b"tEXt", b"zTXt", b"iTXt", b"iCCP", b"PLTE", b"tRNS", b"acTL", b"fcTL", b"gAMA"]
    more = pick(st.lists(st.tuples(st.sampled_from(kinds), st.binary(max_size=40)), max_size=2))
    pixels = zlib.compress(pick(st.sampled_from([b"", b"\0" * 20, b"\1\2\3" * 40, b"\0" * 10**6])))
    parts = [(b"IHDR", start), *more, (b"IDAT", pixels), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in parts
    )


_forms = st.tuples(
    st.integers(0, 15), st.sampled_from(FORMATS), st.sampled_from(["L", "RGB", "1"]), st.just(4)
)
_images = st.one_of(
    _forms.filter(lambda f: f[1:3] not in WITHOUT).map(lambda form: image(*form)),
    _forms.map(lambda form: image(form[0], form[1], "RGB")).flatmap(damaged),
    _forms.map(lambda form: image(form[0], form[1], "RGB", 32)).flatmap(damaged),
    _png(),
    st.binary(max_size=100),
)
_names = st.sampled_from(
    [
        *("a.png", "train/a.png", "train/x/b.jpg", "test/x/c.gif", "x/a.png", "masks/a.png"),
        *("\udcff.png", "a\nb.png", "\x1b[2J.png", "é/e\u0301.png", "a.txt", "README.md", "a.tiff"),
        *("train.npz", "b.parquet", "config.json", "state.json", "dataset_info.json", "a.json"),
    ]
)


def folder(files: Files) -> st.SearchStrategy[Case]:
    """A folder of images, of which some are hostile."""
    good = {f"d/{'xy'[i % 2]}/{i}.png": image(i) for i in range(16)}
    added = st.dictionaries(_names.map("d/{}".format), _images, min_size=1, max_size=3)
    return _cases(
        "d", st.tuples(added, st.booleans()).map(lambda d: {**(good if d[1] else {}), **d[0]})
    )


def labels(files: Files) -> st.SearchStrategy[Case]:
    """Images with a file of labels of any contents."""
    good = {f"d/{i}.png": image(i) for i in range(16)}
    rows = [{"file_name": f"{i}.png", "label": "cat" if i % 2 else "dog"} for i in range(16)]
    jsonl = st.lists(st.sampled_from(rows).flatmap(encoded), max_size=4).map(
        lambda lines: b"\n".join([*map(raw, rows[:12]), *lines])
    )
    cells = st.lists(st.lists(texts, max_size=3).map(",".join), max_size=4)
    csv = cells.map(
        lambda lines: "\n".join(["file_name,label", *lines, "1.png,x"]).encode("utf-8", "replace")
    )
    return _cases(
        "d",
        st.one_of(
            jsonl.map(lambda data: {"d/metadata.jsonl": data}),
            st.one_of(csv, csv.flatmap(damaged)).map(lambda data: {"d/metadata.csv": data}),
            _tables(False).map(lambda data: {"d/metadata.parquet": data}),
        ).map(lambda changes: {**good, **changes}),
    )


@st.composite
def _tables(pick: st.DrawFn, images: bool) -> bytes:
    """A parquet file of one or two columns, 16 rows, of any values."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns: dict[str, Any] = {}
    if pick(st.integers(0, 4)):
        cells: list[Any] = (
            [{"bytes": image(i), "path": f"{i}.png"} for i in range(16)]
            if images
            else [f"{i}.png" for i in range(16)]
        )
        cells[pick(st.integers(0, 15))] = pick(_cell(images))
        columns["image" if images else "file_name"] = cells
    for name in pick(
        st.lists(st.sampled_from(["label", "image", "x", "class"]) | texts, max_size=2)
    ):
        one = pick(values)
        columns.setdefault(name, [one] * 16)
    arrays = {}
    for name, cells in columns.items():
        try:
            arrays[name.encode("utf-8", "replace").decode()] = pa.array(cells)
        except (pa.ArrowException, OverflowError, UnicodeEncodeError, ValueError, TypeError):
            arrays[name.encode("utf-8", "replace").decode()] = pa.array([b"\xff"] * 16)
    table = pa.table(arrays)
    if pick(st.integers(0, 3)) == 0:
        features = pick(st.sampled_from(_FEATURES))
        table = table.replace_schema_metadata({"huggingface": features})
    data = io.BytesIO()
    try:
        pq.write_table(table, data)
    except pa.ArrowException:  # a type that parquet does not have
        return b"PAR1" + pick(st.binary(max_size=200)) + b"PAR1"
    content = data.getvalue()
    return pick(damaged(content)) if pick(st.integers(0, 3)) == 0 else content


_FEATURES = (
    '{"info": {"features": {"image": {"_type": "Image"}}}}',
    '{"info": {"features": {"image": {"_type": "Evil"}}}}',
    '{"info": {"features": {"label": {"names": ["a", "a"], "_type": "ClassLabel"}}}}',
    '{"info": {"features": {"label": {"names": [1, null], "_type": "ClassLabel"}}}}',
    '{"info": {"features": {"label": {"num_classes": -1, "_type": "ClassLabel"}}}}',
    '{"info": 5}',
    "[" * 5000,
    "\0",
)


def _cell(images: bool) -> st.SearchStrategy[Any]:
    if not images:
        return st.sampled_from(["../x.png", "/etc/passwd", "", None, "0.png", "a" * 5000])
    paths = st.sampled_from(["/etc/passwd", "../x.png", "0.png", "", None, "\0", "x" * 5000])
    return st.one_of(
        st.none(),
        _images.map(lambda data: {"bytes": data, "path": None}),
        paths.map(lambda path: {"bytes": None, "path": path}),
    )


def parquet(files: Files) -> st.SearchStrategy[Case]:
    return _cases("d.parquet", _tables(True).map(lambda data: {"d.parquet": data}))


TARGETS: Mapping[str, tuple[int, Callable[[Files], st.SearchStrategy[Case]]]] = {
    "npz": (600, npz),
    "parquet": (500, parquet),
    "images": (600, folder),
    "labels": (400, labels),
}
"""Cases of 10,000, and their strategy."""

__all__: Sequence[str] = ["TARGETS"]
