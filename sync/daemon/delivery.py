"""Deliver to one destination from the daemon: hold it while nobody else does, and send whatever comes to be owed there,
audience updates and events.

Several daemons have the same destination, and one of them holds it. What it knows of the destination (rate, concurrency,
breaker) lives as long as it holds it, through busy and idle times. A fault of the settings does not end that: who
gives the destination up would only have another daemon make the same mistake.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from sync import telemetry
from sync.clock import Clock
from sync.daemon.service import pause
from sync.deliver.dispatcher import Dispatcher
from sync.deliver.garbage import few_collections
from sync.deliver.outlet import Outlet, dispatching
from sync.deliver.tenure import Tenure, tenure
from sync.store import forwarding
from sync.store.engine import Database
from sync.store.holder import Holder
from sync.store.leases import Held

LOOK_EVERY = 1.0
"""Seconds between two tries to take the destination, and between two looks whether our configuration is still the newest."""


class DeliveryService:
    """Delivers to ``outlet``. One that is no longer ``is_current`` (its configuration is outdated) leaves it to others."""

    def __init__(
        self, database: Database, outlet: Outlet, clock: Clock, *, is_current: Callable[[], bool] = lambda: True
    ) -> None:
        self.name = f"delivery-{outlet.destination.name}"
        self._destination = outlet.destination.name
        self._database = database
        self._outlet = outlet
        self._clock = clock
        self._is_current = is_current
        self._dispatcher: Dispatcher | None = None
        self._other: Holder | None = None

    def nudge(self) -> None:
        """Something was recorded: look now. Without the destination there is nothing to look at."""
        if self._dispatcher is not None:
            self._dispatcher.nudge()

    async def run(self, stopping: asyncio.Event) -> None:
        """Hold the destination and deliver whenever nobody else does. Raises `StoreUnavailable` when the store stays away.

        From now on it gets events as well: what is recorded before a daemon first knows a destination is not for it.
        """
        await asyncio.to_thread(forwarding.begin, self._database, [self._destination])
        while not stopping.is_set():
            if self._is_current():
                async with tenure(self._database, self._destination, self._clock) as held:
                    if isinstance(held, Held):
                        self._wait_for(held.holder)
                    else:
                        self._other = None
                        await self._hold(held, stopping)
            await pause(stopping, LOOK_EVERY)

    async def _hold(self, held: Tenure, stopping: asyncio.Event) -> None:
        telemetry.event("delivery.began", destination=self._destination)
        over = asyncio.Event()
        watcher = asyncio.create_task(self._watch(stopping, over))
        try:
            with few_collections():
                reason = await self._serve(held, over)
        finally:
            watcher.cancel()
        level = logging.INFO if over.is_set() else logging.WARNING
        telemetry.event("delivery.ended", level=level, destination=self._destination, reason=reason)

    async def _serve(self, held: Tenure, over: asyncio.Event) -> str:
        """Deliver until ``over``, or until the destination is lost; says which."""
        async with dispatching(
            self._database, self._outlet, self._clock, held, over, told="told to stop"
        ) as dispatcher:
            self._dispatcher = dispatcher
            try:
                return (await dispatcher.serve(held)).stopped
            finally:
                self._dispatcher = None

    async def _watch(self, stopping: asyncio.Event, over: asyncio.Event) -> None:
        while self._is_current() and not stopping.is_set():
            await pause(stopping, LOOK_EVERY)
        over.set()

    def _wait_for(self, holder: Holder) -> None:
        """Say once who holds the destination: another daemon, or this one under a configuration that it is leaving."""
        if holder != self._other:
            self._other = holder
            telemetry.event("delivery.elsewhere", destination=self._destination, host=holder.host, pid=holder.pid)
