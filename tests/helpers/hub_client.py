"""Scenarios of huggingface_hub, for a new process: ``python hub_client.py SCENARIO ARGUMENTS``.

Prints the results of its calls as one JSON document. A call that failed is a list: name of the
error, HTTP status or None, and message.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from huggingface_hub import (
    CommitOperationAdd,
    CommitOperationDelete,
    HfApi,
    __version__,
    get_token,
    hf_hub_download,
    snapshot_download,
)

NAME = "tester/glow"
CARD = b"---\nlicense: apache-2.0\nlibrary_name: genzoo\n---\nA card.\n"
WEIGHTS = bytes(range(256)) * 2000
FILES = {
    "config.json": b"{}",
    "README.md": CARD,
    "empty.txt": b"",
    "model.safetensors": WEIGHTS,
    "onnx/sampler.onnx": b"graph",
    "samples/é #1.json": b"1",
    "samples/grid.png": b"\x89PNG\0 not in .gitattributes",
}


def added(files: dict[str, bytes]) -> list[Any]:
    return [CommitOperationAdd(path, content) for path, content in files.items()]


def attempt(call: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
    try:
        call(*arguments, **named)
    except Exception as error:
        status = getattr(getattr(error, "response", None), "status_code", None)
        return [type(error).__name__, status, str(error)]
    return "done"


def push() -> dict[str, Any]:
    """Creates a repository, pushes files, the same files, changes, and a late change."""
    api = HfApi(library_name="genzoo", library_version="1.2.3")
    url = api.create_repo(NAME)
    again = attempt(api.create_repo, NAME)
    api.create_repo(NAME, exist_ok=True)
    first = api.create_commit(NAME, added(FILES), commit_message="Glow", commit_description="Why")
    same = api.create_commit(NAME, added(FILES), commit_message="The same")
    changes = [*added({"config.json": b'{"a": 1}'}), CommitOperationDelete("onnx/")]
    second = api.create_commit(NAME, changes, commit_message="More", parent_commit=first.oid)
    late = {"commit_message": "Late", "parent_commit": first.oid}
    return {
        "user": api.whoami()["name"],
        "url": str(url),
        "again": again,
        "first": first.oid,
        "same": same.oid,
        "second": second.oid,
        "late": attempt(api.create_commit, NAME, added({"config.json": b"[]"}), **late),
        "gone": attempt(api.delete_file, "onnx/sampler.onnx", NAME),
        "license": attempt(
            api.create_commit,
            NAME,
            added({"README.md": b"---\nlicense: mine\n---\n", "other.onnx": b"never sent"}),
            commit_message="Wrong",
        ),
        "commits": [commit.title for commit in api.list_repo_commits(NAME)],
    }


def pull(folder: str) -> dict[str, Any]:
    """Downloads a whole repository and single files, and lists it."""
    api = HfApi()
    snapshot_download(NAME, local_dir=folder)
    info = api.model_info(NAME, files_metadata=True)
    weights = hf_hub_download(NAME, "model.safetensors")
    return {
        "weights": Path(weights).read_bytes() == WEIGHTS,
        "snapshot": Path(weights).parent == Path(snapshot_download(NAME)),
        "sha": info.sha,
        "tags": info.tags,
        "library": info.library_name,
        "sizes": {file.rfilename: file.size for file in info.siblings or ()},
        "top": [entry.path for entry in api.list_repo_tree(NAME)],
        "all": [entry.path for entry in api.list_repo_tree(NAME, recursive=True)],
        "folder": [entry.path for entry in api.list_repo_tree(NAME, "samples")],
        "paths": [
            entry.path for entry in api.get_paths_info(NAME, ["config.json", "samples", "no"])
        ],
        "exists": [api.file_exists(NAME, "config.json"), api.file_exists(NAME, "no")],
        "missing": attempt(hf_hub_download, NAME, "no.json"),
        "nobody": attempt(hf_hub_download, "tester/no", "config.json"),
        "revision": attempt(hf_hub_download, NAME, "config.json", revision="no"),
    }


def download(folder: str, *files: str) -> dict[str, Any]:
    """Downloads single files; the result of each."""
    return {name: attempt(hf_hub_download, NAME, name, local_dir=folder) for name in files}


def offline() -> dict[str, Any]:
    root = Path(snapshot_download(NAME))
    return {"files": sorted(str(p.relative_to(root)) for p in root.rglob("*") if p.is_file())}


def revisions() -> dict[str, Any]:
    """Creates branches, tags and a pull request."""
    api = HfApi()
    start = api.model_info(NAME).sha
    api.create_branch(NAME, branch="big/try")
    api.create_commit(NAME, added({"a": b"1"}), commit_message="Try", revision="big/try")
    api.create_tag(NAME, tag="v1")
    pull = api.create_commit(NAME, added({"b": b"2"}), commit_message="Ask", create_pr=True)
    refs = api.list_repo_refs(NAME, include_pull_requests=True)

    def read(path: str, revision: str) -> str:
        return Path(hf_hub_download(NAME, path, revision=revision)).read_text()

    return {
        "branches": sorted(branch.name for branch in refs.branches),
        "tags": [[tag.name, tag.target_commit == start] for tag in refs.tags],
        "pulls": [request.ref for request in refs.pull_requests or ()],
        "pull": [pull.pr_url, pull.pr_revision],
        "read": [read("a", "big/try"), read("b", "refs/pr/1"), read("config.json", "v1")],
        "short": read("config.json", start[:8]),
        "main": attempt(hf_hub_download, NAME, "a"),
        "again": attempt(api.create_branch, NAME, branch="big/try"),
        "from": attempt(api.create_branch, NAME, branch="c", revision="no"),
        "nowhere": attempt(
            api.create_commit, NAME, added({"c": b""}), commit_message="C", revision="no"
        ),
        "deleted": attempt(api.delete_branch, NAME, branch="big/try"),
        "left": [branch.name for branch in api.list_repo_refs(NAME).branches],
    }


def tokens(write: str, read: str) -> dict[str, Any]:
    """Tries each token on ``tester/private`` and on repositories of other users."""
    private, home = "tester/private", os.environ["HF_HOME"]
    apis = {
        "write": HfApi(token=write),
        "read": HfApi(token=read),
        "none": HfApi(token=False),
        "wrong": HfApi(token="hf_wrong"),
    }

    def tries(name: str, api: HfApi) -> dict[str, Any]:
        options = {"commit_message": "Try", "operations": added({"a": b"1", "b.onnx": b"2"})}
        return {
            "who": attempt(api.whoami),
            "info": attempt(api.model_info, private),
            "read": attempt(
                api.hf_hub_download, private, "config.json", local_dir=f"{home}/{name}"
            ),
            "public": attempt(api.model_info, NAME),
            "commit": attempt(api.create_commit, private, **options),
            "create": attempt(api.create_repo, "team/new", private=True),
            "other": attempt(api.create_repo, "somebody/new"),
            "delete": attempt(api.delete_repo, "team/new"),
        }

    return {name: tries(name, api) for name, api in apis.items()} | {"own": get_token()}


def space() -> dict[str, Any]:
    """Creates a static Space."""
    api, name, kind = HfApi(), "tester/glow-demo", {"repo_type": "space"}
    url = api.create_repo(name, space_sdk="static", **kind)
    card = b"---\ntitle: Glow\nsdk: static\nmodels: [tester/glow]\n---\n"
    files = added({"README.md": card, "index.html": b"<p>Glow</p>", "sampler.onnx": b"graph"})
    commit = api.create_commit(name, files, commit_message="Page", **kind)
    info = api.space_info(name)
    bad = added({"README.md": card.replace(b"static", b"none")})
    return {
        "url": [str(url), url.repo_id, url.repo_type],
        "commit": commit.commit_url,
        "info": [info.sha == commit.oid, info.sdk, info.models],
        "page": Path(hf_hub_download(name, "index.html", **kind)).read_text(),
        "graph": Path(hf_hub_download(name, "sampler.onnx", **kind)).read_text(),
        "bad": attempt(api.create_commit, name, bad, commit_message="Bad", **kind),
        "model": attempt(api.model_info, name),
    }


def send(*paths: str) -> Any:
    """Pushes some of FILES to an existing repository in one commit."""
    files = added({path: FILES[path] for path in paths})
    return attempt(HfApi().create_commit, NAME, files, commit_message="Sent")


if __name__ == "__main__":
    result = globals()[sys.argv[1]](*sys.argv[2:])
    xet = os.environ["HF_HUB_DISABLE_XET"] != "1"
    print(json.dumps({"version": __version__, "xet": xet, "result": result}))
