"""The log: everything once, in order, durable; one event that cannot be stored harms no other."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone
from random import Random

import orjson
import pytest
from sqlalchemy import text

from sync.model.event import LoggedEvent
from sync.model.kept_out import user_hash
from sync.store import events, suppressions
from sync.store.counter import next_version
from sync.store.engine import Database
from sync.store.events import Recorded, find

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
EARLY = datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=2)))
"""In UTC it would be before there were any years."""


def track(message_id: str, user_id: str | None = "ann", **more: object) -> LoggedEvent:
    """A track event; ``more`` replaces what the log keeps of it."""
    body = {"type": "track", "event": "Order Completed", "userId": user_id, "messageId": message_id}
    fields: dict[str, object] = {
        "source": "web",
        "message_id": message_id,
        "type": "track",
        "name": "Order Completed",
        "user_id": user_id,
        "anonymous_id": None,
        "timestamp": NOON,
        "received_at": NOON,
        "body": orjson.dumps({**body, "properties": {"total": 12.5}}).decode(),
    }
    return LoggedEvent(**{**fields, **more})  # type: ignore[arg-type]


def tracks(*message_ids: str) -> list[LoggedEvent]:
    return [track(message_id) for message_id in message_ids]


def logged(database: Database, **wanted: object) -> list[LoggedEvent]:
    with database.read() as connection:
        return find(connection, newest_first=False, most=10_000, **wanted)  # type: ignore[arg-type]


def message_ids(found: Sequence[LoggedEvent]) -> list[str]:
    return [each.message_id for each in found]


def test_what_is_recorded_is_read_back_as_it_was(database: Database) -> None:
    before = track("m1", anonymous_id="anon", timestamp=NOON - timedelta(microseconds=1), collected=False)
    done = events.record(database, [before, track("m2", user_id=None, name=None, type="group")])
    assert done.new == 2
    first, second = logged(database)
    assert orjson.loads(first.body) == orjson.loads(before.body)
    assert (first.id, second.id) == done.ids
    assert (second.user_id, second.name, second.type, second.collected) == (None, None, "group", True)
    for field in LoggedEvent.__slots__:
        assert field in ("id", "body") or getattr(first, field) == getattr(before, field)


def test_an_event_that_comes_again_is_kept_once(database: Database) -> None:
    events.record(database, tracks("a", "b"))
    done = events.record(database, [*tracks("b", "c", "c"), track("a", source="ios")])
    assert (done.new, done.duplicates) == (2, 2)
    assert message_ids(logged(database)) == ["a", "b", "c", "a"]
    assert [each.id for each in logged(database)][2:] == list(done.ids)


def test_nothing_is_recorded_of_nothing(database: Database) -> None:
    assert events.record(database, []) == Recorded()


def test_events_and_slots_share_one_numbering(database: Database) -> None:
    (before,) = events.record(database, tracks("a")).ids
    with database.write() as connection:
        version = next_version(connection)
    (after,) = events.record(database, tracks("b")).ids
    assert before < version < after


def unstorable(database: Database) -> list[LoggedEvent]:
    """Events that an engine refuses, each for another reason."""
    for_all = [track("nul", user_id="a\0b"), track("half", name="\ud800"), track("early", timestamp=EARLY)]
    if database.dialect == "sqlite":
        return for_all
    noise = Random(1).randbytes(5_000).hex()
    return [
        *for_all,
        track("no json", body="{"),
        track("nul in body", body='{"a": "\\u0000"}'),
        track("nul in name", name="a\0"),
        track("number", body='{"a": 1e999999}'),
        track("index", name=noise),
    ]


def test_what_cannot_be_stored_is_left_out_and_said_and_harms_no_other(database: Database) -> None:
    batch = tracks("a", "b")
    poison = unstorable(database)
    for place, each in enumerate(poison):
        batch.insert(place + 1, each)
    batch += tracks("c", "a")
    done = events.record(database, batch)
    assert done.refused == tuple(range(1, len(poison) + 1))
    assert (done.new, done.duplicates) == (3, 1)
    assert message_ids(logged(database)) == ["a", "b", "c"]


def test_a_suppressed_users_events_are_not_taken_in(database: Database) -> None:
    assert suppressions.suppress(database, "ann")
    assert not suppressions.suppress(database, "ann")
    done = events.record(database, [track("a"), track("b", "bob"), track("c", None)])
    assert (done.new, done.suppressed) == (2, 1)
    with database.read() as connection:
        assert suppressions.since(connection, "ann") is not None
        assert connection.execute(text("SELECT count(*) FROM suppression WHERE user_hash LIKE '%ann%'")).scalar() == 0
    assert suppressions.unsuppress(database, "ann")
    assert not suppressions.unsuppress(database, "ann")
    assert events.record(database, tracks("a")).new == 1


def test_more_suppressed_users_than_fit_into_one_question_are_all_found(database: Database) -> None:
    users = [f"user-{number}" for number in range(suppressions._AT_ONCE + 50)]
    with database.write() as connection:
        salt = suppressions.salt(connection)
        connection.execute(
            text("INSERT INTO suppression (user_hash, since) VALUES (:hash, '2026-11-21 12:00:00.000000')"),
            [{"hash": user_hash(salt, user)} for user in users],
        )
    done = events.record(database, [track(user, user) for user in [*users, "bob"]])
    assert (done.new, done.suppressed) == (1, len(users))


def test_events_are_found_by_what_is_known_of_them(database: Database) -> None:
    events.record(database, [track("a"), track("b", "bob"), track("c", name="Signed Up"), track("d", type="page")])
    everything = logged(database)
    assert logged(database, number=everything[1].id) == [everything[1]]
    assert message_ids(logged(database, user_id="ann")) == ["a", "c", "d"]
    assert message_ids(logged(database, message_id="c")) == ["c"]
    assert message_ids(logged(database, name="Signed Up")) == ["c"]
    assert message_ids(logged(database, type="page")) == ["d"]
    assert message_ids(logged(database, after=everything[1].id)) == ["c", "d"]
    with database.read() as connection:
        assert message_ids(find(connection, most=2)) == ["d", "c"]
        assert events.latest(connection) == everything[-1].id


def test_a_number_that_is_seen_is_never_followed_by_a_lower_one(database: Database) -> None:
    """Recorders side by side, some that hold the same events: a reader that follows the log misses none."""
    writers, each = 4, 25
    going = threading.Event()
    seen: list[LoggedEvent] = []

    def write(writer: int) -> None:
        going.wait()
        for number in range(each):
            own = [track(f"{writer}-{number}-{i}", f"user-{i}") for i in range(3)]
            events.record(database, [*own, track(f"shared-{number}")])

    threads = [threading.Thread(target=write, args=(writer,)) for writer in range(writers)]
    for thread in threads:
        thread.start()
    going.set()
    while True:
        alive = any(thread.is_alive() for thread in threads)
        found = logged(database, after=seen[-1].id if seen else 0)
        seen += found
        if not alive and not found:
            break
    for thread in threads:
        thread.join()
    assert message_ids(seen) == message_ids(logged(database))
    assert len(seen) == writers * each * 3 + each


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_what_a_recording_draws_is_taken_before_anything_else_is_locked(database: Database) -> None:
    """Two recordings of the same users, the other way round, do not end in a deadlock."""
    start = threading.Barrier(2)
    results: list[Recorded] = []

    def write(users: Sequence[str]) -> None:
        start.wait()
        for turn in range(10):
            batch = [track(f"{turn}-{user}", user, type="identify", body='{"traits": {"a": 1}}') for user in users]
            results.append(events.record(database, batch))

    users = [f"user-{number}" for number in range(20)]
    threads = [threading.Thread(target=write, args=(each,)) for each in (users, users[::-1])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(each.new for each in results) == sum(each.duplicates for each in results) == 200
