"""Columns of a warehouse that Segment or RudderStack fills: nested objects in columns of their own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import FromClause

from sync.language.sql.engine import Engine
from sync.language.sql.layout import Column, Type
from sync.language.sql.values import Found
from sync.model.warehouse import is_standard, spelled


def property_or_trait(engine: Engine, source: FromClause, columns: Mapping[str, Column], path: Sequence[str]) -> Found:
    """What was sent under a path; standard columns are none of it, even where something of their name was sent."""
    own = {name: kind for name, kind in columns.items() if not is_standard(name.casefold())}
    return _found(engine, source, own, path)


def context(engine: Engine, source: FromClause, columns: Mapping[str, Column], path: Sequence[str]) -> Found:
    """A piece of an event's context."""
    return _found(engine, source, columns, ("context", *path))


def _found(engine: Engine, source: FromClause, columns: Mapping[str, Column], path: Sequence[str]) -> Found:
    """A column for the whole path, or else for its beginning, with JSON in it."""
    name = spelled(path, columns)
    if name is not None:
        return engine.column(source.c[name], columns[name])
    for steps in range(len(path) - 1, 0, -1):
        name = spelled(path[:steps], columns)
        if name is not None and columns[name].type in (Type.JSON, Type.JSONB, Type.ANY):
            return engine.document(source.c[name], columns[name], path[steps:])
    return engine.nothing()
