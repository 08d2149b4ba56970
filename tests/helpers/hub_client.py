"""Calls of huggingface_hub, for a process of their own: ``python hub_client.py STORY ARGUMENTS``.

Prints what they returned as one JSON document. A call that failed is a list: the kind of error, the
status of the answer or None, and what the server or the client said.
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
    """A repository made, filled, asked to take the same again, changed, and changed too late."""
    api = HfApi(library_name="genzoo", library_version="1.2.3")
    made = api.create_repo(NAME)
    again = attempt(api.create_repo, NAME)
    api.create_repo(NAME, exist_ok=True)
    first = api.create_commit(NAME, added(FILES), commit_message="Glow", commit_description="Why")
    same = api.create_commit(NAME, added(FILES), commit_message="The same")
    changes = [*added({"config.json": b'{"a": 1}'}), CommitOperationDelete("onnx/")]
    second = api.create_commit(NAME, changes, commit_message="More", parent_commit=first.oid)
    late = {"commit_message": "Late", "parent_commit": first.oid}
    return {
        "user": api.whoami()["name"],
        "url": str(made),
        "again": again,
        "first": first.oid,
        "same": same.oid,
        "second": second.oid,
        "late": attempt(api.create_commit, NAME, added({"config.json": b"[]"}), **late),
        "gone": attempt(api.delete_file, "onnx/sampler.onnx", NAME),
        "licence": attempt(
            api.create_commit,
            NAME,
            added({"README.md": b"---\nlicense: mine\n---\n", "other.onnx": b"never sent"}),
            commit_message="Wrong",
        ),
        "commits": [one.title for one in api.list_repo_commits(NAME)],
    }


def pull(folder: str) -> dict[str, Any]:
    """The whole repository, single files, and what is said of it."""
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
        "sizes": {one.rfilename: one.size for one in info.siblings or ()},
        "top": [one.path for one in api.list_repo_tree(NAME)],
        "all": [one.path for one in api.list_repo_tree(NAME, recursive=True)],
        "folder": [one.path for one in api.list_repo_tree(NAME, "samples")],
        "paths": [one.path for one in api.get_paths_info(NAME, ["config.json", "samples", "no"])],
        "exists": [api.file_exists(NAME, "config.json"), api.file_exists(NAME, "no")],
        "missing": attempt(hf_hub_download, NAME, "no.json"),
        "nobody": attempt(hf_hub_download, "tester/no", "config.json"),
        "revision": attempt(hf_hub_download, NAME, "config.json", revision="no"),
    }


def download(folder: str, *files: str) -> dict[str, Any]:
    """Single files, each on its own; what came of each."""
    return {one: attempt(hf_hub_download, NAME, one, local_dir=folder) for one in files}


def offline() -> dict[str, Any]:
    found = Path(snapshot_download(NAME))
    return {"files": sorted(str(p.relative_to(found)) for p in found.rglob("*") if p.is_file())}


def revisions() -> dict[str, Any]:
    """Branches, tags and pull requests."""
    api = HfApi()
    start = api.model_info(NAME).sha
    api.create_branch(NAME, branch="big/try")
    api.create_commit(NAME, added({"a": b"1"}), commit_message="Try", revision="big/try")
    api.create_tag(NAME, tag="v1")
    asked = api.create_commit(NAME, added({"b": b"2"}), commit_message="Ask", create_pr=True)
    refs = api.list_repo_refs(NAME, include_pull_requests=True)

    def read(path: str, revision: str) -> str:
        return Path(hf_hub_download(NAME, path, revision=revision)).read_text()

    return {
        "branches": sorted(one.name for one in refs.branches),
        "tags": [[one.name, one.target_commit == start] for one in refs.tags],
        "pulls": [one.ref for one in refs.pull_requests or ()],
        "pull": [asked.pr_url, asked.pr_revision],
        "read": [read("a", "big/try"), read("b", "refs/pr/1"), read("config.json", "v1")],
        "short": read("config.json", start[:8]),
        "main": attempt(hf_hub_download, NAME, "a"),
        "again": attempt(api.create_branch, NAME, branch="big/try"),
        "from": attempt(api.create_branch, NAME, branch="c", revision="no"),
        "nowhere": attempt(
            api.create_commit, NAME, added({"c": b""}), commit_message="C", revision="no"
        ),
        "deleted": attempt(api.delete_branch, NAME, branch="big/try"),
        "left": [one.name for one in api.list_repo_refs(NAME).branches],
    }


def tokens(write: str, read: str) -> dict[str, Any]:
    """What each token may do with ``tester/private`` and with what is not the user's."""
    private, home = "tester/private", os.environ["HF_HOME"]
    apis = {
        "write": HfApi(token=write),
        "read": HfApi(token=read),
        "none": HfApi(token=False),
        "wrong": HfApi(token="hf_wrong"),
    }

    def tries(name: str, api: HfApi) -> dict[str, Any]:
        one = {"commit_message": "Try", "operations": added({"a": b"1", "b.onnx": b"2"})}
        return {
            "who": attempt(api.whoami),
            "info": attempt(api.model_info, private),
            "read": attempt(
                api.hf_hub_download, private, "config.json", local_dir=f"{home}/{name}"
            ),
            "public": attempt(api.model_info, NAME),
            "commit": attempt(api.create_commit, private, **one),
            "create": attempt(api.create_repo, "team/new", private=True),
            "other": attempt(api.create_repo, "somebody/new"),
            "delete": attempt(api.delete_repo, "team/new"),
        }

    return {name: tries(name, api) for name, api in apis.items()} | {"own": get_token()}


def space() -> dict[str, Any]:
    """A static Space."""
    api, name, kind = HfApi(), "tester/glow-demo", {"repo_type": "space"}
    url = api.create_repo(name, space_sdk="static", **kind)
    card = b"---\ntitle: Glow\nsdk: static\nmodels: [tester/glow]\n---\n"
    files = added({"README.md": card, "index.html": b"<p>Glow</p>", "sampler.onnx": b"graph"})
    made = api.create_commit(name, files, commit_message="Page", **kind)
    info = api.space_info(name)
    bad = added({"README.md": card.replace(b"static", b"none")})
    return {
        "url": [str(url), url.repo_id, url.repo_type],
        "commit": made.commit_url,
        "info": [info.sha == made.oid, info.sdk, info.models],
        "page": Path(hf_hub_download(name, "index.html", **kind)).read_text(),
        "graph": Path(hf_hub_download(name, "sampler.onnx", **kind)).read_text(),
        "bad": attempt(api.create_commit, name, bad, commit_message="Bad", **kind),
        "model": attempt(api.model_info, name),
    }


def send(*paths: str) -> Any:
    """One commit of some of FILES to a repository that is there."""
    files = added({path: FILES[path] for path in paths})
    return attempt(HfApi().create_commit, NAME, files, commit_message="Sent")


if __name__ == "__main__":
    result = globals()[sys.argv[1]](*sys.argv[2:])
    xet = os.environ["HF_HUB_DISABLE_XET"] != "1"
    print(json.dumps({"version": __version__, "xet": xet, "result": result}))
