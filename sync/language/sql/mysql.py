"""How MySQL and MariaDB say it: as DuckDB does where they can, with their own functions where they must.

Texts are compared as bytes, which is by code point; their collations would take upper and lower case for one.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import (
    CTE,
    ColumnElement,
    CompoundSelect,
    DateTime,
    Integer,
    LargeBinary,
    Select,
    and_,
    bindparam,
    case,
    cast,
    func,
    literal,
    literal_column,
    null,
    or_,
    true,
)
from sqlalchemy.dialects.mysql import CHAR
from sqlalchemy.dialects.mysql import DATETIME as INSTANT
from sqlalchemy.dialects.mysql.base import MySQLDialect

from sync.language.sql import isodates
from sync.language.sql.duckdb import Duckdb
from sync.language.sql.layout import Column, Type
from sync.language.sql.values import Expression, Found

_NUMBERS: list[Expression] = [
    literal_column(f"'{name}'") for name in ("INTEGER", "UNSIGNED INTEGER", "DOUBLE", "DECIMAL")
]
_ZERO: Expression = literal_column("0e0")
"""Added to a number, it makes a double of it."""

_MICROSECONDS = INSTANT(fsp=6)


class Mysql(Duckdb):
    """MySQL 8.0.17 or later, MariaDB 10.6 or later; the connection must be in UTC."""

    def __init__(self, *, readable: bool = False) -> None:
        self.dialect = MySQLDialect(paramstyle="named" if readable else "pyformat")
        self._readable = readable

    def instant(self, name: str) -> Expression:
        bind: Expression = literal_column(f":{name}") if self._readable else bindparam(name, type_=DateTime())
        return cast(bind, _MICROSECONDS)

    def computed_once(self, statement: CompoundSelect[Any] | Select[Any], name: str) -> CTE:
        return statement.cte(name)  # it has no word for it

    def shifted(self, instant: Expression, delta: timedelta) -> Expression:
        if not delta:
            return instant
        by: Expression = literal_column(f"INTERVAL {round(delta / timedelta(hours=1))} HOUR")
        return func.date_add(instant, by)

    def column(self, column: Expression, kind: Column) -> Found:
        match kind.type:
            case Type.BOOLEAN:
                flag = column != literal_column("0")
                return self._flag(column.is_not(null()), flag)
            case Type.FLOAT:
                return self.number(column)
            case Type.DATE | Type.TIMESTAMP | Type.INSTANT:
                return self._date_text(column, kind.type)
        return super().column(column, kind)

    def _flag(self, is_set: Expression, flag: Expression) -> Found:
        written = case((flag, literal_column("'true'")), (flag.is_(true()), null()), else_=literal_column("'false'"))
        return Found(is_set, lambda: case((is_set, written)), boolean=flag)

    def _text(self, text: Expression) -> Found:
        return Found(
            text.is_not(null()),
            lambda: func.concat(literal_column("""'"'"""), text),
            text=cast(text, LargeBinary),
            instant=lambda: _instant(text),
        )

    def _date_text(self, column: Expression, kind: Type) -> Found:
        form: Expression = literal_column("'%Y-%m-%d'" if kind is Type.DATE else "'%Y-%m-%dT%H:%i:%s.%f'")
        text: Expression = func.date_format(column, form)
        if kind is not Type.DATE:
            zeros: Expression = literal_column("TRAILING '0' FROM ")
            point: Expression = literal_column("TRAILING '.' FROM ")
            text = func.concat(func.trim(point.op("")(func.trim(zeros.op("")(text)))), literal_column("'Z'"))
        at = cast(column, _MICROSECONDS)
        return Found(
            column.is_not(null()),
            lambda: func.concat(literal_column("""'"'"""), text),
            text=cast(text, LargeBinary),
            instant=lambda: at,
        )

    def document(self, column: Expression, kind: Column, path: Sequence[str]) -> Found:
        document = column if kind.type is Type.JSON else case((func.json_valid(column), column))
        place: Expression = literal_column("'$" + "".join(map(_quoted, path)) + "'")
        value = func.json_extract(document, place)
        sort, written = func.json_type(value), func.json_unquote(value)
        text = case((sort == literal_column("'STRING'"), written))
        number = case((sort.in_(_NUMBERS), written + _ZERO))
        is_flag = sort == literal_column("'BOOLEAN'")
        nested = case((sort.in_([literal_column("'ARRAY'"), literal_column("'OBJECT'")]), literal_column("'['")))
        return Found(
            is_set=sort != literal_column("'NULL'"),
            carried=lambda: func.coalesce(
                func.concat(literal_column("""'"'"""), text), cast(number, CHAR), case((is_flag, written)), nested
            ),
            number=number,
            text=cast(text, LargeBinary),
            boolean=case((is_flag, written == literal_column("'true'"))),
            instant=lambda: _instant(text),
        )

    def carried(self, value: Expression) -> Found:
        mark = func.left(value, literal_column("1"))
        text = case((mark == literal_column("""'"'"""), func.substr(value, literal_column("2"))))
        is_flag = or_(value == literal_column("'true'"), value == literal_column("'false'"))
        is_number = and_(value != literal_column("'['"), mark != literal_column("""'"'"""), ~is_flag)
        return Found(
            is_set=value.is_not(null()),
            carried=lambda: value,
            number=case((is_number, value + _ZERO)),
            text=cast(text, LargeBinary),
            boolean=case((is_flag, value == literal_column("'true'"))),
            instant=lambda: _instant(text),
        )

    def number(self, expression: Expression) -> Found:
        return Found(expression.is_not(null()), lambda: cast(expression + _ZERO, CHAR), number=expression)

    def boolean(self, condition: Expression) -> Found:
        return self._flag(true(), condition.is_(true()))

    def literal(self, value: str | int | float | bool) -> Found:
        if isinstance(value, bool):
            return self._flag(true(), literal_column("true" if value else "false"))
        return super().literal(value)

    def alphabetical(self, value: Expression) -> list[Expression]:
        """A number is written without zeros at its end already."""
        written, *ranks = super().alphabetical(value)
        return [cast(written, LargeBinary), *ranks]

    def listed(self, value: Expression) -> ColumnElement[Any]:
        return func.json_arrayagg(value)

    def contains(self, text: Expression, part: str) -> Expression:
        return func.locate(self._bytes(part), text) > literal_column("0")

    def starts_with(self, text: Expression, part: str) -> Expression:
        return func.left(text, literal_column(str(len(part.encode())))) == self._bytes(part)

    def ends_with(self, text: Expression, part: str) -> Expression:
        return func.right(text, literal_column(str(len(part.encode())))) == self._bytes(part)

    def _bytes(self, text: str) -> Expression:
        return cast(literal(text), LargeBinary)

    def total(self, number: Expression) -> Expression:
        return func.sum(number)

    def average(self, number: Expression) -> Expression:
        return func.avg(number)

    def can_be_given(self, number: Expression) -> Expression:
        return number.is_not(null())

    def user(self, column: Expression, kind: Column, *, as_text: bool) -> Expression:  # noqa: ARG002
        # By code point, whatever the column's own collation takes for one.
        return cast(column, CHAR(charset="utf8mb4")).collate("utf8mb4_bin") if as_text else column

    def equals(self, column: Expression, kind: Column, text: str) -> Expression:  # noqa: ARG002
        # The first for an index, the second for the letters' case.
        return and_(column == literal(text), cast(column, LargeBinary) == self._bytes(text))


def _quoted(piece: str) -> str:
    escaped = piece.replace("\\", "\\\\").replace('"', '\\"').replace("\\", "\\\\").replace("'", "''")
    return f'."{escaped}"'


def _instant(text: Expression) -> Expression:
    """What a text means as a date of ISO 8601; NULL where it is none."""
    one = literal_column
    local = cast(
        func.replace(func.regexp_substr(text, one(f"'{isodates.LOCAL}'")), one("'T'"), one("' '")), _MICROSECONDS
    )
    zone = func.replace(func.regexp_substr(text, one("'[+-][0-9]{2}:?([0-9]{2})?$'")), one("':'"), one("''"))
    sign = func.concat(func.left(zone, one("1")), one("'0'"))
    hours, minutes = (cast(func.concat(sign, func.substr(zone, one(at), one("2"))), Integer) for at in ("2", "4"))
    zoned = func.regexp_like(text, one("'[T ].*[+-]'"))
    offset = case((zoned, hours * one("60") + minutes), else_=one("0"))
    return case(
        (func.regexp_like(text, one(f"'{isodates.DATE}'")), func.timestampadd(one("MINUTE"), -offset, local)),
    )
