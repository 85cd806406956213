"""Commits of SQLite that need not wait for the disk.

In WAL mode a commit is written to the log, and then the disk is waited for. A commit that is not waited
for can be undone by a power cut, and only together with all that came after it: whoever waits next, in whatever process,
waits for the whole log.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

_FULL = 2


@contextmanager
def not_waiting(connection: Connection) -> Iterator[None]:
    """Let what is committed inside be written without waiting. Begin and end it outside a transaction."""
    # Where a file cannot be in WAL mode, not to wait could leave it torn; and in tests nobody ever waits.
    waits = _pragma(connection, "synchronous") == _FULL and _pragma(connection, "journal_mode") == "wal"
    if not waits:
        yield
        return
    try:
        _pragma(connection, "synchronous=NORMAL")
        yield
    finally:
        _wait_again(connection)


def _wait_again(connection: Connection) -> None:
    """Where that cannot be, nobody else gets the connection: its transaction is not over yet, or it is lost."""
    told = False
    try:
        with suppress(SQLAlchemyError, sqlite3.Error):
            _pragma(connection, "synchronous=FULL")
            told = True
    finally:  # also when it is interrupted here
        if not told:
            connection.invalidate()


def _pragma(connection: Connection, said: str) -> object:
    cursor = connection.connection.cursor()
    try:
        row = cursor.execute(f"PRAGMA {said}").fetchone()
    finally:
        cursor.close()
    return row[0] if row else None
