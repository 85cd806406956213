"""Reads new rows of a customer's table as events, every so often."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection

from sync import telemetry
from sync.daemon.service import pause
from sync.model.feed import EventsTable, Forward
from sync.refresh.feed import Feed, Polled
from sync.source.connection import Source
from sync.store import forwarding
from sync.store.engine import Database

AT_ONCE = 2
"""Tables that one daemon reads at once: each reading takes a thread and a connection to its source."""


class Feeder:
    """A duty of the leader, for one table. ``turns`` bounds how many of them read at once.

    What it records is for ``destinations``, also when nobody has sent anything there yet.
    """

    def __init__(
        self,
        database: Database,
        source_name: str,
        open_source: Callable[[str], Source],
        table: EventsTable,
        destinations: Collection[str],
        turns: asyncio.Semaphore,
        on_recorded: Callable[[], None] = lambda: None,
    ) -> None:
        self.name = f"feed {table.feed_name(source_name)}"
        self._database = database
        self._source_name = source_name
        self._open_source = open_source
        self._table = table
        self._destinations = destinations
        self._turns = turns
        self._on_recorded = on_recorded
        self._told: set[str] = set()

    async def run(self, stopping: asyncio.Event) -> None:
        """Look now and then. A stop waits for one batch."""
        forward = self._table.forward or Forward()
        feed = Feed(self._database, self._open_source(self._source_name), self._table)
        await asyncio.to_thread(forwarding.begin, self._database, self._destinations)
        while not stopping.is_set():
            async with self._turns:
                polled = await asyncio.to_thread(feed.poll, lambda: not stopping.is_set())
            self._tell(feed.name, polled)
            await pause(stopping, forward.every)

    def _tell(self, feed: str, polled: Polled) -> None:
        if polled.new:
            telemetry.count("feed_events", polled.new, feed=feed)
            self._on_recorded()
        for reason, rows in polled.skipped.items():
            telemetry.count("feed_rows_skipped", rows, feed=feed)
            if reason not in self._told:
                self._told.add(reason)
                telemetry.event("feed.rows_skipped", level=logging.WARNING, feed=feed, rows=rows, reason=reason)
