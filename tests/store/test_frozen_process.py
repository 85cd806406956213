"""A process that is stopped in the middle of a transaction keeps its locks for ten seconds, and not until it wakes."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import quote

import pytest
from sqlalchemy import text

from sync.errors import StoreUnavailable
from sync.store import leases, reports
from sync.store.counter import next_version
from sync.store.engine import Database, connect
from sync.store.leases import Lease
from tests.conftest import Place
from tests.recorder import audience, record

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


def test_whoever_reads_a_long_list_may_take_his_time(postgresql_database: Database) -> None:
    record(postgresql_database, audience(), ["ann", "bob"])
    with postgresql_database.read() as connection:
        assert connection.execute(SHOW).scalar_one() == "10s"
        members = reports.members(connection, "vip", "false", None)
        assert next(members) == ("ann", "true")
        assert connection.execute(SHOW).scalar_one() == "0"
        assert list(members) == [("bob", "true")]
