"""What a definition says of somebody of whom nothing is known, and so: of whom something must be known for it to hold.

A condition that fails for such a person can hold only for the users of one of the streams, or of the profiles, that it
reads: nobody else needs to be looked at.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from enum import Enum
from typing import Any, TypeAlias

from sync.language.tree import (
    And,
    Boolean,
    Comparator,
    Comparison,
    Condition,
    ContainsOne,
    DateMatch,
    Not,
    Number,
    OneOf,
    Or,
    Presence,
    Query,
    RecencyMatch,
    Reducer,
    Reduction,
    Reference,
    Text,
    TextComparator,
    TextMatch,
    Trait,
    Value,
)


class Known(Enum):
    """Where users are known from, apart from streams."""

    PROFILES = "profiles"


Driver: TypeAlias = Reduction | Known
Drivers: TypeAlias = frozenset[Driver]

_COUNTS = (Reducer.COUNT, Reducer.COUNT_UNIQUE)
_CONDITIONS = (Comparison, Presence, TextMatch, ContainsOne, OneOf, DateMatch, RecencyMatch, And, Or, Not)
_COMPARE: dict[Comparator, Callable[[Any, Any], bool]] = {
    Comparator.EQ: operator.eq,
    Comparator.NEQ: operator.ne,
    Comparator.GT: operator.gt,
    Comparator.GTE: operator.ge,
    Comparator.LT: operator.lt,
    Comparator.LTE: operator.le,
}


def is_condition(query: Query) -> bool:
    """Whether a query is a condition; else it is a value."""
    return isinstance(query, _CONDITIONS)


def drivers(query: Query) -> Drivers | None:
    """A set of streams and profiles among whose users are all those of whom the query says anything: who meet the
    condition, or have the value. ``None``: it says something of people of whom nothing is known."""
    if is_condition(query):
        return _drivers(query, wanted=True)  # type: ignore[arg-type]
    return None if _value(query) is not None else _behind(query)  # type: ignore[arg-type]


def _drivers(condition: Condition, *, wanted: bool) -> Drivers | None:
    """Of whom the condition can hold, or, when it is not ``wanted``, can fail."""
    match condition:
        case Not(part):
            return _drivers(part, wanted=not wanted)
        case And(parts) | Or(parts):
            found = [_drivers(part, wanted=wanted) for part in parts]
            if isinstance(condition, And) is wanted:
                bounded = [each for each in found if each is not None]
                return min(bounded, key=_cost, default=None)
            return None if None in found else frozenset().union(*(each for each in found if each is not None))
    if _holds(condition) is wanted:
        return None
    left = _behind(condition.left)
    return left | _behind(condition.right) if isinstance(condition, Comparison) else left


def _cost(found: Drivers) -> tuple[bool, int]:
    return Known.PROFILES in found, len(found)


def _behind(value: Value) -> Drivers:
    """Who is known to what the value is made of: for everybody else it is what it is for a person unknown."""
    match value:
        case Reduction():
            return frozenset([value])
        case Trait():
            return frozenset([Known.PROFILES])
        case Reference(_, query) if is_condition(query):
            found = _drivers(query, wanted=not _holds(query))  # type: ignore[arg-type]
            assert found is not None  # noqa: S101 - it is the opposite of what holds for a person unknown
            return found
        case Reference(_, query):
            return _behind(query)  # type: ignore[arg-type]
    return frozenset()


def _holds(condition: Condition) -> bool:
    match condition:
        case And(parts):
            return all(map(_holds, parts))
        case Or(parts):
            return any(map(_holds, parts))
        case Not(part):
            return not _holds(part)
        case Comparison(left, comparator, right):
            return _compared(_value(left), comparator, _value(right))
        case Presence(left, is_set):
            return (_value(left) is not None) is is_set
        case TextMatch(_, matcher):
            return matcher is TextComparator.OMITS  # nothing that is known of nobody is a text
        case OneOf(left, values):
            return any(_compared(_value(left), Comparator.EQ, each.value) for each in values)
    return False


def _compared(left: object, comparator: Comparator, right: object) -> bool:
    alike = _sort(left) is not None and _sort(left) is _sort(right)
    if comparator is Comparator.NEQ:
        return not (alike and left == right)
    ordered = _sort(left) is not bool or comparator is Comparator.EQ
    return alike and ordered and _COMPARE[comparator](left, right)


def _sort(value: object) -> type | None:
    if value is None:
        return None
    return float if isinstance(value, int | float) and not isinstance(value, bool) else type(value)


def _value(value: Value) -> str | int | float | bool | None:
    match value:
        case Text() | Number() | Boolean():
            return value.value
        case Reduction(_, reducer):
            return 0 if reducer in _COUNTS else None
        case Reference(_, query) if is_condition(query):
            return _holds(query)  # type: ignore[arg-type]
        case Reference(_, query):
            return _value(query)  # type: ignore[arg-type]
    return None
