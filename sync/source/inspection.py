"""Look at a definition without reading its rows: does it run, which columns does it give, which SQL is it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import Connection

from sync.language.references import asked
from sync.model.definition import Definition
from sync.source import indexes, questions, reader, warehouse
from sync.source.connection import Source
from sync.source.indexes import Lacking


def columns(source: Source, definition: Definition, as_of: datetime) -> tuple[str, ...]:
    """Prove that a definition runs and gives the columns it must; reads no row."""
    with reader.answer(source, definition, as_of) as found:
        return found.columns


def warehouse_tables(source: Source) -> list[str]:
    """Prove that a warehouse is one that Segment or RudderStack fills, by the tables that are always there."""
    assert source.tables.warehouse is not None  # noqa: S101 - the caller's branch
    with source.read() as connection, source.translated():
        return warehouse.standard_tables(connection, source.tables.warehouse)


def unknown_events(source: Source, definition: Definition) -> Mapping[str, list[str]]:
    """The events of a query for which its source has no table, and the names of tables that come close.

    Only a warehouse can tell: elsewhere, which events there are stands in the rows.
    """
    if definition.query is None or source.tables.warehouse is None:
        return {}
    with reader.named(definition), source.read() as connection, source.translated():
        return warehouse.unknown(connection, source.tables, asked(definition))


def lacking_indexes(source: Source, definitions: Sequence[Definition]) -> tuple[Lacking, ...]:
    """The indexes that queries would use if their source had them."""
    queries = [each for each in definitions if each.query is not None]
    if not queries:
        return ()
    with source.read() as connection, source.translated():
        return tuple(indexes.lacking(connection, [(each, _posed(source, connection, each)) for each in queries]))


def _posed(source: Source, connection: Connection, definition: Definition) -> questions.Posed:
    with reader.named(definition):
        return questions.posed(source, connection, definition)


def readable_sql(source: Source, definition: Definition) -> str:
    """The SQL that is run, for people."""
    if definition.query is not None:
        with reader.named(definition), source.read() as connection, source.translated():
            return questions.readable(source, connection, definition)
    if definition.table is None:
        return (definition.sql or "").strip()
    return source.rendered(reader._membership(definition))  # noqa: SLF001
