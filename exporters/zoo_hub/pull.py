"""A whole run from the Hub into a folder: every file as the Hub states it, or no folder at all."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.errors import UsageError, ZooError
from zoo.runs.folder import CONFIG
from zoo.runs.sources import named
from zoo.system.console import say
from zoo.system.files import replacing_folder
from zoo_hub import contents
from zoo_hub.address import Address, address_of
from zoo_hub.client import client, offline, speaking
from zoo_hub.fetch import download

if TYPE_CHECKING:
    from huggingface_hub.hf_api import RepoFile


def pull(target: str, folder: Path, revision: str | None = None, token: str | None = None) -> Path:
    """Fetch the run ``target``, ``user/repo`` or ``user/repo@revision``, into ``folder``, which
    must not exist, and return it.

    The files of a run alone, of one commit, through the Hub's cache, so that what has arrived
    before is not fetched again; sizes and hashes are those that the Hub states, the configuration
    is parsed, the weights fit it and the graphs need no other file. Nothing is written where any of
    this fails. With HF_HUB_OFFLINE the run is what the cache has of it, and the hashes are those by
    which the cache names its files. Raises UsageError and ZooError.
    """
    of = address_of(target, revision)
    if folder.exists() or folder.is_symlink():
        raise UsageError(f"{folder} stands there already: name a new folder")
    found = _cached(of) if offline() else _fetched(of, token)
    with replacing_folder(folder) as beside:
        for name, path in found.items():
            (beside / name).parent.mkdir(exist_ok=True)
            shutil.copyfile(path, beside / name)
        with named(beside, str(of)):
            check(beside)
    size = sum((folder / name).stat().st_size for name in found)
    whence = "all that the cache has of it" if offline() else "as the Hub states them"
    say(f"{of}: {len(found)} files, {contents.size_text(size)}, {whence}")
    return folder


def check(folder: Path) -> None:
    """Raise ZooError or UsageError for a folder that does not load, and for graphs that name files
    outside themselves."""
    from zoo.api import host
    from zoo.run import load_with

    load_with(host(), folder, "cpu")
    for path in sorted(folder.glob("onnx/*.onnx")):
        check_graph(path)


def check_graph(path: Path) -> None:
    """Raise ZooError for a file that is no ONNX, or whose weights are in another file."""
    import onnx
    from onnx.external_data_helper import uses_external_data

    try:
        model = onnx.load(path, load_external_data=False)
    except Exception as error:  # of protobuf, of many kinds
        raise ZooError(f"{path} is no ONNX file, or damaged") from error
    for tensor in _tensors(model):
        if uses_external_data(tensor):
            where = {one.key: one.value for one in tensor.external_data}.get("location", "?")
            raise ZooError(
                f"{path} keeps weights in another file, {json.dumps(where)[:100]}, and genzoo's "
                "graphs are one file each: it is not opened"
            )


def _tensors(message: Any) -> Any:
    """Every tensor anywhere in a model: initializers, attributes, functions and inner graphs."""
    from onnx import TensorProto

    for field, value in message.ListFields():
        if field.message_type is None:
            continue
        # A map or a list of messages, or one.
        for one in value if hasattr(value, "__len__") else (value,):
            if isinstance(one, TensorProto):
                yield one
            elif hasattr(one, "ListFields"):
                yield from _tensors(one)


def _fetched(of: Address, token: str | None) -> dict[str, Path]:
    """The run's files by name, in the cache, each as the Hub's listing of one commit states it."""
    commit, listed = listing(of, token)
    check_names(of, listed)
    if missing := [name for name in contents.NEEDED if name not in listed]:
        kind = UsageError if missing[0] == CONFIG else ZooError
        raise kind(_no_run(of, missing[0], listed))
    found = {}
    for name, entry in sorted(listed.items()):
        if contents.travels(name):
            path = download(of, name, commit, token)
            assert path is not None
            _verify(of, name, path, entry.size, entry.lfs.sha256 if entry.lfs else entry.blob_id)
            found[name] = path
    return found


def listing(of: Address, token: str | None) -> tuple[str, Mapping[str, RepoFile]]:
    """The commit that a revision is now, and every file of it by name."""
    from huggingface_hub.hf_api import RepoFile

    with speaking(of):
        api = client(token)
        commit = api.model_info(of.repository, revision=of.revision).sha
        tree = api.list_repo_tree(of.repository, recursive=True, revision=commit)
        return str(commit), {one.path: one for one in tree if isinstance(one, RepoFile)}


def check_names(of: Address, names: Mapping[str, object]) -> None:
    """Raise ZooError for a listing with a name that leads out of a folder."""
    for name in names:
        if name.startswith("/") or "\\" in name or {"", ".", ".."} & {*name.split("/")}:
            raise ZooError(
                f"{of} lists a file {json.dumps(name)[:100]}, which leads out of its folder: such "
                "a repository is not fetched"
            )


def _no_run(of: Address, missing: str, listed: Mapping[str, object]) -> str:
    pickled = sorted(name for name in listed if name.endswith((".bin", ".pkl", ".pt", ".pth")))
    aside = f" but {pickled[0]}, and pickled weights are never read" if pickled else ""
    return f"{of} is no run of genzoo's: it has no {missing}{aside}"


def _verify(of: Address, name: str, path: Path, size: int, stated: str) -> None:
    """Raise ZooError where a file is not the one that the Hub states, and drop it, so that it is
    fetched again."""
    if path.stat().st_size == size and contents.hash_like(path, stated) == stated:
        return
    path.resolve().unlink(missing_ok=True)
    path.unlink(missing_ok=True)
    raise ZooError(
        f"{name} of {of} arrived as another file than the Hub states ({size:,} bytes, {stated}): "
        "try again"
    )


def _cached(of: Address) -> dict[str, Path]:
    """What the cache has of the run, each file as the hash in its name states it."""
    first = download(of, contents.NEEDED[0], of.revision, None)
    assert first is not None
    folder, found = first.parent, {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and contents.travels(name):
            stated = path.resolve().name if path.is_symlink() else contents.git_hash(path)
            _verify(of, name, path, path.stat().st_size, stated)
            found[name] = path
    if contents.NEEDED[1] not in found:
        download(of, contents.NEEDED[1], folder.name, None)  # raises what is to be said
    return found
