"""What a source's tables for profiles and events hold, column by column."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, text

from sync.errors import QueryError
from sync.language.sql.duckdb import Duckdb
from sync.language.sql.engine import Engine
from sync.language.sql.layout import WITHOUT_ORDER, Column, Events, Layout, Profiles, Type
from sync.language.sql.mysql import Mysql
from sync.language.sql.postgresql import Postgresql
from sync.language.sql.sqlite import Sqlite
from sync.model.feed import EventsTable, ProfilesTable, Tables
from sync.source.names import quoted
from sync.source.uniqueness import is_unique

COLLECTED = Tables(
    (
        EventsTable(
            "collected_events", "user_id", "timestamp", name="event", properties="properties", cursor="id", lateness=0
        ),
    ),
    ProfilesTable("collected_profiles", "user_id", cursor="updated_at", traits="traits"),
    collected=True,
)
"""What the collector received. Its events are numbered in the order in which they are committed."""

_TYPES = {
    "bool": Type.BOOLEAN,
    "int2": Type.INTEGER,
    "int4": Type.INTEGER,
    "int8": Type.INTEGER,
    "numeric": Type.NUMERIC,
    "float4": Type.FLOAT,
    "float8": Type.FLOAT,
    "text": Type.TEXT,
    "varchar": Type.TEXT,
    "date": Type.DATE,
    "timestamp": Type.TIMESTAMP,
    "timestamptz": Type.INSTANT,
    "json": Type.JSON,
    "jsonb": Type.JSONB,
}
_IN_ANY_DOUBLE = 308
"""Digits before the point, of a number that a double can hold."""

_LIKE_TEXT = ("uuid", "bpchar", "name", "citext")
_PADDED = ("bpchar", "citext")

_POSTGRESQL = text("""
SELECT n.place, a.attname, coalesce(b.typname, t.typname) AS type, coalesce(b.typcategory, t.typcategory) AS category,
  coalesce(c.collname, '') AS collation, coalesce(c.collisdeterministic, true) AS exact,
  coalesce(nullif(t.typtypmod, -1), a.atttypmod) AS modifier
FROM unnest(CAST(:names AS text[])) WITH ORDINALITY AS n (name, place)
JOIN pg_attribute AS a ON a.attrelid = to_regclass(n.name) AND a.attnum > 0 AND NOT a.attisdropped
JOIN pg_type AS t ON t.oid = a.atttypid LEFT JOIN pg_type AS b ON b.oid = t.typbasetype
LEFT JOIN pg_collation AS c ON c.oid = a.attcollation ORDER BY n.place, a.attnum""")


def engine(dialect: str, *, readable: bool = False) -> Engine:
    """What compiles for a source of this dialect."""
    engines: dict[str, type[Sqlite | Postgresql | Duckdb]]
    engines = {"sqlite": Sqlite, "postgresql": Postgresql, "duckdb": Duckdb, "mysql": Mysql}
    return engines[dialect](readable=readable)


def layout(connection: Connection, tables: Tables, *, exact_times: bool = True) -> Layout:
    """Where everything stands; raises `QueryError` where a table or a column is missing.

    ``exact_times``: what was collected has only times as the store writes them.
    """
    people: list[ProfilesTable] = [] if tables.profiles is None else [tables.profiles]
    there = _every_column(connection, [*(each.table for each in tables.events), *(each.table for each in people)])

    def columns(found: EventsTable | ProfilesTable) -> Mapping[str, Column]:
        return _known(connection, found.table, there[found.table], warehouse=found.warehouse)

    events = tuple(_events(connection, each, columns(each), tables.collected, exact_times) for each in tables.events)
    profiles = [_profiles(connection, each, columns(each), tables.collected) for each in people]
    return Layout(events, profiles[0] if profiles else None)


def _events(
    connection: Connection, found: EventsTable, there: Mapping[str, Column], collected: bool, exact_times: bool
) -> Events:
    columns = dict(there)
    named = (found.user_id, found.timestamp, found.name, found.properties, found.cursor)
    _check(found.table, columns, named)
    _check_document(connection, found.table, columns, found.properties)
    columns[found.timestamp] = _timed(connection, found, columns[found.timestamp])
    own: dict[str, Any]
    if found.warehouse:
        own = {"flattened": True, "summary": found.summary, "title": found.title}
        own |= {key: name for key, name in _WAREHOUSE.items() if name in columns}
    elif collected:
        if connection.dialect.name == "sqlite" and exact_times:
            columns["timestamp"] = Column(Type.STAMP, "text")
        own = {"context": "context", "source": "source", "call": "type", "title": "name"}
    else:
        own = {"context": "context"} if _is_document(columns.get("context")) else {}
    return Events(
        found.table,
        columns,
        user_id=found.user_id,
        timestamp=found.timestamp,
        event=found.event,
        name=found.name,
        properties=found.properties,
        cursor=found.cursor,
        **own,
    )


def _timed(connection: Connection, found: EventsTable, kind: Column) -> Column:
    """A table's column with times; on SQLite it matters whether there is an index of it."""
    if connection.dialect.name != "sqlite":
        return kind
    names = [found.timestamp] if found.name is None or found.event is not None else [found.name, found.timestamp]
    wanted = [(each.casefold(), "BINARY") for each in names]
    return replace(kind, sought=any(each[: len(wanted)] == wanted for each in sqlite_indexes(connection, found.table)))


def sqlite_indexes(connection: Connection, name: str) -> list[list[tuple[str, str]]]:
    """The columns of each index of a whole table, in their order, each with its collation; an expression has no name."""
    schema, _, own = name.rpartition(".")
    parts: dict[str, list[tuple[str, str]]] = {}
    for row in connection.execute(_SQLITE_INDEXES, {"name": own, "schema": schema or None}):
        parts.setdefault(row.of, []).append((row.name.casefold(), row.collation))
    return list(parts.values())


_SQLITE_INDEXES = text("""
SELECT l.name AS of, coalesce(i.name, '') AS name, i.coll AS collation
FROM pragma_index_list(:name, :schema) AS l JOIN pragma_index_xinfo(l.name, :schema) AS i
WHERE NOT l.partial AND i.key ORDER BY l.seq, i.seqno""")

_WAREHOUSE = {"message_id": "id", "source": "context_source_id"}
"""Columns that are there by themselves in a warehouse, or not."""


def _is_document(column: Column | None) -> bool:
    return column is not None and column.type in (Type.JSON, Type.JSONB, Type.ANY)


def _profiles(connection: Connection, found: ProfilesTable, columns: Mapping[str, Column], collected: bool) -> Profiles:
    _check(found.table, columns, (found.user_id, found.traits, found.cursor))
    if found.newest_by:
        read = (found.user_id, found.cursor, *found.newest_by, *found.columns)
        columns = {name: kind for name, kind in columns.items() if name in read}
    _check_document(connection, found.table, columns, found.traits)
    cursor = columns.get(found.cursor) if found.cursor else None
    return Profiles(
        found.table,
        columns,
        found.user_id,
        found.traits,
        found.warehouse,
        found.newest_by,
        None if cursor is None or cursor.type in WITHOUT_ORDER else found.cursor,
        collected or is_unique(connection, found.table, found.user_id),
    )


def _check(name: str, columns: Mapping[str, Column], wanted: tuple[str | None, ...]) -> None:
    for each in wanted:
        if each is not None and each not in columns:
            has = ", ".join(map(repr, columns))
            raise QueryError(f"table {name!r} has no column {each!r} (it has {has})")


def _check_document(connection: Connection, table: str, columns: Mapping[str, Column], name: str | None) -> None:
    """PostgreSQL cannot look into a text without an end of the statement where one of them is no JSON."""
    if name is not None and connection.dialect.name == "postgresql" and not _is_document(columns[name]):
        raise QueryError(
            f"column {name!r} of table {table!r} must be json or jsonb: make it so, or name a view in which it is"
        )


def columns_of(connection: Connection, name: str, *, warehouse: bool = False) -> Mapping[str, Column]:
    """The columns of a table or view; raises `QueryError` where it is not there.

    Those of a ``warehouse`` are in small letters, as it would have written them, where the database takes them in any.
    """
    return _known(connection, name, _every_column(connection, [name])[name], warehouse=warehouse)


def _known(connection: Connection, name: str, found: Mapping[str, Column], *, warehouse: bool) -> Mapping[str, Column]:
    if not found:
        raise QueryError(f"there is no table {name!r}")
    if warehouse and connection.dialect.name != "postgresql":
        return {each.lower(): kind for each, kind in found.items()}
    return found


def _every_column(connection: Connection, names: Sequence[str]) -> Mapping[str, Mapping[str, Column]]:
    """The columns of tables and views by their names; none of one that is not there. A server is asked once."""
    if connection.dialect.name == "postgresql":
        return _postgresql_columns(connection, list(dict.fromkeys(names)))
    return {name: _READ[connection.dialect.name](connection, name) for name in names}


def _sqlite_columns(connection: Connection, name: str) -> Mapping[str, Column]:
    schema, _, own = name.rpartition(".")
    quote = connection.dialect.identifier_preparer.quote_identifier
    pragma = f"PRAGMA {quote(schema)}.table_info" if schema else "PRAGMA table_info"
    rows = connection.exec_driver_sql(f"{pragma}({quote(own)})")
    return {row.name: _sqlite_column(row.type.upper()) for row in rows}


def _sqlite_column(declared: str) -> Column:
    """By SQLite's own rules of affinity. A value in a column without any may be ``7`` in one row and ``'7'`` in the next."""
    if declared in ("JSON", "JSONB"):
        return Column(Type.JSON, "text", exact=False)
    if "BOOL" in declared:
        return Column(Type.FLAG, "numeric")
    if "INT" in declared:
        return Column(Type.ANY, "numeric")
    if any(each in declared for each in ("CHAR", "CLOB", "TEXT")):
        return Column(Type.ANY, "text")
    if not declared or "BLOB" in declared:
        return Column(Type.ANY, "any", exact=False)
    return Column(Type.ANY, "numeric")


def _postgresql_columns(connection: Connection, names: Sequence[str]) -> Mapping[str, Mapping[str, Column]]:
    found: dict[str, dict[str, Column]] = {name: {} for name in names}
    for row in connection.execute(_POSTGRESQL, {"names": [quoted(connection, name) for name in names]}):
        column = _postgresql_column(row.type, row.category, row.collation, row.exact, row.modifier)
        found[names[row.place - 1]][row.attname] = column
    return found


def _postgresql_column(name: str, category: str, collation: str, exact: bool, modifier: int) -> Column:
    if name in _TYPES:
        kind = _TYPES[name]
        bounded = kind is Type.NUMERIC and modifier >= 0 and _digits_before_point(modifier) <= _IN_ANY_DOUBLE
        return Column(kind, f"text {collation}" if kind is Type.TEXT else kind, exact=exact, bounded=bounded)
    if name in _LIKE_TEXT or category in ("E", "S"):
        return Column(Type.TEXT, f"{name} {collation}", cast=True, exact=exact and name not in _PADDED)
    return Column(Type.OTHER, name, cast=True)


def _digits_before_point(modifier: int) -> int:
    """Of a ``numeric(precision, scale)``, as PostgreSQL packs the two, behind four bytes. A scale can be below zero."""
    packed = modifier - 4
    precision, scale = packed >> 16, ((packed & 0x7FF) ^ 0x400) - 0x400
    return precision - scale


def _duckdb_columns(connection: Connection, name: str) -> Mapping[str, Column]:
    """From a cursor of no rows: whatever else tells of columns is not there in all versions."""
    found: Any = connection.exec_driver_sql(f"SELECT * FROM {quoted(connection, name)} LIMIT 0")
    return {each[0]: _duckdb_column(str(each[1])) for each in found.cursor.description}


def _duckdb_column(name: str) -> Column:
    if name in _DUCKDB_TYPES:
        kind = _DUCKDB_TYPES[name]
        return Column(kind, kind, cast=name == "UUID")
    if name.startswith("DECIMAL"):
        return Column(Type.NUMERIC, Type.NUMERIC)
    return Column(Type.TEXT, name, cast=True) if name.startswith("ENUM") else Column(Type.OTHER, name, cast=True)


_DUCKDB_TYPES = {
    "BOOLEAN": Type.BOOLEAN,
    **dict.fromkeys(("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT"), Type.INTEGER),
    **dict.fromkeys(("UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT", "UHUGEINT"), Type.INTEGER),
    **dict.fromkeys(("FLOAT", "DOUBLE"), Type.FLOAT),
    **dict.fromkeys(("VARCHAR", "UUID"), Type.TEXT),
    "DATE": Type.DATE,
    **dict.fromkeys(("TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_NS"), Type.TIMESTAMP),
    "TIMESTAMP WITH TIME ZONE": Type.INSTANT,
    "JSON": Type.JSON,
}

_MYSQL = text("""
SELECT column_name, data_type, column_type, coalesce(collation_name, '') FROM information_schema.columns
WHERE table_schema = coalesce(:schema, database()) AND table_name = :name ORDER BY ordinal_position""")
_MYSQL_TYPES = {
    **dict.fromkeys(("tinyint", "smallint", "mediumint", "int", "bigint", "year"), Type.INTEGER),
    "decimal": Type.NUMERIC,
    **dict.fromkeys(("float", "double"), Type.FLOAT),
    **dict.fromkeys(("char", "varchar", "tinytext", "text", "mediumtext", "longtext"), Type.TEXT),
    "date": Type.DATE,
    "datetime": Type.TIMESTAMP,
    "timestamp": Type.INSTANT,
    "json": Type.JSON,
}
_MYSQL_LIKE_TEXT = ("enum", "set", "uuid")
_BY_CODE_POINT = ("_bin", "_as_cs")


def _mysql_columns(connection: Connection, name: str) -> Mapping[str, Column]:
    schema, _, own = name.rpartition(".")
    rows = connection.execute(_MYSQL, {"schema": schema or None, "name": own})
    return {str(row[0]): mysql_column(*(str(each).lower() for each in row[1:])) for row in rows}


def mysql_column(name: str, declared: str, collation: str) -> Column:
    """By what the server says of a column. MariaDB keeps JSON in a longtext, in which it is looked for all the same."""
    if declared == "tinyint(1)":
        return Column(Type.BOOLEAN, Type.BOOLEAN)
    kind = _MYSQL_TYPES.get(name)
    if kind is Type.TEXT:
        return Column(kind, f"text {collation}", exact=collation.endswith(_BY_CODE_POINT))
    if kind is not None:
        return Column(kind, kind)
    like_text = name in _MYSQL_LIKE_TEXT
    return Column(Type.TEXT if like_text else Type.OTHER, name, cast=True, exact=not like_text)


_READ: dict[str, Callable[[Connection, str], Mapping[str, Column]]] = {
    "sqlite": _sqlite_columns,
    "duckdb": _duckdb_columns,
    "mysql": _mysql_columns,
}
