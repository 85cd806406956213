"""Wait, in a command, until the destinations have deleted a user: tell those that nobody holds, watch the others."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from sync.clock import Clock
from sync.deliver.channel import Channel
from sync.deliver.deleter import Deleter
from sync.deliver.foreground import together
from sync.deliver.outlet import Outlet
from sync.deliver.patience import wait_for
from sync.deliver.tenure import Tenure, tenure
from sync.deliver.transport import AiohttpTransport
from sync.store import deletions
from sync.store.deletions import Standing, State
from sync.store.engine import Database
from sync.store.leases import Held

_LOOK_EVERY = 0.5


@dataclass(frozen=True, slots=True)
class Told:
    """How a deletion stands at a destination. ``stopped``: why nobody waits for it any more."""

    destination: str
    state: State
    reason: str | None
    stopped: str = ""


def delete(
    database: Database, outlets: Sequence[Outlet], clock: Clock, forgetting_id: int, *, patience: float
) -> list[Told]:
    """See one forgetting through at ``outlets``; waits up to ``patience`` seconds from when the deletions are due.

    Others that are owed there are told on the way. SIGINT and SIGTERM end the waiting; what is owed stays owed.
    """
    work = _Work(database, clock, forgetting_id, patience)
    return asyncio.run(together(outlets, work.at))


class _Work:
    """One forgetting, at any of its destinations."""

    def __init__(self, database: Database, clock: Clock, forgetting_id: int, patience: float) -> None:
        self._database = database
        self._clock = clock
        self._forgetting_id = forgetting_id
        self._patience = patience

    async def at(self, outlet: Outlet, stopping: asyncio.Event) -> Told:
        """See it through at one destination."""
        name = outlet.destination.name
        first = await self._look(name)
        until = self._clock.monotonic() + max(0.0, first.seconds) + self._patience
        while True:
            async with tenure(self._database, name, self._clock) as held:
                if isinstance(held, Held):
                    waiting_for = f"process {held.holder.pid} on {held.holder.host} is delivering"
                else:
                    return await self._tell(outlet, held, stopping, until)
            found = await self._look(name)
            if found.state is not State.OWED:
                return Told(name, found.state, found.reason)
            if stopping.is_set() or self._clock.monotonic() >= until:
                return Told(name, found.state, found.reason, waiting_for)
            await wait_for(stopping, _LOOK_EVERY)

    async def _tell(self, outlet: Outlet, held: Tenure, stopping: asyncio.Event, until: float) -> Told:
        name, settings = outlet.destination.name, outlet.settings
        random = Random()  # noqa: S311 - spreads retries, guards nothing
        async with AiohttpTransport(settings.concurrency) as transport:
            channel = Channel(
                name,
                outlet.destination.read_answer,
                settings,
                transport,
                self._clock,
                random,
                on_breaker=lambda _: None,
            )
            deleter = Deleter(self._database, outlet.destination, settings, channel, self._clock, random)
            while True:
                await deleter.delete_some(lambda: held.holds() and not stopping.is_set())
                found = await self._look(name)
                if found.state is not State.OWED:
                    return Told(name, found.state, found.reason)
                if deleter.fault:
                    return Told(name, found.state, found.reason, f"{deleter.fault}: mend its settings")
                if stopping.is_set() or not held.holds():
                    return Told(name, found.state, found.reason, "stopped")
                if self._clock.monotonic() >= until:
                    trouble = f" (last: {channel.trouble})" if channel.trouble else ""
                    return Told(name, found.state, found.reason, f"it was not accepted in time{trouble}")
                await wait_for(stopping, _LOOK_EVERY)

    async def _look(self, name: str) -> Standing:
        found = await asyncio.to_thread(deletions.standing, self._database, self._forgetting_id)
        return next(each for each in found if each.destination == name)
