"""What a repository on the Hub is: commits of whole trees, refs, and large objects beside them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from functools import cached_property

KINDS = ("model", "dataset", "space")
LARGE = 10_000_000
"""Bytes above which a file is stored as a large object, whatever its name."""
TRACKED = (
    "7z arrow bin bz2 ckpt ftz gz h5 joblib lfs.* mlmodel model msgpack npy npz onnx ot parquet pb"
    " pickle pkl pt pth rar safetensors tar.* tar tflite tgz wasm xz zip zst"
)
_LFS = "filter=lfs diff=lfs merge=lfs -text"
ATTRIBUTES = "".join(f"*.{ending} {_LFS}\n" for ending in TRACKED.split())
"""The .gitattributes of a new repository."""


class Refused(Exception):
    """A request that is answered with an error: its status, sentence and X-Error-Code."""

    def __init__(self, status: int, sentence: str, code: str | None = None) -> None:
        super().__init__(sentence)
        self.status, self.sentence, self.code = status, sentence, code


@dataclass(frozen=True)
class Blob:
    """A file's bytes; a large one is in git as a pointer with its sha256."""

    content: bytes
    large: bool = False
    xet: str | None = None
    """Its name in Xet, if it was uploaded that way."""

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
        """Git's sha1 of what is in git."""
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
    """What one commit does: first the deletions, then the additions."""

    title: str
    message: str = ""
    add: dict[str, Blob] = field(default_factory=dict)
    delete: list[str] = field(default_factory=list)
    parent: str | None = None


class Repository:
    """``name`` is ``owner/repo``; ``refs`` are the commits of full names, ``refs/heads/main``."""

    def __init__(self, name: str, kind: str, private: bool = False, sdk: str | None = None) -> None:
        self.name, self.kind, self.private, self.sdk = name, kind, private, sdk
        self.gated = False
        self.created = datetime.now(UTC)
        self.history: dict[str, Commit] = {}
        self.refs: dict[str, str] = {}
        self.objects: dict[str, bytes] = {}
        """Large objects that were uploaded, by sha256: of a commit or not yet of any."""
        self.xet: dict[str, str] = {}
        """The Xet hashes of those that were uploaded that way."""
        first = {".gitattributes": ATTRIBUTES.encode()}
        if kind == "space":  # a new Space is a page that says so
            first["README.md"] = f"---\ntitle: {name}\nsdk: {sdk}\n---\n".encode()
        if sdk == "static":
            first |= {"index.html": b"<p>A new Space</p>\n", "style.css": b"p {}\n"}
        self.write(first, "initial commit", "refs/heads/main")

    @property
    def path(self) -> str:
        """Where it is below the Hub's address."""
        return self.name if self.kind == "model" else f"{self.kind}s/{self.name}"

    def ref(self, revision: str) -> str | None:
        """The full name of a branch, tag or pull request."""
        tries = (revision, f"refs/heads/{revision}", f"refs/tags/{revision}")
        return next((one for one in tries if one in self.refs), None)

    def at(self, revision: str) -> Commit:
        """The commit of a ref or hash; Refused if there is none."""
        revision = "main" if revision == "HEAD" else revision
        if ref := self.ref(revision):
            return self.history[self.refs[ref]]
        found = [oid for oid in self.history if oid.startswith(revision)]
        if len(revision) >= 7 and len(found) == 1:
            return self.history[found[0]]
        raise Refused(404, f"Invalid rev id: {revision}", "RevisionNotFound")

    def file(self, revision: str, path: str) -> Blob:
        found = self.at(revision).files.get(path)
        if found is None:
            raise Refused(404, "Entry not found", "EntryNotFound")
        return found

    def commits(self, revision: str = "main") -> list[Commit]:
        """A ref's commits, the newest first."""
        found: list[Commit] = []
        oid: str | None = self.at(revision).oid
        while oid is not None:
            found.append(self.history[oid])
            oid = found[-1].parent
        return found

    def is_large(self, path: str, size: int, sample: bytes, attributes: str | None = None) -> bool:
        """Whether a new file is to be uploaded as a large object: by name, size or binary bytes."""
        if size == 0 or path == ".gitattributes":
            return False
        tracked = _tracked(attributes if attributes is not None else self._attributes("main"))
        return size > LARGE or b"\0" in sample or matches(path, tracked)

    def commit(self, change: Change, ref: str, start: str = "main") -> Commit:
        """One commit on ``ref``, which starts at ``start`` if it is new: all of it or nothing."""
        base = self.at(ref if ref in self.refs else start)
        if change.parent not in (None, base.oid):
            raise Refused(412, "A commit has happened since. Please refresh and try again.")
        files = dict(base.files)
        for path in change.delete:
            gone = [one for one in files if one == path or one.startswith(path.rstrip("/") + "/")]
            if not gone or (path in files) == path.endswith("/"):
                what = "folder" if path.endswith("/") else "file"
                sentence = f"A {what} with this name doesn't exist: {path}"
                raise Refused(404, sentence, "EntryNotFound")
            for one in gone:
                del files[one]
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
        """A commit of any bytes under any names, unchecked, also such as no client would send."""
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
        """The Hub adds large files that no pattern names to .gitattributes, in the same commit."""
        old = files[".gitattributes"].content.decode() if ".gitattributes" in files else ""
        new = [path for path in large if not matches(path, _tracked(old))]
        if new:
            lines = "".join(f"{path} {_LFS}\n" for path in new)
            files[".gitattributes"] = Blob((old + lines).encode())


def matches(path: str, patterns: Iterable[str]) -> bool:
    """Whether one of git's patterns names ``path``: without a slash it names files anywhere."""
    name = path.rpartition("/")[2]
    return any(
        fnmatchcase(path if "/" in pattern else name, pattern.lstrip("/")) for pattern in patterns
    )


def _tracked(attributes: str) -> list[str]:
    lines = [line.split() for line in attributes.splitlines()]
    return [line[0] for line in lines if "filter=lfs" in line[1:]]
