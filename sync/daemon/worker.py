"""Takes ticks, one at a time, and does what they ask: one refresh each.

A tick is held by a lease that is renewed while the refresh lasts. A worker that dies leaves it to the rescuer, who
knows from the store whether the refresh was recorded. What can go well later is tried again with growing delays, but
never past the next instant of the schedule, whose own tick does the same and more.

A refresh may take long. When its configuration is replaced, it is not waited for: its tick is given back at once, for
whoever has the newer one, and it can record nothing any more.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from datetime import timedelta

from sync import telemetry
from sync.config.schedule import Schedule
from sync.daemon.generation import Generation
from sync.daemon.service import origin, pause
from sync.daemon.storetime import StoreTime
from sync.deliver.persistence import persistently
from sync.errors import RunBusy, RunLost, RunSuperseded, StoreUnavailable, SyncError
from sync.model.definition import Definition
from sync.model.tick import ClaimedTick, TickState
from sync.refresh.run import Refreshed
from sync.store import ticks
from sync.store.engine import Database
from sync.web.look import in_thread

LOOK_EVERY = 1.0
"""Seconds between two looks for a tick, when nobody says that there is one."""

LEASE_SECONDS = 30.0
BEAT_EVERY = 10.0
BUSY_DELAY = 5.0
"""Seconds until a tick whose definition somebody else is refreshing is looked at again."""

GLANCE_EVERY = 0.2
"""Seconds between two looks whether the refresh under way is still wanted."""

DELAYS = (30.0, 60.0, 120.0, 240.0)
"""Seconds between tries of one tick: five in all."""

GIVEN_BACK = "the configuration was replaced meanwhile: nothing was recorded by this run, which is begun anew"

Refresh = Callable[[Definition, ClaimedTick], Refreshed]


class Worker:
    """One pair of hands. ``refresh`` does one tick's work, in a thread; ``on_recorded`` hears of each that was recorded.

    ``give_up`` ends the work of a tick that was given back, if there is a way; it must not wait for that.
    """

    def __init__(
        self,
        name: str,
        database: Database,
        definitions: Mapping[str, Definition],
        schedules: Mapping[str, Schedule],
        refresh: Refresh,
        generation: Generation,
        time: StoreTime,
        *,
        on_recorded: Callable[[Refreshed], None] = lambda _: None,
        give_up: Callable[[ClaimedTick], None] = lambda _: None,
    ) -> None:
        self.name = name
        self._database = database
        self._definitions = definitions
        self._schedules = schedules
        self._refresh = refresh
        self._generation = generation
        self._time = time
        self._on_recorded = on_recorded
        self._give_up = give_up
        self._nudged = asyncio.Event()

    def nudge(self) -> None:
        """There is a tick."""
        self._nudged.set()

    async def run(self, stopping: asyncio.Event) -> None:
        """Take ticks until stopped; the one in hand is finished first, unless its configuration was replaced."""
        while not stopping.is_set():
            tick = await asyncio.to_thread(self._claim)
            if tick is None:
                await pause(stopping, LOOK_EVERY, self._nudged)
            else:
                await self.work(tick)

    def _claim(self) -> ClaimedTick | None:
        if self._generation.outdated:
            return None
        return ticks.claim(self._database, list(self._definitions), self._generation.number, LEASE_SECONDS)

    async def work(self, tick: ClaimedTick) -> None:
        """Do what one tick asks, and write down what became of it."""
        telemetry.step("tick.claimed", definition=tick.key, instant=tick.instant)
        beat = asyncio.create_task(self._beat(tick))
        try:
            done = await self._refreshed(tick)
        except RunSuperseded as error:
            await self._again(tick, 0.0, error, failed=False)
        except (RunBusy, RunLost) as error:
            # Somebody else has it in hand; when that was this very tick's run, the next claim finds it recorded.
            await self._again(tick, BUSY_DELAY, error, failed=False)
        except SyncError as error:
            await self._failed(tick, error)
        except Exception as error:  # noqa: BLE001 - a mistake of ours in one definition must not stop the others
            reason = f"{type(error).__name__} at {origin(error)}"
            telemetry.event("tick.failed", level=logging.ERROR, definition=tick.key, reason=reason)
            await self._finish(tick, TickState.FAILED, reason)
        else:
            if done is not None:
                await self._recorded(tick)
                self._on_recorded(done)
        finally:
            beat.cancel()

    async def _refreshed(self, tick: ClaimedTick) -> Refreshed | None:
        """What the refresh gives; ``None`` when it was given up because its configuration was replaced."""
        # A thread that keeps nobody from ending: a refresh may outlast the patience of whoever stops the daemon, and
        # its death is as harmless as any.
        work = asyncio.ensure_future(in_thread(lambda: self._refresh(self._definitions[tick.key], tick)))
        try:
            while not work.done():
                if self._generation.outdated:
                    telemetry.event("tick.given_back", definition=tick.key, instant=tick.instant)
                    await persistently(lambda: ticks.give_back(self._database, tick, GIVEN_BACK), "give back")
                    self._give_up(tick)
                    return None
                await asyncio.wait([work], timeout=GLANCE_EVERY)
            return work.result()
        finally:
            work.cancel()  # nobody waits for it any more

    async def _failed(self, tick: ClaimedTick, error: SyncError) -> None:
        delay = DELAYS[tick.attempts] if error.exit_code == 1 and tick.attempts < len(DELAYS) else None
        if delay is not None and await persistently(lambda: self._in_time(tick, delay), "look"):
            await self._again(tick, delay, error)
            return
        telemetry.event("tick.failed", level=logging.WARNING, definition=tick.key, reason=error.for_log)
        await self._finish(tick, TickState.FAILED, str(error))

    def _in_time(self, tick: ClaimedTick, delay: float) -> bool:
        """Whether a try after ``delay`` comes before the schedule's next instant."""
        upcoming = self._schedules[tick.key].next_after(tick.instant, tick.instant)
        return upcoming is None or self._time.now() + timedelta(seconds=delay) < upcoming

    async def _again(self, tick: ClaimedTick, delay: float, error: SyncError, *, failed: bool = True) -> None:
        telemetry.event("tick.again", definition=tick.key, seconds=delay, reason=error.for_log)

        def again() -> bool:
            due_at = self._time.now() + timedelta(seconds=delay)
            return ticks.again(self._database, tick, due_at=due_at, reason=str(error), failed=failed)

        await persistently(again, "again")

    async def _recorded(self, tick: ClaimedTick) -> None:
        state = await persistently(lambda: ticks.recorded(self._database, tick), "finish")
        if state is TickState.DUE:
            telemetry.event("tick.undone", level=logging.WARNING, definition=tick.key, instant=tick.instant)
        self._ended(tick, state)

    async def _finish(self, tick: ClaimedTick, state: TickState, reason: str | None) -> None:
        # Left as it is, it would be in the way of the next instants until its lease is over.
        ours = await persistently(lambda: ticks.finish(self._database, tick, state, reason), "finish")
        self._ended(tick, state if ours else None)

    @staticmethod
    def _ended(tick: ClaimedTick, state: TickState | None) -> None:
        if state is None:
            telemetry.event("tick.lost", level=logging.WARNING, definition=tick.key, instant=tick.instant)
        telemetry.step("tick.finished", definition=tick.key, state=state)

    async def _beat(self, tick: ClaimedTick) -> None:
        """Renew the tick's lease. A missed beat is no error here: who takes the tick over finds the run recorded."""
        while True:
            await asyncio.sleep(BEAT_EVERY)
            try:
                if not await asyncio.to_thread(ticks.renew, self._database, tick, LEASE_SECONDS):
                    return
            except StoreUnavailable:
                continue
