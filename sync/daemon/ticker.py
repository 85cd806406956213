"""Turns schedules into ticks: "this definition is due for this instant".

Every daemon does so, and the store keeps each (definition, instant) once. An instant is computed from the schedule and
the last one taken, never from when somebody woke up; so it does not matter who wakes up when, how often, or after how
long a sleep. APScheduler only does the waking: its memory job store holds one job, the next look.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from random import Random

from apscheduler.schedulers.asyncio import AsyncIOScheduler  # type: ignore[import-untyped]
from apscheduler.triggers.date import DateTrigger  # type: ignore[import-untyped]

from sync import telemetry
from sync.config.schedule import Schedule
from sync.daemon.generation import Generation
from sync.daemon.service import pause
from sync.daemon.storetime import StoreTime
from sync.store import ticks
from sync.store.engine import Database

# All that it does is to set an event; one that it cannot set any more, since the ticker has ended, is no news.
logging.getLogger("apscheduler").setLevel(logging.CRITICAL)

LOOK_EVERY = 5.0
"""The most seconds between two looks: the host's clock may jump, and others' runs have followers."""


class Ticker:
    """``look`` is all it does, and ``run`` looks whenever something may be due. ``on_look`` hears of each look, ``on_tick`` of ticks."""

    name = "ticker"

    def __init__(
        self,
        database: Database,
        schedules: Mapping[str, Schedule],
        generation: Generation,
        time: StoreTime,
        *,
        on_look: Callable[[], None] = lambda: None,
        on_tick: Callable[[], None] = lambda: None,
        random: Random | None = None,
    ) -> None:
        self._database = database
        self._schedules = {key: each for key, each in schedules.items() if each.after is None}
        self._followers = {key: each.after for key, each in schedules.items() if each.after is not None}
        self._jitter = {key: each.jitter for key, each in schedules.items()}
        self._generation = generation
        self._time = time
        self._on_look = on_look
        self._on_tick = on_tick
        self._random = random or Random()  # noqa: S311 - spreads the load, guards nothing
        self._last: dict[str, datetime] = {}
        self._next: dict[str, datetime | None] | None = None
        self._taken = 0
        self._woken = asyncio.Event()

    def nudge(self) -> None:
        """Look soon: a run has ended, and others may follow it."""
        self._woken.set()

    async def run(self, stopping: asyncio.Event) -> None:
        """Look whenever something may be due."""
        # Whatever was known may be outdated, or half-known because the store went away.
        self._next = None
        scheduler = AsyncIOScheduler(
            timezone=UTC, job_defaults={"misfire_grace_time": None, "coalesce": True, "max_instances": 1}
        )
        scheduler.start()
        try:
            while not stopping.is_set():
                wait = await asyncio.to_thread(self._until_next)
                self._on_look()
                if self._taken:
                    self._taken = 0
                    self._on_tick()
                scheduler.add_job(self._wake, DateTrigger(datetime.now(UTC) + wait), id="look", replace_existing=True)
                await pause(stopping, LOOK_EVERY, self._woken)
        finally:
            scheduler.shutdown(wait=False)

    async def _wake(self) -> None:
        """In the event loop: a plain function would be called in a thread, where no event may be set."""
        self._woken.set()

    def _until_next(self) -> timedelta:
        wake = self.look(self._time.now())
        return max(timedelta(0), wake - self._time.now())

    def look(self, now: datetime) -> datetime:
        """Take the ticks that are due at ``now`` (the store's time); gives when to look again at the latest."""
        longest = now + timedelta(seconds=LOOK_EVERY)
        if not self._generation.check(self._database):
            return longest
        upcoming = self._upcoming(now)
        for key, instant in upcoming.items():
            if instant is not None and instant <= now:
                upcoming[key] = self._catch_up(key, now)
        if self._followers:
            with self._database.read() as connection:
                due = ticks.followers_due(connection, self._followers)
            for key, instant in due:
                self._take(key, instant)
        return min(
            (instant for instant in upcoming.values() if instant is not None and instant < longest), default=longest
        )

    def _upcoming(self, now: datetime) -> dict[str, datetime | None]:
        """The next instant of each schedule, worked out once and then kept."""
        if self._next is None:
            with self._database.read() as connection:
                self._last = dict(ticks.latest(connection, list(self._schedules)))
            self._next = {
                key: schedule.next_after(self._last.get(key, self._generation.since), now)
                for key, schedule in self._schedules.items()
            }
        return self._next

    def _catch_up(self, key: str, now: datetime) -> datetime | None:
        """Take what is due of one schedule, however many instants have passed; gives the next one."""
        schedule = self._schedules[key]
        instant = schedule.next_after(self._last.get(key, self._generation.since), now)
        if instant is None or instant > now:
            return instant
        self._take(key, instant)
        self._last[key] = instant
        return schedule.next_after(instant, now)

    def _take(self, key: str, instant: datetime) -> None:
        due_at = instant + timedelta(seconds=self._random.uniform(0.0, self._jitter[key]))
        if ticks.insert(self._database, key, instant, due_at=due_at, generation=self._generation.number):
            telemetry.event("tick.due", definition=key, instant=instant)
            self._taken += 1
