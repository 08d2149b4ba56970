"""Pushes a run to the Hub, as one commit of the files that changed."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.errors import ZooError
from zoo.runs.folder import CARD, EVALUATION, METRICS
from zoo.system.console import say
from zoo.system.files import write_text
from zoo_hub import contents, ready, space
from zoo_hub.address import Address, address_of
from zoo_hub.card import card_text
from zoo_hub.client import LOGIN, client, hub_errors, offline

if TYPE_CHECKING:
    from huggingface_hub import HfApi

    from zoo.run import Run

Files = Mapping[str, Path | bytes]
"""Content to push, by its name on the Hub."""


@dataclass(frozen=True)
class Remote:
    """The newest commit of a repository, and the hash of each of its files."""

    commit: str
    hashes: Mapping[str, str]


def push(
    run: Run,
    target: str,
    *,
    private: bool = False,
    revision: str | None = None,
    commit_message: str | None = None,
    with_space: bool = False,
    token: str | None = None,
) -> str:
    """Pushes ``run`` to the repository ``target``, ``user/repo``, and returns its address.

    A missing repository is created, ``private`` if set, and so is the branch ``revision``. One
    commit holds all of it: config.json, the weights, the card, metrics, the sample grid and the
    graphs with their reports; it deletes graphs and metrics that the run no longer has. Other files
    on the Hub stay, and checkpoints are never pushed. Without changes there is no commit, and a
    commit by somebody else in the meantime is an error.

    The card is refreshed as by ``zoo card`` and names ``target``; the run's own card is written
    after the commit. A README.md that a person wrote or changed on the Hub stays: each push states
    the hash of its card in the commit description, and only a card with the newest stated hash is
    replaced.

    ``with_space`` also writes the page of ``zoo demo`` into a static Space of the same name, in a
    commit of its own. Raises UsageError and ZooError if the run cannot be pushed or the Hub
    refuses.
    """
    address = address_of(target, revision)
    if offline():
        raise ZooError(f"HF_HUB_OFFLINE is set, so nothing is pushed to {address}: unset it")
    if with_space:
        space.require_web()
    ready.check(run)
    api = client(_token(address, token))
    if with_space:
        # The page exports missing graphs, which are pushed too.
        with space.page(run.path, address) as folder:
            url = _push_run(api, run.path, address, private, commit_message)
            _push_space(api, folder, address, private, commit_message)
        return url
    return _push_run(api, run.path, address, private, commit_message)


def _push_run(
    api: HfApi, folder: Path, address: Address, private: bool, message: str | None
) -> str:
    ready.check_graphs(folder)
    card = card_text(folder, address.repository)
    message = message or f"Push {folder.resolve().name} with genzoo {version('genzoo')}"
    remote = _remote(api, address, private)
    files: Files = {name: folder / name for name in contents.files_of(folder)}
    if card is not None:
        files = {**files, CARD: card.encode()}
    files = _without_edited_card(api, address, remote, files)
    deleted = [name for name in remote.hashes if _is_deletable(name) and name not in files]
    url = _commit(api, address, files, deleted, remote, message)
    if card is not None and card.encode() != (folder / CARD).read_bytes():
        write_text(folder / CARD, card)
    return url


def _push_space(
    api: HfApi, folder: Path, address: Address, private: bool, message: str | None
) -> None:
    address = Address(address.repository)
    remote = _remote(api, address, private, "space")
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    files: Files = {path.relative_to(folder).as_posix(): path for path in paths}
    files = _without_edited_card(api, address, remote, files, "space")
    message = message or f"Show {address} with genzoo {version('genzoo')}"
    graphs = [name for name in remote.hashes if contents.GRAPHS.fullmatch(name)]
    deleted = [name for name in graphs if name not in files]
    say(f"page: {_commit(api, address, files, deleted, remote, message, 'space')}")


def _commit(
    api: HfApi,
    address: Address,
    files: Files,
    deleted: Sequence[str],
    remote: Remote,
    message: str,
    kind: str = "model",
) -> str:
    """Commits those of ``files`` that differ and the deletions; returns the address."""
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete, constants

    url = f"{constants.ENDPOINT}/{'spaces/' if kind == 'space' else ''}{address.repository}"
    changed = [
        name
        for name, data in files.items()
        if name not in remote.hashes or not contents.matches(data, remote.hashes[name])
    ]
    if not changed and not deleted:
        say(f"{url} is up to date: no commit")
        return url
    say(f"to {url}:", *_table(files, changed, deleted))
    operations: list[Any] = [
        CommitOperationAdd(path_in_repo=name, path_or_fileobj=files[name]) for name in changed
    ]
    operations += [CommitOperationDelete(path_in_repo=name) for name in deleted]
    with hub_errors(address):
        api.create_commit(
            address.repository,
            operations,
            commit_message=message,
            commit_description=_description(files),
            repo_type=kind,
            revision=address.revision,
            parent_commit=remote.commit,
        )
    return url


def _is_deletable(name: str) -> bool:
    """Whether a file is deleted once the run no longer has it; the card and images stay, as a
    person may have added them."""
    return name in (EVALUATION, METRICS) or contents.GRAPHS.fullmatch(name) is not None


def _remote(api: HfApi, address: Address, private: bool, kind: str = "model") -> Remote:
    """State of the repository, which is created if missing, as is the branch."""
    from huggingface_hub.errors import RepositoryNotFoundError, RevisionNotFoundError
    from huggingface_hub.hf_api import RepoFile

    name = address.repository
    with hub_errors(address):
        try:
            info = api.repo_info(name, repo_type=kind)
            if private and not info.private:
                say(f"{name} exists and is public: --private applies to a new repository")
        except RepositoryNotFoundError:
            sdk = "static" if kind == "space" else None
            api.create_repo(name, private=private, repo_type=kind, space_sdk=sdk, exist_ok=True)
        try:
            info = api.repo_info(name, revision=address.revision, repo_type=kind)
        except RevisionNotFoundError:
            api.create_branch(name, branch=str(address.revision), repo_type=kind, exist_ok=True)
            info = api.repo_info(name, revision=address.revision, repo_type=kind)
        tree = api.list_repo_tree(name, recursive=True, revision=info.sha, repo_type=kind)
        files = [file for file in tree if isinstance(file, RepoFile)]
    hashes = {file.path: file.lfs.sha256 if file.lfs else file.blob_id for file in files}
    return Remote(str(info.sha), hashes)


# The card, which people edit on the Hub

_STATED_HASH = re.compile(rf"^{re.escape(CARD)}: ([0-9a-f]{{40}})$", re.MULTILINE)


def _description(files: Files) -> str:
    """Description of a commit, which states the hash of the card that it pushes."""
    genzoo = f"genzoo {version('genzoo')}"
    return f"{genzoo}\n\n{CARD}: {contents.git_hash(files[CARD])}" if CARD in files else genzoo


def _without_edited_card(
    api: HfApi, address: Address, remote: Remote, files: Files, kind: str = "model"
) -> Files:
    """``files`` without README.md, with a message, if the Hub has one that no push wrote."""
    there = remote.hashes.get(CARD)
    if CARD not in files or there in (None, contents.git_hash(files[CARD])):
        return files
    with hub_errors(address):
        commits = api.list_repo_commits(address.repository, revision=remote.commit, repo_type=kind)
    matches = (_STATED_HASH.search(commit.message) for commit in commits)
    stated = next((match[1] for match in matches if match), None)
    initial = kind == "space" and len(commits) == 1  # a new Space has a card of the Hub's
    if stated == there or initial:
        return files
    say(f"{CARD} of {address} was edited on the Hub and is kept: delete it there to push the run's")
    return {name: data for name, data in files.items() if name != CARD}


def _table(files: Files, changed: Sequence[str], deleted: Sequence[str]) -> list[str]:
    from zoo.cli.group import columns

    sizes = {name: contents.size_of(data) for name, data in files.items()}
    rows = [
        (name, contents.size_text(size), "push" if name in changed else "up to date")
        for name, size in sizes.items()
    ]
    rows += [(name, "", "delete") for name in deleted]
    total = contents.size_text(sum(sizes[name] for name in changed))
    return columns([*rows, (f"{len(changed)} of {len(files)} files", total, "to push")])


def _token(address: Address, token: str | None) -> str:
    from huggingface_hub import get_token

    token = token or get_token()
    if not token:
        raise ZooError(f"pushing to {address} needs a token with write permission: {LOGIN}")
    return token
