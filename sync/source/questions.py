"""A definition in the query language as SQL for its source."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
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

_UNREADABLE = {"literal_binds": True}


@dataclass(frozen=True, slots=True)
class Asked:
    """A statement as the driver wants it. ``decoded`` are for the columns after the first, in their order."""

    sql: str
    parameters: dict[str, Any]
    decoded: tuple[Callable[[object], object], ...]

    def row(self, row: tuple[object, ...]) -> tuple[object, ...]:
        """A row with what Python has for its values; one that cannot be carried any further is missing."""
        return (row[0], *(_carried(decode(value)) for decode, value in zip(self.decoded, row[1:], strict=True)))


def _carried(value: object) -> object:
    """The value, unless nobody could take it: text that is none, a number beyond all measure. It ends no run."""
    if value is None or type(value) is int:
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
