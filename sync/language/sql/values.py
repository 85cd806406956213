"""A value in SQL whose type is known only when it is read: seen as a number, as a text, as a boolean, as an instant."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

from sqlalchemy import ColumnElement, false, null, true
from sqlalchemy.sql.elements import False_, True_

Expression: TypeAlias = ColumnElement[Any]


def _no_shortcut(_: str) -> None:
    return None


@dataclass(frozen=True, slots=True)
class Bare:
    """A column as it stands, in which there may be what is no number: that equals none, and is above or below all.

    ``not_above`` and ``not_below`` are the conditions by which it is left out; ``largest``, if there is any, is the number
    above which there is none.
    """

    column: Expression
    not_above: Expression
    not_below: Expression
    largest: Expression | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """A value as each of its sorts: NULL where it is of another, ``None`` where it never is of that sort.

    ``is_set`` is true where there is any value, one in the form of a list or an object too. ``carried`` is the value in
    the one form in which it can leave a subquery, whatever its sort. ``instant`` is NULL where it is no date. ``equals``
    is whether it is a certain text, where that can be asked more cheaply than of what ``text`` is. ``bare`` is the column
    behind ``number``, where a number of the query can be compared with that.
    """

    is_set: Expression
    carried: Callable[[], Expression]
    number: Expression | None = None
    text: Expression | None = None
    boolean: Expression | None = None
    instant: Callable[[], Expression] | None = None
    equals: Callable[[str], Expression | None] = _no_shortcut
    bare: Bare | None = None


NOTHING = Found(is_set=false(), carried=null)
"""What is never there."""


def opposite(condition: Expression) -> Expression:
    """True where ``condition`` is false or NULL."""
    if isinstance(condition, False_):
        return true()
    if isinstance(condition, True_):
        return false()
    return condition.is_not(true())
