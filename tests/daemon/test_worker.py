"""A tick is worked on by one worker, tried again when that may help, and never past the next instant of its schedule."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Connection

from sync import telemetry
from sync.config.schedule import Schedule
from sync.daemon import worker
from sync.daemon.generation import Generation
from sync.daemon.storetime import StoreTime
from sync.daemon.worker import BUSY_DELAY, DELAYS, Worker
from sync.deliver import persistence
from sync.errors import (
    DataError,
    QueryError,
    RunBusy,
    RunLost,
    RunSuperseded,
    SourceUnavailable,
    StoreUnavailable,
    SyncError,
)
from sync.model.definition import Definition, Kind
from sync.model.run import Counts, RunStatus
from sync.model.tick import ClaimedTick
from sync.refresh.run import Refreshed
from sync.store import runs, ticks
from sync.store.engine import Database
from tests.moving_clock import MovingClock
from tests.store.tick_steps import begin, do

A = Definition(Kind.AUDIENCE, "a", "A", "shop", (), sql="select 1 as user_id")
RARELY = Schedule(every=86_400.0)


@dataclass
class Shift:
    """A worker whose refreshes fail as told, and the store it works on."""

    database: Database
    clock: MovingClock
    generation: Generation
    errors: list[Exception] = field(default_factory=list)
    lost: int = 0
    """How many recordings the store's server loses, for it crashes right after their commit."""
    done: list[datetime] = field(default_factory=list)
    recorded: asyncio.Queue[str] = field(default_factory=asyncio.Queue)
    meanwhile: Callable[[], None] = lambda: None

    def worker(self, schedule: Schedule = RARELY) -> Worker:
        return Worker(
            "worker",
            self.database,
            {"a": A},
            {"a": schedule},
            self.refresh,
            self.generation,
            StoreTime(self.database, self.clock),
            on_recorded=lambda done: self.recorded.put_nowait(done.definition.key),
        )

    def refresh(self, definition: Definition, tick: ClaimedTick) -> Refreshed:
        self.meanwhile()
        if self.errors:
            raise self.errors.pop(0)
        if self.lost:
            self.lost -= 1
            begin(self.database, tick)
        else:
            do(self.database, tick)
        self.done.append(tick.instant)
        return Refreshed(definition, 1, RunStatus.SUCCEEDED, Counts(), None, (), ())

    def due(self, instant: datetime | None = None) -> datetime:
        instant = instant or self.clock.now()
        assert ticks.insert(self.database, "a", instant, due_at=instant, generation=self.generation.number)
        return instant

    def claimed(self) -> ClaimedTick:
        found = ticks.claim(self.database, ["a"], self.generation.number, 30)
        assert found is not None
        return found

    def row(self) -> tuple[str, float, int, str | None]:
        """State, seconds until it is due, attempts, reason."""
        with self.database.read() as connection:
            found = connection.execute(ticks.tick.select()).one()
        return found.state, (found.due_at - self.clock.now()).total_seconds(), found.attempts, found.reason


@pytest.fixture
def shift(database: Database, clock: MovingClock) -> Shift:
    return Shift(database, clock, Generation.announce(database, "one"))


@pytest.fixture
def sqlite_shift(sqlite_database: Database, clock: MovingClock) -> Shift:
    return Shift(sqlite_database, clock, Generation.announce(sqlite_database, "one"))


async def test_each_tick_is_refreshed_once_by_one_of_several_workers(shift: Shift) -> None:
    instants = []
    workers = [shift.worker() for _ in range(3)]
    stopping = asyncio.Event()
    running = [asyncio.create_task(each.run(stopping)) for each in workers]
    async with asyncio.timeout(60):
        for _ in range(5):
            instants.append(await asyncio.to_thread(shift.due))
            for each in workers:
                each.nudge()
            assert await shift.recorded.get() == "a"
        stopping.set()
        await asyncio.gather(*running)
    assert shift.done == instants
    assert shift.recorded.empty()
    with shift.database.read() as connection:
        assert set(connection.exec_driver_sql("SELECT state FROM tick").scalars()) == {"done"}


async def test_a_tick_whose_recording_was_lost_with_the_store_s_server_is_due_again(shift: Shift) -> None:
    shift.lost = 1
    instant = shift.due()
    await shift.worker().work(shift.claimed())
    assert shift.row()[0] == "due"
    shift.clock.advance(runs.LEASE_SECONDS + 1)  # of the run that was lost
    await shift.worker().work(shift.claimed())
    assert (shift.row()[0], shift.done) == ("done", [instant, instant])


async def test_what_may_go_well_later_is_tried_five_times_with_growing_delays(sqlite_shift: Shift) -> None:
    sqlite_shift.errors = [SourceUnavailable("source 'shop' cannot be reached")] * 5
    sqlite_shift.due()
    for number, delay in enumerate(DELAYS, 1):
        await sqlite_shift.worker().work(sqlite_shift.claimed())
        state, waits, attempts, reason = sqlite_shift.row()
        assert (state, attempts, reason) == ("due", number, "source 'shop' cannot be reached")
        assert delay - 25 < waits <= delay  # the shortest is half a minute
        assert ticks.claim(sqlite_shift.database, ["a"], sqlite_shift.generation.number, 30) is None
        sqlite_shift.clock.advance(delay)
    await sqlite_shift.worker().work(sqlite_shift.claimed())
    assert sqlite_shift.row()[0] == "failed"
    assert not sqlite_shift.done


async def test_a_try_that_would_come_after_the_next_instant_is_left_to_that_one(sqlite_shift: Shift) -> None:
    sqlite_shift.errors = [SourceUnavailable("away")] * 2
    # Of the minute, 20 seconds are left.
    now = datetime.now(UTC)
    sqlite_shift.clock.advance(60 - now.second - now.microsecond / 1e6 + 40)
    sqlite_shift.due(sqlite_shift.clock.now().replace(second=0, microsecond=0))
    await sqlite_shift.worker(Schedule(every=60)).work(sqlite_shift.claimed())
    assert sqlite_shift.row()[0] == "failed"
    sqlite_shift.clock.advance(20)
    sqlite_shift.due(sqlite_shift.clock.now().replace(second=0, microsecond=0))
    await sqlite_shift.worker(Schedule(every=60)).work(sqlite_shift.claimed())
    with sqlite_shift.database.read() as connection:
        assert list(connection.exec_driver_sql("SELECT state FROM tick ORDER BY instant").scalars()) == [
            "failed",
            "due",
        ]


async def test_what_somebody_must_mend_fails_at_once_and_says_why(sqlite_shift: Shift) -> None:
    sqlite_shift.errors = [QueryError("audience 'A': no such table")]
    sqlite_shift.due()
    await sqlite_shift.worker().work(sqlite_shift.claimed())
    assert sqlite_shift.row()[0::3] == ("failed", "audience 'A': no such table")
    assert sqlite_shift.recorded.empty()


@pytest.mark.parametrize("error", [RunBusy("somebody is refreshing it"), RunLost("it was taken over")])
async def test_a_definition_that_somebody_else_is_refreshing_is_waited_for_as_long_as_it_takes(
    sqlite_shift: Shift, error: SyncError
) -> None:
    times = len(DELAYS) + 3
    sqlite_shift.errors = [error] * times
    sqlite_shift.due()
    for _ in range(times):
        await sqlite_shift.worker().work(sqlite_shift.claimed())
        state, waits, attempts, _ = sqlite_shift.row()
        assert (state, attempts) == ("due", 0)
        assert 0 < waits <= BUSY_DELAY
        sqlite_shift.clock.advance(BUSY_DELAY)
    await sqlite_shift.worker().work(sqlite_shift.claimed())
    assert sqlite_shift.row()[0] == "done"


@pytest.mark.parametrize("error", [DataError, QueryError, SourceUnavailable])
async def test_the_log_hears_of_a_failure_without_what_the_source_said(
    sqlite_shift: Shift, error: type[SyncError]
) -> None:
    heard: list[tuple[str, dict[str, object]]] = []
    sqlite_shift.errors = [error("more than one row for user 'alice@example.com'")]
    sqlite_shift.due()
    stop = telemetry.listen(lambda name, fields: heard.append((name, fields)))
    try:
        await sqlite_shift.worker().work(sqlite_shift.claimed())
    finally:
        stop()
    assert [name for name, fields in heard if "reason" in fields] in (["tick.failed"], ["tick.again"])
    assert "alice" not in str(heard)
    assert "alice" in str(sqlite_shift.row()[3])


async def test_a_mistake_of_ours_fails_one_tick_and_stops_nobody(sqlite_shift: Shift) -> None:
    sqlite_shift.errors = [KeyError("alice@example.com")]
    sqlite_shift.due()
    await sqlite_shift.worker().work(sqlite_shift.claimed())
    state, _, _, reason = sqlite_shift.row()
    assert state == "failed"
    assert reason is not None
    assert reason.startswith("KeyError at test_worker.py:")


@pytest.fixture
def beating(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "BEAT_EVERY", 0.01)


@pytest.mark.usefixtures("beating")
async def test_a_tick_is_held_for_as_long_as_its_refresh_lasts(shift: Shift) -> None:
    def lease_end() -> datetime:
        with shift.database.read() as connection:
            until: datetime = connection.execute(ticks.tick.select()).one().lease_until
            return until

    def renewed() -> None:
        for _ in range(3):  # three times as long as the lease
            shift.clock.advance(25)
            until = shift.clock.now() + timedelta(seconds=25)
            while lease_end() < until:
                pass
            assert ticks.rescue(shift.database) == 0

    shift.meanwhile = renewed
    shift.due()
    async with asyncio.timeout(60):
        await shift.worker().work(shift.claimed())
    assert shift.row()[0] == "done"


async def test_the_tick_in_hand_is_finished_before_the_worker_stops(sqlite_shift: Shift) -> None:
    began, go_on = threading.Event(), threading.Event()

    def slow() -> None:
        began.set()
        assert go_on.wait(60)

    sqlite_shift.meanwhile = slow
    sqlite_shift.due()
    stopping = asyncio.Event()
    running = asyncio.create_task(sqlite_shift.worker().run(stopping))
    assert await asyncio.to_thread(began.wait, 60)
    stopping.set()
    assert not running.done()
    go_on.set()
    async with asyncio.timeout(60):
        await running
    assert sqlite_shift.row()[0] == "done"


@pytest.mark.parametrize(("error", "ends"), [(None, "done"), (SourceUnavailable("away"), "due")])
async def test_a_store_that_is_away_for_a_moment_at_the_end_leaves_no_tick_running(
    sqlite_shift: Shift, monkeypatch: pytest.MonkeyPatch, error: SyncError | None, ends: str
) -> None:
    monkeypatch.setattr(persistence, "PAUSES", (0.01,) * 5)
    sqlite_shift.due()
    claimed = sqlite_shift.claimed()
    sqlite_shift.errors = [error] if error else []
    write, left = Database.write, iter(range(3))

    @contextmanager
    def away(database: Database) -> Iterator[Connection]:
        if (error or sqlite_shift.done) and next(left, None) is not None:
            raise StoreUnavailable("the store gave up on this process")
        with write(database) as connection:
            yield connection

    monkeypatch.setattr(Database, "write", away)
    await sqlite_shift.worker().work(claimed)
    assert sqlite_shift.row()[0] == ends
    assert next(left, None) is None


async def test_who_has_an_outdated_configuration_takes_no_tick(sqlite_shift: Shift) -> None:
    sqlite_shift.due()
    Generation.announce(sqlite_shift.database, "two")
    looked = asyncio.Event()
    stopping = asyncio.Event()

    class Looking(Worker):
        def _claim(self) -> ClaimedTick | None:
            found = super()._claim()
            loop.call_soon_threadsafe(looked.set)
            return found

    loop = asyncio.get_running_loop()
    shift = sqlite_shift
    idle = Looking(
        "worker",
        shift.database,
        {"a": A},
        {"a": RARELY},
        shift.refresh,
        shift.generation,
        StoreTime(shift.database, shift.clock),
    )
    running = asyncio.create_task(idle.run(stopping))
    async with asyncio.timeout(60):
        await looked.wait()
        stopping.set()
        await running
    assert sqlite_shift.row()[0] == "due"
    assert not sqlite_shift.done


async def test_the_tick_in_hand_is_given_back_when_its_configuration_is_replaced(shift: Shift) -> None:
    began, go_on = threading.Event(), threading.Event()
    given_up: list[ClaimedTick] = []

    def slow() -> None:
        began.set()
        assert go_on.wait(60)

    shift.meanwhile = slow
    shift.due()
    claimed = shift.claimed()
    held = shift.worker()
    held._give_up = given_up.append
    working = asyncio.create_task(held.work(claimed))
    try:
        assert await asyncio.to_thread(began.wait, 60)
        shift.generation.retire()
        async with asyncio.timeout(60):
            await working  # although its refresh goes on
        state, _, attempts, reason = shift.row()
        assert (state, attempts, reason) == ("due", 0, worker.GIVEN_BACK)
        assert given_up == [claimed]
        assert shift.recorded.empty()
        second = shift.claimed()  # at once
    finally:
        go_on.set()
    assert second.token != claimed.token


async def test_a_recording_refused_for_a_newer_configuration_puts_its_tick_back_for_that_one(
    sqlite_shift: Shift,
) -> None:
    sqlite_shift.errors = [RunSuperseded("a newer configuration was announced")]
    sqlite_shift.due()
    await sqlite_shift.worker().work(sqlite_shift.claimed())
    state, waits, attempts, _ = sqlite_shift.row()
    assert (state, attempts) == ("due", 0)
    assert waits <= 0
