"""The Hub's own client, and what it raises said in a sentence."""

from __future__ import annotations

import json
import logging
import re
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from typing import TYPE_CHECKING

from zoo.errors import UsageError, ZooError
from zoo.system.console import say
from zoo_hub.address import Address

if TYPE_CHECKING:
    from huggingface_hub import HfApi

LOGIN = "hf auth login, or HF_TOKEN set to a token of https://huggingface.co/settings/tokens"
"""How a token is given, wherever the Hub asks for one."""


def client(token: str | None = None) -> HfApi:
    """The client, which tells the Hub that genzoo asks; it reads HF_ENDPOINT and HF_TOKEN."""
    from huggingface_hub import HfApi

    return HfApi(token=token, library_name="genzoo", library_version=version("genzoo"))


def offline() -> bool:
    """Whether HF_HUB_OFFLINE is set: then only the cache is asked."""
    from huggingface_hub import constants

    return bool(constants.HF_HUB_OFFLINE)


@contextmanager
def speaking(of: Address, run: bool = False) -> Iterator[None]:
    """What the client raises inside is raised as a ZooError, one sentence without any token; its
    bars are shown on a terminal alone, and of what it logs that it tries again, once.

    ``run`` is for a name that might have been that of a run folder: the sentence says so.
    """
    with _quietly():
        try:
            yield
        except (ZooError, KeyboardInterrupt, MemoryError):
            raise
        except Exception as error:
            said = sentence(of, error, run)
            if _has_token(error):
                raise said from None  # a traceback would print the message too
            raise said from error


def sentence(of: Address, error: BaseException, run: bool = False) -> ZooError:
    """What went wrong with ``of``, and what to do."""
    from huggingface_hub import errors

    if isinstance(error, ValueError) and str(error).startswith("Invalid metadata"):
        what = " ".join(line.lstrip("- ") for line in str(error).splitlines()[1:])
        return ZooError(f"the Hub does not take README.md of {of}: {_plain(what)}")
    if isinstance(error, json.JSONDecodeError):
        return ZooError(f"what answered for {of} is no Hub: check HF_ENDPOINT, or try again later")
    causes = list(_chain(error))
    no_run = f"there is not a run folder {of.repository} here, and " if run else ""
    for cause in causes:
        match cause:
            case errors.OfflineModeIsEnabled():
                return ZooError(
                    f"{of} is not in the cache, and HF_HUB_OFFLINE forbids asking the Hub: unset "
                    "it once to fetch it"
                )
            case errors.GatedRepoError():
                return ZooError(f"{of} is gated: ask for access on its page, then {LOGIN}")
            case errors.RepositoryNotFoundError():
                return UsageError(
                    f"{no_run}the Hub has no repository {of.repository} that you may see: check "
                    f"the name; a private one needs {LOGIN}"
                )
            case errors.RevisionNotFoundError():
                return UsageError(f"{of.repository} has no revision {of.revision or 'main'}")
            case errors.HFValidationError():
                return UsageError(f"{of} is no name that the Hub takes: {_line(cause)}")
            case errors.HfHubHTTPError():
                return _refused(of, cause)
    for cause in causes:
        kind = type(cause)
        if kind.__module__.partition(".")[0].startswith("httpx") or isinstance(
            cause, ConnectionError
        ):
            return _network(of, kind.__name__, no_run)
        if "onsistency check failed" in str(cause):  # of the sizes of what was downloaded
            return _cut(of)
    if isinstance(error, errors.LocalEntryNotFoundError) and offline():
        return sentence(of, errors.OfflineModeIsEnabled())
    return ZooError(f"the Hub's client failed with {of}: {type(error).__name__}: {_line(error)}")


def _refused(of: Address, error: BaseException) -> ZooError:
    response = getattr(error, "response", None)
    status = getattr(response, "status_code", 0)
    server = _plain(getattr(error, "server_message", None) or "")
    because = f" ({server.rstrip('.')})" if server else ""
    if status == 401:
        return ZooError(f"the Hub does not know the token that it was sent for {of}: {LOGIN}")
    if status == 403:
        return ZooError(
            f"the token may not do this with {of}{because}: take one that may, by {LOGIN}"
        )
    if status == 404:
        return UsageError(f"{of} has not what was asked for{because}")
    if status == 412:
        return ZooError(f"somebody else changed {of} meanwhile, so nothing was written: try again")
    if status == 429:
        return ZooError(f"the Hub was asked too often about {of}: wait a few minutes")
    if status >= 500:
        return ZooError(f"the Hub is out of order (status {status}), {of} must wait: try later")
    return ZooError(f"the Hub refused {of} with status {status}{because}")


def _network(of: Address, kind: str, no_run: str) -> ZooError:
    from huggingface_hub import constants

    if "Protocol" in kind or "Read" in kind or "Write" in kind:
        return _cut(of)
    return ZooError(
        f"{no_run}the Hub at {constants.ENDPOINT} cannot be reached ({kind}): check the network, "
        "or HF_ENDPOINT"
    )


def _cut(of: Address) -> ZooError:
    return ZooError(
        f"the connection was cut while files of {of} were on their way: try again, what has "
        "arrived is not sent twice"
    )


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _line(error: BaseException) -> str:
    return _plain(next(iter(str(error).strip().splitlines()), ""))


def _plain(text: str) -> str:
    """On one line, short, and without anything like a token, which a server might repeat."""
    text = " ".join(_secret().sub("...", text).split())
    return text if len(text) <= 200 else f"{text[:200]}..."


def _has_token(error: BaseException) -> bool:
    return any(_secret().search(str(cause)) for cause in _chain(error))


def _secret() -> re.Pattern[str]:
    """Whatever is a token by its looks, and the one that is set."""
    from huggingface_hub import get_token

    known = get_token()
    return re.compile(r"hf_\w{8,}|(?<=[Bb]earer )\S+" + (f"|{re.escape(known)}" if known else ""))


class _Retries(logging.Handler):
    """Says once that the client tries again, as that may take half a minute, and nothing else."""

    said = False

    def emit(self, record: logging.LogRecord) -> None:
        if not self.said and "[Retry " in record.getMessage():
            self.said = True
            say("the Hub did not answer: trying again")


@contextmanager
def _quietly() -> Iterator[None]:
    import huggingface_hub.utils.logging  # noqa: F401  (sets the logger up, as later calls would)
    from huggingface_hub.utils.tqdm import (
        are_progress_bars_disabled,
        disable_progress_bars,
        enable_progress_bars,
    )

    shown = not are_progress_bars_disabled()
    logger = logging.getLogger("huggingface_hub")
    level, handlers, propagate = logger.level, logger.handlers, logger.propagate
    if shown and not sys.stderr.isatty():
        disable_progress_bars()
    logger.handlers, logger.propagate = [_Retries(logging.WARNING)], False
    logger.setLevel(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.handlers, logger.propagate = handlers, propagate
        logger.setLevel(level)
        if shown and are_progress_bars_disabled():
            enable_progress_bars()
