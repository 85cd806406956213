"""SQLite: a window on texts that an index has in order, as the stretches of texts of which it consists.

Who looks for rows by a text that may be a date must look 15 hours further at both ends, since some are in other zones, and
must ask of each text that is found what it means. Most are in SQLite's own form: as texts, these are in order of time. So
the range is cut where a real day begins and ends, and at both ends of the window:

- inside a day, a text of 19 characters that has seconds is in that form, and a real time; where it has none, ``datetime``
  gives it back only if it is. (Both take the 30th of February and the hour 24, but these are texts between two days.) All
  in such a stretch of the window are in the window;
- inside a day, but beyond the window, whatever looks like that form is not in the window, whether it is a date or not;
- what is between two days, or in another form, is asked what it means.

The stretches are half-open as the window is, do not overlap, and leave out nothing that can be in the window.

An hour that has passed by is a window of which the 30 hours around it are nearly all. So it is cut at both of its ends only:
beyond them, whatever looks like SQLite's own form is left out first, wherever it stands; it is a date of that place, or none.
Of the last day, what has a ``T`` stands behind all that has a blank.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import CTE, Select, and_, case, func, literal_column, null, or_, select, union_all

from sync.language.sql import isotext
from sync.language.sql.values import Expression

_FIRST: Expression = literal_column("' 0'")
_LAST: Expression = literal_column("' 24'")
"""Behind a day: what is less than all its times, and what is greater."""

_BEYOND: Expression = literal_column("':'")
"""Is greater than all that begins with a digit."""

_ONE: Expression = literal_column("1")
_ZERO: Expression = literal_column("0")
_FORM: Expression = literal_column("'????-??-?? ??:??:??'")


def during(column: Expression, after: Expression, until: Expression, meant: Expression, name: str) -> list[Expression]:
    """Conditions for an instant in (after, until]: ``meant`` says the same of what is asked. ``name``: nobody else's."""
    found = _stretches(after, until, name)
    inside, outside = found.c.inside == _ONE, found.c.inside == _ZERO
    seconds = func.unixepoch(column).op("%")(literal_column("60"))
    asked = case(
        (and_(inside, seconds > _ZERO, func.length(column) == literal_column("19")), _ONE),
        (and_(outside, column.op("GLOB")(_FORM)), _ZERO),
        (and_(inside, func.datetime(column) == isotext.unconverted(column)), _ONE),
        else_=meant,
    )
    return [column > found.c.first, column <= found.c.last, asked]


def passed(column: Expression, after: Expression, until: Expression, meant: Expression, name: str) -> list[Expression]:
    """The same, where most that is found is beyond (after, until]."""
    window = _window(after, until, name)
    last_day = func.date(until, literal_column("'+16 hours'")).op("||")(_LAST)
    parts = [
        _part(window.far, window.after, _ZERO),
        _part(window.after, window.until, _ONE),
        _part(window.until, window.near, _ZERO),
        _part(last_day, func.strftime(literal_column("'%Y-%m-%dT%H'"), until, literal_column("'+16 hours'")), _ZERO),
    ]
    found = union_all(*parts).cte(f"{name}_stretches").prefix_with("MATERIALIZED")
    inside = found.c.inside == _ONE
    return [
        column > found.c.first,
        column <= found.c.last,
        or_(inside, ~column.op("GLOB")(_FORM)),
        case((and_(inside, isotext.is_plain(column)), _ONE), else_=meant),
    ]


def _stretches(after: Expression, until: Expression, name: str) -> CTE:
    """``first``, after which it begins, ``last`` with which it ends, ``inside``: whether its dates are in the window."""
    window = _window(after, until, name)
    day = _days(window.after, window.until, f"{name}_days").c.day
    first, last = day.op("||")(_FIRST), day.op("||")(_LAST)
    next_day = func.coalesce(func.date(day, literal_column("'+1 day'")).op("||")(_FIRST), _BEYOND)
    parts = [
        _part(func.max(first, window.far), func.min(last, window.after), _ZERO),
        _part(func.max(first, window.after), func.min(last, window.until), _ONE),
        _part(func.max(first, window.until), func.min(last, window.near), _ZERO),
        _part(last, next_day, null()),
    ]
    return union_all(*parts).cte(f"{name}_stretches").prefix_with("MATERIALIZED")


def _window(after: Expression, until: Expression, name: str) -> Any:
    """Its two ends, and how far one has to look beyond them: ``far``, ``after``, ``until``, ``near``."""
    far, near = _hour(after, "-15 hours"), func.coalesce(_hour(until, "+16 hours"), _BEYOND)
    ends = select(far.label("far"), after.label("after"), until.label("until"), near.label("near"))
    return ends.cte(f"{name}_window").prefix_with("MATERIALIZED").c


def _hour(instant: Expression, further: str) -> Expression:
    """The beginning of an hour, less than all that is in it."""
    return func.strftime(literal_column("'%Y-%m-%d %H'"), instant, literal_column(f"'{further}'"))


def _days(after: Expression, until: Expression, name: str) -> CTE:
    """Every ``day`` on which something in the window can be dated."""
    one_more: Expression = literal_column("'+1 day'")
    days = select(func.date(after, literal_column("'-15 hours'")).label("day")).cte(name, recursive=True)
    last = func.coalesce(func.date(until, literal_column("'+15 hours'")), literal_column("'9999-12-31'"))
    return days.union_all(select(func.date(days.c.day, one_more)).where(days.c.day < last))


def _part(first: Expression, last: Expression, inside: Expression) -> Select[Any]:
    return select(first.label("first"), last.label("last"), inside.label("inside")).where(first < last)
