"""Deliver or forward from a command: drain every destination at once, and watch where somebody else does it."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import TypeVar

from sync.clock import Clock
from sync.deliver.delivered import Delivered
from sync.deliver.forwarded import Forwarded
from sync.deliver.garbage import few_collections
from sync.deliver.outlet import Outlet, dispatching
from sync.deliver.tenure import tenure
from sync.store import lanes, slots
from sync.store.engine import Database
from sync.store.leases import Held
from sync.store.slots import Backlog

_LOOK_EVERY = 0.5

_Done = TypeVar("_Done")


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


def forward(database: Database, outlets: Sequence[Outlet], clock: Clock, *, patience: float) -> list[Forwarded]:
    """Forward everything that is in the log for ``outlets``; waits for retries up to ``patience`` seconds without
    progress. Audience updates that an event has to wait for go out before. Signals are taken as by `deliver`.

    Where somebody else holds the destination, it is watched while that one forwards.
    """
    with few_collections():
        return asyncio.run(
            together(outlets, lambda outlet, stop: _forward_one(database, outlet, clock, patience, stop))
        )


async def _deliver(
    database: Database,
    outlets: Sequence[Outlet],
    clock: Clock,
    patience: float,
    on_progress: Callable[[Delivered], None] | None,
) -> list[Delivered]:
    return await together(
        outlets, lambda outlet, stopping: _one(database, outlet, clock, patience, on_progress, stopping)
    )


async def together(outlets: Sequence[Outlet], work: Callable[[Outlet, asyncio.Event], Awaitable[_Done]]) -> list[_Done]:
    """Work at all destinations at once."""
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        with suppress(RuntimeError, NotImplementedError):  # only the main thread may, and not on every system
            loop.add_signal_handler(number, stopping.set)
    # Not a task group: trouble at one destination must not cut off what is in flight at the others.
    ended = await asyncio.gather(*(work(outlet, stopping) for outlet in outlets), return_exceptions=True)
    done: list[_Done] = []
    for each in ended:
        if isinstance(each, BaseException):
            raise each
        done.append(each)
    return done


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
    first: Backlog | None = None
    watched = Delivered(name)
    while True:
        async with tenure(database, name, clock) as held:
            if not isinstance(held, Held):
                async with dispatching(database, outlet, clock, held, stopping, on_progress) as dispatcher:
                    done = await dispatcher.drain(held, patience)
                    done.add(watched)
                    return done
        with database.read() as connection:
            left = slots.backlog(connection, name)
        first = first or left
        watched.watch(held.holder, first, left)
        if least is None or left.owed < least:
            progress_at, least = clock.monotonic(), left.owed
        if not left.owed or stopping.is_set() or clock.monotonic() - progress_at >= patience:
            watched.stopped = f"{watched.elsewhere} is delivering" if left.owed else ""
            watched.backlog = left
            return watched
        await asyncio.sleep(_LOOK_EVERY)


async def _forward_one(
    database: Database, outlet: Outlet, clock: Clock, patience: float, stopping: asyncio.Event
) -> Forwarded:
    name = outlet.destination.name
    progress_at, least, parked_before = clock.monotonic(), None, None
    while True:
        async with tenure(database, name, clock) as held:
            if not isinstance(held, Held):
                async with dispatching(database, outlet, clock, held, stopping) as dispatcher:
                    return await dispatcher.forward(held, patience)
        with database.read() as connection:
            left = lanes.backlog(connection, name)
        parked_before = left.parked if parked_before is None else min(parked_before, left.parked)
        if least is None or left.owed < least:
            progress_at, least = clock.monotonic(), left.owed
        if not left.owed or stopping.is_set() or clock.monotonic() - progress_at >= patience:
            stopped = "" if not left.owed else f"process {held.holder.pid} on {held.holder.host} is delivering"
            # What another process parks meanwhile is told like what this one does.
            return Forwarded(name, parked=left.parked - parked_before, stopped=stopped, backlog=left)
        await asyncio.sleep(_LOOK_EVERY)
