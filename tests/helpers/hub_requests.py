"""Requests that change the Hub, and authorization for all requests.

``hub_listings`` has requests that list a repository, ``hub_files`` those that transfer files.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from hub_http import Exchange
from hub_metadata import validate
from hub_repository import KINDS, Blob, Change, Refused, Repository, matches

if TYPE_CHECKING:
    from loopback_hub import LoopbackHub

NAME = re.compile(r"(?!.*(--|\.\.))[\w][\w.-]{0,94}[\w]|\w", re.ASCII)
API = r"/api/(?P<kind>model|dataset|space)s/(?P<name>[^/]+/[^/]+)"
Answer = Callable[..., None]
ROUTES: list[tuple[str, re.Pattern[str], Answer]] = []


def route(methods: str, pattern: str) -> Callable[[Answer], Answer]:
    """Registers a function for requests; unquoted named groups of the path are its arguments."""

    def add(function: Answer) -> Answer:
        ROUTES.append((methods, re.compile(pattern), function))
        return function

    return add


class Request(Exchange):
    """An exchange with the hub and the role of its token."""

    hub: LoopbackHub

    def respond(self) -> None:
        stored = self.where.startswith(("/cdn/", "/lfs/"))
        if f"http://{self.headers.get('Host')}" == self.hub.storage and not stored:
            raise Refused(404, f"The storage does not answer {self.where}")
        self.role = self._role()
        for methods, pattern, function in ROUTES:
            match = pattern.fullmatch(self.where)
            if self.command in methods.split() and match is not None:
                with self.hub.lock:
                    function(self, **{k: v and unquote(v) for k, v in match.groupdict().items()})
                return
        raise Refused(404, f"The loopback Hub does not answer {self.command} {self.where}")

    def repository(self, kind: str, name: str, write: bool = False) -> Repository:
        """The repository, if it is visible to this token; a private one only to its owner."""
        repository = self.hub.repositories.get((kind or "model", name))
        if repository is None or (repository.private and not (self.role and self._mine(name))):
            status = 404 if self.role else 401
            message = "Repository not found" if self.role else "Invalid username or password."
            raise Refused(status, message, "RepoNotFound")
        if write:
            self.must_write(name)
        return repository

    def must_read_files(self, repository: Repository) -> None:
        """Raises Refused for a gated repository without access."""
        if repository.gated and not (self.role and self._mine(repository.name)):
            sentence = f"Access to model {repository.name} is restricted."
            raise Refused(403 if self.role else 401, sentence, "GatedRepo")

    def must_write(self, name: str) -> None:
        if not self.role:
            raise Refused(401, "Invalid username or password.")
        if self.role != "write":
            sentence = "Forbidden: you must use a write token to upload to a repository."
            raise Refused(403, sentence)
        if not self._mine(name):
            raise Refused(403, f"You don't have the rights to write to {name}")

    def _mine(self, name: str) -> bool:
        return name.split("/")[0] in (self.hub.user, self.hub.organization)

    def _role(self) -> str | None:
        header = self.headers.get("Authorization")
        roles = {
            f"Bearer {self.hub.tokens.write}": "write",
            f"Bearer {self.hub.tokens.read}": "read",
        }
        if header is not None and header not in roles:
            raise Refused(401, "Invalid credentials in Authorization header")
        return None if header is None else roles[header]


@route("GET", "/api/whoami-v2")
def who_am_i(request: Request) -> None:
    if not request.role:
        raise Refused(401, "Invalid username or password.")
    hub, org = request.hub, {"type": "org", "id": "2", "name": request.hub.organization}
    user = {"type": "user", "id": "1", "name": hub.user, "fullname": hub.user, "isPro": False}
    token = {"displayName": "a token", "role": request.role, "createdAt": iso(hub.started)}
    auth = {"type": "access_token", "accessToken": token}
    request.answer({**user, "orgs": [{**org, "fullname": org["name"]}], "auth": auth})


@route("POST", "/api/repos/create")
def create(request: Request) -> None:
    body = request.json()
    kind, name = _target(request, body)
    request.must_write(name)
    if not NAME.fullmatch(name.split("/")[1]) or kind not in KINDS:
        raise Refused(400, f"Invalid repo name: {name}")
    if kind == "space" and body.get("sdk") not in ("gradio", "docker", "static"):
        raise Refused(400, '"sdk" must be one of [gradio, docker, static]')
    existing = request.hub.repositories.get((kind, name))
    if existing is not None:
        refused = Refused(409, f"You already created this {kind} repo")
        request.refuse(refused, url=f"{request.hub.url}/{existing.path}")
        return
    private = body.get("visibility") == "private" or body.get("private") is True
    repository = request.hub.create(name, kind, private=private, sdk=body.get("sdk"))
    request.answer({"url": f"{request.hub.url}/{repository.path}", "name": name, "id": name})


@route("DELETE", "/api/repos/delete")
def delete(request: Request) -> None:
    kind, name = _target(request, request.json())
    request.repository(kind, name, write=True)
    del request.hub.repositories[kind, name]
    request.answer({})


def _target(request: Request, body: dict[str, Any]) -> tuple[str, str]:
    owner = body.get("organization") or request.hub.user
    return body.get("type") or "model", f"{owner}/{body.get('name')}"


@route("POST", "/api/validate-yaml")
def validate_yaml(request: Request) -> None:
    body = request.json()
    errors, warnings = validate(body["content"], body.get("repoType") or "model")
    messages = {
        "errors": [{"message": error} for error in errors],
        "warnings": [{"message": warning} for warning in warnings],
    }
    if errors:
        request.refuse(Refused(400, "\n".join(errors)), **messages)
    else:
        request.answer(messages)


@route("POST", API + "/preupload/(?P<revision>[^/]+)")
def preupload(request: Request, kind: str, name: str, revision: str) -> None:
    """How to upload each file, with the oid of the existing one to detect unchanged files."""
    repository = request.repository(kind, name, write="create_pr" not in request.query)
    body, current = request.json(), repository.at(revision)
    ignored = (body.get("gitIgnore") or "").split()
    files = []
    for file in body["files"]:
        path, sample = file["path"], base64.b64decode(file.get("sample", ""))
        large = repository.is_large(path, file["size"], sample, body.get("gitAttributes"))
        existing = current.files.get(path)
        oid = {} if existing is None else {"oid": existing.etag}
        mode = "lfs" if large else "regular"
        files.append(
            {"path": path, "uploadMode": mode, "shouldIgnore": matches(path, ignored), **oid}
        )
    request.answer({"files": files, "commitOid": current.oid})


@route("POST", API + "/commit/(?P<revision>[^/]+)")
def commit(request: Request, kind: str, name: str, revision: str) -> None:
    to_pull = "create_pr" in request.query
    repository = request.repository(kind, name, write=not to_pull)
    if not request.role:
        raise Refused(401, "Invalid username or password.")
    ref = repository.ref(revision)
    if ref is None or ref.startswith("refs/tags/"):
        raise Refused(404, f"Invalid rev id: {revision}", "RevisionNotFound")
    change = _change(request, repository)
    card = change.add.get("README.md")
    errors = validate(card.content.decode("utf-8", "replace"), kind)[0] if card else []
    if errors:
        raise Refused(400, "\n".join(errors))
    number = 1 + sum(name.startswith("refs/pr/") for name in repository.refs)
    commit = repository.commit(change, f"refs/pr/{number}" if to_pull else ref, ref)
    home = f"{request.hub.url}/{repository.path}"
    values = {"success": True, "commitOid": commit.oid}
    values["commitUrl"] = f"{home}/commit/{commit.oid}"
    pull = {"pullRequestUrl": f"{home}/discussions/{number}"} if to_pull else {}
    request.answer({**values, **pull, "hookOutput": ""})


def _change(request: Request, repository: Repository) -> Change:
    try:
        lines = [json.loads(line) for line in request.body.splitlines() if line.strip()]
        header, *operations = [(line["key"], line["value"]) for line in lines]
        change = Change(
            header[1]["summary"],
            header[1].get("description") or "",
            parent=header[1].get("parentCommit"),
        )
        for key, value in operations:
            path = value["path"]
            if (
                not path
                or path.startswith("/")
                or {"", ".", "..", ".git"} & set(path.rstrip("/").split("/"))
            ):
                raise Refused(400, f"Invalid path: {path}")
            if key == "file":
                change.add[path] = Blob(base64.b64decode(value["content"], validate=True))
            elif key == "lfsFile":
                request.hub.take_from_xet(repository, value["oid"], value.get("size", 0))
                if value["oid"] not in repository.objects:
                    raise Refused(422, f"The large object of {path} was never uploaded")
                content, xet = repository.objects[value["oid"]], repository.xet.get(value["oid"])
                change.add[path] = Blob(content, large=True, xet=xet)
            elif key in ("deletedFile", "deletedFolder"):
                folder = "/" if key == "deletedFolder" else ""
                change.delete.append(path.rstrip("/") + folder)
            else:
                raise Refused(400, f"Unknown operation: {key}")
    except (KeyError, TypeError, ValueError, binascii.Error) as error:
        raise Refused(400, f"The commit cannot be read: {error!r}") from error
    return change


def iso(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.000Z")
