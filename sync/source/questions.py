"""A definition in the query language as SQL for its source."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from types import NoneType
from typing import Any

from sqlalchemy import Connection, Select

from sync.language.references import asked
from sync.language.sql import Compiled, compile_query
from sync.language.sql.engine import Engine
from sync.language.sql.layout import Layout
from sync.language.sql.lines import in_lines
from sync.language.tree import Query
from sync.model.canonical import value_text
from sync.model.definition import Definition
from sync.model.feed import Tables
from sync.source import tables, warehouse
from sync.source.connection import Source
from sync.source.lenient import Unread, make_lenient

_ALWAYS = frozenset((int, bool, NoneType))
"""What can be carried whatever it is: databases have no integers that are too long."""

_CERTAINLY = 300
"""Digits before the point, of a number that a double can hold."""

_UNREADABLE = {"literal_binds": True}


@dataclass(frozen=True, slots=True)
class Asked:
    """A statement as the driver wants it. ``decoded`` are for the columns after the first, in their order."""

    sql: str
    parameters: dict[str, Any]
    decoded: tuple[Callable[[object], object], ...]

    def rows(self, rows: list[tuple[object, ...]]) -> list[tuple[object, ...]]:
        """Rows with what Python has for their values; one that cannot be carried any further is missing."""
        if not self.decoded:
            return rows
        user_ids, *columns = zip(*rows, strict=True)
        values = [_column(decode, column) for decode, column in zip(self.decoded, columns, strict=True)]
        return list(zip(user_ids, *values, strict=True))


def _column(decode: Callable[[object], object], column: Sequence[object]) -> list[object]:
    """In one go where it is plain, else value by value."""
    values = list(map(decode, column))
    return values if _is_plain(values) else list(map(_carried, values))


def _is_plain(values: list[Any]) -> bool:
    """Whether each value can certainly be carried."""
    kinds = set(map(type, values))
    if kinds <= _ALWAYS:
        return True
    if kinds == {float}:
        return all(map(math.isfinite, values))
    if kinds == {Decimal}:
        return all(map(Decimal.is_finite, values)) and max(map(Decimal.adjusted, values)) < _CERTAINLY
    return False


def _carried(value: object) -> object:
    """The value, unless nobody could take it: text that is none, a number beyond all measure. It ends no run."""
    if type(value) in _ALWAYS:
        return value
    if isinstance(value, Unread):
        return None
    try:
        value_text(value)
    except ValueError:
        return None
    return value


def question(source: Source, connection: Connection, definition: Definition, as_of: datetime) -> Asked:
    """The statement that is run; from here on, what cannot be read on this connection is missing."""
    make_lenient(connection)
    engine = tables.engine(connection.dialect.name)
    found = _compiled(source, connection, definition, engine)
    return for_the_driver(found.statement, engine, {"as_of": engine.bound(as_of)}, found.decoded)


def for_the_driver(
    statement: Select[Any], engine: Engine, given: Mapping[str, Any], decoded: tuple[Callable[[object], object], ...]
) -> Asked:
    """A statement of ours with what is bound in it."""
    compiled = statement.compile(dialect=engine.dialect)
    parameters = {**compiled.params, **given}
    if compiled.positiontup is not None:  # DuckDB has numbers for names
        parameters = {str(place): parameters[name] for place, name in enumerate(compiled.positiontup, 1)}
    return Asked(str(compiled), parameters, decoded)


def readable(source: Source, connection: Connection, definition: Definition) -> str:
    """The same for people: with its values in it, and ``:as_of``."""
    engine = tables.engine(connection.dialect.name, readable=True)
    found = _compiled(source, connection, definition, engine)
    text = str(found.statement.compile(dialect=engine.dialect, compile_kwargs=_UNREADABLE))
    return in_lines(text)


def _compiled(source: Source, connection: Connection, definition: Definition, engine: Engine) -> Compiled:
    found = posed(source, connection, definition)
    return compile_query(found.query, found.layout, engine, enrichment=found.enrichment)


@dataclass(frozen=True, slots=True)
class Posed:
    """A query with every reference in place, what comes along, and the tables that it is asked of."""

    query: Query
    enrichment: tuple[str, ...]
    tables: Tables
    layout: Layout


def posed(source: Source, connection: Connection, definition: Definition) -> Posed:
    """What a definition asks of what is there now. Raises `QueryError` where a table or a column is missing."""
    query = asked(definition)
    enrichment = tuple(name for name in definition.enrichment if name != definition.key)
    there = warehouse.resolved(connection, source.tables, query, enrichment)
    return Posed(query, enrichment, there, tables.layout(connection, there))
