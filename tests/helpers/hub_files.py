"""The requests that carry files: large objects on their way up, and all files on their way down."""

from __future__ import annotations

import hashlib
import time
from typing import Any
from urllib.parse import quote

from hub_repository import Blob, Commit, Refused, Repository
from hub_requests import API, Request, route

HOME = r"/((?P<kind>dataset|space)s/)?(?P<name>[^/]+/[^/]+)"


@route("POST", HOME + r"\.git/info/lfs/objects/batch")
def batch(request: Request, kind: str | None, name: str) -> None:
    """Where to upload each large object; those that are there already have no actions."""
    repository = request.repository(kind or "model", name)
    asked = request.json()
    if asked.get("operation") != "upload" or "basic" not in asked.get("transfers", ["basic"]):
        raise Refused(422, "Only the basic upload is served")
    if "ref" in asked or not request.role:  # a pull request may come from anybody
        request.must_write(name)
    objects = []
    for one in asked["objects"]:
        oid, size = one["oid"], one["size"]
        entry: dict[str, Any] = {"oid": oid, "size": size}
        if oid not in repository.objects:
            target = f"/lfs/{repository.kind}s/{name}/{oid}/{size}"
            signed = f"{request.hub.storage}{target}?signature={request.hub.signature(oid)}"
            entry["authenticated"] = True
            entry["actions"] = {
                "upload": {"href": signed, "header": {}},
                "verify": {"href": f"{request.hub.url}{target}/verify", "header": {}},
            }
        objects.append(entry)
    request.answer({"transfer": "basic", "objects": objects})


LFS = r"/lfs/(?P<kind>\w+)s/(?P<name>[^/]+/[^/]+)/(?P<oid>[0-9a-f]{64})/(?P<size>\d+)"


@route("PUT", LFS)
def upload(request: Request, kind: str, name: str, oid: str, size: str) -> None:
    """As a signed address of a storage service: whoever has it may write these bytes, no others."""
    _check_signature(request, oid)
    found = hashlib.sha256(request.body).hexdigest()
    if (found, len(request.body)) != (oid, int(size)):
        raise Refused(400, f"BadDigest: {len(request.body)} bytes of sha256 {found} are not {oid}")
    request.hub.repositories[kind, name].objects[oid] = request.body
    request.answer({}, headers={"ETag": f'"{oid}"'})


@route("POST", LFS + "/verify")
def verify(request: Request, kind: str, name: str, oid: str, size: str) -> None:
    asked, there = request.json(), request.repository(kind, name).objects.get(oid)
    if there is None or asked != {"oid": oid, "size": len(there)}:
        raise Refused(422, f"{oid} was not uploaded, or is of another size than {size}")
    request.answer({})


@route("GET", API + "/xet-(?P<what>read|write)-token/(?P<revision>[^/]+)")
def xet_token(request: Request, kind: str, name: str, what: str, revision: str) -> None:
    """Where the Xet storage is."""
    repository = request.repository(kind, name, write=what == "write")
    store = request.hub.xet
    if store is None:
        raise Refused(404, "This loopback Hub has no Xet storage")
    if "create_pr" not in request.query:
        repository.at(revision)
    token, until = "xet", int(time.time()) + 3600
    headers = {
        "X-Xet-Cas-Url": store.url,
        "X-Xet-Access-Token": token,
        "X-Xet-Token-Expiration": str(until),
    }
    said = {"casUrl": store.url, "accessToken": token, "exp": until}
    request.answer(said, headers=headers)


@route("GET HEAD", HOME + "/resolve/(?P<revision>[^/]+)/(?P<path>.+)")
def resolve(request: Request, kind: str | None, name: str, revision: str, path: str) -> None:
    """Sends to where the bytes are: large ones on a storage service, others in a cache."""
    repository = request.repository(kind or "model", name)
    request.must_read_files(repository)
    at = repository.at(revision)
    commit = {"X-Repo-Commit": at.oid}
    blob = at.files.get(path)
    if blob is None:
        said = {"X-Error-Code": "EntryNotFound", "X-Error-Message": "Entry not found"}
        request.answer({"error": "Entry not found"}, 404, commit | said)
        return
    linked = {"X-Linked-Size": str(len(blob.content)), "X-Linked-ETag": f'"{blob.etag}"'}
    if blob.xet is not None:
        token = f"{request.hub.url}/api/{repository.kind}s/{name}/xet-read-token/{at.oid}"
        linked |= {"X-Xet-Hash": blob.xet, "Link": f'<{token}>; rel="xet-auth"'}
    status, location = _location(request, repository, at, path, blob)
    request.answer(None, status, commit | linked | {"Location": location})


def _location(
    request: Request, repository: Repository, at: Commit, path: str, blob: Blob
) -> tuple[int, str]:
    if not blob.large:
        place = f"{repository.kind}s/{repository.name}/{at.oid}"
        return 307, f"/api/resolve-cache/{place}/{_quoted(path)}"
    key = f"signature={request.hub.signature(blob.sha256)}"
    place = f"{repository.kind}s/{repository.name}/{blob.sha256}"
    return 302, f"{request.hub.storage}/cdn/{place}/{_quoted(path)}?{key}"


def _quoted(path: str) -> str:
    """So that a client cannot make another path of it: ``..`` goes as ``%2E%2E``."""
    parts = [quote(part, safe="") for part in path.split("/")]
    return "/".join(part.replace(".", "%2E") if part in (".", "..") else part for part in parts)


@route(
    "GET HEAD",
    r"/api/resolve-cache/(?P<kind>\w+)s/(?P<name>[^/]+/[^/]+)/(?P<oid>\w+)/(?P<path>.+)",
)
def cached(request: Request, kind: str, name: str, oid: str, path: str) -> None:
    blob = request.repository(kind, name).file(oid, path)
    request.answer_file(blob.content, {"ETag": f'"{blob.oid}"', "X-Repo-Commit": oid})


@route("GET HEAD", r"/cdn/(?P<kind>\w+)s/(?P<name>[^/]+/[^/]+)/(?P<oid>\w+)/(?P<path>.+)")
def stored(request: Request, kind: str, name: str, oid: str, path: str) -> None:
    _check_signature(request, oid)
    content = request.hub.repositories[kind, name].objects[oid]
    request.answer_file(content, {"ETag": f'"{oid}"'})


@route("GET HEAD", HOME + "/raw/(?P<revision>[^/]+)/(?P<path>.+)")
def raw(request: Request, kind: str | None, name: str, revision: str, path: str) -> None:
    """What is in git: of a large file its pointer."""
    blob = request.repository(kind or "model", name).file(revision, path)
    content = blob.pointer if blob.large else blob.content
    request.answer_file(content, {"ETag": f'"{blob.oid}"'})


def _check_signature(request: Request, oid: str) -> None:
    if "Authorization" in request.headers:
        raise Refused(400, "InvalidArgument: Only one auth mechanism allowed")
    if request.query.get("signature") != [request.hub.signature(oid)]:
        raise Refused(403, "SignatureDoesNotMatch")
