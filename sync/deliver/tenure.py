"""Hold a destination: take its lease, renew it in time, and know at every instant whether it may still be trusted."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sync import telemetry
from sync.clock import Clock
from sync.errors import StoreUnavailable
from sync.store import leases, slots
from sync.store.engine import Database
from sync.store.leases import Held, Lease

LEASE_SECONDS = 15.0
RENEW_EVERY = 5.0
MARGIN = 1.0
"""A lease is trusted until (start of the last renewal + its length - margin), by this process's monotonic clock."""


class Tenure:
    """A destination that is ours for the time being. ``after_death``: its former holder has been proven dead."""

    def __init__(self, clock: Clock, taken_at: float, *, after_death: bool = False) -> None:
        self.after_death = after_death
        self._clock = clock
        self._trusted_until = taken_at + LEASE_SECONDS - MARGIN
        self._lost = False

    def holds(self) -> bool:
        """Whether the destination may still be taken for ours."""
        return not self._lost and self._clock.monotonic() < self._trusted_until

    @property
    def why_lost(self) -> str:
        """Why it does not hold any more: nobody else need have it."""
        if self._lost:
            return "another process took the destination over"
        return "its lease ran out and could not be renewed in time"

    async def keep(self, database: Database, lease: Lease) -> None:
        """Renew until cancelled, or until the lease is somebody else's."""
        while True:
            await asyncio.sleep(RENEW_EVERY)
            started = self._clock.monotonic()
            try:
                renewed = await asyncio.to_thread(leases.renew, database, lease, LEASE_SECONDS)
            except StoreUnavailable as error:
                telemetry.event("lease.not_renewed", level=logging.WARNING, lease=lease.name, reason=str(error))
                continue
            if not renewed:
                self._lost = True
                telemetry.event("lease.lost", level=logging.WARNING, lease=lease.name)
                return
            self._trusted_until = started + LEASE_SECONDS - MARGIN


@asynccontextmanager
async def tenure(database: Database, destination: str, clock: Clock) -> AsyncIterator[Tenure | Held]:
    """Try to take ``destination``: a `Tenure` that is kept for the block, or who holds it now.

    When its former holder was proven dead, what that one was sending counts as unknown at once.
    """
    started = clock.monotonic()
    lease = await asyncio.to_thread(leases.acquire, database, f"destination:{destination}", LEASE_SECONDS)
    if isinstance(lease, Held):
        yield lease
        return
    if lease.from_dead:
        rescued = await asyncio.to_thread(lambda: slots.rescue(database, destination, all_of_them=True))
        if rescued:
            telemetry.event("slots.rescued", destination=destination, users=rescued)
    mine = Tenure(clock, started, after_death=lease.from_dead)
    keeper = asyncio.create_task(mine.keep(database, lease))
    try:
        yield mine
    finally:
        keeper.cancel()
        await asyncio.gather(keeper, return_exceptions=True)
        try:
            await asyncio.to_thread(leases.release, database, lease)
        except StoreUnavailable as error:
            # It runs out by itself; what was done meanwhile matters more than giving it back a little sooner.
            telemetry.event("lease.not_released", level=logging.WARNING, lease=lease.name, reason=str(error))
