"""How long the values of a table's columns are: an index should hold short ones, and PostgreSQL refuses a row with longer.

What a type keeps short stays so. Of other texts on PostgreSQL only those count as short that have been so up to now, and
they are told apart, for nothing stands against a longer one.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, LargeBinary, Text, cast, func, select, text

from sync.source.names import quoted
from sync.source.tables import engine

LONGEST = 100
"""Bytes of a value, or characters where a type limits these, that is short."""

USUAL = 32
"""Bytes that values of a text take on average that is taken for short, though its type does not keep it so."""

LOOKED_AT = 10_000
"""Rows."""

_POSTGRESQL = text("""
SELECT a.attname::text AS name, coalesce(b.typname, t.typname)::text AS type, t.typlen AS bytes,
  coalesce(nullif(t.typtypmod, -1), a.atttypmod) - 4 AS characters,
  (SELECT max(s.avg_width) FROM pg_stats AS s
   WHERE s.schemaname = n.nspname AND s.tablename = c.relname AND s.attname = a.attname) AS usual
FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid JOIN pg_namespace AS n ON n.oid = c.relnamespace
JOIN pg_type AS t ON t.oid = a.atttypid LEFT JOIN pg_type AS b ON b.oid = t.typbasetype
WHERE a.attrelid = to_regclass(CAST(:name AS text)) AND a.attnum > 0 AND a.attname = ANY(CAST(:columns AS text[]))""")
_LIMITED = ("varchar", "bpchar")
_TEXTS = (*_LIMITED, "text", "citext")


@dataclass(frozen=True, slots=True)
class Short:
    """Columns with short values, and those of them that nothing keeps so: longer ones could not be stored any more."""

    columns: frozenset[str]
    unlimited: frozenset[str] = frozenset()


def short(connection: Connection, name: str, columns: Collection[str]) -> Short:
    """Those of a table's columns that are short."""
    if connection.dialect.name == "postgresql":
        return _short(connection, name, columns)
    found = _measured(connection, name, columns)
    return Short(frozenset(each for each, (longest, _) in found.items() if longest <= LONGEST))


def _short(connection: Connection, name: str, columns: Collection[str]) -> Short:
    asked = {"name": quoted(connection, name), "columns": sorted(columns)}
    rows = connection.execute(_POSTGRESQL, asked).all()
    kept = frozenset(each.name for each in rows if _is_kept_short(each.type, each.bytes, each.characters))
    usual = {each.name: each.usual for each in rows if each.type in _TEXTS and each.name not in kept}
    found = _measured(connection, name, usual)
    unlimited = frozenset(
        each
        for each, (longest, average) in found.items()
        if longest <= LONGEST and (average if usual[each] is None else usual[each]) <= USUAL
    )
    return Short(kept | unlimited, unlimited)


def _is_kept_short(name: str, size: int, characters: int) -> bool:
    """Whether a type does so: that of numbers, too, for nobody has one of thousands of digits."""
    return 0 < size <= LONGEST or name == "numeric" or (name in _LIMITED and 0 < characters <= LONGEST)


def _measured(connection: Connection, name: str, columns: Collection[str]) -> dict[str, tuple[float, float]]:
    """How many bytes the longest of each column's values takes among some rows, and how many they take on average."""
    if not columns:
        return {}
    own = engine(connection.dialect.name).table(name, sorted(columns))
    some = select(*own.c).limit(LOOKED_AT).subquery("some")
    sizes = [_bytes(connection, each) for each in some.c]
    row = connection.execute(select(*map(func.max, sizes), *map(func.avg, sizes))).one()
    measured = [float(each or 0) for each in row]
    pairs = zip(measured[: len(sizes)], measured[len(sizes) :], strict=True)
    return dict(zip(some.c.keys(), pairs, strict=True))


def _bytes(connection: Connection, value: ColumnElement[Any]) -> ColumnElement[int]:
    if connection.dialect.name == "postgresql":
        return func.octet_length(cast(value, Text))
    return func.length(cast(value, LargeBinary))
