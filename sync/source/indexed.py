"""What there is of a table that bears on its indexes: which it has, which it cannot have, and how large it is."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from sqlalchemy import Connection, func, literal_column, select, text

from sync.source.names import quoted, quoted_column
from sync.source.tables import engine

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
SELECT l.name AS of, i.name AS name, i.key AS is_key, i.coll AS collation
FROM pragma_index_list(:name, :schema) AS l JOIN pragma_index_xinfo(l.name, :schema) AS i
WHERE NOT l.partial ORDER BY l.seq, i.seqno""")
_ROWID = text("""
SELECT max(name) AS name FROM pragma_table_info(:name, :schema)
WHERE pk > 0 HAVING count(*) = 1 AND max(upper(type)) = 'INTEGER' AND NOT EXISTS (
  SELECT 1 FROM pragma_index_list(:name, :schema) AS l JOIN pragma_index_xinfo(l.name, :schema) AS i
  WHERE l.origin = 'pk' AND i.cid = -1)""")
_IS_TABLE = text("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND lower(name) = lower(:name)")


@dataclass(frozen=True, slots=True)
class Index:
    """An index of all rows: the columns by which it is in order, and all that it ``holds``, their names made `plain`.

    A key has no name that is worked out, and no column, or in another order than that by which the column is compared.
    """

    keys: tuple[str, ...]
    holds: frozenset[str]

    def begins_with(self, columns: tuple[str, ...]) -> bool:
        """Whether rows can be looked for by these."""
        return self.keys[: len(columns)] == columns


def plain(connection: Connection, columns: Iterable[str]) -> tuple[str, ...]:
    """Names of columns so that what the database takes for the same is equal: SQLite minds no capital letters."""
    return tuple(each.casefold() if connection.dialect.name == "sqlite" else each for each in columns)


def indexes(connection: Connection, name: str) -> list[Index]:
    """Those of a table."""
    if connection.dialect.name == "postgresql":
        rows = connection.execute(_POSTGRESQL, {"name": quoted(connection, name)})
        return _indexes((row.of, row.name or "", row.is_key, True) for row in rows)
    rowid = everywhere(connection, name)
    found = connection.execute(_SQLITE, _names(name)).all()
    own = {each: _collation(connection, name, each) for each in {row.name for row in found if row.is_key and row.name}}
    parts = ((row.of, (row.name or "").casefold(), row.is_key, row.collation == own.get(row.name)) for row in found)
    return [
        *(Index((each,), rowid) for each in rowid),
        *(replace(each, holds=each.holds | rowid) for each in _indexes(parts)),
    ]


def _indexes(rows: Iterable[tuple[object, str, bool, bool]]) -> list[Index]:
    """Of each part: the index, the column, whether it is a key, and whether this is in the column's own order."""
    keys: dict[object, list[str]] = {}
    holds: dict[object, set[str]] = {}
    for of, name, is_key, in_order in rows:
        keys.setdefault(of, []).extend([name if in_order else ""] if is_key else [])
        holds.setdefault(of, set()).update([name] if name else [])
    return [Index(tuple(each), frozenset(holds[of])) for of, each in keys.items()]


def _collation(connection: Connection, name: str, column: str) -> str:
    """By which a column of a table on SQLite is compared: it tells only by what it takes for the same."""
    own = f"SELECT {quoted_column(connection, column)} FROM {quoted(connection, name)} WHERE 0"
    for collation, alike in (("NOCASE", "A"), ("RTRIM", "a ")):
        both = f"SELECT count(*) FROM ({own} UNION VALUES ('a'), ('{alike}'))"
        if connection.exec_driver_sql(both).scalar_one() == 1:
            return collation
    return "BINARY"


def everywhere(connection: Connection, name: str) -> frozenset[str]:
    """The column that each index of a table has by itself, its name made `plain`: on SQLite, an integer that is its key."""
    if connection.dialect.name != "sqlite":
        return frozenset()
    return frozenset(plain(connection, connection.execute(_ROWID, _names(name)).scalars()))


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
    own = engine(connection.dialect.name).table(name, ())
    some = select(literal_column("1").label("one")).select_from(own).limit(WORTH_AN_INDEX + 1).subquery("some")
    rows: int = connection.execute(select(func.count()).select_from(some)).scalar_one()
    return rows > WORTH_AN_INDEX
