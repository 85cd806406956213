"""From a tree to its text, in one canonical form: what ``parse`` makes of that text is the same tree."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from sync.language.tree import (
    And,
    Between,
    Boolean,
    Comparison,
    Condition,
    ContainsOne,
    Context,
    DateMatch,
    Duration,
    ExcludeSources,
    Filter,
    Not,
    Number,
    OneOf,
    Or,
    Presence,
    Property,
    Query,
    RecencyMatch,
    Reducer,
    Reduction,
    Reference,
    Text,
    TextMatch,
    Trait,
    Value,
    Where,
    Within,
)

_ESCAPED = re.compile(r"[\\']")


def written(query: Query) -> str:
    """``query`` in Segment's language. A reference to another definition stands as the ``trait('key')`` it came from."""
    if isinstance(query, (Text, Number, Boolean, Trait, Reference, Property, Context, Reduction)):
        return _value(query)
    return _condition(query)


def _condition(condition: Condition) -> str:
    match condition:
        case And(parts):
            return " AND ".join(_part(part, (And, Or)) for part in parts)
        case Or(parts):
            return " OR ".join(_part(part, (Or,)) for part in parts)
        case Not(part):
            return f"NOT {_part(part, (And, Or))}"
        case Comparison(left, comparator, right):
            return f"{_value(left)} {comparator} {_value(right)}"
        case Presence(left, is_set):
            return f"{_value(left)}.{'is_set' if is_set else 'is_null'}()"
    return f"{_value(condition.left)}.{_match(condition)}"


def _part(part: Condition, looser: tuple[type, ...]) -> str:
    """In parentheses where what joins it binds no tighter than what is around it."""
    text = _condition(part)
    return f"({text})" if isinstance(part, looser) else text


def _match(condition: Condition) -> str:
    match condition:
        case TextMatch(_, comparator, text):
            return f"{comparator}({_text(text)})"
        case ContainsOne(_, texts):
            return f"contains_one([{', '.join(map(_text, texts))}])"
        case OneOf(_, values):
            return f"one_of([{', '.join(map(_value, values))}])"
        case DateMatch(_, comparator, instant):
            return f"{comparator}({_text(_instant(instant))})"
        case RecencyMatch(_, comparator, duration):
            return f"{comparator}({_duration(duration)})"
    raise AssertionError(condition)


def _value(value: Value) -> str:
    match value:
        case Text(text):
            return _text(text)
        case Number(number):
            return repr(number)
        case Boolean(flag):
            return "true" if flag else "false"
        case Trait(name) | Reference(name):
            return f"trait({_text(name)})"
        case Property(name, of_parent):
            return f"property({_parent(of_parent)}{_text(name)})"
        case Context(name, of_parent):
            return f"context({_parent(of_parent)}{_text(name)})"
    return _reduction(value)


def _reduction(reduction: Reduction) -> str:
    filters = "".join(f".{_filter(each)}" for each in reduction.stream.filters)
    argument = "" if reduction.argument is None else _value(reduction.argument)
    reducer = {
        Reducer.COUNT_UNIQUE: f"unique({argument}).count()",
        Reducer.MODE: f"mode({argument}, {reduction.minimum})",
    }.get(reduction.reducer, f"{reduction.reducer}({argument})")
    return f"event({_text(reduction.stream.event)}){filters}.{reducer}"


def _filter(each: Filter) -> str:
    match each:
        case Where(condition):
            return f"where({_condition(condition)})"
        case ExcludeSources(ids):
            return f"sources(exclude: [{', '.join(map(_text, ids))}])"
        case Within(duration, of_parent):
            return f"within({_parent(of_parent)}{_duration(duration)})"
        case Between(near, far, of_parent):
            return f"between({_parent(of_parent)}{_duration(near)}, {_duration(far)})"


def _parent(of_parent: bool) -> str:
    return "parent: " if of_parent else ""


def _duration(duration: Duration) -> str:
    return f"{duration.amount} {duration.unit if duration.amount != 1 else duration.unit.removesuffix('s')}"


def _text(text: str) -> str:
    return "'" + _ESCAPED.sub(r"\\\g<0>", text) + "'"


def _instant(instant: datetime) -> str:
    return instant.astimezone(UTC).isoformat().replace("+00:00", "Z")
