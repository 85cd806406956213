"""Conditions of the language as conditions in SQL, two-valued.

``holds`` is true where the condition holds, and false or NULL where it does not; ``fails`` is true where it does not hold.
The one is never the SQL ``NOT`` of the other.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields, is_dataclass, replace
from typing import Any, Protocol

from sqlalchemy import and_, case, false, or_, true

from sync.language.reads import is_sum
from sync.language.sql.engine import Engine
from sync.language.sql.values import Bare, Expression, Found, opposite
from sync.language.tree import (
    And,
    Comparator,
    Comparison,
    Condition,
    ContainsOne,
    DateComparator,
    DateMatch,
    Not,
    Number,
    OneOf,
    Or,
    Presence,
    RecencyComparator,
    RecencyMatch,
    Reducer,
    Reduction,
    Text,
    TextComparator,
    TextMatch,
    Value,
)

_OPERATORS: dict[Comparator, Callable[[Any, Any], Any]] = {
    Comparator.EQ: operator.eq,
    Comparator.NEQ: operator.eq,
    Comparator.GT: operator.gt,
    Comparator.GTE: operator.ge,
    Comparator.LT: operator.lt,
    Comparator.LTE: operator.le,
}
_IS_ANY: dict[tuple[Comparator, float], bool] = {
    (Comparator.GTE, 1): True,
    (Comparator.GT, 0): True,
    (Comparator.EQ, 0): False,
    (Comparator.NEQ, 0): False,
    (Comparator.LT, 1): False,
    (Comparator.LTE, 0): False,
}
"""Comparisons of a count that ask no more than whether there is any; ``!=`` in its positive form."""


_IN_A_ROW = 100


class Frame(Protocol):
    """What conditions are about: a user, or an event of a user."""

    engine: Engine

    def value(self, value: Value) -> Found:
        """A value there."""

    def any_of(self, reduction: Reduction) -> Expression | None:
        """Condition: the stream has an event; ``None`` where its count is known anyway."""


def holds(condition: Condition, frame: Frame) -> Expression:
    """True where it holds; false or NULL elsewhere."""
    match condition:
        case And(parts):
            return and_(*(holds(part, frame) for part in _deepest_first(parts)))
        case Or(parts):
            return or_(*(holds(part, frame) for part in _deepest_first(parts)))
        case Not(part):
            return fails(part, frame)
    found = _leaf(condition, frame)
    return opposite(found) if _is_negative(condition) else found


def fails(condition: Condition, frame: Frame) -> Expression:
    """True where it does not hold; false or NULL elsewhere."""
    match condition:
        case And(parts):
            return or_(*(fails(part, frame) for part in _deepest_first(parts)))
        case Or(parts):
            return and_(*(fails(part, frame) for part in _deepest_first(parts)))
        case Not(part):
            return holds(part, frame)
    found = _leaf(condition, frame)
    return found if _is_negative(condition) else opposite(found)


def numbers(condition: Condition) -> Iterator[Value]:
    """What is certainly a number wherever the condition holds: it was compared with one."""
    match condition:
        case And(parts):
            for part in parts:
                yield from numbers(part)
        case Comparison(left, comparator, Number()) if comparator is not Comparator.NEQ:
            yield left


def _deepest_first(parts: Sequence[Condition]) -> list[Condition]:
    """A parser keeps in mind what stands before a parenthesis, and SQLite's has not much room."""
    return sorted(parts, key=_depth, reverse=True)


def _depth(node: object) -> int:
    if isinstance(node, tuple):
        return max(map(_depth, node), default=0)
    if not is_dataclass(node):
        return 0
    return 1 + max((_depth(getattr(node, field.name)) for field in fields(node)), default=0)


def _is_negative(condition: Condition) -> bool:
    match condition:
        case Comparison(_, comparator):
            return comparator is Comparator.NEQ
        case TextMatch(_, matcher):
            return matcher is TextComparator.OMITS
        case Presence(_, is_set):
            return not is_set
    return False


def _leaf(condition: Condition, frame: Frame) -> Expression:
    """A comparison in its positive form."""
    match condition:
        case Comparison(left, comparator, right):
            existence = _existence(left, comparator, right, frame)
            return _related(_settled(left, frame), comparator, right, frame) if existence is None else existence
        case Presence(left):
            return frame.value(left).is_set
        case TextMatch(left, matcher, text):
            return _text(frame.value(left), [text], matcher, frame.engine)
        case ContainsOne(left, texts):
            return _text(frame.value(left), texts, TextComparator.CONTAINS, frame.engine)
        case OneOf(left, values):
            found = frame.value(left)
            if len(values) > _IN_A_ROW:
                return _among(found, [frame.value(each) for each in values])
            return or_(false(), *(_related(found, Comparator.EQ, each, frame) for each in values))
        case DateMatch() | RecencyMatch():
            instant = frame.value(condition.left).instant
            return false() if instant is None else _dated(condition, instant(), frame.engine)
    raise AssertionError(condition)


def _any(conditions: list[Expression]) -> Expression:
    """Any of them, in groups: SQLite takes no more than a thousand in a row."""
    while len(conditions) > _IN_A_ROW:
        starts = range(0, len(conditions), _IN_A_ROW)
        conditions = [case((or_(*conditions[start : start + _IN_A_ROW]), true())) for start in starts]
    return or_(false(), *conditions)


def _among(found: Found, values: list[Found]) -> Expression:
    """Equal to one of many, each read once."""
    number = found.number if found.bare is None else found.bare.column
    ways = [
        (number, [each.number for each in values if each.number is not None]),
        (found.text, [each.text for each in values if each.text is not None]),
        (found.boolean, [each.boolean for each in values if each.boolean is not None]),
    ]
    return or_(false(), *(one.in_(others) for one, others in ways if one is not None and others))


def _existence(left: Value, comparator: Comparator, right: Value, frame: Frame) -> Expression | None:
    """Whether there is an event at all: cheaper to ask than how many. ``None`` where more is asked."""
    if not (isinstance(left, Reduction) and left.reducer is Reducer.COUNT and isinstance(right, Number)):
        return None
    wanted = _IS_ANY.get((comparator, right.value))
    found = None if wanted is None else frame.any_of(left)
    return found if found is None or wanted else ~found


def _related(left: Found, comparator: Comparator, right: Value, frame: Frame) -> Expression:
    if isinstance(right, Text) and comparator in (Comparator.EQ, Comparator.NEQ):
        shortcut = left.equals(right.value)
        if shortcut is not None:
            return shortcut
    other = _settled(right, frame)
    if isinstance(right, Number) and left.bare is not None and other.number is not None:
        return _of_column(left.bare, comparator, other.number)
    return _compared(left, comparator, other)


def _of_column(bare: Bare, comparator: Comparator, number: Expression) -> Expression:
    """A column as it stands against a number of the query: for how many rows that holds, a database can tell beforehand."""
    found: Expression = _OPERATORS[comparator](bare.column, number)
    match comparator:
        case Comparator.GTE if bare.largest is not None:
            return bare.column.between(number, bare.largest)
        case Comparator.GT | Comparator.GTE:
            return and_(found, bare.not_above)
        case Comparator.LT | Comparator.LTE:
            return and_(found, bare.not_below)
    return found


def _settled(value: Value, frame: Frame) -> Found:
    found = frame.value(value)
    if found.number is None or not is_sum(value):
        return found
    return replace(found, number=frame.engine.settled(found.number))


def _compared(left: Found, comparator: Comparator, right: Found) -> Expression:
    compare = _OPERATORS[comparator]
    ways = [(left.number, right.number), (left.text, right.text)]
    if compare is operator.eq:
        ways.append((left.boolean, right.boolean))
    return or_(false(), *(compare(one, other) for one, other in ways if one is not None and other is not None))


def _text(found: Found, parts: Sequence[str], matcher: TextComparator, engine: Engine) -> Expression:
    if found.text is None:
        return false()
    matches = {
        TextComparator.CONTAINS: engine.contains,
        TextComparator.OMITS: engine.contains,
        TextComparator.STARTS_WITH: engine.starts_with,
        TextComparator.ENDS_WITH: engine.ends_with,
    }[matcher]
    return _any([matches(found.text, part) for part in parts])


def _dated(condition: DateMatch | RecencyMatch, instant: Expression, engine: Engine) -> Expression:
    if isinstance(condition, DateMatch):
        moment = engine.moment(condition.instant)
        return instant < moment if condition.comparator is DateComparator.BEFORE_DATE else instant > moment
    now, delta = engine.as_of, condition.duration.delta
    match condition.comparator:
        case RecencyComparator.WITHIN_LAST:
            return instant.between(engine.shifted(now, -delta), now)
        case RecencyComparator.WITHIN_NEXT:
            return instant.between(now, engine.shifted(now, delta))
        case RecencyComparator.BEFORE_LAST:
            return instant <= engine.shifted(now, -delta)
    return instant >= engine.shifted(now, delta)
