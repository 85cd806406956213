"""Group commit: everybody who waits shares the next transaction, and hears of it once it is durable.

One transaction runs at a time, in a thread of its own; while it does, the next ones gather. A request's events are never
divided, so that it is recorded whole or not at all.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from sync import telemetry
from sync.errors import StoreError
from sync.model.event import LoggedEvent
from sync.store.events import Recorded

MOST_EVENTS = 2_000
MOST_BYTES = 4 * 1024 * 1024
"""After which no further request joins a transaction."""

Record = Callable[[Sequence[LoggedEvent]], Recorded]


class Unrecorded(Exception):
    """Nothing of the request is durable; the client may try again."""


@dataclass(slots=True)
class _Request:
    events: Sequence[LoggedEvent]
    size: int
    durable: asyncio.Future[None]


class Committer:
    """Records what requests bring. ``record`` may be replaced at any time; ``on_recorded`` hears after each commit."""

    def __init__(self, record: Record, on_recorded: Callable[[], None] = lambda: None) -> None:
        self.record = record
        self.on_recorded = on_recorded
        self._waiting: deque[_Request] = deque()
        self._working: asyncio.Task[None] | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="collect")
        self._away = False

    async def durable(self, events: Sequence[LoggedEvent], size: int) -> None:
        """Return when they are. Raises `Unrecorded` when they are not, and will not be by this call."""
        request = _Request(events, size, asyncio.get_running_loop().create_future())
        self._waiting.append(request)
        if self._working is None:
            self._working = asyncio.create_task(self._work())
        await request.durable

    async def drained(self) -> None:
        """Return when nobody waits any more."""
        while self._working is not None:
            await asyncio.shield(self._working)

    def close(self) -> None:
        """Give the thread back."""
        self._thread.shutdown(wait=False)

    async def _work(self) -> None:
        try:
            while self._waiting:
                await self._commit(self._group())
        finally:
            self._working = None

    def _group(self) -> list[_Request]:
        group = [self._waiting.popleft()]
        events, size = len(group[0].events), group[0].size
        while self._waiting:
            events, size = events + len(self._waiting[0].events), size + self._waiting[0].size
            if events > MOST_EVENTS or size > MOST_BYTES:
                break
            group.append(self._waiting.popleft())
        return group

    async def _commit(self, group: list[_Request]) -> None:
        """Record a group; one that fails for no reason of the store's is tried request by request."""
        events = [event for request in group for event in request.events]
        try:
            recorded = await asyncio.get_running_loop().run_in_executor(self._thread, self.record, events)
        except StoreError as error:
            self._failed(group, str(error))
        except Exception as error:  # noqa: BLE001 - a mistake of ours about one request must not lose the others
            if len(group) > 1:
                for request in group:
                    await self._commit([request])
                return
            self._failed(group, f"a mistake of engage-sync: {type(error).__name__}")
        else:
            self._succeeded(group, recorded)

    def _succeeded(self, group: list[_Request], recorded: Recorded) -> None:
        telemetry.step("collect.committed", requests=len(group), events=recorded.new, duplicates=recorded.duplicates)
        if self._away:
            self._away = False
            telemetry.event("collect.with_store")
        if recorded.duplicates:
            telemetry.count("collect_duplicates", recorded.duplicates)
        if recorded.suppressed:
            telemetry.count("collect_suppressed", recorded.suppressed)
        for request in group:
            if not request.durable.done():
                request.durable.set_result(None)
        self.on_recorded()

    def _failed(self, group: list[_Request], reason: str) -> None:
        if not self._away:
            self._away = True
            telemetry.event("collect.without_store", level=logging.ERROR, reason=reason)
        for request in group:
            if not request.durable.done():
                request.durable.set_exception(Unrecorded(reason))
