"""Profiles and events for a moment: put into tables that vanish, and asked about by the SQL that a refresh would run."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import Connection, NullPool, create_engine, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError

from sync.errors import QueryError, SourceUnavailable
from sync.language.sql import compile_query
from sync.language.sql.unknown import is_condition
from sync.language.tree import Query
from sync.model.canonical import value_text
from sync.model.feed import EventsTable, ProfilesTable, Tables
from sync.model.received import NAMES
from sync.source import tables
from sync.source.connection import TOO_DEEP, too_deep

MEMORY = "sqlite://"
"""The URL of a database that is nowhere."""

Object = Mapping[str, Any]

_PROFILES, _EVENTS = "query_profiles", "query_events"
_TABLES = Tables(
    (EventsTable(_EVENTS, "user_id", "timestamp", name="event", properties="properties", cursor="id"),),
    ProfilesTable(_PROFILES, "user_id", traits="traits"),
    collected=True,
)
_JSON = {"sqlite": "TEXT", "postgresql": "JSONB", "duckdb": "JSON"}
_CREATE = (
    f"CREATE TEMPORARY TABLE {_PROFILES} (user_id TEXT PRIMARY KEY, traits {{json}})",
    f"""CREATE TEMPORARY TABLE {_EVENTS} (id INTEGER, user_id TEXT, event TEXT, type TEXT, timestamp TEXT,
    properties {{json}}, context {{json}}, source TEXT, name {{json}})""",
)


class Scratch:
    """Tables of their own on a connection; whoever gives the connection takes it away."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        dialect = connection.dialect.name
        for statement in _CREATE:
            connection.execute(text(statement.format(json=_JSON[dialect])))
        connection.commit()  # an error takes back what was loaded, and not the tables
        self._layout = tables.layout(connection, _TABLES, exact_times=False)
        self._engine = tables.engine(dialect)

    def load(self, profiles: Sequence[Object], events: Sequence[Object]) -> None:
        """Have these, and no others. What is not of the shape of a profile or an event is nobody's."""
        known = {each.get("user_id"): each.get("traits") for each in profiles if isinstance(each.get("user_id"), str)}
        with self._translated():
            for name in (_PROFILES, _EVENTS):
                self._connection.execute(text(f"DELETE FROM {name}"))
            self._insert(
                _PROFILES, [{"user_id": user_id, "traits": _json(traits)} for user_id, traits in known.items()]
            )
            self._insert(_EVENTS, [_event(place, each) for place, each in enumerate(events)])

    def _insert(self, name: str, rows: list[dict[str, Any]]) -> None:
        if rows:
            places = ", ".join(f"CAST(:{key} AS {self._type(key)})" for key in rows[0])
            self._connection.execute(text(f"INSERT INTO {name} ({', '.join(rows[0])}) VALUES ({places})"), rows)

    def _type(self, column: str) -> str:
        if column in ("traits", "properties", "context", "name"):
            return _JSON[self._connection.dialect.name]
        return "INTEGER" if column == "id" else "TEXT"

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (DBAPIError, ValueError) as error:  # a ValueError: what the driver does not even take
            self._connection.rollback()
            original = error.orig if isinstance(error, DBAPIError) else error
            said = (str(original).strip().splitlines() or ["no reason given"])[0]
            sentence = too_deep() if said == TOO_DEEP else f"the database cannot take this: {said}"
            raise QueryError(sentence) from error

    def answer(self, query: Query, as_of: datetime) -> dict[str, Any]:
        """Members, sorted, or values by user."""
        found = compile_query(query, self._layout, self._engine)
        with self._translated():
            rows = self._connection.execute(found.statement, {"as_of": self._engine.bound(as_of)}).all()
        if is_condition(query):
            return {"kind": "audience", "members": sorted(row[0] for row in rows)}
        (decoded,) = found.decoded
        values = {row[0]: orjson.Fragment(value_text(decoded(row[1])) or "null") for row in sorted(rows, key=_user)}
        return {"kind": "trait", "values": values}


@contextmanager
def scratch(url: str = MEMORY) -> Iterator[Scratch]:
    """One on a connection of its own: at the end of that, its tables vanish. Raises `SourceUnavailable`."""
    parsed = make_url(url)
    if parsed.get_backend_name() == "postgresql":
        parsed = parsed.set(drivername="postgresql+psycopg")
    try:
        with create_engine(parsed, poolclass=NullPool, hide_parameters=True).connect() as connection:
            yield Scratch(connection)
    except DBAPIError as error:
        said = (str(error.orig).strip().splitlines() or ["no reason given"])[0]
        raise SourceUnavailable(f"the database cannot be used: {said}") from error


def _user(row: Any) -> str:
    user: str = row[0]
    return user


def _event(place: int, event: Object) -> dict[str, Any]:
    kind = event.get("type", "track")
    return {
        "id": place,
        "user_id": _text(event.get("userId")),
        "event": _text(event.get("event")) if kind == "track" else NAMES.get(str(kind)),
        "type": str(kind),
        "timestamp": _text(event.get("timestamp")),
        "properties": _json(event.get("properties")),
        "context": _json(event.get("context")),
        "source": _text(event.get("projectId")),
        "name": _json(event.get("name")),
    }


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _json(value: object) -> str | None:
    if value is None:
        return None
    try:
        return orjson.dumps(value).decode()
    except TypeError:  # a number beyond 64 bits, half of a surrogate pair
        return json.dumps(value)
