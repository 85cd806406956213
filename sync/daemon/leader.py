"""One daemon among several does what must be done once: rescue, removals, upkeep, alerts.

Leadership is a lease by the store's clock, trusted for less long than others wait for it. Every duty is harmless when
two daemons do it at once, so a leader that was frozen does no damage in the moment until it notices.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from sync import telemetry
from sync.clock import Clock
from sync.daemon.generation import Generation
from sync.daemon.service import Service, pause, supervise
from sync.deliver.tenure import LEASE_SECONDS, Tenure
from sync.errors import StoreUnavailable
from sync.store import leases
from sync.store.engine import Database
from sync.store.leases import Held, Lease
from sync.web import Vitals

LEASE = "leader"
LOOK_EVERY = 0.5
"""Seconds between two tries to become leader, and between two looks whether one still is."""

PATIENCE = 5.0
"""Seconds for duties to end when leadership does; what is under way then is cut off."""


class Leader:
    """Runs ``duties`` while this daemon leads. A daemon whose configuration is outdated does not."""

    name = "leader"

    def __init__(
        self, database: Database, generation: Generation, clock: Clock, vitals: Vitals, duties: Sequence[Service]
    ) -> None:
        self._database = database
        self._vitals = vitals
        self._generation = generation
        self._clock = clock
        self._duties = duties

    async def run(self, stopping: asyncio.Event) -> None:
        """Lead whenever nobody else does."""
        while not stopping.is_set():
            if not self._generation.outdated:
                started = self._clock.monotonic()
                lease = await asyncio.to_thread(leases.acquire, self._database, LEASE, LEASE_SECONDS)
                if not isinstance(lease, Held):
                    await self._lead(lease, Tenure(self._clock, started), stopping)
            await pause(stopping, LOOK_EVERY)

    async def _lead(self, lease: Lease, tenure: Tenure, stopping: asyncio.Event) -> None:
        telemetry.event("leader.began", term=lease.term)
        over = asyncio.Event()
        keeper = asyncio.create_task(tenure.keep(self._database, lease))
        duties = [asyncio.create_task(supervise(duty, over, self._vitals)) for duty in self._duties]
        try:
            while tenure.holds() and not stopping.is_set() and not self._generation.outdated:
                await pause(stopping, LOOK_EVERY)
        finally:
            over.set()
            keeper.cancel()
            await self._release(lease)
            await _ended(duties)
            telemetry.event("leader.ended", term=lease.term)

    async def _release(self, lease: Lease) -> None:
        """At once: what a duty is still doing may be done twice."""
        try:
            await asyncio.to_thread(leases.release, self._database, lease)
        except StoreUnavailable as error:
            telemetry.event("lease.not_released", level=logging.WARNING, lease=lease.name, reason=str(error))


async def _ended(duties: Sequence[asyncio.Task[None]]) -> None:
    if duties:
        _, unfinished = await asyncio.wait(duties, timeout=PATIENCE)
        for each in unfinished:
            each.cancel()
        await asyncio.gather(*duties, return_exceptions=True)
