"""Wait, in a command, until the destinations have deleted a user: tell those that nobody holds, watch the others.

A destination is held only while something can be done there: as long as a deletion waits (for what is on its way about the
user, or after a failure) everybody else may deliver, and whoever does tells the destination as well.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from sync.clock import Clock
from sync.deliver.channel import Channel
from sync.deliver.deleter import Deleter
from sync.deliver.foreground import together
from sync.deliver.outlet import Outlet
from sync.deliver.patience import wait_for
from sync.deliver.tenure import tenure
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
    database: Database, outlets: Sequence[Outlet], clock: Clock, forgetting_id: int, *, until: float
) -> list[Told]:
    """See one forgetting through at ``outlets``; waits until the clock's monotonic time is ``until``.

    What is due is tried once at least. Others that are owed there are told on the way. SIGINT and SIGTERM end the waiting; what
    is owed stays owed.
    """
    work = _Work(database, clock, forgetting_id, until)
    return asyncio.run(together(outlets, work.at))


class _Work:
    """One forgetting, at any of its destinations."""

    def __init__(self, database: Database, clock: Clock, forgetting_id: int, until: float) -> None:
        self._database = database
        self._clock = clock
        self._forgetting_id = forgetting_id
        self._until = until

    async def at(self, outlet: Outlet, stopping: asyncio.Event) -> Told:
        """See it through at one destination."""
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
            return await self._see_through(name, deleter, channel, stopping)

    async def _see_through(self, name: str, deleter: Deleter, channel: Channel, stopping: asyncio.Event) -> Told:
        while True:
            found, elsewhere = await self._look(name), ""
            if found.state is State.OWED and found.seconds <= 0:
                elsewhere = await self._tell(name, deleter, stopping)
                found = await self._look(name)
            if found.state is not State.OWED:
                return Told(name, found.state, found.reason)
            if deleter.fault:
                return Told(name, found.state, found.reason, f"{deleter.fault}: mend its settings")
            if stopping.is_set():
                return Told(name, found.state, found.reason, "stopped")
            if self._clock.monotonic() >= self._until:
                return Told(name, found.state, found.reason, elsewhere or _why_owed(found, channel))
            await wait_for(stopping, _LOOK_EVERY)

    async def _tell(self, name: str, deleter: Deleter, stopping: asyncio.Event) -> str:
        """Tell the destination what is due; or who else is to do that."""
        async with tenure(self._database, name, self._clock) as held:
            if isinstance(held, Held):
                return f"process {held.holder.pid} on {held.holder.host} is delivering"
            await deleter.delete_some(lambda: held.holds() and not stopping.is_set())
        return ""

    async def _look(self, name: str) -> Standing:
        found = await asyncio.to_thread(deletions.standing, self._database, self._forgetting_id)
        return next(each for each in found if each.destination == name)


def _why_owed(found: Standing, channel: Channel) -> str:
    if not found.attempts and found.seconds > 0:
        return f"something about the user is on its way there, and has arrived in {math.ceil(found.seconds)} s at the latest"
    trouble = f" (last: {channel.trouble})" if channel.trouble else ""
    return f"it was not accepted in time{trouble}"
