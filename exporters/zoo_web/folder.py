"""The folder of the page: its files, and the check that no other file is overwritten."""

from __future__ import annotations

import html
import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any

from zoo.errors import UsageError, ZooError
from zoo.report.card import front, markdown
from zoo.sampling.names import listed
from zoo.system.files import (
    read_bounded,
    replacing_folder,
    sha256_of,
    write_json,
    write_text,
)
from zoo_web.description import FORMAT, describe, graph_files

PAGE = "index.html"
ASSETS = (
    "app.js",
    "images.js",
    "latents.js",
    "link.js",
    "own.js",
    "screen.js",
    "second.js",
    "style.css",
    "worker.js",
)
MODEL = "model.json"
CARD = "README.md"

ORT_VERSION = "1.30.0"
ORT_CDN = f"https://cdn.jsdelivr.net/npm/onnxruntime-web@{ORT_VERSION}/dist/"
ORT_FILES = (
    "ort.wasm.min.mjs",
    "ort-wasm-simd-threaded.mjs",
    "ort-wasm-simd-threaded.wasm",
)
"""The files of onnxruntime-web that run a graph on the CPU; its full bundle was three times
slower."""

HEADERS = {
    "cross-origin-embedder-policy": "require-corp",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "cross-origin",
}
"""The headers that a browser requires before a page may use threads."""

KINDS = {
    "flow": "Normalizing flow",
    "gan": "Generative adversarial network",
    "vae": "Variational autoencoder",
}


def write(run: Path, out: Path, ort: Path | None = None) -> Path:
    """Writes the page of the run folder ``run`` into ``out``, atomically; returns ``out``.

    ``ort`` is a folder of onnxruntime-web, whose files are copied. Raises UsageError if ``out``
    has a file that :func:`write` did not write or that was changed since, if ``run`` is not a run
    folder and if ``ort`` lacks a file.
    """
    check_replaceable(out)
    runtime = None if ort is None else _runtime_files(ort)
    graphs = graph_files(run)
    model = describe(run, graphs) | {"ort": ORT_CDN if runtime is None else "ort/"}
    with _replacing(out) as partial:
        page = files("zoo_web") / "page"
        for name in ASSETS:
            (partial / name).write_bytes((page / name).read_bytes())
        write_text(partial / PAGE, filled((page / PAGE).read_text("utf-8"), model))
        write_text(partial / CARD, space_card(model))
        _copy(graphs.values(), partial / FORMAT)
        _copy(runtime or (), partial / "ort")
        write_json(partial / MODEL, model | {"files": _hashes(partial)})
    return out


def check_replaceable(out: Path) -> None:
    """Raises UsageError unless ``out`` is new, empty or exactly as :func:`write` wrote it."""
    if out.exists() and not out.is_dir():
        raise UsageError(f"-o {out} is a file: name a folder")
    if not out.exists() or not any(out.iterdir()):
        return
    try:
        written = json.loads(read_bounded(out / MODEL))["files"]
        assert isinstance(written, dict)
    except (OSError, ValueError, KeyError, TypeError, AssertionError, ZooError):
        raise UsageError(
            f"-o {out} has files that zoo demo did not write: name an empty or a new folder"
        ) from None
    present = _hashes(out)
    present.pop(MODEL)
    for name in sorted({*written, *present}):
        if name in present and present[name] != written.get(name):
            reason = "was changed" if name in written else "was not written by zoo demo"
            raise UsageError(f"-o {out}: {name} {reason}; move it, or name another folder")


def space_card(model: Mapping[str, Any]) -> str:
    """The README.md of a static Space: https://huggingface.co/docs/hub/spaces-config-reference."""
    title = f"{_name(model)} on {model['data']}"
    metadata = {
        "title": markdown.plain(title),
        "sdk": "static",
        "pinned": False,
        "custom_headers": HEADERS,
        "tags": ["genzoo", "onnx"],
    }
    return front.joined(
        front.edited("", metadata),
        f"\n# {markdown.escaped(title)}\n\n"
        f"{markdown.escaped(model['title'])} ({markdown.escaped(model['paper'])}), trained on "
        f"{markdown.escaped(model['data'])}, runs in your browser "
        f"with onnxruntime-web.{_classes(model)}\n\n"
        "Any web server can serve this folder: run `python -m http.server` in it and open the "
        "address that it prints.\nThe headers above let a browser use several threads; without "
        "them it uses one.\n",
    )


def content_policy(ort: str) -> str:
    """The content security policy of the page: its own files and onnxruntime-web from ``ort``."""
    origin = f" {ort}" if ort.startswith("https:") else ""
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src 'self' 'wasm-unsafe-eval' blob:{origin}",
            f"worker-src 'self' blob:{origin}",
            f"connect-src 'self'{origin}",
            "img-src 'self' data: blob:",
            "style-src 'self'",
            "base-uri 'none'",
            "form-action 'none'",
        )
    )


def _classes(model: Mapping[str, Any]) -> str:
    names = model["class_names"]
    return f" Its classes: {markdown.escaped(listed(names))}." if names else ""


def filled(page: str, model: Mapping[str, Any]) -> str:
    """``page`` with the texts of ``model``, escaped."""
    values = {
        "title": model["title"],
        "name": _name(model),
        "subtitle": model["title"].partition(": ")[2],
        "kind": KINDS.get(model["family"], model["family"]),
        "data": model["data"],
        "policy": content_policy(model["ort"]),
    }
    return Template(page).substitute({key: html.escape(text) for key, text in values.items()})


def _name(model: Mapping[str, Any]) -> str:
    name: str = model["title"].partition(": ")[0]
    return name


def _runtime_files(ort: Path) -> list[Path]:
    """Returns the files of onnxruntime-web in the package's folder or its ``dist``."""
    folder = ort / "dist" if (ort / "dist").is_dir() else ort
    paths = [folder / name for name in ORT_FILES]
    if missing := [path for path in paths if not path.is_file()]:
        raise UsageError(
            f"--ort {ort} has no {missing[0].name}: name the folder of the npm package "
            f"onnxruntime-web {ORT_VERSION}, or its dist"
        )
    return paths


def _copy(paths: Any, to: Path) -> None:
    for path in paths:
        to.mkdir(exist_ok=True)
        shutil.copyfile(path, to / path.name)


def _hashes(folder: Path) -> dict[str, str]:
    """Returns the SHA-256 of every file below ``folder``, by relative path."""
    hashes = {}
    for path in sorted(path for path in folder.rglob("*") if not path.is_dir()):
        hashes[path.relative_to(folder).as_posix()] = sha256_of(path)
    return hashes


@contextmanager
def _replacing(out: Path) -> Iterator[Path]:
    """:func:`zoo.system.files.replacing_folder` for a folder that may exist: it is restored if the
    new one fails."""
    before = out.with_name(f".{out.name}.before.part")
    if before.exists() and not out.exists():  # killed between the two renames
        before.rename(out)
    shutil.rmtree(before, ignore_errors=True)
    try:
        with replacing_folder(out) as partial:
            yield partial
            if out.exists():
                out.rename(before)
    except BaseException:
        if before.exists() and not out.exists():
            before.rename(out)
        raise
    shutil.rmtree(before, ignore_errors=True)
