"""The HTTP client of huggingface_hub, bounded in time and in memory: a Hub may be anybody's."""

from __future__ import annotations

import math
import os
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from zoo.errors import UsageError, ZooError, causes
from zoo.system.files import MAX_JSON
from zoo.system.transfer import TooSlow, WatchedBackend, allowed, watching
from zoo.system.xet import watch_xet

if TYPE_CHECKING:
    import httpx2 as httpx

VARIABLE = "ZOO_HUB_TIMEOUT"
"""Environment variable: seconds after which a connection below 1 kB/s is ended."""

SECONDS = 30.0

_RETRIES = 5
"""Number of times that huggingface_hub repeats a request."""

_MAX_PAGES = 1000
"""Maximum number of requests for one listing, whose pages have up to 1,000 entries."""

_pages: Counter[str] = Counter()

_METADATA = re.compile(r"/api/(?!resolve-cache/)|\.git/info/lfs/")
_READ_WHOLE = re.compile(r"/(README\.md|dataset_infos\.json|\.huggingface\.yaml)$")
"""Files that ``datasets`` reads into memory."""

_WAITS = {"retry-after": r"\s*([0-9]{1,18})", "ratelimit": r".*;\s*t\s*=\s*([0-9]{1,18})"}
"""Headers that ask for a pause before the next attempt, and its seconds."""


class TooLarge(Exception):
    """A server sends more than it stated, or than fits in memory."""


@contextmanager
def bounded() -> Iterator[None]:
    """Inside, requests of huggingface_hub end with TooSlow or TooLarge at the bounds.

    Raises UsageError for an invalid :data:`VARIABLE`.
    """
    from huggingface_hub import set_client_factory
    from huggingface_hub.utils import _http

    seconds = _seconds()
    if not isinstance(_http._GLOBAL_CLIENT_FACTORY, _Factory):
        set_client_factory(_Factory(_http._GLOBAL_CLIENT_FACTORY))
    watch_xet()
    _pages.clear()
    with watching(seconds):
        yield


def bound_reached(error: BaseException, name: str) -> ZooError | None:
    """The sentence if a transfer of ``name`` ended at a bound, None for any other error."""
    for cause in causes(error):
        if isinstance(cause, TooSlow):
            return ZooError(
                f"{name} was not transferred: {cause}; check the network and try again, or set "
                f"{VARIABLE} to more seconds"
            )
        if isinstance(cause, TooLarge):
            return ZooError(f"{name} was not transferred: {cause}; check HF_ENDPOINT")
    return None


def _seconds() -> float:
    text = os.environ.get(VARIABLE) or str(SECONDS)
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds < math.inf:
        raise UsageError(f"{VARIABLE} is {text!r}: set it to a number of seconds above 0")
    return seconds


class _Factory:
    """Makes the clients of ``inner``, the factory before, with bounds."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def __call__(self) -> httpx.Client:
        client: httpx.Client = self._inner()
        for transport in (client._transport, *client._mounts.values()):
            # httpx has no argument for the backend of its connections.
            if (pool := getattr(transport, "_pool", None)) is not None:
                pool._network_backend = WatchedBackend(pool._network_backend)
        bounds = _Bounds()
        hooks = client.event_hooks
        client.event_hooks = {
            "request": [*hooks["request"], bounds.prepare],
            "response": [*hooks["response"], bounds.limit],
        }
        return client


class _Bounds:
    """The size of each file as its server stated it, by its address."""

    def __init__(self) -> None:
        self._stated: dict[str, int] = {}

    def prepare(self, request: httpx.Request) -> None:
        """Removes the token from requests to other hosts, which an answer of the Hub can name, and
        asks for bodies as they are, since a compressed one can unpack to any size. Raises TooLarge
        for a listing without end."""
        if allowed() is None:
            return
        path = request.url.path
        _pages[path] += bool(_METADATA.search(path))
        if _pages[path] > _MAX_PAGES:
            raise TooLarge(f"{_host(request)} sent more than {_MAX_PAGES:,} pages")
        request.headers["Accept-Encoding"] = "identity"
        if not _is_hub(request.url):
            request.headers.pop("Authorization", None)

    def limit(self, response: httpx.Response) -> None:
        """Limits the body of ``response``, and the pause that it asks for. Raises TooLarge."""
        if (seconds := allowed()) is None:
            return
        headers, url = response.headers, response.request.url
        for name, pattern in _WAITS.items():
            match = re.match(pattern, headers.get(name, ""))
            if match and int(match[1]) > seconds / _RETRIES:
                del headers[name]
        length = _number(headers.get("Content-Length"))
        if response.request.method == "HEAD":
            linked = _number(headers.get("X-Linked-Size"))
            size = length if linked is None and response.is_success else linked
            if size is not None:
                self._stated[str(url.join(headers.get("Location", "")))] = size
            if _READ_WHOLE.search(url.path):
                _check_size(response, size or 0, MAX_JSON)
            return
        if headers.get("Content-Encoding", "identity") != "identity":
            raise TooLarge(
                f"{_host(response.request)} sent compressed data, which can unpack to any size"
            )
        is_file = response.request.method == "GET" and not _METADATA.search(url.path)
        if is_file and response.is_success:
            _bound(response, self._stated.get(str(url), MAX_JSON if length is None else length))
        else:
            _bound(response, MAX_JSON)


def _bound(response: httpx.Response, maximum: int) -> None:
    """Raises TooLarge, here or while the body is read, if it has more bytes than ``maximum``."""
    from huggingface_hub.utils import httpx  # type: ignore[attr-defined]

    class Bounded(httpx.SyncByteStream):
        def __init__(self, inner: Any) -> None:
            self._inner = inner

        def __iter__(self) -> Iterator[bytes]:
            size = 0
            for part in self._inner:
                size += len(part)
                _check_size(response, size, maximum)
                yield part

        def close(self) -> None:
            self._inner.close()

    _check_size(response, _number(response.headers.get("Content-Length")) or 0, maximum)
    response.stream = Bounded(response.stream)


def _check_size(response: httpx.Response, size: int, maximum: int) -> None:
    if size > maximum:
        raise TooLarge(f"{_host(response.request)} sent more than {maximum:,} bytes")


def _is_hub(url: httpx.URL) -> bool:
    """Whether ``url`` may have the token: the Hub in use, or a host of Hugging Face."""
    from huggingface_hub import constants

    endpoint = type(url)(constants.ENDPOINT)
    if (url.scheme, url.host, url.port) == (endpoint.scheme, endpoint.host, endpoint.port):
        return True
    return url.scheme == "https" and f".{url.host}".endswith(".huggingface.co")


def _host(request: httpx.Request) -> str:
    host: str = request.url.netloc.decode("ascii", "replace")
    return host


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and re.fullmatch(r"[0-9]{1,18}", text) else None
