"""A query's source between two runs: how far its tables have come, and the statement for who can have another answer."""

from __future__ import annotations

import hashlib
from collections.abc import Hashable
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any

import orjson
from sqlalchemy import ColumnClause, Connection, Select, column, select

from sync import __version__
from sync.language.sql.changes import Changes, Watched, compile_changes, in_full, watched
from sync.model.definition import Definition
from sync.model.feed import LATENESS, Cursor, Tables
from sync.model.watermark import Followed, Since, Survey
from sync.source import tables
from sync.source.connection import Source
from sync.source.feed import cursor_of, is_cursor
from sync.source.questions import Asked, Posed, Recipe, for_the_driver

_ROWS_PER_FETCH = 1000


def survey(source: Source, connection: Connection, definition: Definition, found: Posed) -> Survey:
    """What there is before the definition is asked: an answer that is read later holds every row that was seen here."""
    terms = _terms(_Posing(found.parts, _profiles_cursor(found.tables), found))
    fingerprint = _fingerprint(definition.fingerprint, source.place, found.described, __version__)
    if terms.obstacle is not None:
        return Survey(terms.obstacle, fingerprint, source.place)
    followed = {
        _name(each): Followed(_newest(connection, each), _lateness(found.tables, each.table)) for each in terms.watched
    }
    return Survey(None, fingerprint, source.place, followed)


@dataclass(frozen=True, slots=True)
class _Posing:
    """Those with the same ``parts`` and ``cursor`` are on the same terms, which are worked out once."""

    parts: tuple[Hashable, ...]
    cursor: str | None
    found: Posed = field(compare=False)


@dataclass(frozen=True, slots=True)
class _Terms:
    """Why a query cannot be refreshed by what has changed; and if it can, the tables whose new rows matter."""

    obstacle: str | None
    watched: tuple[Watched, ...] = ()


@lru_cache(maxsize=64)
def _terms(asked: _Posing) -> _Terms:
    query, layout = asked.found.query, asked.found.layout
    obstacle = in_full(query, layout, profiles_cursor=asked.cursor)
    if obstacle is not None:
        return _Terms(obstacle)
    return _Terms(None, watched(query, layout, profiles_cursor=asked.cursor))


def question_of_changes(found: Posed, as_of: datetime, since: Since) -> Asked:
    """The statement for who can have changed."""
    engine, cursor = tables.engine(found.dialect), _profiles_cursor(found.tables)
    every = _terms(_Posing(found.parts, cursor, found)).watched
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

    bound = {each.bind: _bound(found.dialect, since.marks[_name(each)]) for each in every if each not in unread}
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
    statement = _from_the_end(connection.dialect.name, each.table, each.cursor)
    first = connection.execute(statement.limit(1)).scalar_one_or_none()  # mostly it will do, and an index knows it
    if first is None or _is_mark(first):
        return None if first is None else cursor_of(first)
    with closing(connection.execute(statement, execution_options={"yield_per": _ROWS_PER_FETCH})) as found:
        return next((cursor_of(value) for (value,) in found if _is_mark(value)), None)


def _is_mark(value: object) -> bool:
    return is_cursor(value) and not isinstance(value, bytes)  # which SQLite has after all others


@lru_cache(maxsize=64)
def _from_the_end(dialect: str, table: str, name: str) -> Select[Any]:
    cursor: ColumnClause[Any] = column(name)
    there = tables.engine(dialect).table(table, [name])
    return select(cursor).select_from(there).where(cursor.is_not(None)).order_by(cursor.desc())


def _bound(dialect: str, cursor: Cursor) -> Cursor:
    """PostgreSQL makes of a text what it is compared with."""
    return str(cursor) if dialect == "postgresql" else cursor
