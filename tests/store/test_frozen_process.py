"""A process that is stopped in the middle of a transaction keeps its locks for ten seconds, and not until it wakes."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import quote

import pytest
from sqlalchemy import text

from sync.errors import StoreUnavailable
from sync.store import leases, reports, slots
from sync.store.counter import next_version
from sync.store.engine import Database, connect
from sync.store.leases import Lease
from tests.conftest import Place
from tests.moving_clock import MovingClock
from tests.recorder import LEASE, PUSH, audience, claim, record

LOCKED = text("SELECT 1 FROM slot WHERE user_id = 'ann' FOR UPDATE")
SHOW = text("SELECT current_setting('idle_in_transaction_session_timeout')")


def silent_for(milliseconds: int) -> str:
    """What to add to a URL for a server with so much patience."""
    return f"&options={quote(f'-c idle_in_transaction_session_timeout={milliseconds}')}"


@pytest.fixture
def frozen(postgresql_database: Database, postgresql_store_place: Place) -> Iterator[Database]:
    """The same store, for a process that says nothing for longer than the server waits."""
    found = connect(postgresql_store_place.url + silent_for(1000), postgresql_store_place.schema)
    yield found
    found.close()


def test_a_silent_transaction_is_ended_before_any_lease_is(postgresql_place: Place) -> None:
    database = connect(postgresql_place.url)
    with database.read() as connection:
        assert connection.execute(SHOW).scalar_one() == "10s"
    database.close()


def test_what_the_url_says_about_it_wins(frozen: Database) -> None:
    with frozen.read() as connection:
        assert connection.execute(SHOW).scalar_one() == "1s"


def freeze(frozen: Database, others: Database) -> None:
    """Stop in the middle of a transaction, until somebody else has got the lock; then go on."""
    with frozen.write() as connection:
        ours = next_version(connection)
        # This waits for our lock, and gets it when the server has given us up.
        with others.write() as other:
            theirs = next_version(other)
        assert theirs == ours, "our number is still taken"
        next_version(connection)


def test_the_locks_of_a_frozen_process_are_freed_and_it_hears_of_it(
    postgresql_database: Database, frozen: Database
) -> None:
    with pytest.raises(StoreUnavailable, match="gave up on this process"):
        freeze(frozen, postgresql_database)
    assert isinstance(leases.acquire(frozen, "leader", 5), Lease), "it goes on with a new connection"


@pytest.fixture
def lapsed(postgresql_database: Database, clock: MovingClock) -> Database:
    """Two users' slots were claimed, and their leases ran out."""
    record(postgresql_database, audience(), ["ann", "bob"])
    assert len(claim(postgresql_database)) == 2
    clock.advance(LEASE + 1)
    return postgresql_database


def test_what_a_frozen_process_has_locked_keeps_nobody_else_from_being_rescued(lapsed: Database) -> None:
    with lapsed.write() as frozen:
        frozen.execute(LOCKED)
        assert slots.rescue(lapsed, PUSH) == 1
        assert [each.user_id for each in claim(lapsed)] == ["bob"]
    assert slots.rescue(lapsed, PUSH) == 1
    assert [each.user_id for each in claim(lapsed)] == ["ann"]


def test_what_a_dead_sender_had_claimed_is_all_rescued_even_if_a_frozen_process_has_to_be_given_up(
    lapsed: Database, frozen: Database
) -> None:
    def lock_and_freeze() -> None:
        with frozen.write() as connection:
            connection.execute(LOCKED)
            assert slots.rescue(lapsed, PUSH, all_of_them=True) == 2
            connection.execute(LOCKED)

    with pytest.raises(StoreUnavailable, match="gave up on this process"):
        lock_and_freeze()


def test_whoever_reads_a_long_list_may_take_his_time(postgresql_database: Database) -> None:
    record(postgresql_database, audience(), ["ann", "bob"])
    with postgresql_database.read() as connection:
        assert connection.execute(SHOW).scalar_one() == "10s"
        members = reports.members(connection, "vip", "false", None)
        assert next(members) == ("ann", "true")
        assert connection.execute(SHOW).scalar_one() == "0"
        assert list(members) == [("bob", "true")]
