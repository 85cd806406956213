"""Read the new rows of an events table, in the order of its cursor, as a stream."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from math import isfinite
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnClause, Connection, Select, TableClause, column, literal_column, select, table, text
from sqlalchemy.engine import CursorResult

from sync.errors import QueryError, SourceError
from sync.model.feed import Cursor, EventsTable, Mark
from sync.source.connection import Source
from sync.source.lenient import Unread, make_lenient
from sync.source.names import quoted

ROWS_PER_FETCH = 1000

Row = Sequence[Any]


@dataclass(frozen=True, slots=True)
class Places:
    """Where in a row its parts stand; ``others`` are the properties' names and places."""

    user_id: int
    timestamp: int
    cursor: int
    name: int | None
    properties: int | None
    others: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class NewRows:
    """An open answer. ``unique``: the database itself lets no two rows have one cursor."""

    places: Places
    unique: bool
    rows: Iterator[Row]


@contextmanager
def after(source: Source, events: EventsTable, mark: Mark) -> Iterator[NewRows]:
    """The rows that stand after a mark, as they come; raises `SourceError` for what cannot be read.

    Rows without a cursor stand nowhere, and never come.
    """
    with _named(source, events), source.read() as connection:
        make_lenient(connection)
        with source.translated():
            unique = _is_unique(connection, events)
            found = _asked(connection, _after(events, mark), mark)
        with closing(found):
            yield NewRows(_places(source, events, list(found.keys())), unique, _stream(source, found))


def newest(source: Source, events: EventsTable) -> Cursor:
    """The highest cursor there is that can be one; ``None`` in a table without."""
    cursor = _cursor(events)
    statement: Select[Any] = select(literal_column("*")).select_from(_table(events)).where(cursor.is_not(None))
    statement = statement.order_by(cursor.desc())
    with _named(source, events), source.read() as connection:
        make_lenient(connection)
        for limited in (statement.limit(1), statement):  # mostly the first row will do, which an index knows
            with source.translated():
                found = _asked(connection, limited, None)
            with closing(found):
                at = _places(source, events, list(found.keys())).cursor
                for row in _stream(source, found):
                    if is_cursor(row[at]):
                        return cursor_of(row[at])
        return None


def inspect(source: Source, events: EventsTable) -> None:
    """Raise `SourceError` unless the table is there and has the columns that it is said to have; reads no row."""
    statement: Select[Any] = select(literal_column("*")).select_from(_table(events)).limit(0)
    with _named(source, events), source.read() as connection:
        with source.translated():
            found = connection.execute(statement)
        _places(source, events, list(found.keys()))


def is_cursor(value: object) -> bool:
    """Whether a value stands somewhere between others, and can be given back to the database: no infinity does."""
    if isinstance(value, float):
        return isfinite(value)
    return value.is_finite() if isinstance(value, Decimal) else not isinstance(value, Unread)


def cursor_of(value: object) -> Cursor:
    """A cursor's value as it is remembered, and given back to the database. Raises `QueryError`."""
    if isinstance(value, int | float | str) and not isinstance(value, bool):
        return value
    if isinstance(value, Decimal) and value.is_finite():
        return int(value) if value == value.to_integral_value() and abs(value) < 2**63 else str(value)
    if isinstance(value, date):  # and so a datetime
        return value.isoformat()
    if isinstance(value, UUID):
        return str(value)
    raise QueryError(f"its cursor is of type {type(value).__name__}: name a column with numbers or instants")


@contextmanager
def _named(source: Source, events: EventsTable) -> Iterator[None]:
    """Say whose table it was, where an error names only the source."""
    title = f"events of table {events.table!r}"
    try:
        yield
    except SourceError as error:
        said = str(error)
        where = "" if said.startswith("source ") else f"source {source.name!r}: "
        raise type(error)(f"{title}: {where}{said}", for_log=f"{title}: {error.for_log}") from error


def _after(events: EventsTable, mark: Mark) -> Select[Any]:
    cursor = _cursor(events)
    statement: Select[Any] = select(literal_column("*")).select_from(_table(events)).order_by(cursor)
    if mark.cursor is None:
        return statement.where(cursor.is_not(None))
    # A bare `:mark` and not a bind with a type: what it is compared with says what it is.
    return statement.where(cursor.op(">=" if mark.including else ">", is_comparison=True)(text(":mark")))


def _asked(connection: Connection, statement: Select[Any], mark: Mark | None) -> CursorResult[Any]:
    value = None if mark is None else mark.cursor
    parameters = {} if value is None else {"mark": value if connection.dialect.name == "sqlite" else str(value)}
    found: CursorResult[Any] = connection.execute(
        statement, parameters, execution_options={"yield_per": ROWS_PER_FETCH}
    )
    return found


def _stream(source: Source, found: CursorResult[Any]) -> Iterator[Row]:
    while True:
        source.restart_timeout()
        with source.translated():
            rows = found.fetchmany(ROWS_PER_FETCH)
        if not rows:
            return
        yield from rows


def _cursor(events: EventsTable) -> ColumnClause[Any]:
    return column(events.cursor or "")


def _table(events: EventsTable) -> TableClause:
    schema, _, name = events.table.rpartition(".")
    return table(name, schema=schema or None)


def _is_unique(connection: Connection, events: EventsTable) -> bool:
    """Whether an index of the cursor alone, over all rows, forbids equal ones. A view has none."""
    if connection.dialect.name == "sqlite":
        return _is_unique_on_sqlite(connection, events)
    asked = {"name": quoted(connection, events.table), "cursor": events.cursor}
    return connection.execute(_UNIQUE_ON_POSTGRESQL, asked).first() is not None


def _is_unique_on_sqlite(connection: Connection, events: EventsTable) -> bool:
    schema, _, name = events.table.rpartition(".")
    quote = connection.dialect.identifier_preparer.quote_identifier
    start = f"PRAGMA {quote(schema)}." if schema else "PRAGMA "

    def told(pragma: str, of: str) -> Sequence[Any]:
        return connection.exec_driver_sql(f"{start}{pragma}({quote(of)})").all()

    columns = [[each.name for each in told("table_info", name) if each.pk]]
    whole = [each.name for each in told("index_list", name) if each.unique and not each.partial]
    # A part that is an expression has no name.
    columns += [[each.name or "" for each in told("index_info", index)] for index in whole]
    return any([each.casefold() for each in found] == [_cursor(events).name.casefold()] for found in columns)


_UNIQUE_ON_POSTGRESQL = text("""
    SELECT 1 FROM pg_index AS own
    JOIN pg_class AS whole ON whole.oid = own.indrelid
    JOIN pg_attribute AS part ON part.attrelid = own.indrelid AND part.attnum = own.indkey[0]
    WHERE whole.oid = to_regclass(CAST(:name AS text)) AND part.attname = :cursor
    AND own.indisunique AND own.indisvalid AND own.indnkeyatts = 1 AND own.indpred IS NULL
    AND (whole.relkind = 'p' OR NOT whole.relhassubclass)
""")


def _places(source: Source, events: EventsTable, columns: Sequence[str]) -> Places:
    def place(name: str) -> int:
        if name in columns:
            return columns.index(name)
        # SQLite takes a column's name in any case.
        alike = [at for at, each in enumerate(columns) if each.casefold() == name.casefold()]
        if source.dialect == "sqlite" and len(alike) == 1:
            return alike[0]
        has = ", ".join(map(repr, columns))
        raise QueryError(f"there is no column {name!r} (it has {has})")

    user_id, timestamp = place(events.user_id), place(events.timestamp)
    cursor = -1 if events.cursor is None else place(events.cursor)  # without a cursor, no row is read
    name = None if events.name is None else place(events.name)
    properties = None if events.properties is None else place(events.properties)
    taken = {user_id, timestamp, name}  # the cursor stays: mostly it is the row's id, which is worth knowing
    others = tuple((each, at) for at, each in enumerate(columns) if at not in taken) if properties is None else ()
    return Places(user_id, timestamp, cursor, name, properties, others)
