"""SQLite: proof that texts, which an index has in order, begin with no day, and with no hour of a day, that there is not.

``datetime(text)`` is a text in SQLite's own form if that is a date. It is so too if its day is one up to the 31st, whether
the month has it or not, and if its hour is 24: to be told these it must be made to count, of each text. So it is asked of
the days instead, once for a statement, by the statement itself: what it reads is what was looked at.

One looks from one text to the first that is behind its day, and in front of hour 24. All that is passed over begins with a
day that was seen to be real, and not with hour 24 of it. Whoever finds something else, or no end, has proven nothing.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Integer, Select, and_, case, exists, func, literal_column, or_, select

from sync.language.sql.values import Expression

_MOST = 10_000
"""Texts that are looked at, of a day one or two; to prove it of more takes longer than it saves."""

_BELOW: Expression = literal_column("'-'")
_ABOVE: Expression = literal_column("':'")
"""Between them is all that begins with a digit, or with a minus: SQLite's years before the first."""

_YEAR_ONE: Expression = literal_column("'0001-'")
_DAY: Expression = literal_column("'[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]*'")
_HOUR_24: Expression = literal_column("' 24'")
_END: Expression = literal_column("'~'")
"""Behind a day: greater than all its times."""


def are_real(times: Select[Any], name: str) -> Expression:
    """Condition, of no row: no text in the one column of ``times`` begins with an impossible day, or hour 24 of a day.

    ``name``: under which this may define something.
    """
    (time,) = times.selected_columns
    one: Expression = literal_column("1", Integer)

    def next_after(text: Expression) -> Expression:
        behind = times.with_only_columns(func.min(time.collate("BINARY")))  # as the index has them, not the column
        behind = behind.where(time > text.collate("BINARY"), time < _ABOVE.collate("BINARY"))
        return behind.scalar_subquery()

    seen = select(next_after(_BELOW).label("text"), one.label("number")).cte(f"{name}_days", recursive=True)
    text, number = seen.c.text, seen.c.number
    step = select(next_after(_further(text)), number + one).where(number < literal_column(str(_MOST)), _is_real(text))
    days = seen.union_all(step)
    return exists(select(one).where(days.c.text.is_(None)))


def _further(text: Expression) -> Expression:
    """In front of hour 24 of its day, or else behind that day."""
    day = _part(text, 1, 10)
    hour_24, end = day.op("||")(_HOUR_24), day.op("||")(_END)
    return case((text < hour_24, hour_24), (text < end, end), else_=text)


def _is_real(text: Expression) -> Expression:
    """It begins with a day: one that there is, and not with hour 24 of it; or one that nobody takes for a date."""
    day = _part(text, 1, 10)
    real = and_(
        func.date(day, literal_column("'+0 days'")) == func.date(day),
        text > _YEAR_ONE,
        _part(text, 11, 3) != _HOUR_24,
    )
    return and_(text.op("GLOB")(_DAY), or_(func.date(day).is_(None), real))


def _part(text: Expression, first: int, length: int) -> Expression:
    return func.substr(text, literal_column(str(first)), literal_column(str(length)))
