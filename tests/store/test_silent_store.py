"""A store that vanishes without a word is given up; one whose connections all wait is told as one that does not answer."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from sync.errors import StoreUnavailable
from sync.store.engine import Database, connect
from tests.conftest import Place


def parameters(database: Database) -> dict[str, str]:
    """What a connection was opened with."""
    with database.read() as connection:
        found: dict[str, str] = connection.connection.driver_connection.info.get_parameters()  # type: ignore[union-attr]
        return found


def opened_with(url: str) -> dict[str, str]:
    database = connect(url)
    try:
        return parameters(database)
    finally:
        database.close()


def test_a_server_that_vanishes_is_given_up_after_half_a_minute(postgresql_place: Place) -> None:
    found = {name: int(value) for name, value in opened_with(postgresql_place.url).items() if value.isdecimal()}
    assert found["connect_timeout"] <= 10
    assert found["keepalives_idle"] + found["keepalives_interval"] * found["keepalives_count"] <= 30
    assert 0 < found["tcp_user_timeout"] <= 30_000


def test_what_the_url_says_of_it_wins(postgresql_place: Place) -> None:
    found = opened_with(f"{postgresql_place.url}&keepalives_idle=77&connect_timeout=3")
    assert (found["keepalives_idle"], found["connect_timeout"], found["keepalives_interval"]) == ("77", "3", "5")


def test_when_all_connections_wait_the_store_is_away(sqlite_database: Database) -> None:
    pool = sqlite_database.engine.pool
    pool._timeout = 0.01  # type: ignore[attr-defined] # nobody wants to wait for half a minute here
    with ExitStack() as held:
        for _ in range(pool.size() + pool._max_overflow):  # type: ignore[attr-defined]
            held.enter_context(sqlite_database.read())
        with pytest.raises(StoreUnavailable, match="all connections to it are waiting"):
            held.enter_context(sqlite_database.read())
