"""What there is of a table that bears on its indexes: which it has, which it cannot have, and how large it is."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection, Row, text

from sync.source.tables import quoted

WORTH_AN_INDEX = 10_000
"""Rows; fewer are looked through as fast."""

_POSTGRESQL = text("""
SELECT i.indexrelid AS of, a.attname::text AS name, k.place <= i.indnkeyatts AS is_key
FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indexrelid JOIN pg_am AS m ON m.oid = c.relam
CROSS JOIN unnest(i.indkey) WITH ORDINALITY AS k (number, place)
LEFT JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = k.number
WHERE i.indrelid = to_regclass(CAST(:name AS text)) AND i.indisvalid AND i.indpred IS NULL AND m.amname = 'btree'
ORDER BY i.indexrelid, k.place""")
_KIND = text("SELECT relkind::text FROM pg_class WHERE oid = to_regclass(CAST(:name AS text))")
_VIRTUAL = text("""
SELECT attname::text FROM pg_attribute WHERE attrelid = to_regclass(CAST(:name AS text)) AND attgenerated = 'v'""")

_SQLITE = text("""
SELECT l.name AS of, i.name AS name, i.key AS is_key
FROM pragma_index_list(:name, :schema) AS l JOIN pragma_index_xinfo(l.name, :schema) AS i
WHERE NOT l.partial ORDER BY l.seq, i.seqno""")
_ROWID = text("""
SELECT max(name) AS name FROM pragma_table_info(:name, :schema)
WHERE pk > 0 HAVING count(*) = 1 AND max(upper(type)) = 'INTEGER'""")
_IS_TABLE = text("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND lower(name) = lower(:name)")


@dataclass(frozen=True, slots=True)
class Index:
    """An index of all rows, its columns in small letters: those by which it is in order, and all that it ``holds``.

    What is worked out, and no column, has no name.
    """

    keys: tuple[str, ...]
    holds: frozenset[str]

    def begins_with(self, columns: tuple[str, ...]) -> bool:
        """Whether rows can be looked for by these."""
        return self.keys[: len(columns)] == columns


def indexes(connection: Connection, name: str) -> list[Index]:
    """Those of a table."""
    if connection.dialect.name == "postgresql":
        return _indexes(connection.execute(_POSTGRESQL, {"name": quoted(connection, name)}))
    rowid = everywhere(connection, name)
    found = _indexes(connection.execute(_SQLITE, _names(name)))
    return [*(Index((each,), rowid) for each in rowid), *(replace(each, holds=each.holds | rowid) for each in found)]


def _indexes(rows: Iterable[Row[Any]]) -> list[Index]:
    parts: dict[object, list[tuple[str, bool]]] = {}
    for row in rows:
        parts.setdefault(row.of, []).append(((row.name or "").casefold(), bool(row.is_key)))
    return [
        Index(tuple(name for name, is_key in each if is_key), frozenset(name for name, _ in each if name))
        for each in parts.values()
    ]


def everywhere(connection: Connection, name: str) -> frozenset[str]:
    """The column, in small letters, that each index of a table has by itself: on SQLite, an integer that is its key."""
    if connection.dialect.name != "sqlite":
        return frozenset()
    return frozenset(each.casefold() for each in connection.execute(_ROWID, _names(name)).scalars())


def _names(name: str) -> dict[str, str | None]:
    schema, _, own = name.rpartition(".")
    return {"name": own, "schema": schema or None}


def virtual(connection: Connection, name: str) -> frozenset[str]:
    """Columns of a table that are worked out when they are read, and that PostgreSQL takes into no index."""
    if connection.dialect.name != "postgresql":
        return frozenset()
    return frozenset(connection.execute(_VIRTUAL, {"name": quoted(connection, name)}).scalars())


def kind(connection: Connection, name: str) -> str | None:
    """What PostgreSQL calls the kind of a table; `None` for what can have no index."""
    if connection.dialect.name == "postgresql":
        found = connection.execute(_KIND, {"name": quoted(connection, name)}).scalar()
        return found if found in ("r", "p", "m") else None
    return "r" if connection.execute(_IS_TABLE, {"name": name.rpartition(".")[2]}).scalar() else None


def is_large(connection: Connection, name: str) -> bool:
    """Whether it is worth an index."""
    counted = f"SELECT 1 FROM {quoted(connection, name)} LIMIT {WORTH_AN_INDEX + 1}"
    rows: int = connection.exec_driver_sql(f"SELECT count(*) FROM ({counted}) AS counted").scalar_one()
    return rows > WORTH_AN_INDEX
