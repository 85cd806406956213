"""One question to the store, asked by one thread at a time, however many want to know.

The store may hang: a locked table, a server that was stopped. Then one thread hangs with it, not one for each request,
and not one of those that deliver. The thread is a daemon thread: nobody waits for it at the end of the process.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Generic, TypeVar

from sync.clock import Clock

LONGEST_KEPT = 60.0
"""Seconds that an answer may be old, however long it took."""

_SHARE = 20
"""An answer is kept for so many times what it took, so that asking takes at most a twentieth of the store's time."""

_Answer = TypeVar("_Answer")


class Look(Generic[_Answer]):
    """``ask`` runs in a thread. Its answer is kept for ``keep`` seconds, longer when it took long; errors are not kept."""

    def __init__(self, ask: Callable[[], _Answer], clock: Clock, *, keep: float = 0.0) -> None:
        self._ask = ask
        self._clock = clock
        self._keep = keep
        self._kept: tuple[_Answer, float] | None = None
        self._asking: asyncio.Task[_Answer] | None = None

    async def answer(self, patience: float) -> _Answer:
        """The answer, at most so old as said. Raises ``TimeoutError`` after ``patience`` seconds, and what ``ask`` raises."""
        if self._kept is not None and self._clock.monotonic() < self._kept[1]:
            return self._kept[0]
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._ask_now())
            self._asking.add_done_callback(_retrieved)
        async with asyncio.timeout(patience):
            return await asyncio.shield(self._asking)

    def close(self) -> None:
        """Wait for nothing any more."""
        if self._asking is not None:
            self._asking.cancel()

    async def _ask_now(self) -> _Answer:
        started = self._clock.monotonic()
        found = await in_thread(self._ask)
        ended = self._clock.monotonic()
        if self._keep:
            self._kept = (found, ended + min(LONGEST_KEPT, max(self._keep, _SHARE * (ended - started))))
        return found


async def in_thread(work: Callable[[], _Answer]) -> _Answer:
    """What ``work`` gives, from a daemon thread of its own."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[_Answer] = loop.create_future()

    def tell(result: Callable[[Any], None], value: object) -> None:
        def set_unless_cancelled() -> None:
            if not done.done():
                result(value)

        with suppress(RuntimeError):  # the loop has ended meanwhile
            loop.call_soon_threadsafe(set_unless_cancelled)

    def run() -> None:
        try:
            found = work()
        except BaseException as error:  # noqa: BLE001 - whoever waits must hear of it, or would wait for ever
            tell(done.set_exception, error)
        else:
            tell(done.set_result, found)

    threading.Thread(target=run, name="web", daemon=True).start()
    return await done


def _retrieved(task: asyncio.Task[Any]) -> None:
    """An error that nobody waits for any more is no news: whoever asks next hears of it."""
    if not task.cancelled():
        task.exception()
