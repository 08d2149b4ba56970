"""Transfers of hf_xet that are ended once they are too slow.

hf_xet opens its own connections and reports its progress several times a second, also while nothing
arrives.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from zoo.system.transfer import RATE_TEXT, Meter, TooSlow, allowed


def watch_xet() -> None:
    """Watches the transfers of huggingface_hub through hf_xet."""
    from huggingface_hub.utils import _xet

    holder = getattr(_xet, "_GLOBAL_XET_HOLDER", None)  # of recent versions
    if holder is not None and not isinstance(holder, _Holder):
        _xet._GLOBAL_XET_HOLDER = _Holder(holder)  # type: ignore[assignment]


class _Holder:
    """The holder of the session of huggingface_hub."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def get(self) -> _Session:
        return _Session(self._inner.get(), self._inner.sigint_abort)

    def sigint_abort(self) -> None:
        self._inner.sigint_abort()


class _Session:
    """A session of hf_xet, which ``abort`` ends."""

    def __init__(self, inner: Any, abort: Callable[[], None]) -> None:
        self._inner = inner
        self._abort = abort

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._inner, name)
        if name not in ("new_file_download_group", "new_upload_commit"):
            return value
        return lambda **options: self._watched(value, options)

    @contextmanager
    def _watched(self, start: Callable[..., Any], options: dict[str, Any]) -> Iterator[Any]:
        """``start(**options)``, a group of transfers. Raises TooSlow."""
        seconds = allowed()
        if seconds is None:
            with start(**options) as group:
                yield group
            return
        meter, ended = Meter(seconds), False
        report = options.get("progress_callback")
        before = time.monotonic(), 0

        def watch(total: Any, *items: Any) -> None:
            nonlocal before, ended
            now = (
                time.monotonic(),
                total.total_bytes_completed + total.total_transfer_bytes_completed,
            )
            try:
                meter.add(now[0] - before[0], now[1] - before[1])
            except TooSlow:
                ended = True
                self._abort()
            before = now
            if report is not None:
                report(total, *items)

        try:
            with start(**(options | {"progress_callback": watch})) as group:
                yield group
        except Exception as error:
            if ended:
                raise TooSlow(f"Xet transferred {RATE_TEXT} for {seconds:g} s") from error
            raise
