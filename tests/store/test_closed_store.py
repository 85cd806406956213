"""A store that was closed leaves no connection behind, also where a thread that nobody waits for still works with it."""

from __future__ import annotations

import sqlite3
from contextlib import suppress

from sync.store.engine import Database


def is_open(driver: object) -> bool:
    """Whether a driver's connection is."""
    if isinstance(driver, sqlite3.Connection):
        with suppress(sqlite3.ProgrammingError):
            return driver.total_changes >= 0
        return False
    return not driver.closed  # type: ignore[attr-defined,no-any-return]


def used(database: Database, *, closed_meanwhile: bool = False) -> object:
    """The driver's connection with which something was read."""
    with database.read() as connection:
        if closed_meanwhile:
            database.close()
        connection.exec_driver_sql("SELECT count(*) FROM slot")
        return connection.connection.driver_connection


def test_until_it_is_closed_connections_are_kept(database: Database) -> None:
    found = used(database)
    assert is_open(found)
    database.close()
    assert not is_open(found)


def test_a_connection_in_use_is_closed_when_it_comes_back(database: Database) -> None:
    assert not is_open(used(database, closed_meanwhile=True))


def test_whoever_comes_after_the_end_leaves_no_connection(database: Database) -> None:
    database.close()
    assert not is_open(used(database))
