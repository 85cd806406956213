"""``{"@if": {"exists": …, "then": …, "else": …}}``: one of two values.

``exists`` asks for something that is neither missing nor null, ``blank`` for something that is not empty either: both
hold when there *is* a value. A ``then`` may be anything; an ``else`` of 0, false, ``""`` or null is as good as none.
"""

from __future__ import annotations

from collections.abc import Callable

from sync.mapping.check import Checker, Path
from sync.mapping.scope import NOTHING, Directive, Node, Scope
from sync.mapping.values import MISSING, falsy, text_of


def _check(checker: Checker, argument: object, path: Path) -> None:
    checker.members(argument, path, optional=dict.fromkeys(("exists", "blank", "then", "else"), checker.value))


def _build(scope: Scope, argument: object) -> Node:
    if not isinstance(argument, dict):
        return scope.failure("must be an object with `exists` or `blank`")
    if falsy(argument.get("exists")) and falsy(argument.get("blank")):
        return scope.failure("has neither `exists` nor `blank`: give it one to look at")
    question = "exists" if "exists" in argument else "blank"
    holds = _exists if question == "exists" else _is_filled
    asked = scope.at(question).node(argument[question])
    if asked.constant:
        return _branch(scope, argument, holds=holds(asked.value()))
    then, otherwise = (_branch(scope.perhaps(), argument, holds=holds) for holds in (True, False))
    return _either(asked, holds, then, otherwise)


def _branch(scope: Scope, argument: dict[str, object], *, holds: bool) -> Node:
    if holds:
        return scope.at("then").node(argument["then"]) if "then" in argument else NOTHING
    return NOTHING if falsy(argument.get("else")) else scope.at("else").node(argument["else"])


def _either(asked: Node, holds: Callable[[object], bool], then: Node, otherwise: Node) -> Node:
    value_of, when_true, when_false = asked.resolve, then.resolve, otherwise.resolve
    return Node(
        lambda event: when_true(event) if holds(value_of(event)) else when_false(event),
        whole=then.whole and otherwise.whole,
    )


def _exists(value: object) -> bool:
    return value is not None and value is not MISSING


def _is_filled(value: object) -> bool:
    """Neither missing, null nor loosely equal to the empty text, which 0, false and lists of nothing are."""
    if isinstance(value, (str, list)):
        return text_of(value) != ""
    return value is not None and value is not MISSING and value != 0


DIRECTIVE = Directive("@if", _check, _build)
