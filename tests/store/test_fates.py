"""What became of an event is told from its lane, its hold and its outcome, at every destination."""

from __future__ import annotations

from sync.store import fates
from sync.store.engine import Database
from sync.store.fates import Standing
from tests.logged import PUSHWOOSH, ended, forwards, held, log, passed


def standings(database: Database, destinations: list[str] | None = None) -> list[Standing]:
    """Of every event, in their order, at the one destination."""
    with database.read() as connection:
        found = fates.newest(connection, 100)
        told = fates.fates(connection, found, destinations)
    return [fate.state for each in found for fate in told[each["id"]]]


def test_every_standing_is_told_from_the_others(database: Database) -> None:
    earlier = log(database)
    forwards(database, floor=earlier)
    sent, filtered, suppressed, unknown, parked, waiting, behind = (log(database) for _ in range(7))
    ended(database, sent)
    ended(database, filtered, "filtered", None)
    ended(database, suppressed, "suppressed", None)
    ended(database, parked, "refused", 400, "no")
    held(database, parked)
    ended(database, waiting, "not_applied", 503)
    held(database, waiting, "waiting")
    held(database, behind, "waiting", attempts=0)
    passed(database, behind)
    last = log(database)
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
        (one,) = fates.fates(connection, [{"id": parked, "lane": 0}])[parked]
        assert (one.verdict, one.status, one.attempts, one.reason, one.due_at) == ("refused", 400, 1, "400 no", None)
        assert fates.last_id(connection) == last
        assert unknown < last


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


def test_events_are_found_by_user_type_name_and_message(database: Database) -> None:
    first = log(database, "ann", message_id="m", source="web")
    second = log(database, "bob", "Signed Up")
    third = log(database, None, None, kind="identify")
    fourth = log(database, "ann", message_id="m", source="ios")
    with database.read() as connection:
        assert [each["id"] for each in fates.newest(connection, 2)] == [third, fourth]
        assert [each["id"] for each in fates.newest(connection, 9, user_id="ann")] == [first, fourth]
        assert [each["id"] for each in fates.newest(connection, 9, name="Signed Up")] == [second]
        assert [each["id"] for each in fates.newest(connection, 9, type="identify")] == [third]
        assert [each["id"] for each in fates.after(connection, first, 2)] == [second, third]
        assert fates.ids_of(connection, "m") == [first, fourth]
        assert fates.ids_of(connection, "n") == []
        whole = fates.whole(connection, first)
        assert whole is not None
        assert whole["body"]["properties"] == {"total": 9}
        assert fates.bodies(connection, [first, second])[second]["userId"] == "bob"
        assert fates.whole(connection, 10**6) is None


def test_an_empty_log_has_no_sources_and_no_last_event(database: Database) -> None:
    with database.read() as connection:
        assert fates.ids_of(connection, "m") == []
        assert fates.last_id(connection) == 0
        assert fates.fates(connection, []) == {}


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
