"""Fetches a whole run from the Hub into a new folder, verified, or leaves no folder at all."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from zoo.errors import UsageError, ZooError
from zoo.runs.folder import CONFIG
from zoo.runs.sources import named
from zoo.system.console import say, say_loading
from zoo.system.file_names import problem_in
from zoo.system.files import replacing_folder
from zoo.system.onnx_files.file import OnnxFile
from zoo_hub import contents
from zoo_hub.address import Address, address_of
from zoo_hub.client import client, hub_errors, offline
from zoo_hub.fetch import download

if TYPE_CHECKING:
    from huggingface_hub.hf_api import RepoFile


def pull(target: str, folder: Path, revision: str | None = None, token: str | None = None) -> Path:
    """Fetches the run ``target``, ``user/repo`` or ``user/repo@revision``, into the new ``folder``.

    Only files of a run are fetched, all of one commit, through the cache of huggingface_hub, so
    that an interrupted pull continues. Every file must have the hash that the Hub states, the
    weights must fit the configuration and each graph must be one file; otherwise nothing is
    written. With HF_HUB_OFFLINE the files come from the cache, which names each by its hash. Raises
    UsageError and ZooError.
    """
    address = address_of(target, revision)
    if folder.exists() or folder.is_symlink():
        raise UsageError(f"{folder} exists already: name a new folder")
    say(f"fetching {address} into {folder}")
    files = _cached(address) if offline() else _fetched(address, token)
    with replacing_folder(folder) as temporary:
        for name, path in files.items():
            (temporary / name).parent.mkdir(exist_ok=True)
            shutil.copyfile(path, temporary / name)
        with named(temporary, str(address)):
            check(temporary)
    size = contents.size_text(sum((folder / name).stat().st_size for name in files))
    origin = "from the cache" if offline() else "hashes match the Hub"
    say(f"{address}: {len(files)} files, {size}, {origin}")
    return folder


def check(folder: Path) -> None:
    """Raises ZooError or UsageError if the run does not load or a graph is damaged or refers to
    other files."""
    from zoo.api import host

    say_loading("checking the run")
    from zoo.run import load_with

    load_with(host(), folder, "cpu")
    for path in sorted(folder.glob("onnx/*.onnx")):
        OnnxFile.read(path)


def _fetched(address: Address, token: str | None) -> dict[str, Path]:
    """Paths in the cache of a run's files, verified against the listing of one commit."""
    commit, listed = listing(address, token)
    check_names(address, listed)
    if missing := [name for name in contents.REQUIRED if name not in listed]:
        kind = UsageError if missing[0] == CONFIG else ZooError
        raise kind(_not_a_run(address, missing[0], listed))
    paths = {}
    for name, entry in sorted(listed.items()):
        if contents.belongs_to_run(name):
            path = download(address, name, commit, token)
            assert path is not None
            _verify(address, name, path, entry.lfs.sha256 if entry.lfs else entry.blob_id)
            paths[name] = path
    return paths


def listing(address: Address, token: str | None) -> tuple[str, Mapping[str, RepoFile]]:
    """The commit of a revision, and all of its files by name."""
    from huggingface_hub.hf_api import RepoFile

    with hub_errors(address):
        api = client(token)
        commit = api.model_info(address.repository, revision=address.revision).sha
        tree = api.list_repo_tree(address.repository, recursive=True, revision=commit)
        return str(commit), {file.path: file for file in tree if isinstance(file, RepoFile)}


def check_names(address: Address, names: Iterable[str]) -> None:
    """Raises ZooError if a name is not valid on every system."""
    if problem := problem_in(names):
        raise ZooError(f"{address} lists {problem}: the repository is not fetched")


def _not_a_run(address: Address, missing: str, listed: Iterable[str]) -> str:
    pickled = sorted(name for name in listed if name.endswith((".bin", ".pkl", ".pt", ".pth")))
    reason = f"; pickled weights such as {pickled[0]} are never read" if pickled else ""
    return f"{address} is not a genzoo run: it has no {missing}{reason}"


def _verify(address: Address, name: str, path: Path, stated: str) -> None:
    """Raises ZooError if a file does not have its stated hash, and removes it from the cache."""
    if contents.matches(path, stated):
        return
    path.resolve().unlink(missing_ok=True)
    path.unlink(missing_ok=True)
    raise ZooError(f"{name} of {address} does not have the hash {stated} of the Hub: try again")


def _cached(address: Address) -> dict[str, Path]:
    """Paths of a run's files in the cache, each verified against the hash in its name."""
    first = download(address, contents.REQUIRED[0], address.revision, None)
    assert first is not None
    folder, paths = first.parent, {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and contents.belongs_to_run(name):
            stated = path.resolve().name if path.is_symlink() else contents.git_hash(path)
            _verify(address, name, path, stated)
            paths[name] = path
    check_names(address, paths)
    if contents.REQUIRED[1] not in paths:
        download(address, contents.REQUIRED[1], folder.name, None)  # raises the error
    return paths
