"""Every instant of a schedule ticks exactly once, or is skipped as configured, whatever the clock does (M3)."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from random import Random
from zoneinfo import ZoneInfo

import pytest

from sync.config.schedule import CatchUp, Schedule
from sync.daemon.generation import Generation
from sync.daemon.storetime import SAMPLE_EVERY, StoreTime
from sync.daemon.ticker import LOOK_EVERY, Ticker
from sync.errors import StoreUnavailable
from sync.model.definition import Definition, Kind
from sync.model.run import RunKind
from sync.refresh.run import refresh
from sync.source.connection import Source
from sync.store import ticks
from sync.store.engine import Database
from tests.moving_clock import MovingClock
from tests.shop import Shop

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


class Host:
    """A daemon's ticker on a store that others may share; what is due is done at once."""

    def __init__(self, database: Database, clock: MovingClock, since: datetime, **schedules: Schedule) -> None:
        self.database = database
        announced = Generation.announce(database, "one")
        self.generation = Generation(announced.number, since)
        self.ticker = Ticker(database, schedules, self.generation, StoreTime(database, clock), random=Random(7))

    def look(self, now: datetime) -> datetime:
        wake = self.ticker.look(now)
        done(self.database)
        return wake

    def live(self, start: datetime, end: datetime, step: timedelta) -> None:
        """Look every ``step``."""
        now = start
        while now < end:
            self.look(now)
            now += step


def done(database: Database) -> None:
    """Let everything that is due be done; the engines write an instant in their own way."""
    with database.write() as connection:
        connection.exec_driver_sql("UPDATE tick SET state = 'done', finished_at = due_at WHERE state = 'due'")


def ticked(database: Database, key: str = "a") -> list[datetime]:
    with database.read() as connection:
        rows = connection.execute(ticks.tick.select().where(ticks.tick.c.key == key).order_by(ticks.tick.c.instant))
        return [row.instant for row in rows]


def every(hours: float, start: datetime, number: int) -> list[datetime]:
    return [start + timedelta(hours=hours) * position for position in range(number)]


def test_each_instant_ticks_once_however_often_somebody_looks_and_however_many_do(
    database: Database, clock: MovingClock
) -> None:
    start = at("2026-03-01T00:00")
    hosts = [Host(database, clock, start - MINUTE, a=Schedule(every=3600)) for _ in range(3)]
    for minute in range(5 * 60):
        for host in hosts:
            host.look(start + minute * MINUTE)
    assert ticked(database) == every(1, start, 5)


CHANGES = [
    # Zone, and its two changes in UTC: the clock goes forward at the first one and back at the second one.
    ("Europe/Oslo", "2026-03-29T01:00", "2026-10-25T01:00"),
    ("America/New_York", "2026-03-08T07:00", "2026-11-01T06:00"),
    ("Australia/Lord_Howe", "2026-10-03T15:30", "2026-04-04T15:00"),  # by half an hour
]


@pytest.mark.parametrize("forward", [True, False], ids=["forward", "back"])
@pytest.mark.parametrize(("zone", "first", "second"), CHANGES, ids=[zone for zone, _, _ in CHANGES])
def test_a_change_of_the_clock_costs_no_instant_and_doubles_none(
    sqlite_database: Database, clock: MovingClock, zone: str, first: str, second: str, forward: bool
) -> None:
    change = at(first if forward else second)
    start = (change - 30 * HOUR).replace(minute=0)
    local = ZoneInfo(zone)
    host = Host(
        sqlite_database,
        clock,
        start - MINUTE,
        hourly=Schedule(cron="*/30 * * * *", timezone=zone),
        nightly=Schedule(cron="15 2 * * *", timezone=zone),
        noon=Schedule(cron="0 12 * * *", timezone=zone),
    )
    host.live(start, start + 60 * HOUR, 10 * MINUTE)
    # Half past and the full hour come with every half hour that really passes.
    assert ticked(sqlite_database, "hourly") == every(0.5, start, 120)
    for key in ("nightly", "noon"):
        days = [instant.astimezone(local).date() for instant in ticked(sqlite_database, key)]
        assert days == [days[0] + DAY * position for position in range(len(days))], key
        assert len(days) in (2, 3), key
    assert {instant.astimezone(local).hour for instant in ticked(sqlite_database, "noon")} == {12}


def test_the_leap_day_comes_in_leap_years_only(sqlite_database: Database, clock: MovingClock) -> None:
    host = Host(
        sqlite_database,
        clock,
        at("2027-12-31T12:00"),
        a=Schedule(cron="0 6 29 2 *"),
        daily=Schedule(cron="0 6 * * *"),
    )
    host.live(at("2028-02-27T00:00"), at("2028-03-02T00:00"), HOUR)
    assert ticked(sqlite_database) == [at("2028-02-29T06:00")]
    assert at("2028-02-29T06:00") in ticked(sqlite_database, "daily")
    host.live(at("2029-02-27T00:00"), at("2029-03-02T00:00"), HOUR)
    assert ticked(sqlite_database) == [at("2028-02-29T06:00")]
    host.live(at("2032-02-29T00:00"), at("2032-02-29T12:00"), HOUR)
    assert ticked(sqlite_database)[1:] == [at("2032-02-29T06:00")]


SLEEP = {
    CatchUp.LATEST: [at("2026-03-01T10:00"), at("2026-03-04T10:00"), at("2026-03-04T11:00")],
    CatchUp.SKIP: [at("2026-03-01T10:00"), at("2026-03-04T11:00")],
}


@pytest.mark.parametrize("restarted", [False, True], ids=["asleep", "restarted"])
@pytest.mark.parametrize("catch_up", list(CatchUp))
def test_after_three_days_the_latest_instant_is_made_up_for_or_none(
    sqlite_database: Database, clock: MovingClock, catch_up: CatchUp, restarted: bool
) -> None:
    def start() -> Host:
        return Host(sqlite_database, clock, at("2026-03-01T09:30"), a=Schedule(cron="0 * * * *", catch_up=catch_up))

    host = start()
    host.live(at("2026-03-01T09:50"), at("2026-03-01T10:10"), MINUTE)
    if restarted:
        host = start()
    host.live(at("2026-03-04T10:30"), at("2026-03-04T11:10"), MINUTE)
    assert ticked(sqlite_database) == SLEEP[catch_up]


def test_an_instant_that_passed_before_the_first_tick_is_made_up_for_when_the_daemon_should_have_been_there(
    sqlite_database: Database, clock: MovingClock
) -> None:
    # Its configuration was announced, then it was off over its first instant.
    host = Host(sqlite_database, clock, at("2026-03-01T09:59"), a=Schedule(cron="0 * * * *"))
    host.look(at("2026-03-01T10:20"))
    assert ticked(sqlite_database) == [at("2026-03-01T10:00")]


def test_a_new_definition_has_nothing_to_make_up_for(sqlite_database: Database, clock: MovingClock) -> None:
    host = Host(sqlite_database, clock, at("2026-03-01T10:19"), a=Schedule(cron="0 * * * *"))
    host.look(at("2026-03-01T10:20"))
    assert ticked(sqlite_database) == []


@pytest.mark.parametrize("jump", [HOUR, -HOUR], ids=["forward", "back"])
def test_a_clock_that_jumps_neither_doubles_an_instant_nor_loses_more_than_it_jumped_over(
    sqlite_database: Database, clock: MovingClock, jump: timedelta
) -> None:
    """SQLite's clock is the host's: the instants that a jump leaves out are made up for by the latest one of them."""
    start, at_jump = at("2026-03-01T00:00"), at("2026-03-01T05:02")
    host = Host(sqlite_database, clock, start - MINUTE, a=Schedule(cron="*/15 * * * *"))
    host.live(start, at_jump, MINUTE)
    host.live(at_jump + jump, at("2026-03-01T10:00"), MINUTE)
    instants = every(0.25, start, 40)
    if jump > timedelta(0):
        instants = [each for each in instants if not at_jump < each < at("2026-03-01T06:00")]
    assert ticked(sqlite_database) == instants


def test_a_jump_that_is_mended_leaves_a_gap_and_no_double(sqlite_database: Database, clock: MovingClock) -> None:
    start = at("2026-03-01T00:00")
    host = Host(sqlite_database, clock, start - MINUTE, a=Schedule(cron="*/15 * * * *"))
    host.live(start, start + 31 * MINUTE, MINUTE)
    host.look(start + 31 * MINUTE + HOUR)  # an hour ahead for a minute
    host.live(start + 32 * MINUTE, start + 3 * HOUR, MINUTE)
    assert ticked(sqlite_database) == [
        *every(0.25, start, 3),
        start + 90 * MINUTE,  # taken for now; what lies before it has passed, as far as anybody knew
        *every(0.25, start + 105 * MINUTE, 5),
    ]


def test_on_postgresql_a_jump_of_the_hosts_clock_moves_no_instant(
    postgresql_database: Database, clock: MovingClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(type(postgresql_database), "now", Database.now)  # by the server's clock, as in earnest
    time = StoreTime(postgresql_database, clock)
    before = time.now()

    class Jumped(MovingClock):
        def now(self) -> datetime:
            return super().now() + HOUR

        def monotonic(self) -> float:
            return clock.monotonic()

    postgresql_database.clock = Jumped()
    assert abs(time.now() - before) < MINUTE
    clock.advance(SAMPLE_EVERY)
    assert abs(time.now() - before) < MINUTE


def test_the_store_is_asked_for_the_time_now_and_then_only(sqlite_database: Database, clock: MovingClock) -> None:
    asked = 0

    class Counted(MovingClock):
        def now(self) -> datetime:
            nonlocal asked
            asked += 1
            return clock.now()

    sqlite_database.clock = Counted()
    time = StoreTime(sqlite_database, clock)
    readings = [time.now() for _ in range(100)]
    assert asked == 1
    assert readings == sorted(readings)
    clock.advance(SAMPLE_EVERY)
    assert time.now() - readings[-1] >= timedelta(seconds=SAMPLE_EVERY)
    assert asked == 2


def test_who_looks_is_told_when_to_look_again(sqlite_database: Database, clock: MovingClock) -> None:
    start = at("2026-03-01T00:00")
    host = Host(sqlite_database, clock, start - MINUTE, a=Schedule(every=2), b=Schedule(every=3600))
    longest = timedelta(seconds=LOOK_EVERY)
    assert host.look(start + timedelta(seconds=0.5)) == start + timedelta(seconds=2)
    host = Host(sqlite_database, clock, start - MINUTE, b=Schedule(every=3600))
    assert host.look(start + MINUTE) == start + MINUTE + longest


def test_jitter_moves_the_work_and_not_the_instant(sqlite_database: Database, clock: MovingClock) -> None:
    start = at("2026-03-01T00:00")
    host = Host(sqlite_database, clock, start - MINUTE, a=Schedule(every=3600, jitter=30.0))
    host.live(start, start + 8 * HOUR, HOUR)
    with sqlite_database.read() as connection:
        rows = connection.execute(ticks.tick.select()).all()
    waits = [(row.due_at - row.instant).total_seconds() for row in rows]
    assert [row.instant for row in rows] == every(1, start, 8)
    assert all(0 <= wait <= 30 for wait in waits)
    assert len(set(waits)) == 8


async def test_a_ticker_is_woken_though_all_threads_wait_for_the_store_and_fails_without_a_word_from_others(
    sqlite_database: Database, clock: MovingClock, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    ticker = Host(sqlite_database, clock, at("2026-03-01T00:00"), a=Schedule(every=3600)).ticker
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(1))
    asked, woken = threading.Event(), threading.Event()
    wake = ticker._wake

    async def heard() -> None:
        await wake()
        woken.set()

    def away() -> timedelta:
        if not asked.is_set():
            asked.set()
            return timedelta(seconds=0.05)
        assert woken.wait(60), "the only thread waits, and nobody wakes"
        raise StoreUnavailable("away")

    monkeypatch.setattr(ticker, "_wake", heard)
    monkeypatch.setattr(ticker, "_until_next", away)
    monkeypatch.setattr(ticker, "_on_look", ticker._woken.set)
    with pytest.raises(StoreUnavailable):
        await ticker.run(asyncio.Event())
    assert not caplog.records


def test_who_has_an_outdated_configuration_adds_no_tick(sqlite_database: Database, clock: MovingClock) -> None:
    start = at("2026-03-01T00:00")
    host = Host(sqlite_database, clock, start - MINUTE, a=Schedule(every=3600))
    Generation.announce(sqlite_database, "two")
    host.live(start, start + 3 * HOUR, HOUR)
    assert ticked(sqlite_database) == []
    assert host.generation.outdated


@pytest.fixture
def followed(database: Database, sqlite_shop: Shop) -> Iterator[Sequence[object]]:
    """A definition that others follow, and how to run it by hand."""
    sqlite_shop.members("u1")
    leader = Definition(Kind.AUDIENCE, "leader", "Leader", "shop", (), sql="select user_id from answer")

    def run(source: Source = sqlite_shop.source) -> None:
        refresh(database, source, leader, kind=RunKind.DELTA, as_of=None)

    return (run,)


def test_a_follower_ticks_once_for_each_run_of_its_leader_whoever_ran_it(
    database: Database, clock: MovingClock, followed: Sequence[object]
) -> None:
    (run,) = followed
    assert callable(run)
    schedules = {"a": Schedule(after="leader"), "b": Schedule(after="a")}
    hosts = [Host(database, clock, clock.now(), **schedules) for _ in range(2)]
    for number in range(3):
        for host in hosts * 2:
            host.look(clock.now())
        assert len(ticked(database)) == number
        clock.advance(60)
        run()
    with database.read() as connection:
        rows = connection.exec_driver_sql("SELECT count(*) FROM run").scalar_one()
    assert rows == 3
    assert ticked(database, "b") == []  # nobody has refreshed ``a``
