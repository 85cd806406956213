"""Indexes that a query would use, and that its source has not: with the statement that makes them.

Only of tables that are worth one, and where the database would use it: views, and what is computed, have none.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, text

from sync.language.sql.access import Access, accesses
from sync.language.sql.layout import Layout, Type
from sync.model.definition import Definition
from sync.source.connection import Source
from sync.source.questions import posed
from sync.source.tables import quoted, sqlite_indexes

WORTH_AN_INDEX = 10_000
"""Rows; fewer are looked through as fast."""

_DATES = (Type.DATE, Type.TIMESTAMP, Type.INSTANT)
_LONGEST_NAME = 63
"""Bytes, on PostgreSQL."""

_POSTGRESQL = text("""
SELECT ARRAY(SELECT a.attname::text FROM unnest(i.indkey) WITH ORDINALITY AS k (number, place)
  LEFT JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = k.number
  WHERE k.place <= i.indnkeyatts ORDER BY k.place)
FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indexrelid JOIN pg_am AS m ON m.oid = c.relam
WHERE i.indrelid = to_regclass(CAST(:name AS text)) AND i.indisvalid AND i.indpred IS NULL AND m.amname = 'btree'""")
_KIND = text("SELECT relkind::text FROM pg_class WHERE oid = to_regclass(CAST(:name AS text))")


@dataclass(frozen=True, slots=True)
class Lacking:
    """An index that is not there: what it must begin with, and the statement that makes the best one."""

    table: str
    leading: tuple[str, ...]
    statement: str


def lacking(source: Source, connection: Connection, definition: Definition) -> Iterator[Lacking]:
    """The indexes that a definition's query would use if they were there; nothing but on SQLite and PostgreSQL."""
    if connection.dialect.name not in ("sqlite", "postgresql"):
        return
    found = posed(source, connection, definition)
    for access in dict.fromkeys(accesses(found.query, found.layout)):
        if not _is_of_use(connection, found.layout, access):
            continue
        indexed, kind = _indexes(connection, access.table), _kind(connection, access.table)
        wanted = [tuple(map(str.casefold, each)) for each in (access.leading, *access.others)]
        served = any(index[: len(each)] == each for index in indexed for each in wanted)
        if kind is not None and not served and _is_large(connection, access.table):
            yield Lacking(access.table, access.leading, _statement(connection, access, kind))


def _is_of_use(connection: Connection, layout: Layout, access: Access) -> bool:
    """On PostgreSQL, a time that is kept as a text is computed."""
    times = {each.timestamp: each.columns[each.timestamp] for each in layout.events if each.table == access.table}
    computed = [name for name, kind in times.items() if kind.type not in _DATES]
    return connection.dialect.name == "sqlite" or not set(computed) & set(access.leading)


def _indexes(connection: Connection, name: str) -> list[tuple[str, ...]]:
    """The columns of each index of a whole table, as they are compared; one that is an expression has no name."""
    if connection.dialect.name == "postgresql":
        rows = connection.execute(_POSTGRESQL, {"name": quoted(connection, name)})
        return [tuple((each or "").casefold() for each in row[0]) for row in rows]
    return list(_indexes_on_sqlite(connection, name))


def _indexes_on_sqlite(connection: Connection, name: str) -> Iterator[tuple[str, ...]]:
    schema, _, own = name.rpartition(".")
    quote = connection.dialect.identifier_preparer.quote_identifier
    start = f"PRAGMA {quote(schema)}." if schema else "PRAGMA "
    keys = [each for each in connection.exec_driver_sql(f"{start}table_info({quote(own)})") if each.pk]
    yield tuple(each.name.casefold() for each in sorted(keys, key=lambda each: each.pk))
    for index in sqlite_indexes(connection, name):
        yield tuple(column for column, _ in index)


def _kind(connection: Connection, name: str) -> str | None:
    """What PostgreSQL calls the kind of a table; `None` for what can have no index."""
    if connection.dialect.name == "postgresql":
        kind = connection.execute(_KIND, {"name": quoted(connection, name)}).scalar()
        return kind if kind in ("r", "p", "m") else None
    own = name.rpartition(".")[2]
    asked = text("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND lower(name) = lower(:name)")
    return "r" if connection.execute(asked, {"name": own}).scalar() else None


def _is_large(connection: Connection, name: str) -> bool:
    counted = f"SELECT 1 FROM {quoted(connection, name)} LIMIT {WORTH_AN_INDEX + 1}"
    rows: int = connection.exec_driver_sql(f"SELECT count(*) FROM ({counted}) AS counted").scalar_one()
    return rows > WORTH_AN_INDEX


def _statement(connection: Connection, access: Access, kind: str) -> str:
    quote = connection.dialect.identifier_preparer.quote
    columns = ", ".join(map(quote, access.best))
    name = quote(_name((access.table.rpartition(".")[2], *access.best)))
    concurrently = "CONCURRENTLY " if connection.dialect.name == "postgresql" and kind != "p" else ""
    own = access.table.rpartition(".")[2]  # on SQLite, an index is where its table is
    table = quote(own) if connection.dialect.name == "sqlite" else quoted(connection, access.table)
    return f"CREATE INDEX {concurrently}{name} ON {table} ({columns})"


def _name(parts: Sequence[str]) -> str:
    """One that no other index has: where it is too long to be told from another's by its end, it gets a mark."""
    whole = "_".join(parts)
    written = whole.encode()
    if len(written) <= _LONGEST_NAME:
        return whole
    mark = hashlib.sha256(written).hexdigest()[:8]
    return f"{written[: _LONGEST_NAME - len(mark) - 1].decode(errors='ignore')}_{mark}"
