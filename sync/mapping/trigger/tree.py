"""What a trigger means, once read: comparisons, joined by ``and`` or ``or``. Says nothing about how it was written."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias


class Operator(StrEnum):
    """What a comparison asks of the value it finds. All but ``!=`` and ``not_exists`` fail where nothing is found."""

    EQUALS = "="
    NOT_EQUALS = "!="
    NUMBER_EQUALS = "number_equals"
    NUMBER_NOT_EQUALS = "number_not_equals"
    LESS = "<"
    AT_MOST = "<="
    MORE = ">"
    AT_LEAST = ">="
    CONTAINS = "contains"
    NOT_CONTAINS = "not_contains"
    STARTS_WITH = "starts_with"
    NOT_STARTS_WITH = "not_starts_with"
    ENDS_WITH = "ends_with"
    NOT_ENDS_WITH = "not_ends_with"
    EXISTS = "exists"
    NOT_EXISTS = "not_exists"
    IS_TRUE = "is_true"
    IS_FALSE = "is_false"
    NEVER = "never"


class Join(StrEnum):
    """The two junctions; one level of a trigger has one kind."""

    AND = "and"
    OR = "or"


@dataclass(frozen=True, slots=True)
class Comparison:
    """``path`` starts with a field of the event. ``literal`` is a number for the numeric operators, else a text."""

    path: tuple[str, ...]
    operator: Operator
    literal: str | float = ""


@dataclass(frozen=True, slots=True)
class Junction:
    """Two or more conditions; ``and``: all must hold, ``or``: one is enough."""

    join: Join
    children: tuple[Node, ...]


Node: TypeAlias = Comparison | Junction


def paths(node: Node) -> frozenset[tuple[str, ...]]:
    """Every path of the event that the trigger reads."""
    if isinstance(node, Comparison):
        return frozenset([node.path])
    return frozenset().union(*map(paths, node.children))
