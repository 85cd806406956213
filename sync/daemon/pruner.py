"""Keeps the store small: throws away old history, empties SQLite's log, names who keeps PostgreSQL from cleaning up."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection

from sync import telemetry
from sync.clock import Clock
from sync.daemon.service import pause
from sync.model.retention import Retention
from sync.store import upkeep
from sync.store.engine import Database
from sync.store.upkeep import Pruned

PRUNE_EVERY = 3600.0
LOOK_EVERY = 60.0
"""Seconds between two looks for a transaction that has been open for long."""

OLD_TRANSACTION = 600.0
"""Seconds after which an open transaction is worth a line: by then dead rows of the outbox pile up behind it."""


class Pruner:
    """A duty of the leader: prunes at once and then every hour."""

    name = "pruner"

    def __init__(
        self, database: Database, retention: Retention, clock: Clock, destinations: Collection[str] | None = None
    ) -> None:
        self._database = database
        self._retention = retention
        self._clock = clock
        self._destinations = destinations
        self._told_of: int | None = None

    async def run(self, stopping: asyncio.Event) -> None:
        """Prune and look now and then. A stop waits for one batch, not for all of them."""
        prune_at = self._clock.monotonic()
        while not stopping.is_set():
            if self._clock.monotonic() >= prune_at:
                prune_at = self._clock.monotonic() + PRUNE_EVERY
                await asyncio.to_thread(self.prune, lambda: not stopping.is_set())
            await asyncio.to_thread(self.look)
            await pause(stopping, LOOK_EVERY)

    def prune(self, go_on: Callable[[], bool] = lambda: True) -> Pruned:
        """Throw away what is old, a batch at a time, while ``go_on`` says so. Raises `StoreError`."""
        began = self._clock.monotonic()
        pruned = upkeep.prune(self._database, self._retention, destinations=self._destinations, go_on=go_on)
        emptied = upkeep.checkpoint(self._database)
        telemetry.event(
            "store.pruned",
            runs=pruned.runs,
            attempts=pruned.attempts,
            ticks=pruned.ticks,
            events=pruned.events,
            outcomes=pruned.outcomes,
            log_emptied=emptied,
            seconds=round(self._clock.monotonic() - began, 3),
        )
        return pruned

    def look(self) -> None:
        """Name a transaction that has been open for long, once. Raises `StoreError`."""
        with self._database.read() as connection:
            oldest = upkeep.oldest_transaction(connection)
        if oldest is None or oldest.age.total_seconds() < OLD_TRANSACTION:
            self._told_of = None
        elif oldest.pid != self._told_of:
            self._told_of = oldest.pid
            telemetry.event(
                "store.old_transaction",
                level=logging.WARNING,
                minutes=int(oldest.age.total_seconds() // 60),
                pid=oldest.pid,
                application=oldest.application,
            )
