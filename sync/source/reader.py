"""Read a definition's answer as a stream: chunks of canonical text, memory independent of its size."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnClause, DateTime, Executable, String, bindparam, column, select, table, text

from sync.errors import DataError, QueryError
from sync.model.canonical import LONGEST_USER_ID, user_id_text, value_text
from sync.model.chunk import Chunk
from sync.model.definition import Definition, Kind
from sync.source.connection import Source

ROWS_PER_CHUNK = 10_000
_BIND = re.compile(r"(?<![:\w\\]):([A-Za-z_]\w*)")


@dataclass(frozen=True, slots=True)
class Answer:
    """An open answer. ``columns`` are those its chunks carry, in the order of `Chunk`."""

    columns: tuple[str, ...]
    chunks: Iterator[Chunk]


@contextmanager
def answer(source: Source, definition: Definition, as_of: datetime) -> Iterator[Answer]:
    """Ask ``source`` for a definition's rows as of an instant. Everything wrong with the rows is a `DataError`."""
    with source.read() as connection:
        # Streaming makes the driver use a server-side cursor; the raw cursor spares a Row object per row.
        result = connection.execution_options(stream_results=True).execute(*_statement(source, definition, as_of))
        if not result.returns_rows or result.cursor is None:
            raise QueryError(f"{definition.kind} {definition.name!r}: its SQL gives no rows: it must be a SELECT")
        shape = _Shape.of(definition, list(result.keys()))
        yield Answer(shape.names, _chunks(source, result.cursor, shape))


def _statement(source: Source, definition: Definition, as_of: datetime) -> tuple[Executable, dict[str, object]]:
    if definition.table is not None:
        return _membership(definition), {}
    asked = (definition.sql or "").strip().rstrip(";")
    # Only :as_of is ours; any other colon (a cast, a time of day, a JSON path) stays what it is.
    names = {match.group(1) for match in _BIND.finditer(asked)}
    statement = text(
        _BIND.sub(lambda match: match.group(0) if match.group(1) == "as_of" else "\\" + match.group(0), asked)
    )
    if "as_of" not in names:
        return statement, {}
    if source.dialect == "sqlite":
        typed = statement.bindparams(bindparam("as_of", type_=String()))
        return typed, {"as_of": as_of.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")}
    return statement.bindparams(bindparam("as_of", type_=DateTime(timezone=True))), {"as_of": as_of}


def _membership(definition: Definition) -> Executable:
    assert definition.table is not None  # noqa: S101 - the caller's branch
    schema, _, name = definition.table.name.rpartition(".")
    wanted: list[ColumnClause[Any]] = [column(name) for name in definition.enrichment]
    return select(column(definition.table.user_id).label("user_id"), *wanted).select_from(
        table(name, schema=schema or None)
    )


@dataclass(frozen=True, slots=True)
class _Shape:
    """Where in a row the user id, the value and the enrichment stand."""

    title: str
    user_id: int
    value: int | None
    enrichment: tuple[tuple[str, int], ...]

    @classmethod
    def of(cls, definition: Definition, found: Sequence[str]) -> _Shape:
        title = f"{definition.kind} {definition.name!r}"
        places = {name: place for place, name in enumerate(found)}

        def place(*names: str) -> int:
            for name in names:
                if name in places:
                    return places[name]
            wanted = " or ".join(repr(name) for name in names)
            raise QueryError(
                f"{title}: its answer has no column {wanted} (it has {', '.join(map(repr, found))}): name it with AS"
            )

        value = place("value", definition.key) if definition.kind is Kind.TRAIT else None
        enrichment = tuple((name, place(name)) for name in definition.enrichment if name != definition.key)
        return cls(title, place("user_id"), value, enrichment)

    @property
    def names(self) -> tuple[str, ...]:
        value = ("value",) if self.value is not None else ()
        return ("user_id", *value, *(("extra",) if self.enrichment else ()))


def _chunks(source: Source, cursor: Any, shape: _Shape) -> Iterator[Chunk]:
    done = 0
    while True:
        source.restart_timeout()
        with source.translated():
            rows = cursor.fetchmany(ROWS_PER_CHUNK)
        if not rows:
            return
        yield _chunk(rows, shape, done)
        done += len(rows)


def _chunk(rows: list[tuple[object, ...]], shape: _Shape, done: int) -> Chunk:
    if shape.value is not None:
        # NULL means "no row": such a user has no value (any more).
        rows = (
            [row for row in rows if row[shape.value] is not None]
            if any(row[shape.value] is None for row in rows)
            else rows
        )
    user_ids = _texts([row[shape.user_id] for row in rows], _user_ids_at_once, user_id_text, shape, "user_id", done)
    values = extras = None
    if shape.value is not None:
        place = shape.value
        values = _texts([row[place] for row in rows], _values_at_once, _present_text, shape, "value", done)
    if shape.enrichment:
        extras = _texts(rows, lambda _: None, lambda row: _extra(row, shape.enrichment), shape, "with", done)
    return Chunk(user_ids, values, extras)


def _texts(
    column: list[Any],
    at_once: Callable[[list[Any]], list[str] | None],
    one_by_one: Callable[[Any], str],
    shape: _Shape,
    what: str,
    done: int,
) -> list[str]:
    """A column's canonical texts: in one go where it is plain, else value by value with the first offender named."""
    texts = at_once(column)
    if texts is not None:
        return texts
    texts = []
    for place, value in enumerate(column):
        try:
            texts.append(one_by_one(value))
        except ValueError as error:
            raise DataError(
                f"{shape.title}: in row {done + place + 1} of its answer, {what} {error}: "
                "correct the query or the data; nothing was recorded"
            ) from None
    return texts


def _user_ids_at_once(column: list[Any]) -> list[str] | None:
    kinds = set(map(type, column))
    if kinds == {int}:
        return list(map(str, column))
    if kinds != {str}:
        return None
    longest = max(map(len, column))
    plain = all(column) and longest <= LONGEST_USER_ID // 4 and "\0" not in "".join(column)
    return column if plain else None


def _values_at_once(column: list[Any]) -> list[str] | None:
    kinds = set(map(type, column))
    if kinds == {int}:
        return list(map(str, column))
    if kinds != {float}:
        return None
    texts = list(map(repr, column))
    joined = "".join(texts)
    if "e" in joined or "n" in joined:  # an exponent, inf or nan
        return None
    return [text.removesuffix(".0") for text in texts] if "-0.0" not in texts else None


def _present_text(value: object) -> str:
    text = value_text(value)
    assert text is not None  # noqa: S101 - rows without a value were left out
    return text


def _extra(row: Sequence[object], enrichment: tuple[tuple[str, int], ...]) -> str:
    texts = ((name, value_text(row[place])) for name, place in enrichment)
    return "{" + ",".join(f'"{name}":{value}' for name, value in texts if value is not None) + "}"
