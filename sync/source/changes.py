"""A query's source between two runs: how far its tables have come, and the statement for who can have another answer."""

from __future__ import annotations

import hashlib
from contextlib import closing
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import ColumnClause, Connection, column, select

from sync import __version__
from sync.language.sql.changes import Changes, Watched, compile_changes, in_full, watched
from sync.model.definition import Definition
from sync.model.feed import LATENESS, Cursor, Tables
from sync.model.watermark import Followed, Since, Survey
from sync.source import tables
from sync.source.connection import Source
from sync.source.feed import cursor_of, is_cursor
from sync.source.lenient import make_lenient
from sync.source.questions import Asked, Recipe, for_the_driver, posed

_ROWS_PER_FETCH = 1000


def survey(source: Source, connection: Connection, definition: Definition) -> Survey:
    """What there is before the definition is asked: an answer that is read later holds every row that was seen here."""
    make_lenient(connection)
    found = posed(source, connection, definition)
    cursor = _profiles_cursor(found.tables)
    fingerprint = _fingerprint(definition.fingerprint, source.place, repr(found.layout), __version__)
    obstacle = in_full(found.query, found.layout, profiles_cursor=cursor)
    if obstacle is not None:
        return Survey(obstacle, fingerprint, source.place)
    followed = {
        _name(each): Followed(_newest(connection, each), _lateness(found.tables, each.table))
        for each in watched(found.query, found.layout, profiles_cursor=cursor)
    }
    return Survey(None, fingerprint, source.place, followed)


def question_of_changes(
    source: Source, connection: Connection, definition: Definition, as_of: datetime, since: Since
) -> Asked:
    """The statement for who can have changed."""
    found, engine = posed(source, connection, definition), tables.engine(connection.dialect.name)
    cursor = _profiles_cursor(found.tables)
    every = watched(found.query, found.layout, profiles_cursor=cursor)
    unread = tuple(each for each in every if since.marks.get(_name(each)) is None)

    def compiled() -> Changes:
        return compile_changes(
            found.query,
            found.layout,
            engine,
            enrichment=found.enrichment,
            profiles_cursor=cursor,
            unread=unread,
        )

    bound = {each.bind: _bound(connection, since.marks[_name(each)]) for each in every if each not in unread}
    instants = {"as_of": engine.bound(as_of), "since": engine.bound(since.as_of)}
    return for_the_driver(
        Recipe(("changes", *found.parts, cursor, unread), compiled, engine), {**instants, **bound}, bool
    )


def _fingerprint(*parts: str) -> str:
    return hashlib.sha256(orjson.dumps(parts)).hexdigest()[:16]


def _profiles_cursor(there: Tables) -> str | None:
    return None if there.profiles is None else there.profiles.cursor


def _name(each: Watched) -> str:
    """By what its marks are known: those of another column say nothing."""
    return f"{each.table} by {each.cursor}"


def _lateness(there: Tables, table: str) -> float:
    found = [each.lateness for each in there.events if each.table == table]
    if there.profiles is not None and there.profiles.table == table:
        found.append(there.profiles.lateness)
    return max(found, default=LATENESS)


def _newest(connection: Connection, each: Watched) -> Cursor:
    """The highest cursor there is that can be one; ``None`` in a table without."""
    engine = tables.engine(connection.dialect.name)
    cursor: ColumnClause[Any] = column(each.cursor)
    statement = select(cursor).select_from(engine.table(each.table, [each.cursor])).where(cursor.is_not(None))
    statement = statement.order_by(cursor.desc())
    for limited in (statement.limit(1), statement):  # mostly the first row will do, which an index knows
        with closing(connection.execute(limited, execution_options={"yield_per": _ROWS_PER_FETCH})) as found:
            for (value,) in found:
                if is_cursor(value) and not isinstance(value, bytes):  # which SQLite has after all others
                    return cursor_of(value)
    return None


def _bound(connection: Connection, cursor: Cursor) -> Cursor:
    """PostgreSQL makes of a text what it is compared with."""
    return str(cursor) if connection.dialect.name == "postgresql" else cursor
