"""Read a definition's answer as a stream: chunks of canonical text, memory independent of its size."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from operator import itemgetter
from typing import Any, TypeAlias

import orjson
from sqlalchemy import ColumnClause, Connection, Select, column, select, table

from sync.errors import DataError, QueryError, SourceError
from sync.language.sql import as_it_is, without_noise
from sync.model.canonical import LONGEST_USER_ID, encodable, json_string, user_id_text, value_text
from sync.model.chunk import Chunk
from sync.model.definition import Definition, Kind
from sync.source import duckdb, mysql
from sync.source.connection import Source
from sync.source.derived import bound
from sync.source.lenient import fetching, make_lenient
from sync.source.questions import Asked, posed, question

ROWS_PER_CHUNK = 10_000

_EXACT = 15
"""Characters of a number that has no more than 15 digits."""

_PLAIN_NUMBER = 100
"""Characters up to which a number needs no second look at its size."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An open answer. ``columns`` are those its chunks carry, in the order of `Chunk`."""

    columns: tuple[str, ...]
    chunks: Iterator[Chunk]


@contextmanager
def answer(source: Source, definition: Definition, as_of: datetime) -> Iterator[Answer]:
    """Ask ``source`` for a definition's rows as of an instant. Everything wrong with the rows is a `DataError`."""
    with named(definition), source.read() as connection:
        with source.translated():
            asked = None
            if definition.query is not None:
                make_lenient(connection)
                asked = question(posed(source, connection, definition), as_of)
        with answered(source, connection, definition, as_of, asked) as found:
            yield found


@contextmanager
def answered(
    source: Source, connection: Connection, definition: Definition, as_of: datetime, asked: Asked | None
) -> Iterator[Answer]:
    """The same on a connection that is open; ``asked`` is a query's statement."""
    with closing(_cursor_of(connection)) as cursor:
        with source.translated():
            sql, parameters = (asked.sql, asked.parameters) if asked else _question(connection, definition, as_of)
            cursor.execute(sql, parameters)
        if cursor.description is None:
            raise QueryError(f"{definition.kind} {definition.name!r}: its SQL gives no rows: it must be a SELECT")
        shape = _Shape.of(definition, [found[0] for found in cursor.description])
        if asked and shape.value is not None and asked.decoded[0] is without_noise:
            # Rounded when they are written, which is done anyway.
            shape, asked = replace(shape, sums=True), replace(asked, decoded=(as_it_is, *asked.decoded[1:]))
        fetch = fetching(connection, cursor) if asked else cursor.fetchmany
        yield Answer(shape.names, _chunks(source, fetch, shape, asked))


@contextmanager
def candidates(source: Source, connection: Connection, definition: Definition, asked: Asked) -> Iterator[Answer]:
    """The users whose answer can have changed, with what it is now: of who is in it no more, there is no value."""
    with closing(_cursor_of(connection)) as cursor:
        with source.translated():
            cursor.execute(asked.sql, asked.parameters)
        shape = _Shape.of(definition, [found[0] for found in cursor.description])
        columns = ("user_id", "value", *(("extra",) if shape.enrichment else ()))
        yield Answer(columns, _chunks(source, fetching(connection, cursor), shape, asked, _candidates))


@contextmanager
def named(definition: Definition) -> Iterator[None]:
    """Say whose query it was, where an error names only the source."""
    title = f"{definition.kind} {definition.name!r}"
    try:
        yield
    except SourceError as error:
        if title in str(error):
            raise
        raise type(error)(f"{title}: {error}", for_log=f"{title}: {error.for_log}") from error


def _cursor_of(connection: Connection) -> Any:
    """The driver's own cursor, which streams; on PostgreSQL a server-side one, which takes nothing but a query.

    It keeps the rules that its connection had when it was made (`sync.source.lenient`).
    """
    driver: Any = connection.connection.driver_connection
    if connection.dialect.name == "postgresql":
        return driver.cursor(name="answer")
    return mysql.cursor(driver) if connection.dialect.name == "mysql" else driver.cursor()


def _question(connection: Connection, definition: Definition, as_of: datetime) -> tuple[str, dict[str, object]]:
    """A definition's SQL with its one parameter, as the driver wants them."""
    if definition.table is not None:
        return str(_membership(definition).compile(dialect=connection.dialect)), {}
    asked = (definition.sql or "").strip()
    if connection.dialect.name == "duckdb":
        return duckdb.question(connection.connection.driver_connection, asked, as_of)
    if connection.dialect.name == "mysql":
        return mysql.question(asked, as_of)
    if connection.dialect.name == "sqlite":
        # SQLite knows a bind from a string or a comment by itself.
        return asked, {"as_of": as_of.astimezone(UTC).replace(tzinfo=None).isoformat(" ", "seconds")}
    return bound(asked.replace("%", "%%"), "%(as_of)s")[0], {"as_of": as_of}


def _membership(definition: Definition) -> Select[Any]:
    assert definition.table is not None  # noqa: S101 - the caller's branch
    schema, _, name = definition.table.name.rpartition(".")
    wanted: list[ColumnClause[Any]] = [column(name) for name in definition.enrichment]
    return select(column(definition.table.user_id).label("user_id"), *wanted).select_from(
        table(name, schema=schema or None)
    )


@dataclass(frozen=True, slots=True)
class _Shape:
    """Where in a row the user id, the value and the enrichment stand. ``sums``: values are, with the noise in them."""

    title: str
    user_id: int
    value: int | None
    enrichment: tuple[tuple[str, int], ...]
    sums: bool = False

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


_Fetch: TypeAlias = Callable[[int], list[tuple[object, ...]]]
_Made: TypeAlias = Callable[[list[tuple[object, ...]], "_Shape", int], Chunk]


def _chunks(
    source: Source, fetch: _Fetch, shape: _Shape, asked: Asked | None, made: _Made | None = None
) -> Iterator[Chunk]:
    done = 0
    while True:
        source.restart_timeout()
        try:
            with source.translated():
                rows = fetch(ROWS_PER_CHUNK)
        except RecursionError:
            raise DataError(
                f"{shape.title}: its answer holds JSON that is nested too deeply to be read: nothing was recorded"
            ) from None
        except ValueError:  # Python writes and reads no whole number of more than 4,300 digits
            raise DataError(
                f"{shape.title}: its answer holds JSON with a number that is too long to be read: nothing was recorded"
            ) from None
        if not rows:
            return
        chunk = (made or _chunk)(rows if asked is None else asked.rows(rows), shape, done)
        if chunk.user_ids:
            yield chunk
        done += len(rows)


def _chunk(rows: list[tuple[object, ...]], shape: _Shape, done: int) -> Chunk:
    numbers: Sequence[int] = range(done + 1, done + len(rows) + 1)
    if shape.value is not None and None in map(itemgetter(shape.value), rows):
        # NULL means "no row": such a user has no value (any more).
        kept = [(number, row) for number, row in zip(numbers, rows, strict=True) if row[shape.value] is not None]
        numbers, rows = [number for number, _ in kept], [row for _, row in kept]
    found = list(map(itemgetter(shape.user_id), rows))
    user_ids = _texts(found, _user_ids_at_once, user_id_text, shape, "user_id", numbers)
    values = extras = None
    if shape.value is not None:
        found = list(map(itemgetter(shape.value), rows))
        at_once, one_by_one = (_sums_at_once, _sum_text) if shape.sums else (_values_at_once, _present_text)
        values = _texts(found, at_once, one_by_one, shape, "value", numbers)
    if shape.enrichment:
        extras = _texts(rows, lambda _: None, lambda row: _extra(row, shape.enrichment), shape, "with", numbers)
    return Chunk(user_ids, values, extras)


_PRESENT = 1
"""Where in a candidate's row it stands whether there is an answer."""


def _candidates(rows: list[tuple[object, ...]], shape: _Shape, done: int) -> Chunk:
    there = [row for row in rows if row[_PRESENT] and (shape.value is None or row[shape.value] is not None)]
    gone = [row for row in rows if not row[_PRESENT] or (shape.value is not None and row[shape.value] is None)]
    found = _chunk(there, shape, done)
    user_ids = _readable([row[shape.user_id] for row in gone])
    values: list[str | None] = ["true"] * len(there) if found.values is None else list(found.values)
    extras = None if found.extras is None else [*found.extras, *["{}"] * len(user_ids)]
    return Chunk([*found.user_ids, *user_ids], [*values, *[None] * len(user_ids)], extras)


def _readable(column: list[Any]) -> list[str]:
    """The user ids among these. Nobody was ever recorded by anything else, so that there is nothing to take back."""
    texts = _user_ids_at_once(column)
    if texts is not None:
        return texts
    texts = []
    for value in column:
        with suppress(ValueError):
            texts.append(user_id_text(value))
    return texts


def _texts(
    column: list[Any],
    at_once: Callable[[list[Any]], list[str] | None],
    one_by_one: Callable[[Any], str],
    shape: _Shape,
    what: str,
    numbers: Sequence[int],
) -> list[str]:
    """A column's canonical texts: in one go where it is plain, else value by value with the first offender named."""
    texts = at_once(column)
    if texts is not None:
        return texts
    texts = []
    for number, value in zip(numbers, column, strict=True):
        try:
            texts.append(one_by_one(value))
        except ValueError as error:
            raise DataError(
                f"{shape.title}: in row {number} of its answer, {what} {error}: "
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
    joined = "".join(column)
    plain = all(column) and longest <= LONGEST_USER_ID // 4 and "\0" not in joined and encodable(joined)
    return column if plain else None


def _values_at_once(column: list[Any]) -> list[str] | None:
    kinds = set(map(type, column))
    if kinds == {Decimal}:
        return _decimals_at_once(list(map(str, column)))
    return _numbers_at_once(column) if kinds and kinds <= {int, float} else None


def _sums_at_once(column: list[Any]) -> list[str] | None:
    """Sums as they are sent, with 15 digits. Most have no more when they are written so that they can be read again."""
    if set(map(type, column)) != {float}:
        return None if float in map(type, column) else _values_at_once(column)
    texts = _numbers_at_once(column)
    if texts is None:
        return None
    short = [text if len(text) <= _EXACT else f"{value:.15g}" for value, text in zip(column, texts, strict=True)]
    return None if "e" in "".join(short) else short


def _numbers_at_once(column: list[int] | list[float]) -> list[str] | None:
    """As JSON, which has the fewest digits that can be read again, without the zero of a whole one; ``None`` where that is
    not enough."""
    try:
        written = orjson.dumps(column)
    except orjson.JSONEncodeError:  # more than 64 bits
        return None
    if b"e" in written or b"n" in written:  # an exponent; inf or nan, which is null
        return None
    texts = written[1:-1].replace(b".0,", b",").removesuffix(b".0").decode().split(",")
    return None if "-0" in texts else texts


def _decimals_at_once(texts: list[str]) -> list[str] | None:
    """Decimals as Python writes them, without the zeros at their end; ``None`` where that is not enough."""
    joined = "".join(texts)
    if any(unusual in joined for unusual in "eEnN"):  # an exponent, inf or nan
        return None
    if max(map(len, texts)) > _PLAIN_NUMBER:
        return None
    if "." in joined:
        texts = [text.rstrip("0").rstrip(".") if "." in text else text for text in texts]
    return None if "-0" in texts else texts


def _present_text(value: object) -> str:
    text = value_text(value)
    assert text is not None  # noqa: S101 - rows without a value were left out
    return text


def _sum_text(value: object) -> str:
    return _present_text(without_noise(value))


def _extra(row: Sequence[object], enrichment: tuple[tuple[str, int], ...]) -> str:
    texts = ((name, value_text(row[place])) for name, place in enrichment)
    return "{" + ",".join(f"{json_string(name)}:{value}" for name, value in texts if value is not None) + "}"
