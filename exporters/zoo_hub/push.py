"""A run goes to the Hub, as one commit of what has changed."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.errors import ZooError
from zoo.runs.folder import CARD
from zoo.system.console import say
from zoo.system.files import write_text
from zoo_hub import contents, ready
from zoo_hub.address import Address, address_of
from zoo_hub.card import renewed
from zoo_hub.client import LOGIN, client, offline, speaking

if TYPE_CHECKING:
    from huggingface_hub import HfApi
    from huggingface_hub.hf_api import RepoFile

    from zoo.run import Run


@dataclass(frozen=True)
class Pushed:
    """Where a push led to: the repository's address, and the commit, None where nothing had
    changed."""

    url: str
    commit: str | None


Files = Mapping[str, Path | bytes]
"""What is to be sent, by its name on the Hub."""


@dataclass(frozen=True)
class Remote:
    """What a repository has: its newest commit, and its files with their hashes."""

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
) -> Pushed:
    """Send ``run`` to the repository ``target``, ``user/repo``, which is made where there is none,
    ``private`` if asked for; ``revision`` is a branch, likewise made.

    The card is renewed, as ``zoo card`` does, and names ``target``; the run's own is written once
    the Hub has taken it. One commit has all of it: config.json, the
    weights, the card, what was measured, the grid and the graphs with their reports, and the
    deletion of graphs and figures that the run has no more; files of other names on the Hub, and
    checkpoints, are left alone. Where nothing has changed there is no commit, and where somebody
    commits meanwhile nothing is written.

    A README.md on the Hub that a person wrote or changed stays: each commit of a push states in its
    description the hash of the card that it leaves, and a card with another hash than the newest
    such statement is not replaced, which is said. Deleting it on the Hub makes room for the run's.

    ``with_space`` writes the page of ``zoo demo`` into a static Space of the same name, in a commit
    of its own. Raises UsageError and ZooError: for a run that is not fit to be shared, and for what
    the Hub refuses.
    """
    of = address_of(target, revision)
    if offline():
        raise ZooError(f"HF_HUB_OFFLINE is set, so nothing can be sent to {of}: unset it")
    ready.check(run)
    token = _token(of, token)
    if with_space:
        from zoo_hub.space import page

        with page(run.path, of) as folder:  # exports the graphs, which then travel too
            pushed = _push(run.path, of, private, commit_message, token)
            _push_space(folder, of, private, commit_message, token)
        return pushed
    return _push(run.path, of, private, commit_message, token)


def _push(folder: Path, of: Address, private: bool, message: str | None, token: str) -> Pushed:
    ready.check_graphs(folder)
    # With the graphs that there are by now, and code that names the Hub.
    card = renewed(folder, of.repository)
    message = message or f"Push {folder.resolve().name} with genzoo {version('genzoo')}"
    api = client(token)
    remote = _remote(api, of, private)
    files: Files = {name: folder / name for name in contents.files_of(folder)}
    if card is not None:
        files = {**files, CARD: card.encode()}
    files = _without_persons_card(api, of, remote, files)
    gone = [name for name in remote.hashes if _is_ours(name) and name not in files]
    done = _commit(api, of, files, gone, remote, message)
    if card is not None and card.encode() != (folder / CARD).read_bytes():
        write_text(folder / CARD, card)
    return done


def _push_space(folder: Path, of: Address, private: bool, message: str | None, token: str) -> None:
    space = Address(of.repository)
    api = client(token)
    remote = _remote(api, space, private, "space")
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    files: Files = {path.relative_to(folder).as_posix(): path for path in paths}
    files = _without_persons_card(api, space, remote, files, "space")
    message = message or f"Show {of.repository} with genzoo {version('genzoo')}"
    gone = [name for name in remote.hashes if contents.GRAPHS.fullmatch(name) and name not in files]
    done = _commit(api, space, files, gone, remote, message, "space")
    say(f"the page: {done.url}")


def _commit(
    api: HfApi,
    of: Address,
    files: Files,
    gone: Sequence[str],
    remote: Remote,
    message: str,
    kind: str = "model",
) -> Pushed:
    """One commit of those of ``files`` that differ, and without those that are gone."""
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete, constants

    url = f"{constants.ENDPOINT}/{'spaces/' if kind == 'space' else ''}{of.repository}"
    changed = [name for name, data in files.items() if _differs(data, remote.hashes.get(name))]
    if not changed and not gone:
        say(f"nothing has changed since {url} was written: there is no commit")
        return Pushed(url, None)
    say(f"to {url}:\n{_table(files, changed, gone)}")
    operations: list[Any] = [
        CommitOperationAdd(path_in_repo=name, path_or_fileobj=files[name]) for name in changed
    ]
    operations += [CommitOperationDelete(path_in_repo=name) for name in gone]
    with speaking(of):
        done = api.create_commit(
            of.repository,
            operations,
            commit_message=message,
            commit_description=_statement(files),
            repo_type=kind,
            revision=of.revision,
            parent_commit=remote.commit,
        )
    return Pushed(url, done.oid)


def _differs(data: Path | bytes, stated: str | None) -> bool:
    return stated is None or contents.hash_like(data, stated) != stated


def _is_ours(name: str) -> bool:
    """Whether a file is one that goes when the run has it no more; the card and pictures stay, as
    somebody may have put them there."""
    from zoo.runs.folder import EVALUATION, METRICS

    return name in (EVALUATION, METRICS) or contents.GRAPHS.fullmatch(name) is not None


def _remote(api: HfApi, of: Address, private: bool, kind: str = "model") -> Remote:
    """What is there, after the repository and the branch are made where they are not."""
    from huggingface_hub.errors import RepositoryNotFoundError, RevisionNotFoundError
    from huggingface_hub.hf_api import RepoFile

    def known() -> str:
        return str(api.repo_info(of.repository, revision=of.revision, repo_type=kind).sha)

    with speaking(of):
        try:
            commit = known()
            if private and not api.repo_info(of.repository, repo_type=kind).private:
                say(f"{of.repository} is there already and public: --private is for a new one")
        except RevisionNotFoundError:
            api.create_branch(of.repository, branch=str(of.revision), repo_type=kind, exist_ok=True)
            commit = known()
        except RepositoryNotFoundError:
            sdk = "static" if kind == "space" else None
            api.create_repo(
                of.repository, private=private, repo_type=kind, space_sdk=sdk, exist_ok=True
            )
            if of.revision is not None:
                api.create_branch(of.repository, branch=of.revision, repo_type=kind, exist_ok=True)
            commit = known()
        tree = api.list_repo_tree(of.repository, recursive=True, revision=commit, repo_type=kind)
        files: list[RepoFile] = [one for one in tree if isinstance(one, RepoFile)]
    return Remote(commit, {one.path: one.lfs.sha256 if one.lfs else one.blob_id for one in files})


# The card, which people edit on the Hub

_STATED = re.compile(rf"^{re.escape(CARD)}: ([0-9a-f]{{40}})$", re.MULTILINE)


def _statement(files: Files) -> str:
    """The description of a commit: the hash of the card that a push wrote last stands in it."""
    by = f"genzoo {version('genzoo')}"
    if CARD not in files:
        return by
    return f"{by}\n\n{CARD}: {contents.git_hash(files[CARD])}"


def _without_persons_card(
    api: HfApi, of: Address, remote: Remote, files: Files, kind: str = "model"
) -> Files:
    """``files`` without README.md, which is said, where the Hub's is another than the run's and no
    push left it so."""
    there = remote.hashes.get(CARD)
    if CARD not in files or there in (None, contents.git_hash(files[CARD])):
        return files
    with speaking(of):
        commits = api.list_repo_commits(of.repository, revision=remote.commit, repo_type=kind)
    stated = next((found[1] for one in commits if (found := _STATED.search(one.message))), None)
    of_the_hub = kind == "space" and len(commits) == 1  # a new Space has a card that says so
    if stated == there or of_the_hub:
        return files
    say(
        f"{CARD} of {of} was written or changed on the Hub and stays as it is there: delete it "
        "there to have the run's"
    )
    return {name: data for name, data in files.items() if name != CARD}


# What is said and asked for


def _table(files: Files, changed: Sequence[str], gone: Sequence[str]) -> str:
    from zoo.cli.group import columns

    rows = [
        (
            name,
            contents.size_text(contents.size_of(data)),
            "is sent" if name in changed else "is there",
        )
        for name, data in files.items()
    ]
    rows += [(name, "", "is deleted there") for name in gone]
    size = sum(contents.size_of(files[name]) for name in changed)
    rows.append((f"{len(changed)} of {len(files)} files", contents.size_text(size), "to send"))
    return columns(rows)


def _token(of: Address, token: str | None) -> str:
    from huggingface_hub import get_token

    token = token or get_token()
    if not token:
        raise ZooError(f"a push to {of} needs a token that may write there: {LOGIN}")
    return token
