"""Deliver from a command: drain every destination at once, and watch where somebody else is delivering."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Sequence
from contextlib import suppress

from sync.clock import Clock
from sync.deliver.delivered import Delivered
from sync.deliver.garbage import few_collections
from sync.deliver.outlet import Outlet, dispatching
from sync.deliver.tenure import tenure
from sync.store import slots
from sync.store.engine import Database
from sync.store.leases import Held

_LOOK_EVERY = 0.5


def deliver(
    database: Database,
    outlets: Sequence[Outlet],
    clock: Clock,
    *,
    patience: float,
    on_progress: Callable[[Delivered], None] | None = None,
) -> list[Delivered]:
    """Deliver everything owed to ``outlets``; waits for retries and confirmations up to ``patience`` seconds without
    progress. SIGINT and SIGTERM end it in good order: what is in flight is settled, the rest stays owed."""
    with few_collections():
        return asyncio.run(_deliver(database, outlets, clock, patience, on_progress))


async def _deliver(
    database: Database,
    outlets: Sequence[Outlet],
    clock: Clock,
    patience: float,
    on_progress: Callable[[Delivered], None] | None,
) -> list[Delivered]:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        with suppress(RuntimeError, NotImplementedError):  # only the main thread may, and not on every system
            loop.add_signal_handler(number, stopping.set)
    # Not a task group: trouble at one destination must not cut off what is in flight at the others.
    ended = await asyncio.gather(
        *(_one(database, outlet, clock, patience, on_progress, stopping) for outlet in outlets), return_exceptions=True
    )
    delivered = [each for each in ended if isinstance(each, Delivered)]
    for each in ended:
        if isinstance(each, BaseException):
            raise each
    return delivered


async def _one(
    database: Database,
    outlet: Outlet,
    clock: Clock,
    patience: float,
    on_progress: Callable[[Delivered], None] | None,
    stopping: asyncio.Event,
) -> Delivered:
    name = outlet.destination.name
    progress_at, least = clock.monotonic(), None
    while True:
        async with tenure(database, name, clock) as held:
            if not isinstance(held, Held):
                async with dispatching(database, outlet, clock, stopping, on_progress) as dispatcher:
                    return await dispatcher.drain(held, patience)
        with database.read() as connection:
            left = slots.backlog(connection, name)
        if least is None or left.owed < least:
            progress_at, least = clock.monotonic(), left.owed
        if not left.owed or stopping.is_set() or clock.monotonic() - progress_at >= patience:
            stopped = "" if not left.owed else f"process {held.holder.pid} on {held.holder.host} is delivering"
            return Delivered(name, stopped=stopped, backlog=left)
        await asyncio.sleep(_LOOK_EVERY)
