"""Puts back what dead or silent processes had in hand: ticks, runs, and slots of destinations that nobody holds."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from sync import telemetry
from sync.daemon.service import pause
from sync.store import runs, slots, ticks
from sync.store.engine import Database

LOOK_EVERY = 2.0


class Rescuer:
    """A duty of the leader. ``on_rescued`` hears that there may be a tick to take."""

    name = "rescuer"

    def __init__(
        self, database: Database, destinations: Sequence[str], on_rescued: Callable[[], None] = lambda: None
    ) -> None:
        self._database = database
        self._destinations = destinations
        self._on_rescued = on_rescued

    async def run(self, stopping: asyncio.Event) -> None:
        """Rescue now and then."""
        while not stopping.is_set():
            if await asyncio.to_thread(self.rescue):
                self._on_rescued()
            await pause(stopping, LOOK_EVERY)

    def rescue(self) -> int:
        """Put back what can be; gives the number of ticks."""
        rescued = ticks.rescue(self._database)
        if rescued:
            telemetry.event("ticks.rescued", ticks=rescued)
        lost = runs.rescue(self._database)
        if lost:
            telemetry.event("runs.rescued", runs=lost)
        for name in self._destinations:
            users = slots.rescue(self._database, name)
            if users:
                telemetry.event("slots.rescued", destination=name, users=users)
        return rescued
