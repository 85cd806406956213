"""The log is thrown away at its old end, and only what nobody waits for."""

from __future__ import annotations

import math
from datetime import datetime

import pytest
from sqlalchemy import insert, select, text

from sync.model.event import LoggedEvent
from sync.model.retention import LEAST_EVENTS, Retention
from sync.store import events, upkeep
from sync.store.engine import Database
from sync.store.event_schema import event, event_outcome, forwarding, hold, lane
from tests.moving_clock import MovingClock

DAY = 86_400.0
KEEP = Retention(events=10 * DAY, attempts=2 * DAY)


def log(database: Database, *users: str, at: datetime | None = None) -> list[int]:
    """One event of each user, received now."""
    now = at or database.clock.now()
    batch = [
        LoggedEvent("web", f"{user} {now}", "track", "Seen", user, None, now, now, '{"type": "track"}')
        for user in users
    ]
    return list(events.record(database, batch).ids)


def left(database: Database) -> list[int]:
    with database.read() as connection:
        return list(connection.execute(select(event.c.id).order_by(event.c.id)).scalars())


def forwards(database: Database, floor: int, destination: str = "push") -> None:
    with database.write() as connection:
        connection.execute(
            insert(forwarding).values(destination=destination, floor=floor, began_at=database.clock.now())
        )


def lane_of(number: int, database: Database) -> int:
    with database.read() as connection:
        found: int = connection.execute(select(event.c.lane).where(event.c.id == number)).scalar_one()
    return found


def add_hold(database: Database, number: int, state: str) -> None:
    now = database.clock.now()
    with database.write() as connection:
        connection.execute(
            insert(hold).values(
                destination="push", event_id=number, user_key="ann", state=state, due_at=now, attempts=1, held_since=now
            )
        )


def add_outcome(database: Database, number: int, destination: str = "push") -> None:
    with database.write() as connection:
        connection.execute(
            insert(event_outcome).values(
                event_id=number, destination=destination, at=database.clock.now(), verdict="accepted", detail=""
            )
        )


def test_events_are_kept_for_as_long_as_was_asked(database: Database, clock: MovingClock) -> None:
    log(database, "ann", "bob")
    clock.advance(KEEP.events - 60)
    young = log(database, "cid")
    assert upkeep.prune(database, KEEP).events == 0
    clock.advance(120)
    assert upkeep.prune(database, KEEP, batch=1).events == 2
    assert left(database) == young


def test_events_are_kept_for_ever_when_that_was_asked(database: Database, clock: MovingClock) -> None:
    old = log(database, "ann")
    clock.advance(20_000 * DAY)
    assert upkeep.prune(database, Retention(events=math.inf)).events == 0
    assert left(database) == old


def test_events_are_kept_for_a_day_whatever_was_asked(database: Database, clock: MovingClock) -> None:
    log(database, "ann")
    clock.advance(LEAST_EVENTS - 60)
    assert upkeep.prune(database, Retention(events=0)).events == 0
    assert events.record(database, [LoggedEvent("w", "m", "track", "n", "u", None, clock.now(), clock.now(), "{}")]).new
    clock.advance(120)
    assert upkeep.prune(database, Retention(events=0)).events == 1


def test_what_a_destination_has_still_to_get_is_kept_however_old(database: Database, clock: MovingClock) -> None:
    before = log(database, "ann", "bob")
    forwards(database, floor=before[-1])
    after = log(database, "ann", "bob")
    clock.advance(KEEP.events * 10)
    assert upkeep.prune(database, KEEP, batch=1).events == 2
    assert left(database) == after
    with database.write() as connection:
        number = lane_of(after[0], database)
        connection.execute(insert(lane).values(destination="push", number=number, cursor=after[-1]))
    upkeep.prune(database, KEEP, batch=1)
    assert left(database) == after[1:]


def test_each_destination_is_asked_and_one_that_is_not_configured_is_not(
    database: Database, clock: MovingClock
) -> None:
    (number,) = log(database, "ann")
    forwards(database, floor=number, destination="push")
    forwards(database, floor=number - 1, destination="gone")
    clock.advance(KEEP.events * 2)
    assert upkeep.prune(database, KEEP).events == 0
    assert upkeep.prune(database, KEEP, destinations=["push"]).events == 1


@pytest.mark.parametrize("state", ["waiting", "parked"])
def test_what_is_held_is_kept_and_keeps_no_others(database: Database, clock: MovingClock, state: str) -> None:
    held, *_ = log(database, "ann", "bob", "cid")
    add_hold(database, held, state)
    add_outcome(database, held)
    clock.advance(KEEP.events * 2)
    pruned = upkeep.prune(database, KEEP, batch=1)
    assert (pruned.events, pruned.outcomes) == (2, 0)
    assert left(database) == [held]


def test_events_dated_by_a_clock_that_was_ahead_keep_no_others(database: Database, clock: MovingClock) -> None:
    clock.advance(1000 * DAY)
    ahead = log(database, *"abcde")
    clock.advance(-1000 * DAY)
    log(database, "ann")
    clock.advance(KEEP.events + 60)
    assert upkeep.prune(database, KEEP, batch=2).events == 1
    assert left(database) == ahead


def test_outcomes_are_kept_as_long_as_attempts(database: Database, clock: MovingClock) -> None:
    numbers = log(database, "ann", "bob")
    for number in numbers:
        add_outcome(database, number)
        add_outcome(database, number, "other")
    clock.advance(KEEP.attempts + 60)
    (young,) = log(database, "cid")
    add_outcome(database, young)
    assert upkeep.prune(database, KEEP, batch=3).outcomes == 4
    with database.read() as connection:
        assert connection.execute(text("SELECT event_id FROM event_outcome")).scalars().all() == [young]
    assert left(database) == [*numbers, young]
