"""How PostgreSQL says it: carried values are jsonb, instants are timestamptz, texts are collated by code point.

Nothing here is cast before it is known to be castable: a cast that fails ends the whole statement. What is inside a CASE
is computed only where its condition holds, as long as it reads a column.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    Boolean,
    ColumnElement,
    DateTime,
    Integer,
    Numeric,
    Text,
    bindparam,
    case,
    cast,
    false,
    func,
    literal,
    literal_column,
    null,
    true,
)
from sqlalchemy.dialects.postgresql import JSON, JSONB
from sqlalchemy.dialects.postgresql.base import PGDialect
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg

from sync.language.sql import isodates
from sync.language.sql.engine import Clock, Engine
from sync.language.sql.layout import Column, Type
from sync.language.sql.values import Bare, Expression, Found

_INSTANT = DateTime(timezone=True)
_LARGEST: Expression = literal_column("1.7976931348623157e308")
_SMALLEST: Expression = literal_column("-1.7976931348623157e308")
_NAN: Expression = literal_column("'NaN'")
"""Greater than all numbers, and equal to itself."""
_NOT_IN_JSONB: Expression = literal_column(
    r"'\\u0000|\\u[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F])|(?<!\\u[dD][89abAB][0-9a-fA-F]{2})\\u[dD][c-fC-F][0-9a-fA-F]{2}'"
)
"""NUL, and half of a pair that is one character only together."""
_SMALL_NUMBER: Expression = literal_column(r"'^-?[0-9]{1,200}(\.[0-9]{1,200})?([eE][-+]?[0-9]{1,2})?$'")


class Postgresql(Engine):
    """PostgreSQL 12 or later. ``readable``: with ``:as_of`` instead of a bind, for people."""

    sums_are_exact = True

    def __init__(self, *, readable: bool = False) -> None:
        self.dialect = (PGDialect if readable else PGDialect_psycopg)(paramstyle="named" if readable else "pyformat")
        self._readable = readable

    def instant(self, name: str) -> Expression:
        return cast(literal_column(f":{name}"), _INSTANT) if self._readable else bindparam(name, type_=_INSTANT)

    def bound(self, instant: datetime) -> object:
        return instant

    def moment(self, instant: datetime) -> Expression:
        return cast(literal(instant.astimezone(UTC).isoformat(), Text), _INSTANT)

    def shifted(self, instant: Expression, delta: timedelta) -> Expression:
        if not delta:
            return instant
        hours = round(delta / timedelta(hours=1))
        by: Expression = literal_column(f"interval '{abs(hours)} hours'")
        return instant.op("-" if hours < 0 else "+")(by)

    def clock(self, column: Expression, kind: Column, at: Expression | None) -> Clock:  # noqa: ARG002
        return _Clock(self, column, kind)

    def nothing(self) -> Found:
        return Found(false(), lambda: _NO_JSONB)  # a NULL without a type is a text as soon as it leaves a subquery

    def column(self, column: Expression, kind: Column) -> Found:
        match kind.type:
            case Type.BOOLEAN:
                return Found(column.is_not(null()), lambda: func.to_jsonb(column), boolean=column)
            case Type.INTEGER:
                return self.number(column)
            case Type.NUMERIC if kind.bounded:
                found = self.number(func.nullif(column, _NAN, type_=Numeric))
                return replace(found, bare=Bare(column, not_above=column < _NAN, not_below=true()))
            case Type.NUMERIC | Type.FLOAT:
                found = self.number(case((_is_finite(column), column)))
                return replace(found, bare=Bare(column, not_above=column <= _LARGEST, not_below=column >= _SMALLEST))
            case Type.JSONB | Type.JSON:
                return self.document(column, kind, ())
            case Type.TEXT:
                return self._text(cast(column, Text) if kind.cast else column)
            case Type.DATE | Type.TIMESTAMP | Type.INSTANT:
                return self._date(column, kind.type)
        return Found(column.is_not(null()), lambda: case((column.is_not(null()), literal_column("'[]'::jsonb"))))

    def _text(self, text: Expression) -> Found:
        return Found(
            is_set=text.is_not(null()),
            carried=lambda: func.to_jsonb(text),
            text=text.collate("C"),
            instant=lambda: _instant(text),
        )

    def _date(self, column: Expression, kind: Type) -> Found:
        ordinary = _is_ordinary(column, kind)
        if kind is Type.DATE:
            written: Expression = func.to_char(column, literal_column("'YYYY-MM-DD'"))
        else:
            local = func.timezone(literal_column("'UTC'"), column) if kind is Type.INSTANT else column
            form: Expression = literal_column("""'YYYY-MM-DD"T"HH24:MI:SS.US'""")
            written = func.rtrim(func.rtrim(func.to_char(local, form), literal_column("'0'")), literal_column("'.'"))
            written = written.op("||")(literal_column("'Z'"))
        text, at = case((ordinary, written)), case((ordinary, _in_utc(column, kind)))
        return Found(text.is_not(null()), lambda: func.to_jsonb(text), text=text.collate("C"), instant=lambda: at)

    def document(self, column: Expression, kind: Column, path: Sequence[str]) -> Found:
        value = _clean(column) if kind.type is Type.JSON else column
        for piece in path:
            value = value.op("->")(literal_column(_quoted(piece)))
        if kind.type is Type.JSON:
            return self._loose(value)
        return self.carried(value)

    def carried(self, value: Expression) -> Found:
        sort = func.jsonb_typeof(value)
        text = case((sort == literal_column("'string'"), value.op("#>>", return_type=Text())(literal_column("'{}'"))))
        return Found(
            is_set=sort != literal_column("'null'"),
            carried=lambda: func.nullif(value, literal_column("'null'::jsonb")),
            number=case((sort == literal_column("'number'"), cast(value, Numeric))),
            text=text.collate("C"),
            boolean=case((sort == literal_column("'boolean'"), cast(value, Boolean))),
            instant=lambda: _instant(text),
        )

    def _loose(self, value: Expression) -> Found:
        """Of json, which keeps what was written: numbers beyond all measure too."""
        written, sort = cast(value, Text), func.json_typeof(value)
        readable = case(
            (sort == literal_column("'number'"), written.op("~")(_SMALL_NUMBER)),
            (sort == literal_column("'string'"), true()),
            (sort == literal_column("'null'"), false()),
            (sort == literal_column("'boolean'"), true()),
        )
        value = case(
            (readable, cast(written, JSONB)), (sort.in_([literal_column("'object'"), literal_column("'array'")]), _LIST)
        )
        return self.carried(value)

    def number(self, expression: Expression) -> Found:
        return Found(expression.is_not(null()), lambda: func.to_jsonb(expression), number=expression)

    def boolean(self, condition: Expression) -> Found:
        flag = func.coalesce(condition, false())
        return Found(true(), lambda: func.to_jsonb(flag), boolean=flag)

    def literal(self, value: str | int | float | bool) -> Found:
        if isinstance(value, bool):
            flag = true() if value else false()
            return Found(true(), lambda: func.to_jsonb(flag), boolean=flag)
        if isinstance(value, str):
            text = literal(value, Text)
            return Found(true(), lambda: func.to_jsonb(text), text=text)
        number = literal(value) if isinstance(value, int) else literal(Decimal(repr(value)), Numeric)
        return Found(true(), lambda: func.to_jsonb(number), number=number)

    def scalar(self, value: Expression) -> Expression:
        return func.jsonb_typeof(value).in_([literal_column(f"'{each}'") for each in ("number", "string", "boolean")])

    def alphabetical(self, value: Expression) -> list[Expression]:
        sort = func.jsonb_typeof(value)
        text = value.op("#>>", return_type=Text())(literal_column("'{}'"))
        number = case(
            (sort == literal_column("'number'"), cast(func.trim_scale(cast(value, Numeric)), Text)), else_=text
        )
        return [number.collate("C"), sort.collate("C")]

    def listed(self, value: Expression) -> ColumnElement[Any]:
        return func.jsonb_agg(value)

    def decoded(self, value: object) -> object:
        return value

    def decoded_list(self, value: object) -> object:
        return value

    def contains(self, text: Expression, part: str) -> Expression:
        return func.strpos(text, literal(part, Text)) > literal_column("0")

    def starts_with(self, text: Expression, part: str) -> Expression:
        return func.left(text, literal_column(str(len(part)))) == literal(part, Text)

    def ends_with(self, text: Expression, part: str) -> Expression:
        return func.right(text, literal_column(str(len(part)))) == literal(part, Text)

    def total(self, number: Expression) -> Expression:
        return func.sum(cast(number, Numeric))  # a sum of floats may overflow, which is an error

    def average(self, number: Expression) -> Expression:
        return func.avg(cast(number, Numeric))

    def can_be_given(self, number: Expression) -> Expression:
        return _is_finite(number)

    def user(self, column: Expression, kind: Column, *, as_text: bool) -> Expression:
        if not as_text:
            return column
        number = func.trim_scale(column) if kind.type is Type.NUMERIC else column
        return cast(number, Text).collate("C")

    def equals(self, column: Expression, kind: Column, text: str) -> Expression:
        own = cast(column, Text).collate("C") if kind.cast or not kind.exact else column
        return own == literal(text, Text)

    def somebody(self, user: Expression, kind: Column, *, as_text: bool) -> Expression:
        if as_text or (kind.type is Type.TEXT and not kind.cast):
            return user != literal_column("''")
        return user.is_not(null())


_LIST: Expression = literal_column("'[]'::jsonb")
_NO_JSONB: Expression = literal_column("CAST(NULL AS jsonb)", JSONB)


class _Clock(Clock):
    """A column with dates is compared as it is, so that its index is of use; a text as what it means."""

    def __init__(self, engine: Postgresql, column: Expression, kind: Column) -> None:
        self._column, self._kind = column, kind.type
        if kind.type in (Type.DATE, Type.TIMESTAMP, Type.INSTANT):
            self.at = _in_utc(column, kind.type)
            if kind.type is Type.DATE:  # PostgreSQL has dates for which it has no timestamp
                self.at = case((_is_ordinary(column, kind.type), self.at))
        else:
            found = engine.column(column, kind).instant
            self.at = cast(null(), _INSTANT) if found is None else found()

    def during(self, after: Expression | None, until: Expression, *, of_users: bool = False) -> list[Expression]:  # noqa: ARG002
        bare = self._kind in (Type.DATE, Type.TIMESTAMP, Type.INSTANT)
        column = self._column if bare else self.at
        return [*([] if after is None else [column > self._own(after)]), column <= self._own(until)]

    def _own(self, instant: Expression) -> Expression:
        local = self._kind in (Type.DATE, Type.TIMESTAMP)
        return func.timezone(literal_column("'UTC'"), instant) if local else instant


def _is_finite(number: Expression) -> Expression:
    """Condition: JSON can hold it. NaN is beyond all numbers."""
    return number.between(_SMALLEST, _LARGEST)


def _is_ordinary(column: Expression, kind: Type) -> Expression:
    """Condition: ISO 8601 can write the date. PostgreSQL has infinite ones, and others before the year 1 and after 9999."""
    last = "9999-12-31" if kind is Type.DATE else "9999-12-31 23:59:59.999999"
    zone = "+00" if kind is Type.INSTANT else ""
    return column.between(literal_column(f"'0001-01-01{zone}'"), literal_column(f"'{last}{zone}'"))


def _clean(column: Expression) -> Expression:
    """A column of json without what PostgreSQL keeps as it is written and cannot read."""
    written = cast(column, Text)
    replaced = func.regexp_replace(written, _NOT_IN_JSONB, literal_column(r"'\\ufffd'"), literal_column("'g'"))
    return case((written.op("~")(_NOT_IN_JSONB), cast(replaced, JSON)), else_=column)


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _in_utc(column: Expression, kind: Type) -> Expression:
    if kind is Type.INSTANT:
        return column
    local = cast(column, DateTime()) if kind is Type.DATE else column
    return func.timezone(literal_column("'UTC'"), local)


def _instant(text: Expression) -> Expression:
    """What a text means as a date of ISO 8601; NULL where it is none."""
    one = literal_column
    local = func.timezone(one("'UTC'"), cast(func.substring(text, one(f"'{isodates.LOCAL}'")), DateTime()))
    hours = cast(func.coalesce(func.substring(text, one(f"'{isodates.HOURS}'")), one("'0'")), Integer)
    minutes = func.regexp_replace(text, one(f"'^.*{isodates.SIGN_AND_MINUTES}'"), one(r"'\1\2'"))
    zoned = text.op("~")(one(f"'{isodates.SIGN_AND_MINUTES}'"))
    offset = func.make_interval(
        one("0"), one("0"), one("0"), one("0"), hours, case((zoned, cast(minutes, Integer)), else_=one("0"))
    )
    return case((text.op("~")(one(f"'{isodates.DATE}'")), local.op("-")(offset)))
