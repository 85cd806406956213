"""Slots that a bulk holds keep their places in the queue: claims begin where the last one ended, and pass nobody over."""

from __future__ import annotations

from sqlalchemy import text

from sync.model.run import RunKind
from sync.store import bulk_claims
from sync.store.bulk_claims import FRONT, Queues, Wanted
from sync.store.engine import Database
from tests.recorder import LEASE, PUSH, audience, claim, record, trait

FOUR = ["ann", "bob", "cid", "dan"]


def held(database: Database, most: int, queues: Queues = FRONT) -> tuple[list[str], Queues]:
    """Who is held by the next bulk of so many, and how far the queues have been claimed then."""
    wanted = Wanted(most, 1, LEASE, 900.0)
    [taken], further = bulk_claims.claim(database, PUSH, wanted, most_alone=0, queues=queues)
    return sorted(slot.user_id for each in taken.read().together for slot in each), further


def test_a_claim_goes_on_where_the_last_one_ended_and_takes_nobody_twice(database: Database) -> None:
    record(database, audience(), FOUR)
    first, queues = held(database, 2)
    second, queues = held(database, 2, queues)
    assert (first, second) == (["ann", "bob"], ["cid", "dan"])
    assert held(database, 2, queues)[0] == held(database, 2)[0] == []
    assert claim(database) == []


def test_two_requests_of_one_claim_share_nobody(database: Database) -> None:
    record(database, audience(), FOUR)
    wanted = Wanted(2, 1, LEASE, 900.0)
    taken, _ = bulk_claims.claim(database, PUSH, wanted, most_alone=0, requests=3)
    users = [slot.user_id for each in taken for alike in each.read().together for slot in alike]
    assert sorted(users) == FOUR


def test_deltas_go_before_backfills_wherever_these_have_come_to(database: Database) -> None:
    record(database, audience(), FOUR, kind=RunKind.BACKFILL)
    _, queues = held(database, 2)
    record(database, audience(), [*FOUR, "yan", "zoe"])
    assert held(database, 3, queues)[0] == ["cid", "yan", "zoe"]


def test_who_was_owed_a_backfill_and_has_changed_goes_before_it_although_deltas_were_claimed_meanwhile(
    database: Database,
) -> None:
    record(database, audience(), FOUR, kind=RunKind.BACKFILL)
    record(database, audience(), [*FOUR, "yan"])
    found, queues = held(database, 2)
    assert found == ["ann", "yan"]
    record(database, audience(), [each for each in [*FOUR, "yan"] if each != "dan"])
    assert held(database, 1, queues)[0] == ["dan"]


def test_who_comes_to_stand_before_the_places_is_found_when_nobody_follows_them(database: Database) -> None:
    record(database, audience(), FOUR)
    _, queues = held(database, 3)
    record(database, trait(), {"eve": 1})
    with database.write() as connection:
        connection.execute(text("UPDATE slot SET due_at = '2001-01-01 00:00:00.000000' WHERE user_id = 'eve'"))
    found, queues = held(database, 1, queues)
    assert found == ["dan"]
    assert held(database, 5, queues)[0] == ["eve"]


def test_who_is_due_is_held_without_a_write_to_an_index_of_postgresql(postgresql_database: Database) -> None:
    record(postgresql_database, audience(), FOUR)
    count = text("SELECT pg_stat_get_xact_tuples_hot_updated('slot'::regclass)")
    with postgresql_database.together() as together, together.read() as connection:
        before = connection.execute(count).scalar_one()
        assert held(together, 4)[0] == FOUR
        assert connection.execute(count).scalar_one() == before + 4
