"""Look at a definition without reading its rows: does it run, which columns does it give, which SQL is it."""

from __future__ import annotations

from datetime import datetime

from sync.model.definition import Definition
from sync.source import questions, reader
from sync.source.connection import Source


def columns(source: Source, definition: Definition, as_of: datetime) -> tuple[str, ...]:
    """Prove that a definition runs and gives the columns it must; reads no row."""
    with reader.answer(source, definition, as_of) as found:
        return found.columns


def readable_sql(source: Source, definition: Definition) -> str:
    """The SQL that is run, for people."""
    if definition.query is not None:
        with reader._named(definition), source.read() as connection, source.translated():  # noqa: SLF001
            return questions.readable(source, connection, definition)
    if definition.table is None:
        return (definition.sql or "").strip()
    return source.rendered(reader._membership(definition))  # noqa: SLF001
