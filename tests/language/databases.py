"""Databases of every kind to put a random world into, and to ask about it by compiled SQL.

``documents``: JSON, in the tables of `query eval`. ``columns``: a customer's own tables, typed.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Protocol

import orjson
from sqlalchemy import NullPool, create_engine
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError

from sync.errors import QueryError
from sync.language.tree import Query
from sync.source.connection import TOO_DEEP, too_deep
from sync.source.scratch import Scratch, scratch
from tests.language.reference.evaluate import Data
from tests.language.typed import Typed, cleaned

LAYOUTS = ("documents", "columns")
_URLS = {"sqlite": "sqlite://", "duckdb": "duckdb:///:memory:"}


class Asked(Protocol):
    """A database with one world in it."""

    def load(self, data: Data) -> Data:
        """Have this and nothing else; gives what of it such a database can hold."""

    def answer(self, query: Query, as_of: str) -> object:
        """What the compiled SQL says, in the reference's shape. Raises whatever goes wrong; then load again."""


class _Documents:
    def __init__(self, database: Scratch) -> None:
        self._database = database

    def load(self, data: Data) -> Data:
        self._database.load(data.profiles, data.events)
        return data

    def answer(self, query: Query, as_of: str) -> object:
        return orjson.loads(orjson.dumps(self._database.answer(query, datetime.fromisoformat(as_of))))


class _Columns:
    def __init__(self, database: Typed) -> None:
        self._database = database

    def load(self, data: Data) -> Data:
        held, own = cleaned(data, any_text=self._database.connection.dialect.name == "sqlite")
        self._database.load(held, own)
        return held

    def answer(self, query: Query, as_of: str) -> object:
        try:
            return self._database.answer(query, as_of)
        except DBAPIError as error:
            self._database.connection.rollback()
            raise QueryError(too_deep() if str(error.orig) == TOO_DEEP else str(error.orig)) from error


@contextmanager
def holding(engine: str, layout: str, postgresql: str) -> Iterator[Asked]:
    """An empty one on a connection of its own; ``postgresql`` is the URL of a server."""
    url = _URLS.get(engine, postgresql)
    if layout == "documents":
        with scratch(url) as database:
            yield _Documents(database)
        return
    parsed = make_url(url)
    if engine == "postgresql":
        parsed = parsed.set(drivername="postgresql+psycopg")
    # A condition that is false stands for all others, and then it looks as if tables were joined by nothing.
    with create_engine(parsed, poolclass=NullPool, enable_from_linting=False).connect() as connection:
        yield _Columns(Typed(connection))
