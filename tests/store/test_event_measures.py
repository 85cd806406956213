"""How far a destination has come in the log is told in numbers that cost little."""

from __future__ import annotations

import pytest

from sync.store import event_measures, lanes
from sync.store.engine import Database
from sync.store.event_measures import LogMeasure, event_backlogs, measure_log, store_bytes
from tests.logged import forwards, held, log, passed
from tests.moving_clock import MovingClock


def test_what_no_lane_has_come_to_is_unread_and_what_is_held_is_told_apart(
    database: Database, clock: MovingClock
) -> None:
    forwards(database, floor=log(database))
    past = log(database)
    waiting = log(database)
    clock.advance(60)
    parked = log(database)
    held(database, waiting, "waiting")
    held(database, parked)
    passed(database, parked)
    clock.advance(60)
    unread = [log(database), log(database, "somebody else")]
    with database.read() as connection:
        found = event_backlogs(connection)["pushwoosh"]
        # Both tell the same; that one is for whoever waits until nothing is left.
        told = lanes.backlog(connection, "pushwoosh")
        log_found = measure_log(connection)
    assert (found.unread, found.waiting, found.parked) == (len(unread), 1, 1)
    assert (found.unread, found.waiting, found.parked, found.oldest) == (
        told.unread,
        told.waiting,
        told.parked,
        told.oldest,
    )
    assert found.oldest is not None
    assert past < waiting
    assert 120 <= (database.clock.now() - found.oldest).total_seconds() < 180
    assert log_found.newest == unread[-1]
    assert log_found.oldest_at is not None
    assert log_found.oldest_at <= found.oldest


def test_every_destination_has_its_own_backlog(database: Database) -> None:
    forwards(database)
    number = log(database)
    forwards(database, floor=number, destination="new")
    log(database)
    with database.read() as connection:
        assert {name: each.unread for name, each in event_backlogs(connection).items()} == {"new": 1, "pushwoosh": 2}


def test_nothing_is_told_of_a_store_without_events(database: Database) -> None:
    with database.read() as connection:
        assert event_backlogs(connection) == {}
        assert measure_log(connection) == LogMeasure(0, None, None)
        assert store_bytes(connection) > 10_000


def test_beyond_a_number_unread_events_are_not_counted(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_measures, "COUNTED", 3)
    forwards(database)
    for _ in range(5):
        log(database)
    with database.read() as connection:
        found = event_backlogs(connection)["pushwoosh"]
        assert found.unread == 3
        assert found.oldest is not None
