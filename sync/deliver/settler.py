"""Group commit: outcomes that arrive while one settle is being written go together into the next."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from sync import telemetry
from sync.deliver.persistence import persistently
from sync.store import slots
from sync.store.engine import Database
from sync.store.slots import Settlement


class Settler:
    """Writes settlements of one destination, in the order they came, never two batches at once."""

    def __init__(
        self, database: Database, destination: str, quiet_period: float, on_settled: Callable[[list[Settlement]], None]
    ) -> None:
        self._database = database
        self._destination = destination
        self._quiet_period = quiet_period
        self._on_settled = on_settled
        self._waiting: list[Settlement] = []
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self.owed_anew = 0

    def add(self, settlement: Settlement) -> None:
        """Hand over one outcome; returns at once."""
        self._waiting.append(settlement)
        self._idle.clear()
        self._wake.set()

    async def flush(self) -> None:
        """Wait until everything handed over so far is written."""
        await self._idle.wait()

    async def run(self) -> None:
        """Write batches until cancelled. Raises `StoreUnavailable` when the store stays away."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            batch, self._waiting = self._waiting, []
            if batch:
                await self._settle(batch)
                self._on_settled(batch)
            if not self._waiting:
                self._idle.set()

    async def _settle(self, batch: list[Settlement]) -> None:
        self.owed_anew += await persistently(
            lambda: slots.settle(self._database, self._destination, batch, self._quiet_period), "settle"
        )
        telemetry.step("deliver.settled", users=len(batch))
