"""From the tree to one function of an event: closures, no parsing, no exceptions.

Types count: a text never equals a number, and ``true`` is not 1. Where nothing is found, or something of another type,
only ``!=`` and ``not_exists`` hold.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from sync.mapping.paths import walker
from sync.mapping.trigger.tree import Comparison, Join, Junction, Node, Operator
from sync.mapping.values import MISSING, double

Condition: TypeAlias = Callable[[dict[str, object]], bool]
"""Whether an event fulfils it."""

Test: TypeAlias = Callable[[object], bool]
"""Whether a value found in an event fulfils a comparison."""


def compiled(node: Node) -> Condition:
    """The function for a tree."""
    if isinstance(node, Comparison):
        return _comparison(node)
    if node.join is Join.AND:
        return _all([compiled(child) for child in node.children])
    return _one_of_texts(node) or _any([compiled(child) for child in node.children])


def _all(conditions: list[Condition]) -> Condition:
    if len(conditions) == 2:
        first, second = conditions
        return lambda event: first(event) and second(event)

    def holds(event: dict[str, object]) -> bool:
        for condition in conditions:  # noqa: SIM110 - a generator costs more than the conditions themselves
            if not condition(event):
                return False
        return True

    return holds


def _any(conditions: list[Condition]) -> Condition:
    if len(conditions) == 2:
        first, second = conditions
        return lambda event: first(event) or second(event)

    def holds(event: dict[str, object]) -> bool:
        for condition in conditions:  # noqa: SIM110 - as above
            if condition(event):
                return True
        return False

    return holds


def _one_of_texts(node: Junction) -> Condition | None:
    """``type = "track" or type = "page"``: one look-up for all, the form of the presets."""
    first = node.children[0]
    texts = [
        child.literal
        for child in node.children
        if isinstance(child, Comparison) and isinstance(first, Comparison)
        if child.operator is Operator.EQUALS and child.path == first.path and len(child.path) == 1
    ]
    if not isinstance(first, Comparison) or len(texts) < len(node.children):
        return None
    # A tuple, not a set: what stands in an event need not be hashable.
    field, wanted = first.path[0], tuple(texts)
    return lambda event: event.get(field) in wanted


def _comparison(comparison: Comparison) -> Condition:
    literal = comparison.literal
    if len(comparison.path) == 1 and comparison.operator is Operator.EQUALS:
        field = comparison.path[0]
        return lambda event: event.get(field) == literal
    find = walker(comparison.path)
    test = _test(comparison.operator, literal)
    return lambda event: test(find(event))


def _test(operator: Operator, literal: str | float) -> Test:
    if isinstance(literal, float):
        return _number_test(operator, literal)
    if operator in _STATES:
        return _STATES[operator]
    if operator is Operator.EQUALS:
        return lambda value: value == literal
    if operator is Operator.NOT_EQUALS:
        return lambda value: value != literal
    return _text_test(operator, literal)


_STATES: dict[Operator, Test] = {
    Operator.EXISTS: lambda value: value is not None and value is not MISSING,
    Operator.NOT_EXISTS: lambda value: value is None or value is MISSING,
    Operator.IS_TRUE: lambda value: value is True,
    Operator.IS_FALSE: lambda value: value is False,
    Operator.NEVER: lambda _value: False,
}

_COMPARED: dict[Operator, Callable[[float, float], bool]] = {
    Operator.NUMBER_EQUALS: float.__eq__,
    Operator.NUMBER_NOT_EQUALS: float.__ne__,
    Operator.LESS: float.__lt__,
    Operator.AT_MOST: float.__le__,
    Operator.MORE: float.__gt__,
    Operator.AT_LEAST: float.__ge__,
}


def _number_test(operator: Operator, literal: float) -> Test:
    compare = _COMPARED[operator]
    # ``type`` and not ``isinstance``: a boolean is an ``int`` here, and no number there.
    return lambda value: (type(value) is float or type(value) is int) and compare(double(value), literal)


def _text_test(operator: Operator, literal: str) -> Test:
    match operator:
        case Operator.CONTAINS:
            return lambda value: type(value) is str and literal in value
        case Operator.NOT_CONTAINS:
            return lambda value: type(value) is str and literal not in value
        case Operator.STARTS_WITH:
            return lambda value: type(value) is str and value.startswith(literal)
        case Operator.NOT_STARTS_WITH:
            return lambda value: type(value) is str and not value.startswith(literal)
    ends = _ending(literal)
    if operator is Operator.ENDS_WITH:
        return lambda value: type(value) is str and ends(value)
    return lambda value: type(value) is str and not ends(value)


def _ending(literal: str) -> Callable[[str], bool]:
    if not "\ud800" <= literal[:1] <= "\udfff":
        return lambda value: value.endswith(literal)
    # ``match`` took half of a character away, which only UTF-16 can compare.
    end = literal.encode("utf-16-le", "surrogatepass")
    return lambda value: value.encode("utf-16-le", "surrogatepass").endswith(end)
