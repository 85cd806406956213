"""Group commit for events: what becomes of runs while one settlement is written goes together into the next.

The same task looks whether somebody has changed what waits: between two settlements, so that what memory knows and what
the store knows can be compared.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from itertools import takewhile

from sync import telemetry
from sync.deliver.arrival import Arrival
from sync.deliver.courier import Run
from sync.deliver.persistence import persistently
from sync.deliver.window import Lane, Window
from sync.store import lanes
from sync.store.engine import Database
from sync.store.lanes import Settlement

LOOK_EVERY = 2.0
"""Seconds between two looks at what waits in the store."""


class Ledger:
    """Writes what became of one destination's events, in the order in which runs ended.

    ``on_settled`` is told after each run has been written, with the events of each of its lanes that have been settled;
    ``look`` is called now and then; ``on_lost`` once, when somebody else forwards now.
    """

    def __init__(
        self,
        database: Database,
        destination: str,
        token: str,
        window: Window,
        *,
        on_settled: Callable[[Run, list[Arrival]], None],
        look: Callable[[], Awaitable[None]],
        on_lost: Callable[[], None],
    ) -> None:
        self._database = database
        self._destination = destination
        self._token = token
        self._window = window
        self._on_settled = on_settled
        self._look = look
        self._on_lost = on_lost
        self._waiting: list[Run] = []
        self._wake = asyncio.Event()
        self._look_now = False
        self._idle = asyncio.Event()
        self._idle.set()
        self.lost = False

    def add(self, run: Run) -> None:
        """Hand over one run; returns at once."""
        self._waiting.append(run)
        self._idle.clear()
        self._wake.set()

    def look(self) -> None:
        """Look at what waits as soon as may be."""
        self._look_now = True
        self._wake.set()

    async def flush(self) -> None:
        """Wait until everything handed over so far is written."""
        await self._idle.wait()

    async def run(self) -> None:
        """Write until cancelled. Raises `StoreUnavailable` when the store stays away."""
        while True:
            await self._wait()
            batch, self._waiting = self._waiting, []
            if batch:
                await self._settle(batch)
            if not batch or self._look_now:
                self._look_now = False
                await self._look()
            if not self._waiting:
                self._idle.set()

    async def _wait(self) -> None:
        try:
            async with asyncio.timeout(LOOK_EVERY):
                await self._wake.wait()
        except TimeoutError:
            return
        self._wake.clear()

    async def _settle(self, batch: list[Run]) -> None:
        settled = [settled_of(run) for run in batch]
        settlements = [each.settled for some in settled for each in some if each.settled is not None]
        cursors = {each.lane: each.id for some in settled for each in some if not each.was_held}
        if settlements and not self.lost:
            self.lost = not await self._write(settlements, cursors)
            if self.lost:
                self._on_lost()
            else:
                telemetry.step("forward.settled", events=len(settlements))
        for run, some in zip(batch, settled, strict=True):
            self._on_settled(run, [] if self.lost else some)

    async def _write(self, settlements: list[Settlement], cursors: dict[int, int]) -> bool:
        floor = self._window.floor()
        return await persistently(
            lambda: lanes.settle(self._database, self._destination, self._token, settlements, cursors, floor), "settle"
        )


def settled_of(run: Run) -> list[Arrival]:
    """What can be settled of a run: of each lane the events up to the first one that was left as it is; of held ones all
    of which is known what became of them."""
    if not run.lanes:
        return [each for each in run.arrivals if each.settled is not None]
    found: list[Arrival] = []
    for lane in run.lanes:
        of_lane = of(lane, run.arrivals)
        found += takewhile(lambda each: each.settled is not None, of_lane)
    return found


def of(lane: Lane, arrivals: list[Arrival]) -> list[Arrival]:
    """The events of one lane, in order."""
    return [each for each in arrivals if each.lane == lane.number]
