"""Sees through what `user forget` and deletions from webhooks began: the sweep of the log, the overwriting of bytes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path

from sync import telemetry
from sync.clock import Clock
from sync.daemon.service import pause
from sync.errors import StoreUnavailable
from sync.store import forgetting
from sync.store.engine import Database

LOOK_EVERY = 3.0

PURGE_EVERY = 3600.0
"""Seconds between two times that SQLite's file is written anew."""

LARGEST = 1024**3
"""Bytes of a file that is written anew by itself: meanwhile nobody else can write. A larger one waits for a command."""


class Eraser:
    """A duty of the leader. Doing it twice at once does no harm."""

    name = "eraser"

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._purge_at = clock.monotonic()
        self._told = False

    async def run(self, stopping: asyncio.Event) -> None:
        """Look now and then."""
        while not stopping.is_set():
            await asyncio.to_thread(self.sweep, lambda: not stopping.is_set())
            if self._clock.monotonic() >= self._purge_at:
                await asyncio.to_thread(self.purge)
            await pause(stopping, LOOK_EVERY)

    def sweep(self, go_on: Callable[[], bool] = lambda: True) -> None:
        """Sweep what has not been swept. Raises `StoreError`."""
        for number in forgetting.unswept(self._database):
            if not forgetting.sweep(self._database, number, go_on=go_on):
                return

    def purge(self) -> None:
        """Overwrite what was removed, if anything was. Raises `StoreError`."""
        if not forgetting.purgeable(self._database):
            return
        if self._size() > LARGEST:
            if not self._told:
                self._told = True
                telemetry.event("store.not_overwritten", level=logging.WARNING, reason="the file is large")
            return
        try:
            done = forgetting.purge(self._database)
        except StoreUnavailable:  # somebody is writing for long
            done = False
        self._purge_at = self._clock.monotonic() + (PURGE_EVERY if done else LOOK_EVERY)

    def _size(self) -> int:
        name = self._database.engine.url.database
        return Path(name).stat().st_size if self._database.dialect == "sqlite" and name else 0
