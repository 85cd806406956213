"""What became of an event is told from its lane, its hold and its outcome, at every destination."""

from __future__ import annotations

from sync.store import events, fates
from sync.store.engine import Database
from sync.store.fates import Standing
from tests.logged import PUSHWOOSH, ended, forwards, held, log, passed

MESSAGES = (("m", "web"), ("n", "web"), ("m", "ios"))


def standings(database: Database, destinations: list[str] | None = None) -> list[Standing]:
    """Of every event, in their order, at the one destination."""
    with database.read() as connection:
        found = events.find(connection, newest_first=False)
        told = fates.fates(connection, found, destinations)
    return [fate.state for each in found for fate in told[each.id]]


def test_every_standing_is_told_from_the_others(database: Database) -> None:
    earlier = log(database)
    forwards(database, floor=earlier)
    sent, filtered, suppressed, _, parked, waiting, behind = (log(database) for _ in range(7))
    ended(database, sent)
    ended(database, filtered, "filtered", None)
    ended(database, suppressed, "suppressed", None)
    ended(database, parked, "refused", 400, "no")
    held(database, parked)
    ended(database, waiting, "not_applied", 503)
    held(database, waiting, "waiting")
    held(database, behind, "waiting", attempts=0)
    passed(database, behind)
    log(database)
    assert standings(database) == [
        Standing.EARLIER,
        Standing.SENT,
        Standing.FILTERED,
        Standing.DROPPED,
        Standing.PAST,
        Standing.PARKED,
        Standing.WAITING,
        Standing.WAITING,
        Standing.RECEIVED,
    ]
    with database.read() as connection:
        (one,) = fates.fates(connection, events.find(connection, number=parked))[parked]
        assert (one.verdict, one.status, one.attempts, one.reason, one.due_at) == ("refused", 400, 1, "400 no", None)


def test_an_event_that_only_failed_so_far_is_not_told_as_done(database: Database) -> None:
    forwards(database)
    ended(database, log(database), "unknown", None)
    assert standings(database) == [Standing.RECEIVED]


def test_an_event_stands_with_every_destination_that_is_asked_about(database: Database) -> None:
    forwards(database)
    forwards(database, destination="other")
    number = log(database)
    ended(database, number)
    passed(database, number)
    assert standings(database) == [Standing.RECEIVED, Standing.SENT]
    assert standings(database, [PUSHWOOSH]) == [Standing.SENT]
    assert standings(database, ["new"]) == []


def test_a_message_id_is_looked_up_in_every_source(database: Database) -> None:
    with database.read() as connection:
        assert fates.ids_of(connection, "m") == []
        assert fates.fates(connection, []) == {}
    first, _, third = (log(database, message_id=name, source=source) for name, source in MESSAGES)
    with database.read() as connection:
        assert fates.ids_of(connection, "m") == [first, third]
        assert fates.ids_of(connection, "o") == []


def test_parked_events_are_listed_those_that_have_failed_longest_first(database: Database) -> None:
    forwards(database)
    first, second, third = (log(database) for _ in range(3))
    for number in (second, first):
        held(database, number)
    held(database, third, "waiting")
    with database.read() as connection:
        assert [each["event_id"] for each in fates.parked(connection, None, 9)] == [second, first]
        assert [each["event_id"] for each in fates.parked(connection, PUSHWOOSH, 1)] == [second]
        assert fates.parked(connection, "other", 9) == []
