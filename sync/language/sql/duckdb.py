"""How DuckDB says it: instants are timestamps without a zone, in UTC; a carried value is text that says what it is.

Such a text begins with ``"`` when it is a text, and with ``[`` when it is nested; ``true`` and ``false`` are booleans, and
anything else is a number as a double is written.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    DateTime,
    Double,
    Integer,
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
    try_cast,
)
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlalchemy.dialects.postgresql.base import PGDialect
from sqlalchemy.types import UserDefinedType

from sync.language.sql import isodates
from sync.language.sql.engine import Clock, Engine
from sync.language.sql.layout import Column, Type
from sync.language.sql.values import Expression, Found

_NUMBERS: list[Expression] = [
    literal_column(f"'{name}'") for name in ("BIGINT", "UBIGINT", "HUGEINT", "UHUGEINT", "DOUBLE")
]
_MARKS: list[Expression] = [literal_column(f"'{mark}'") for mark in ('"', "[", "t", "f")]
_NESTED: Expression = literal_column("'['")
_QUOTE: Expression = literal_column("""'"'""")


class _Json(UserDefinedType[str]):
    cache_ok = True

    def get_col_spec(self, **_: Any) -> str:
        return "JSON"


class Duckdb(Engine):
    """DuckDB 1.0 or later. ``readable``: with ``:as_of`` instead of a bind, for people."""

    def __init__(self, *, readable: bool = False) -> None:
        self.dialect = PGDialect(paramstyle="named" if readable else "numeric_dollar")  # type: ignore[no-untyped-call]
        self._readable = readable

    def instant(self, name: str) -> Expression:
        bind: Expression = literal_column(f":{name}") if self._readable else bindparam(name, type_=DateTime())
        return cast(bind, DateTime())

    def bound(self, instant: datetime) -> object:
        return instant.astimezone(UTC).replace(tzinfo=None)

    def moment(self, instant: datetime) -> Expression:
        return cast(literal(instant.astimezone(UTC).replace(tzinfo=None).isoformat(), Text), DateTime())

    def shifted(self, instant: Expression, delta: timedelta) -> Expression:
        if not delta:
            return instant
        hours = round(delta / timedelta(hours=1))
        by: Expression = literal_column(f"INTERVAL '{abs(hours)} hours'")
        return instant.op("-" if hours < 0 else "+")(by)

    def clock(self, column: Expression, kind: Column, at: Expression | None) -> Clock:  # noqa: ARG002
        return _Clock(self, column, kind)

    def column(self, column: Expression, kind: Column) -> Found:
        match kind.type:
            case Type.BOOLEAN:
                return Found(column.is_not(null()), lambda: cast(column, Text), boolean=column)
            case Type.INTEGER | Type.NUMERIC:
                return self.number(column)
            case Type.FLOAT:
                return self.number(case((func.isfinite(column), column)))
            case Type.JSON:
                return self.document(column, kind, ())
            case Type.TEXT:
                return self._text(cast(column, Text) if kind.cast else column)
            case Type.DATE | Type.TIMESTAMP | Type.INSTANT:
                return self._date(column, kind.type)
        return Found(column.is_not(null()), lambda: case((column.is_not(null()), _NESTED)))

    def _text(self, text: Expression) -> Found:
        return Found(text.is_not(null()), lambda: _QUOTE.op("||")(text), text=text, instant=lambda: _instant(text))

    def _date(self, column: Expression, kind: Type) -> Found:
        at = _in_utc(column, kind)
        form: Expression = literal_column("'%Y-%m-%d'" if kind is Type.DATE else "'%Y-%m-%dT%H:%M:%S.%f'")
        text: Expression = func.strftime(at, form)
        if kind is not Type.DATE:
            text = func.rtrim(func.rtrim(text, literal_column("'0'")), literal_column("'.'")).op("||")(
                literal_column("'Z'")
            )
        return Found(at.is_not(null()), lambda: _QUOTE.op("||")(text), text=text, instant=lambda: at)

    def document(self, column: Expression, kind: Column, path: Sequence[str]) -> Found:
        document = column if kind.type is Type.JSON else try_cast(column, _Json())
        place: Expression = literal_column("'$" + "".join(map(_quoted, path)) + "'")
        sort, value = func.json_type(document, place), func.json_extract_string(document, place)
        text = case((sort == literal_column("'VARCHAR'"), value))
        number = case((sort.in_(_NUMBERS), try_cast(value, Double)))
        flag = case((sort == literal_column("'BOOLEAN'"), value == literal_column("'true'")))
        nested = case((sort.in_([literal_column("'ARRAY'"), literal_column("'OBJECT'")]), _NESTED))
        return Found(
            is_set=sort != literal_column("'NULL'"),
            carried=lambda: func.coalesce(_QUOTE.op("||")(text), _written(number), cast(flag, Text), nested),
            number=number,
            text=text,
            boolean=flag,
            instant=lambda: _instant(text),
        )

    def carried(self, value: Expression) -> Found:
        mark = func.left(value, literal_column("1"))
        text = case((mark == _QUOTE, func.substr(value, literal_column("2"))))
        return Found(
            is_set=value.is_not(null()),
            carried=lambda: value,
            number=case((mark.not_in(_MARKS), try_cast(value, Double))),
            text=text,
            boolean=case((mark.in_(_MARKS[2:]), value == literal_column("'true'"))),
            instant=lambda: _instant(text),
        )

    def number(self, expression: Expression) -> Found:
        return Found(expression.is_not(null()), lambda: _written(cast(expression, Double)), number=expression)

    def boolean(self, condition: Expression) -> Found:
        flag = func.coalesce(condition, false())
        return Found(true(), lambda: cast(flag, Text), boolean=flag)

    def literal(self, value: str | int | float | bool) -> Found:
        if isinstance(value, bool):
            flag = true() if value else false()
            return Found(true(), lambda: cast(flag, Text), boolean=flag)
        if isinstance(value, str):
            return self._text(literal(value, Text))
        return self.number(literal(value))

    def scalar(self, value: Expression) -> Expression:
        return value != _NESTED

    def alphabetical(self, value: Expression) -> list[Expression]:
        mark = func.left(value, literal_column("1"))
        written = case(
            (mark == _QUOTE, func.substr(value, literal_column("2"))),
            else_=func.regexp_replace(value, literal_column(r"'\.0$'"), literal_column("''")),
        )
        is_text, is_number = mark == _QUOTE, mark.not_in(_MARKS)
        return [
            written,
            case((is_text, literal_column("2")), (is_number, literal_column("1")), else_=literal_column("0")),
        ]

    def listed(self, value: Expression) -> ColumnElement[Any]:
        return func.list(value)

    def decoded(self, value: object) -> object:
        if value is None:
            return None
        text = str(value)
        if text.startswith('"'):
            return text[1:]
        return text == "true" if text in ("true", "false") else float(text)

    def decoded_list(self, value: object) -> object:
        assert isinstance(value, list)  # noqa: S101 - it is the engine's own list
        return [self.decoded(each) for each in value]

    def contains(self, text: Expression, part: str) -> Expression:
        return func.contains(text, literal(part, Text))

    def starts_with(self, text: Expression, part: str) -> Expression:
        return func.starts_with(text, literal(part, Text))

    def ends_with(self, text: Expression, part: str) -> Expression:
        return func.suffix(text, literal(part, Text))

    def total(self, number: Expression) -> Expression:
        return func.sum(aggregate_order_by(number, number))  # as its threads come, floats give another sum each time

    def average(self, number: Expression) -> Expression:
        return func.avg(aggregate_order_by(number, number))

    def can_be_given(self, number: Expression) -> Expression:
        return func.isfinite(cast(number, Double))

    def user(self, column: Expression, kind: Column, *, as_text: bool) -> Expression:  # noqa: ARG002
        return cast(column, Text) if as_text else column

    def somebody(self, user: Expression, kind: Column, *, as_text: bool) -> Expression:
        if as_text or (kind.type is Type.TEXT and not kind.cast):
            return user != literal_column("''")
        return user.is_not(null())


class _Clock(Clock):
    """A timestamp is compared as it is; anything else as what it means."""

    def __init__(self, engine: Duckdb, column: Expression, kind: Column) -> None:
        found = engine.column(column, kind).instant
        self.at = cast(null(), DateTime()) if found is None else found()
        self._column = column if kind.type in (Type.DATE, Type.TIMESTAMP) else self.at

    def during(self, after: Expression | None, until: Expression, *, of_users: bool = False) -> list[Expression]:  # noqa: ARG002
        return [*([] if after is None else [self._column > after]), self._column <= until]


def _quoted(piece: str) -> str:
    escaped = piece.replace("\\", "\\\\").replace('"', '\\"').replace("'", "''")
    return f'."{escaped}"'


def _written(number: Expression) -> Expression:
    return cast(number + literal_column("0.0"), Text)


def _in_utc(column: Expression, kind: Type) -> Expression:
    if kind is Type.INSTANT:
        return case((func.isfinite(column), func.make_timestamp(func.epoch_us(column))))
    return case((func.isfinite(column), cast(column, DateTime())))


def _instant(text: Expression) -> Expression:
    """What a text means as a date of ISO 8601; NULL where it is none."""
    one = literal_column
    local = try_cast(func.regexp_extract(text, one(f"'{isodates.LOCAL}'")), DateTime())
    hours = try_cast(func.regexp_extract(text, one(f"'{isodates.HOURS}'"), one("1")), Integer)
    sign, minutes = (
        func.regexp_extract(text, one(f"'{isodates.SIGN_AND_MINUTES}'"), one(group)) for group in ("1", "2")
    )
    offset = func.coalesce(hours, one("0")) * one("60") + func.coalesce(
        try_cast(sign.op("||")(minutes), Integer), one("0")
    )
    return case((func.regexp_matches(text, one(f"'{isodates.DATE}'")), local.op("-")(func.to_minutes(offset))))
