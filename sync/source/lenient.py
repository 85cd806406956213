"""Values that a driver cannot read come as text, so that one odd row does not end the reading of all others.

PostgreSQL has instants that Python has not (``infinity``, years before Christ or after 9999), SQLite keeps whatever bytes
somebody called a text. The rules are a connection's own: answers to SQL in a definition are read as strictly as ever.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from itertools import islice
from typing import Any

from psycopg import DataError
from psycopg.abc import Buffer
from psycopg.types import datetime as instants
from psycopg.types import json
from sqlalchemy import Connection


class Unread(str):
    """The text of a value that could not be read: as its server writes it, or with what is no text replaced."""

    __slots__ = ()


def make_lenient(connection: Connection) -> None:
    """From here on, what cannot be read on this connection comes as `Unread`."""
    driver: Any = connection.connection.driver_connection
    if connection.dialect.name == "sqlite":
        driver.text_factory = text_of
        return
    if connection.dialect.name == "postgresql":
        for kind, loader in _LOADERS.items():
            driver.adapters.register_loader(kind, loader)


def fetching(connection: Connection, cursor: Any) -> Callable[[int], list[tuple[object, ...]]]:
    """Fetches so many rows of a driver's own cursor. On SQLite a batch is read strictly, which is quicker, up to the first
    text that is none: a row that cannot be read is still the next one."""
    if connection.dialect.name != "sqlite":
        return cursor.fetchmany  # type: ignore[no-any-return]
    driver: Any = connection.connection.driver_connection

    def fetch(most: int) -> list[tuple[object, ...]]:
        rows: list[tuple[object, ...]] = []
        driver.text_factory = str
        try:
            rows.extend(islice(cursor, most))
        except sqlite3.OperationalError:
            driver.text_factory = text_of
            others = list(islice(cursor, most - len(rows)))
            if not others:  # after any other trouble there are no rows
                raise
            rows += others
        finally:
            driver.text_factory = text_of
        return rows

    return fetch


def text_of(value: bytes) -> str:
    """A text of SQLite's, whatever its bytes."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return Unread(value.decode(errors="replace"))


def _lenient(strict: Any) -> Any:
    class Lenient(strict):  # type: ignore[misc]
        def load(self, data: Buffer) -> object:
            try:
                return super().load(data)
            except (DataError, ValueError, OverflowError):
                return Unread(bytes(data).decode(errors="replace"))

    return Lenient


_LOADERS = {
    "date": _lenient(instants.DateLoader),
    "timestamp": _lenient(instants.TimestampLoader),
    "timestamptz": _lenient(instants.TimestamptzLoader),
    "time": _lenient(instants.TimeLoader),
    "timetz": _lenient(instants.TimetzLoader),
    "interval": _lenient(instants.IntervalLoader),
    "json": _lenient(json.JsonLoader),
    "jsonb": _lenient(json.JsonbLoader),
}
