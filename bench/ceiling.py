"""A refresh by hand: stream the query's rows, load them in bulk, compare them with a snapshot. Nothing else.

No look at a value, no run, no fence, no slot, no new snapshot: what the drivers and the engines cost by themselves. The
snapshot is a table of the same size, made before; it holds the other day's answer, or the same one's.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from typing import Protocol

import psycopg

from bench.people import DAYS, audience, trait
from bench.places import Place
from sync.model.definition import Definition, Kind

_ROWS = 10_000
"""Rows fetched at once."""


class Ceiling(Protocol):
    """The work by hand on one engine."""

    def prepare(self) -> None:
        """Make the snapshots, one for each definition and day."""
        ...

    def refresh(self, definition: Definition, known: Definition) -> int:
        """Compare a definition's answer with the snapshot of ``known``; gives how many users differ."""
        ...


def by_hand(place: Place) -> Ceiling:
    """The ceiling for a place's engine."""
    return _Sqlite(place) if place.on_sqlite else _Postgresql(place)


def _snapshot(definition: Definition) -> str:
    day = (definition.sql or "")[-1]
    return f"by_hand_{definition.key}_{day}"


def _all(prepare: Callable[[Definition], None]) -> None:
    for day in DAYS:
        for definition in (audience(day), trait(day)):
            prepare(definition)


class _Sqlite:
    """Both files through sqlite3: rows go from one cursor into the other's executemany, in the key's order."""

    def __init__(self, place: Place) -> None:
        self._source = place.source_path
        self._store = place.store_url.removeprefix("sqlite:///") + ".by-hand"

    def prepare(self) -> None:
        _all(self._prepare)

    def _prepare(self, definition: Definition) -> None:
        with closing(sqlite3.connect(self._source)) as source, closing(sqlite3.connect(self._store)) as store:
            store.execute("PRAGMA journal_mode = WAL")
            name = _snapshot(definition)
            store.execute(f"CREATE TABLE {name} (user_id TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID")
            store.executemany(_into(name, definition), source.execute(definition.sql or ""))
            store.commit()

    def refresh(self, definition: Definition, known: Definition) -> int:
        name = _snapshot(known)
        with closing(sqlite3.connect(self._source)) as source, closing(sqlite3.connect(self._store)) as store:
            store.execute("PRAGMA temp_store = FILE")
            store.execute("CREATE TEMP TABLE answer (user_id TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID")
            store.executemany(_into("answer", definition), source.execute(definition.sql or ""))
            changed = store.execute(
                f"SELECT a.user_id, p.value, a.value FROM answer a LEFT JOIN {name} p ON p.user_id = a.user_id "
                "WHERE p.value IS NOT a.value"
            ).fetchall()
            gone = store.execute(
                f"SELECT p.user_id FROM {name} p WHERE NOT EXISTS (SELECT 1 FROM answer a WHERE a.user_id = p.user_id)"
            ).fetchall()
        return len(changed) + len(gone)


def _into(table: str, definition: Definition) -> str:
    return f"INSERT INTO {table} VALUES (?, {'?' if definition.kind is Kind.TRAIT else chr(39) + 'true' + chr(39)})"


class _Postgresql:
    """A server-side cursor on one side, COPY into a TEMP table on the other; then its index and a merge join."""

    def __init__(self, place: Place) -> None:
        self._source = place.source_url
        self._store = place.store_url

    def prepare(self) -> None:
        _all(self._prepare)

    def _prepare(self, definition: Definition) -> None:
        name = _snapshot(definition)
        with psycopg.connect(self._store, autocommit=True) as store:
            self._load(store, definition, f"CREATE TABLE {name}", name)
            store.execute(f"VACUUM ANALYZE {name}")  # type: ignore[arg-type]

    def refresh(self, definition: Definition, known: Definition) -> int:
        with psycopg.connect(self._store, autocommit=True) as store:
            self._load(store, definition, "CREATE TEMP TABLE answer", "answer")
            store.execute("ANALYZE answer")
            store.execute("SET enable_hashjoin = off")
            changed = store.execute(
                f"SELECT coalesce(a.user_id, p.user_id), p.value, a.value FROM answer a "  # type: ignore[arg-type]
                f"FULL JOIN {_snapshot(known)} p ON p.user_id = a.user_id WHERE p.value IS DISTINCT FROM a.value"
            ).fetchall()
        return len(changed)

    def _load(self, store: psycopg.Connection, definition: Definition, create: str, name: str) -> None:
        columns = "user_id, value" if definition.kind is Kind.TRAIT else "user_id"
        with store.transaction(), psycopg.connect(self._source) as source, source.cursor("answer") as rows:
            store.execute(  # type: ignore[call-overload]
                f"{create} (user_id text COLLATE \"C\" NOT NULL, value text NOT NULL DEFAULT 'true')"
            )
            rows.execute(definition.sql or "")  # type: ignore[arg-type]
            with store.cursor().copy(f"COPY {name} ({columns}) FROM STDIN (FREEZE)") as copy:  # type: ignore[arg-type]
                while found := rows.fetchmany(_ROWS):
                    copy.write(_lines(found))
        store.execute(f"CREATE UNIQUE INDEX ON {name} (user_id) INCLUDE (value)")  # type: ignore[arg-type]


def _lines(rows: list[tuple[object, ...]]) -> str:
    """COPY's text format; these ids hold nothing to escape."""
    if len(rows[0]) == 1:
        return "".join([f"{row[0]}\n" for row in rows])
    return "".join([f"{row[0]}\t{row[1]}\n" for row in rows])
