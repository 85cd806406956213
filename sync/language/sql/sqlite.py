"""How SQLite says it: every value has its own type, an instant is text of fixed width, JSON is text.

A carried value is the value itself; SQLite has no booleans, so ``true`` and ``false`` are blobs, and so is the empty mark
for what is nested. An instant is ``2026-11-21 10:00:00.000000``, in UTC.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
from sqlalchemy import (
    REAL,
    ColumnElement,
    FromClause,
    Select,
    String,
    and_,
    bindparam,
    case,
    cast,
    false,
    func,
    literal,
    literal_column,
    null,
    or_,
    select,
    true,
)
from sqlalchemy.dialects.sqlite.base import SQLiteDialect

from sync.language.sql import days, isotext, stretches
from sync.language.sql.engine import Clock, Engine, Instants
from sync.language.sql.layout import Column, Type
from sync.language.sql.values import Bare, Expression, Found

_TRUE: Expression = literal_column("x'74727565'")
_FALSE: Expression = literal_column("x'66616C7365'")
_NESTED: Expression = literal_column("x''")
_SIMPLE = re.compile(r"[A-Za-z0-9_ \-]+")
"""Keys that stand in a JSON path as they are, and that everybody writes into JSON as they are."""

_FIRST_TEXT: Expression = literal_column("'' COLLATE BINARY")
"""Whatever is less is a number."""

_INFINITY: Expression = literal_column("9e999")
_FINITE: Expression = literal_column("1.7976931348623157e308")


def _texts(*texts: str) -> list[Expression]:
    return [literal_column(f"'{text}'") for text in texts]


class Sqlite(Engine):
    """SQLite 3.38 or later. ``readable``: with ``:as_of`` instead of a bind, for people."""

    def __init__(self, *, readable: bool = False) -> None:
        self.dialect = SQLiteDialect(paramstyle="named")
        self._readable = readable

    def instant(self, name: str) -> Expression:
        return literal_column(f":{name}") if self._readable else bindparam(name, type_=String)

    def bound(self, instant: datetime) -> object:
        return _stamp(instant)

    def moment(self, instant: datetime) -> Expression:
        return literal(_stamp(instant), String)

    def shifted(self, instant: Expression, delta: timedelta) -> Expression:
        if not delta:
            return instant
        moved = func.datetime(func.substr(instant, 1, 19), _hours(_in_hours(delta)))
        return moved.op("||")(func.substr(instant, 20))

    def clock(self, column: Expression, kind: Column, at: Expression | None) -> Clock:
        return _Stamps(column) if at is None else _Dates(column, at, sought=kind.sought)

    def instants(self, column: Expression) -> Clock:
        return _Stamps(column)

    def padding(self, columns: int) -> list[Select[Any]]:
        """No rows, but SQLite takes them for two dozen. Without statistics it takes the users of a stream for one or two,
        and then looks at all of a second stream for each of the first instead of making an index."""
        nothing = func.json_each(literal_column("'[]'")).table_valued("value")
        columns_of_nothing: list[Expression] = [null() for _ in range(columns)]
        return [select(*columns_of_nothing).select_from(nothing)]

    def timed(self, source: FromClause, timestamp: str, kind: Column, name: str) -> tuple[FromClause, str | None]:
        if kind.type is Type.STAMP:
            return source, None
        at = "at"
        while at in source.c:
            at += "_"
        with_time = select(*source.c, isotext.instant(source.c[timestamp]).label(at))
        return with_time.cte(f"{name}_with_time").prefix_with("NOT MATERIALIZED"), at

    def column(self, column: Expression, kind: Column) -> Found:
        if kind.type is Type.FLAG:
            flag = case((column.in_((literal_column("0"), literal_column("1"))), column != literal_column("0")))
            return Found(
                column.is_not(null()),
                lambda: case((flag.is_(true()), _TRUE), (flag.is_(false()), _FALSE)),
                boolean=flag,
            )
        if kind.type is Type.JSON:
            return self.document(column, kind, ())
        sort, bare = func.typeof(column), isotext.unconverted(column)
        text = case((sort == literal_column("'text'"), column))
        return Found(
            is_set=column.is_not(null()),
            carried=lambda: case((sort == literal_column("'blob'"), _NESTED), else_=column),
            number=case((bare < _FIRST_TEXT, column)),
            text=text,
            instant=lambda: isotext.instant(text),
            equals=lambda text: self.equals(column, kind, text) if _is_like_no_number(text) else None,
            bare=Bare(bare, not_above=bare < _FIRST_TEXT, not_below=true(), largest=_INFINITY),
        )

    def document(self, column: Expression, kind: Column, path: Sequence[str]) -> Found:  # noqa: ARG002
        readable = and_(func.typeof(column) != literal_column("'blob'"), func.json_valid(column))
        if not all(map(_SIMPLE.fullmatch, path)):
            return _looked_up(case((readable, column)), path)
        place: Expression = literal_column("'" + "".join(["$", *(f'."{piece}"' for piece in path)]) + "'")
        sort, value = case((readable, func.json_type(column, place))), func.json_extract(column, place)
        text = case((sort == literal_column("'text'"), value))
        return Found(
            is_set=sort != literal_column("'null'"),
            carried=lambda: _carried(sort, case((sort.is_not(null()), value))),
            number=case((sort.in_(_texts("integer", "real")), value)),
            text=text,
            boolean=case((sort.in_(_texts("true", "false")), sort == literal_column("'true'"))),
            instant=lambda: isotext.instant(text),
        )

    def carried(self, value: Expression) -> Found:
        sort = func.typeof(value)
        text = case((sort == literal_column("'text'"), value))
        return Found(
            is_set=value.is_not(null()),
            carried=lambda: value,
            number=case((sort.in_(_texts("integer", "real")), value)),
            text=text,
            boolean=case((and_(sort == literal_column("'blob'"), value != _NESTED), value == _TRUE)),
            instant=lambda: isotext.instant(text),
        )

    def number(self, expression: Expression) -> Found:
        return Found(expression.is_not(null()), lambda: expression, number=expression)

    def boolean(self, condition: Expression) -> Found:
        flag = condition.is_(true())
        return Found(true(), lambda: case((flag, _TRUE), else_=_FALSE), boolean=flag)

    def literal(self, value: str | int | float | bool) -> Found:
        if isinstance(value, bool):
            return Found(true(), lambda: _TRUE if value else _FALSE, boolean=true() if value else false())
        if isinstance(value, str):
            text = literal(value, String)
            return Found(true(), lambda: text, text=text)
        number = literal(value)
        return Found(true(), lambda: number, number=number)

    def scalar(self, value: Expression) -> Expression:
        return value != _NESTED

    def alphabetical(self, value: Expression) -> list[Expression]:
        sort = func.typeof(value)
        whole = func.printf(literal_column("'%.0f'"), value)
        written = case(
            (sort == literal_column("'blob'"), value.op("||")(literal_column("''"))),
            (and_(sort == literal_column("'real'"), value == func.round(value)), whole),
            else_=value.op("||")(literal_column("''")),
        )
        return [written, sort]

    def listed(self, value: Expression) -> ColumnElement[Any]:
        text = case((func.typeof(value) == literal_column("'blob'"), value.op("||")(literal_column("''"))))
        return func.json_group_array(func.coalesce(text, func.json_quote(value).op("||")(literal_column("''"))))

    def decoded(self, value: object) -> object:
        return value == b"true" if isinstance(value, bytes) else value

    def decoded_list(self, value: object) -> object:
        return [orjson.loads(each) for each in orjson.loads(str(value))]

    def contains(self, text: Expression, part: str) -> Expression:
        return func.instr(text, literal(part, String)) > literal_column("0")

    def starts_with(self, text: Expression, part: str) -> Expression:
        return func.substr(text, 1, len(part)) == literal(part, String)

    def ends_with(self, text: Expression, part: str) -> Expression:
        if not part:
            return text.is_not(null())
        return func.substr(text, -len(part)) == literal(part, String)

    def total(self, number: Expression) -> Expression:
        return func.sum(number + literal_column("0.0"))  # a sum of integers may overflow, which is an error

    def total_of_some(self, number: Expression) -> Expression:
        return func.total(number)

    def settled(self, number: Expression) -> Expression:
        rounded = cast(func.printf("%.15g", number), REAL)
        return case((number.between(-_FINITE, _FINITE), rounded), else_=number)

    def can_be_given(self, number: Expression) -> Expression:
        return number.between(-_FINITE, _FINITE)

    def grouped(self, statement: Select[Any], user: Expression, somebody: Sequence[Expression]) -> Select[Any]:
        # Asked of each user, not of each row: what holds a SELECT, SQLite does not put into the WHERE by itself.
        nobody = select(literal_column("''")).scalar_subquery()
        by_user = statement.group_by(user)
        return by_user.having(user != nobody) if somebody else by_user

    def equals(self, column: Expression, kind: Column, text: str) -> Expression:  # noqa: ARG002
        return column == literal(text, String).collate("BINARY")


class _Stamps(Instants):
    """Instants in our own form already."""

    def during(self, after: Expression | None, until: Expression, *, of_users: bool = False) -> list[Expression]:
        return [*([] if after is None else [_wide(self.at > after) if of_users else self.at > after]), self.at <= until]


class _Dates(Clock):
    """Texts, of which some may be no dates, and others in zones, which are less than 15 hours away.

    An index is used for the hours around; of these, texts in SQLite's own form (``2026-11-21 10:00:00``) are compared as
    they are, others as what they mean.
    """

    def __init__(self, column: Expression, at: Expression, *, sought: bool) -> None:
        self.column, self._meant, self._sought = column, at, sought
        self.plain = isotext.is_plain(column)
        self.at = case((self.plain, column.op("||")(literal_column("'.000000'"))), else_=at)

    def during(self, after: Expression | None, until: Expression, *, of_users: bool = False) -> list[Expression]:
        exactly = self._exactly(after, until)
        if after is None:  # nearly all is earlier than now: looking for that by an index is worth nothing
            return [exactly]
        first = self.column >= func.strftime(literal_column("'%Y-%m-%d %H'"), after, _hours(-15))
        last = self.column < func.strftime(literal_column("'%Y-%m-%dT%H'"), until, _hours(16))
        return [_wide(first) if of_users else first, last, exactly]

    def looked_for(self, after: Expression, until: Expression, name: str) -> list[Expression]:
        if not self._sought:
            return self.during(after, until)
        return stretches.during(self.column, after, until, _between(self._meant, after, until), name)

    def proven(self, times: Select[Any], name: str) -> Expression | None:
        return days.are_real(times, name) if self._sought else None

    def up_to(self, until: Expression, proven: Expression | None) -> list[Expression]:
        if proven is None:
            return self.during(None, until)
        plain = and_(isotext.looks_plain(self.column), or_(proven, self.plain))
        return [_between(case((plain, self.column), else_=self._meant), None, until)]

    def passed(self, after: Expression, until: Expression, name: str) -> list[Expression]:
        if not self._sought:
            return self.during(after, until)
        return stretches.passed(self.column, after, until, _between(self._meant, after, until), name)

    def following(self, engine: Engine, other: Clock, near: timedelta, far: timedelta) -> list[Expression]:
        first, last = _in_hours(near), _in_hours(far)
        around = [_wide(self.column >= _day(other, first - 15)), self.column < _day(other, last + 15 + 24)]
        exact = self._exactly(engine.shifted(other.at, near), engine.shifted(other.at, far))
        if isinstance(other, _Dates):
            begin = func.datetime(other.column, _hours(first)) if near else other.column
            inside = _between(self.column, begin, func.datetime(other.column, _hours(last)))
            exact = case((and_(self.plain, other.plain), inside), else_=exact)
        return [*around, exact]

    def _exactly(self, after: Expression | None, until: Expression) -> Expression:
        return _between(case((self.plain, self.column), else_=self._meant), after, until)


def _between(instant: Expression, after: Expression | None, until: Expression) -> Expression:
    """Condition: it is in (after, until]. With BETWEEN it is computed once; what is later than an instant is later than
    that with a mark at its end.
    """
    return instant <= until if after is None else instant.between(after.op("||")(literal_column("'!'")), until)


def _day(clock: Clock, hours: int) -> Expression:
    """The day of some hours after an instant; of most texts it is known without asking what they mean."""
    meant = func.date(clock.at, _hours(hours))
    return func.coalesce(func.date(clock.column, _hours(hours)), meant) if isinstance(clock, _Dates) else meant


def _in_hours(delta: timedelta) -> int:
    return round(delta / timedelta(hours=1))


def _hours(number: int) -> Expression:
    return literal_column(f"'{number:+d} hours'")


def _is_like_no_number(text: str) -> bool:
    return text[:1].isalpha() and text.casefold() not in ("inf", "infinity", "nan")


def _wide(bound: Expression) -> Expression:
    """So that SQLite does not take a range of time for so narrow that looking for the user besides is worth nothing."""
    return func.likelihood(bound, literal_column("0.9"))


def _stamp(instant: datetime) -> str:
    return instant.astimezone(UTC).isoformat(" ", "microseconds")[:26]


def _carried(sort: Expression, value: Expression) -> Expression:
    """A value of JSON, by its type there."""
    one = literal_column
    return case(
        (sort == one("'true'"), _TRUE),
        (sort == one("'false'"), _FALSE),
        (sort.in_(_texts("array", "object")), _NESTED),
        (sort == one("'null'"), null()),
        else_=value,
    )


def _looked_up(document: Expression, path: Sequence[str]) -> Found:
    """What is there under keys that a JSON path cannot name."""
    *outer, last = path
    for piece in outer:
        inside = func.json_each(document).table_valued("key", "value", "type").alias()
        object_there = and_(inside.c.key == literal(piece, String), inside.c.type == literal_column("'object'"))
        document = select(func.max(inside.c.value)).where(object_there).scalar_subquery()
    there = func.json_each(document).table_valued("key", "value", "type").alias()

    def of(wanted: Expression, *conditions: Expression) -> Expression:
        # An aggregate, for one row at most: a key may be written twice.
        found = select(func.min(wanted)).where(there.c.key == literal(last, String), *conditions)
        return found.scalar_subquery()

    sort, value = there.c.type, there.c.value
    text = of(value, sort == literal_column("'text'"))
    return Found(
        is_set=of(literal_column("1"), sort != literal_column("'null'")) == literal_column("1"),
        carried=lambda: of(_carried(sort, value)),
        number=of(value, sort.in_(_texts("integer", "real"))),
        text=text,
        boolean=of(sort == literal_column("'true'"), sort.in_(_texts("true", "false"))) == literal_column("1"),
        instant=lambda: isotext.instant(text),
    )
