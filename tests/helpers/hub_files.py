"""Requests that transfer files: uploads of large objects, and all downloads."""

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
    """Addresses to upload large objects; existing ones have no actions."""
    repository = request.repository(kind or "model", name)
    body = request.json()
    if body.get("operation") != "upload" or "basic" not in body.get("transfers", ["basic"]):
        raise Refused(422, "Only the basic upload is served")
    if "ref" in body or not request.role:  # anybody may open a pull request
        request.must_write(name)
    objects = []
    for item in body["objects"]:
        oid, size = item["oid"], item["size"]
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
    """A signed address of the storage: its holder may write exactly this content."""
    _check_signature(request, oid)
    digest = hashlib.sha256(request.body).hexdigest()
    if (digest, len(request.body)) != (oid, int(size)):
        raise Refused(400, f"BadDigest: {len(request.body)} bytes of sha256 {digest} are not {oid}")
    request.hub.repositories[kind, name].objects[oid] = request.body
    request.answer({}, headers={"ETag": f'"{oid}"'})


@route("POST", LFS + "/verify")
def verify(request: Request, kind: str, name: str, oid: str, size: str) -> None:
    content = request.repository(kind, name).objects.get(oid)
    if content is None or request.json() != {"oid": oid, "size": len(content)}:
        raise Refused(422, f"{oid} was not uploaded, or its size is not {size}")
    request.answer({})


@route("GET", API + "/xet-(?P<what>read|write)-token/(?P<revision>[^/]+)")
def xet_token(request: Request, kind: str, name: str, what: str, revision: str) -> None:
    """Address of the Xet storage."""
    repository = request.repository(kind, name, write=what == "write")
    store = request.hub.xet
    if store is None:
        raise Refused(404, "This loopback Hub has no Xet storage")
    if "create_pr" not in request.query:
        repository.at(revision)
    token, expires = "xet", int(time.time()) + 3600
    headers = {
        "X-Xet-Cas-Url": store.url,
        "X-Xet-Access-Token": token,
        "X-Xet-Token-Expiration": str(expires),
    }
    request.answer({"casUrl": store.url, "accessToken": token, "exp": expires}, headers=headers)


@route("GET HEAD", HOME + "/resolve/(?P<revision>[^/]+)/(?P<path>.+)")
def resolve(request: Request, kind: str | None, name: str, revision: str, path: str) -> None:
    """Redirects to the content: large objects in the storage, others in a cache."""
    repository = request.repository(kind or "model", name)
    request.must_read_files(repository)
    at = repository.at(revision)
    commit = {"X-Repo-Commit": at.oid}
    blob = at.files.get(path)
    if blob is None:
        error = {"X-Error-Code": "EntryNotFound", "X-Error-Message": "Entry not found"}
        request.answer({"error": "Entry not found"}, 404, commit | error)
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
    """Quotes ``..`` as ``%2E%2E`` as well, so that a client does not resolve it."""
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
    """Content in git, which is the pointer of a large file."""
    blob = request.repository(kind or "model", name).file(revision, path)
    content = blob.pointer if blob.large else blob.content
    request.answer_file(content, {"ETag": f'"{blob.oid}"'})


def _check_signature(request: Request, oid: str) -> None:
    if "Authorization" in request.headers:
        raise Refused(400, "InvalidArgument: Only one auth mechanism allowed")
    if request.query.get("signature") != [request.hub.signature(oid)]:
        raise Refused(403, "SignatureDoesNotMatch")
