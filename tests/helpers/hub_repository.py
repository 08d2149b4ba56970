"""A repository of the local Hub: commits of whole trees, refs and large objects."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from functools import cached_property

KINDS = ("model", "dataset", "space")
LARGE = 10_000_000
"""Size in bytes above which a file of any name is a large object."""
TRACKED = (
    "7z arrow bin bz2 ckpt ftz gz h5 joblib lfs.* mlmodel model msgpack npy npz onnx ot parquet pb"
    " pickle pkl pt pth rar safetensors tar.* tar tflite tgz wasm xz zip zst"
)
_LFS = "filter=lfs diff=lfs merge=lfs -text"
ATTRIBUTES = "".join(f"*.{ending} {_LFS}\n" for ending in TRACKED.split())
"""The .gitattributes of a new repository."""


class Refused(Exception):
    """Answers a request with an error: status, message and X-Error-Code."""

    def __init__(self, status: int, sentence: str, code: str | None = None) -> None:
        super().__init__(sentence)
        self.status, self.sentence, self.code = status, sentence, code


@dataclass(frozen=True)
class Blob:
    """Content of a file; git has a pointer with the sha256 of a large one."""

    content: bytes
    large: bool = False
    xet: str | None = None
    """Its hash in Xet, if it was uploaded through Xet."""

    @cached_property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()

    @property
    def pointer(self) -> bytes:
        return (
            "version https://git-lfs.github.com/spec/v1\n"
            f"oid sha256:{self.sha256}\nsize {len(self.content)}\n"
        ).encode()

    @cached_property
    def oid(self) -> str:
        """Git's sha1 of the content in git."""
        stored = self.pointer if self.large else self.content
        return hashlib.sha1(b"blob %d\0" % len(stored) + stored).hexdigest()

    @property
    def etag(self) -> str:
        return self.sha256 if self.large else self.oid


@dataclass(frozen=True)
class Commit:
    """A whole tree, by path."""

    oid: str
    parent: str | None
    title: str
    message: str
    date: datetime
    files: Mapping[str, Blob]


@dataclass
class Change:
    """Changes of one commit: deletions first, then additions."""

    title: str
    message: str = ""
    add: dict[str, Blob] = field(default_factory=dict)
    delete: list[str] = field(default_factory=list)
    parent: str | None = None


class Repository:
    """Repository ``owner/repo``; ``refs`` maps full names, ``refs/heads/main``, to commits."""

    def __init__(self, name: str, kind: str, private: bool = False, sdk: str | None = None) -> None:
        self.name, self.kind, self.private, self.sdk = name, kind, private, sdk
        self.gated = False
        self.created = datetime.now(UTC)
        self.history: dict[str, Commit] = {}
        self.refs: dict[str, str] = {}
        self.objects: dict[str, bytes] = {}
        """Uploaded large objects by sha256, in a commit or not."""
        self.xet: dict[str, str] = {}
        """Xet hashes of large objects by sha256."""
        first = {".gitattributes": ATTRIBUTES.encode()}
        if kind == "space":
            first["README.md"] = f"---\ntitle: {name}\nsdk: {sdk}\n---\n".encode()
        if sdk == "static":
            first |= {"index.html": b"<p>A new Space</p>\n", "style.css": b"p {}\n"}
        self.write(first, "initial commit", "refs/heads/main")

    @property
    def path(self) -> str:
        """Path of its page on the Hub."""
        return self.name if self.kind == "model" else f"{self.kind}s/{self.name}"

    def ref(self, revision: str) -> str | None:
        """The full name of a branch, tag or pull request."""
        names = (revision, f"refs/heads/{revision}", f"refs/tags/{revision}")
        return next((name for name in names if name in self.refs), None)

    def at(self, revision: str) -> Commit:
        """Commit of a ref or hash; raises Refused if there is none."""
        revision = "main" if revision == "HEAD" else revision
        if ref := self.ref(revision):
            return self.history[self.refs[ref]]
        oids = [oid for oid in self.history if oid.startswith(revision)]
        if len(revision) >= 7 and len(oids) == 1:
            return self.history[oids[0]]
        raise Refused(404, f"Invalid rev id: {revision}", "RevisionNotFound")

    def file(self, revision: str, path: str) -> Blob:
        blob = self.at(revision).files.get(path)
        if blob is None:
            raise Refused(404, "Entry not found", "EntryNotFound")
        return blob

    def commits(self, revision: str = "main") -> list[Commit]:
        """Commits of a ref, newest first."""
        commits: list[Commit] = []
        oid: str | None = self.at(revision).oid
        while oid is not None:
            commits.append(self.history[oid])
            oid = commits[-1].parent
        return commits

    def is_large(self, path: str, size: int, sample: bytes, attributes: str | None = None) -> bool:
        """Whether a new file is a large object, by its name, size or binary content."""
        if size == 0 or path == ".gitattributes":
            return False
        tracked = _tracked(attributes if attributes is not None else self._attributes("main"))
        return size > LARGE or b"\0" in sample or matches(path, tracked)

    def commit(self, change: Change, ref: str, start: str = "main") -> Commit:
        """Commits all of ``change`` or nothing on ``ref``; a new ref starts at ``start``."""
        base = self.at(ref if ref in self.refs else start)
        if change.parent not in (None, base.oid):
            raise Refused(412, "A commit has happened since. Please refresh and try again.")
        files = dict(base.files)
        for path in change.delete:
            below = path.rstrip("/") + "/"
            deleted = [name for name in files if name == path or name.startswith(below)]
            if not deleted or (path in files) == path.endswith("/"):
                what = "folder" if path.endswith("/") else "file"
                sentence = f"A {what} with this name doesn't exist: {path}"
                raise Refused(404, sentence, "EntryNotFound")
            for name in deleted:
                del files[name]
        files |= change.add
        self._track(files, [path for path, blob in change.add.items() if blob.large])
        return self._append(files, change, ref, base.oid)

    def write(
        self,
        files: Mapping[str, bytes],
        title: str = "Filled by a test",
        ref: str = "refs/heads/main",
        delete: Iterable[str] = (),
    ) -> Commit:
        """Commits any content under any names, unchecked."""
        base = self.history[self.refs[ref]] if ref in self.refs else None
        kept = {} if base is None else {k: v for k, v in base.files.items() if k not in set(delete)}
        kept |= {
            path: Blob(content, base is not None and self.is_large(path, len(content), content))
            for path, content in files.items()
        }
        self.objects |= {blob.sha256: blob.content for blob in kept.values() if blob.large}
        return self._append(kept, Change(title), ref, base and base.oid)

    def _append(
        self, files: Mapping[str, Blob], change: Change, ref: str, parent: str | None
    ) -> Commit:
        tree = "\n".join(f"{path} {files[path].oid}" for path in sorted(files))
        seed = f"{self.path}\n{len(self.history)}\n{parent}\n{change.title}\n{tree}"
        oid = hashlib.sha1(seed.encode("utf-8", "surrogateescape")).hexdigest()
        now = datetime.now(UTC)
        self.history[oid] = Commit(oid, parent, change.title, change.message, now, files)
        self.refs[ref] = oid
        return self.history[oid]

    def _attributes(self, revision: str) -> str:
        blob = self.at(revision).files.get(".gitattributes")
        return "" if blob is None else blob.content.decode("utf-8", "replace")

    @staticmethod
    def _track(files: dict[str, Blob], large: list[str]) -> None:
        """Adds large files that no pattern matches to .gitattributes, as the Hub does."""
        old = files[".gitattributes"].content.decode() if ".gitattributes" in files else ""
        new = [path for path in large if not matches(path, _tracked(old))]
        if new:
            lines = "".join(f"{path} {_LFS}\n" for path in new)
            files[".gitattributes"] = Blob((old + lines).encode())


def matches(path: str, patterns: Iterable[str]) -> bool:
    """Whether one of git's patterns matches ``path``; without a slash it matches in any folder."""
    name = path.rpartition("/")[2]
    return any(
        fnmatchcase(path if "/" in pattern else name, pattern.lstrip("/")) for pattern in patterns
    )


def _tracked(attributes: str) -> list[str]:
    lines = [line.split() for line in attributes.splitlines()]
    return [line[0] for line in lines if "filter=lfs" in line[1:]]
