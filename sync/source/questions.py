"""A definition in the query language as SQL for its source."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from operator import itemgetter
from types import NoneType
from typing import Any, TypeAlias

from sqlalchemy import Connection

from sync.language.references import asked
from sync.language.sql import Changes, Compiled, as_it_is, compile_query
from sync.language.sql.engine import Engine
from sync.language.sql.layout import Layout
from sync.language.sql.lines import in_lines
from sync.language.tree import Query
from sync.model.canonical import is_short, value_text
from sync.model.definition import Definition
from sync.model.feed import Tables
from sync.source import tables, warehouse
from sync.source.connection import Source
from sync.source.lenient import Unread

Decode: TypeAlias = Callable[[object], object]

_ALWAYS = frozenset((bool, NoneType))
"""What can be carried whatever it is."""

_CERTAINLY = 300
"""Digits before the point, of a number that a double can hold."""

_UNREADABLE = {"literal_binds": True}


@dataclass(frozen=True, slots=True)
class Asked:
    """A statement as the driver wants it. ``decoded`` are for the columns after the first, in their order."""

    sql: str
    parameters: dict[str, Any]
    decoded: tuple[Decode, ...]

    def rows(self, rows: list[tuple[object, ...]]) -> list[tuple[object, ...]]:
        """Rows with what Python has for their values; one that cannot be carried any further is missing."""
        if all(decode is as_it_is for decode in self.decoded):
            return rows
        user_ids, *columns = (list(map(itemgetter(place), rows)) for place in range(1 + len(self.decoded)))
        values = [_column(decode, column) for decode, column in zip(self.decoded, columns, strict=True)]
        return list(zip(user_ids, *values, strict=True))


def _column(decode: Decode, column: list[object]) -> list[object]:
    """In one go where it is plain, else value by value."""
    if decode is as_it_is:
        return column
    values = list(map(decode, column))
    return values if _is_plain(values) else list(map(_carried, values))


def _is_plain(values: list[Any]) -> bool:
    """Whether each value can certainly be carried."""
    kinds = set(map(type, values))
    if kinds <= _ALWAYS:
        return True
    if kinds == {int}:
        return all(map(is_short, values))
    if kinds == {float}:
        return all(map(math.isfinite, values))
    if kinds == {Decimal}:
        return all(map(Decimal.is_finite, values)) and max(map(Decimal.adjusted, values)) < _CERTAINLY
    return False


def _carried(value: object) -> object:
    """The value, unless nobody could take it: text that is none, a number beyond all measure. It ends no run."""
    if type(value) in _ALWAYS or (type(value) is int and is_short(value)):
        return value
    if isinstance(value, Unread):
        return None
    try:
        value_text(value)
    except ValueError:
        return None
    return value


def question(found: Posed, as_of: datetime) -> Asked:
    """The statement that is run."""
    engine = tables.engine(found.dialect)

    def compiled() -> Compiled:
        return compile_query(found.query, found.layout, engine, enrichment=found.enrichment)

    return for_the_driver(Recipe(("answer", *found.parts), compiled, engine), {"as_of": engine.bound(as_of)})


@dataclass(frozen=True, slots=True)
class Recipe:
    """How to make a statement. Those with the same ``parts`` make the same one, so that it is made once."""

    parts: tuple[Hashable, ...]
    make: Callable[[], Compiled | Changes] = field(compare=False)
    engine: Engine = field(compare=False)


@lru_cache(maxsize=64)
def _written(recipe: Recipe) -> tuple[str, dict[str, Any], tuple[str, ...] | None, tuple[Decode, ...]]:
    """The statement's text, what is bound in it, by place if that is how it is bound, and how its values are read."""
    found = recipe.make()
    compiled = found.statement.compile(dialect=recipe.engine.dialect)
    places = None if compiled.positiontup is None else tuple(compiled.positiontup)
    return str(compiled), dict(compiled.params), places, found.decoded


def for_the_driver(recipe: Recipe, given: Mapping[str, Any], *first: Decode) -> Asked:
    """A statement of ours with what is bound in it; ``first``: how values are read that come before others."""
    sql, own, places, decoded = _written(recipe)
    parameters = {**own, **given}
    if places is not None:  # DuckDB has numbers for names
        parameters = {str(place): parameters[name] for place, name in enumerate(places, 1)}
    return Asked(sql, parameters, (*first, *decoded))


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
    """A query with every reference in place, what comes along, and the tables that it is asked of, also as a text."""

    query: Query
    enrichment: tuple[str, ...]
    tables: Tables
    layout: Layout
    described: str
    dialect: str

    @property
    def parts(self) -> tuple[Hashable, ...]:
        """All that its statement is made of."""
        sought = tuple(each.columns[each.timestamp].sought for each in self.layout.events)
        return self.query, self.enrichment, self.described, sought, self.dialect


def posed(source: Source, connection: Connection, definition: Definition) -> Posed:
    """What a definition asks of what is there now. Raises `QueryError` where a table or a column is missing."""
    query = asked(definition)
    enrichment = tuple(name for name in definition.enrichment if name != definition.key)
    there = warehouse.resolved(connection, source.tables, query, enrichment)
    layout = tables.layout(connection, there)
    return Posed(query, enrichment, there, layout, repr(layout), connection.dialect.name)
