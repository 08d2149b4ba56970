"""Requests that list a repository: information, files, refs and commits."""

from __future__ import annotations

from typing import Any

from hub_metadata import metadata
from hub_repository import Blob, Commit, Refused
from hub_requests import API, Request, iso, route


@route("GET", API + "(/revision/(?P<revision>[^/]+))?")
def information(request: Request, kind: str, name: str, revision: str | None) -> None:
    repository = request.repository(kind, name)
    at, first = repository.at(revision or "main"), repository.commits()[-1]
    card = at.files.get("README.md")
    data = (metadata(card.content.decode("utf-8", "replace")) if card else None) or {}
    siblings: list[dict[str, Any]] = [{"rfilename": path} for path in at.files]
    if "blobs" in request.query:
        siblings = [_sibling(path, blob) for path, blob in at.files.items()]
    values = {
        "_id": first.oid[:24],
        "id": name,
        "author": name.split("/")[0],
        "sha": at.oid,
        "createdAt": iso(repository.created),
        "lastModified": iso(at.date),
        "private": repository.private,
        "gated": "auto" if repository.gated else False,
        "disabled": False,
        "downloads": 0,
        "likes": 0,
        "tags": _tags(data),
        "cardData": data,
        "siblings": siblings,
    }
    if kind == "space":
        values |= {"sdk": data.get("sdk", repository.sdk), "models": data.get("models", [])}
    if kind == "model":
        values["modelId"] = name
        values |= {key: data[key] for key in ("library_name", "pipeline_tag") if key in data}
    request.answer(values)


def _sibling(path: str, blob: Blob) -> dict[str, Any]:
    entry = _entry(path, blob)
    large = {"lfs": entry["lfs"] | {"sha256": blob.sha256}} if blob.large else {}
    return {"rfilename": path, "size": entry["size"], "blobId": blob.oid, **large}


def _tags(data: dict[str, Any]) -> list[str]:
    library = [data["library_name"]] if "library_name" in data else []
    license = [f"license:{data['license']}"] if "license" in data else []
    return [*library, *(data.get("tags") or []), *license]


@route("GET", API + "/tree/(?P<revision>[^/]+)(/(?P<folder>.*))?")
def tree(request: Request, kind: str, name: str, revision: str, folder: str | None) -> None:
    files = request.repository(kind, name).at(revision).files
    start = f"{folder.rstrip('/')}/" if folder else ""
    below = {path: files[path] for path in sorted(files) if path.startswith(start)}
    if start and not below:
        raise Refused(404, f"{folder} does not exist on {revision}", "EntryNotFound")
    recursive = request.query.get("recursive", [""])[0].lower() in ("true", "1")
    entries: dict[str, dict[str, Any]] = {}
    for path, blob in below.items():
        parts = path.removeprefix(start).split("/")
        for depth in range(1, len(parts) if recursive else min(len(parts), 2)):
            inner = start + "/".join(parts[:depth])
            entries[inner] = {"type": "directory", "path": inner, "size": 0, "oid": "0" * 40}
        if recursive or len(parts) == 1:
            entries[path] = _entry(path, blob)
    request.answer(list(entries.values()))


@route("POST", API + "/paths-info/(?P<revision>[^/]+)")
def paths_info(request: Request, kind: str, name: str, revision: str) -> None:
    files = request.repository(kind, name).at(revision).files
    paths = request.json()["paths"]
    folders = [path for path in paths if any(file.startswith(f"{path}/") for file in files)]
    request.answer(
        [_entry(path, files[path]) for path in paths if path in files]
        + [{"type": "directory", "path": path, "size": 0, "oid": "0" * 40} for path in folders]
    )


def _entry(path: str, blob: Blob) -> dict[str, Any]:
    size = len(blob.content)
    entry = {"type": "file", "path": path, "size": size, "oid": blob.oid}
    if blob.large:
        entry["lfs"] = {"oid": blob.sha256, "size": size, "pointerSize": len(blob.pointer)}
    if blob.xet is not None:
        entry["xetHash"] = blob.xet
    return entry


@route("GET", API + "/refs")
def refs(request: Request, kind: str, name: str) -> None:
    repository = request.repository(kind, name)

    def under(start: str) -> list[dict[str, str]]:
        return [
            {"name": ref.removeprefix(start), "ref": ref, "targetCommit": oid}
            for ref, oid in repository.refs.items()
            if ref.startswith(start)
        ]

    values = {"branches": under("refs/heads/"), "tags": under("refs/tags/"), "converts": []}
    pulls = {"pullRequests": under("refs/pr/")} if "include_prs" in request.query else {}
    request.answer(values | pulls)


@route("POST DELETE", API + "/(?P<what>branch|tag)/(?P<ref>[^/]+)")
def change_ref(request: Request, kind: str, name: str, what: str, ref: str) -> None:
    """POST creates the branch ``ref``, or a tag at the revision ``ref``; DELETE removes either."""
    repository = request.repository(kind, name, write=True)
    body = request.json() if request.command == "POST" else {}
    full = f"refs/heads/{ref}" if what == "branch" else f"refs/tags/{body.get('tag', ref)}"
    if request.command == "DELETE":
        if full not in repository.refs:
            raise Refused(404, f"Invalid rev id: {ref}", "RevisionNotFound")
        del repository.refs[full]
    else:
        if full in repository.refs and not body.get("overwrite"):
            raise Refused(409, f"Reference already exists: {full}")
        start = body.get("startingPoint") or "main" if what == "branch" else ref
        repository.refs[full] = repository.at(start).oid
    request.answer({})


@route("GET", API + "/commits/(?P<revision>[^/]+)")
def commits(request: Request, kind: str, name: str, revision: str) -> None:
    def values(commit: Commit) -> dict[str, Any]:
        texts = {"id": commit.oid, "title": commit.title, "message": commit.message}
        return {**texts, "authors": [{"user": request.hub.user}], "date": iso(commit.date)}

    history = request.repository(kind, name).commits(revision)
    request.answer([values(commit) for commit in history])
