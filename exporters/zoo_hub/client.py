"""The client of huggingface_hub, and each of its errors as one sentence."""

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

from zoo.errors import UsageError, ZooError, causes
from zoo.system.console import say
from zoo.system.hub import bound_reached, bounded
from zoo.system.progress import printable_bars
from zoo.system.tokens import has_token, redacted
from zoo_hub.address import Address

if TYPE_CHECKING:
    from huggingface_hub import HfApi

LOGIN = "run hf auth login, or set HF_TOKEN to a token of https://huggingface.co/settings/tokens"
"""How to provide a token, in every message that asks for one."""


def client(token: str | None = None) -> HfApi:
    """The client, with genzoo as its user agent; it reads HF_ENDPOINT and HF_TOKEN."""
    from huggingface_hub import HfApi

    return HfApi(token=token, library_name="genzoo", library_version=version("genzoo"))


def offline() -> bool:
    """Whether HF_HUB_OFFLINE is set, so that only the cache is read."""
    from huggingface_hub import is_offline_mode

    return is_offline_mode()


@contextmanager
def hub_errors(
    address: Address, maybe_folder: bool = False, file: str | None = None
) -> Iterator[None]:
    """Bounds the client's requests, and raises its errors as ZooError: one sentence that contains
    no token.

    The messages of huggingface_hub take several lines and repeat what a server sent. Progress bars
    appear on a terminal only; of the client's log, its first retry is printed. ``maybe_folder``
    says that the name could have meant a run folder, and so does the sentence. ``file`` is what is
    fetched from ``address``, None for a request about all of it.
    """
    with bounded(), _quiet():
        try:
            yield
        except (ZooError, KeyboardInterrupt, MemoryError):
            raise
        except Exception as error:
            what = f"{file} of {address}" if file else str(address)
            raised = bound_reached(error, what) or sentence(address, error, maybe_folder)
            raise raised from (None if has_token(error) else error)


def sentence(address: Address, error: BaseException, maybe_folder: bool = False) -> ZooError:
    """The problem with ``address``, and the fix."""
    from huggingface_hub import constants, errors

    if isinstance(error, ValueError) and str(error).startswith("Invalid metadata"):
        reasons = " ".join(line.lstrip("- ") for line in str(error).splitlines()[1:])
        return ZooError(f"the Hub rejects README.md of {address}: {redacted(reasons)}")
    if isinstance(error, json.JSONDecodeError):
        return ZooError(f"the server of {address} is not a Hub: check HF_ENDPOINT")
    no_folder = f"no run folder {address.repository} exists, and " if maybe_folder else ""
    for cause in causes(error):
        match cause:
            case errors.OfflineModeIsEnabled():
                return _not_cached(address)
            case errors.GatedRepoError():
                return ZooError(f"{address} is gated: request access on its page, then {LOGIN}")
            case errors.RepositoryNotFoundError():
                return UsageError(
                    f"{no_folder}the Hub has no repository {address.repository} that you can "
                    f"access: check the name; for a private one, {LOGIN}"
                )
            case errors.RevisionNotFoundError():
                return UsageError(
                    f"{address.repository} has no revision {address.revision or 'main'}"
                )
            case errors.HFValidationError():
                return UsageError(f"{address} is not valid on the Hub: {_first_line(cause)}")
            case errors.HfHubHTTPError():
                return _refusal(address, cause)
    for cause in causes(error):
        kind = type(cause).__name__
        if type(cause).__module__.startswith("httpx") or isinstance(cause, ConnectionError):
            if not re.search("Protocol|Read|Write", kind):
                return ZooError(
                    f"{no_folder}the Hub at {constants.ENDPOINT} cannot be reached ({kind}): check "
                    "the network, or HF_ENDPOINT"
                )
            return _interrupted(address)
        if "onsistency check failed" in str(cause):  # the size of a download
            return _interrupted(address)
    if isinstance(error, errors.LocalEntryNotFoundError) and offline():
        return _not_cached(address)
    name = type(error).__name__
    return ZooError(f"the Hub client failed on {address}: {name}: {_first_line(error)}")


def _refusal(address: Address, error: BaseException) -> ZooError:
    """The sentence for an HTTP status."""
    status = getattr(getattr(error, "response", None), "status_code", 0)
    message = redacted(getattr(error, "server_message", None) or "").rstrip(".")
    reason = f" ({message})" if message else ""
    if status == 404:
        return UsageError(f"{address} does not have what was requested{reason}")
    if status >= 500:
        return ZooError(f"the Hub failed on {address} with status {status}: try again later")
    sentences = {
        401: f"the Hub does not accept the token for {address}: {LOGIN}",
        403: f"the token has no permission for {address}{reason}: {LOGIN}",
        412: f"{address} was changed by somebody else, so nothing was written: try again",
        429: f"the Hub received too many requests for {address}: wait a few minutes",
    }
    return ZooError(sentences.get(status, f"the Hub refused {address}, status {status}{reason}"))


def _not_cached(address: Address) -> ZooError:
    return ZooError(
        f"{address} is not in the cache and HF_HUB_OFFLINE is set: unset it to download once"
    )


def _interrupted(address: Address) -> ZooError:
    return ZooError(
        f"the connection was lost while transferring files of {address}: try again, files that "
        "arrived are not sent twice"
    )


def _first_line(error: BaseException) -> str:
    return redacted(next(iter(str(error).strip().splitlines()), ""))


class _FirstRetry(logging.Handler):
    """Prints one line at the client's first retry, as retries may take half a minute."""

    printed = False

    def emit(self, record: logging.LogRecord) -> None:
        if not self.printed and "[Retry " in record.getMessage():
            self.printed = True
            say("the Hub did not answer: trying again")


@contextmanager
def _quiet() -> Iterator[None]:
    import huggingface_hub.utils.logging  # noqa: F401  (configures the logger on import)
    from huggingface_hub.utils.tqdm import (
        are_progress_bars_disabled,
        disable_progress_bars,
        enable_progress_bars,
    )

    hide_bars = not are_progress_bars_disabled() and not sys.stderr.isatty()
    logger = logging.getLogger("huggingface_hub")
    level, handlers, propagate = logger.level, logger.handlers, logger.propagate
    if hide_bars:
        disable_progress_bars()
    logger.handlers, logger.propagate = [_FirstRetry(logging.WARNING)], False
    logger.setLevel(logging.WARNING)
    try:
        with warnings.catch_warnings(), printable_bars():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.handlers, logger.propagate = handlers, propagate
        logger.setLevel(level)
        if hide_bars:
            enable_progress_bars()
