"""``{"@case": {"operator": "lower", "value": …}}``: text in small or capital letters; anything else passes through."""

from __future__ import annotations

from collections.abc import Callable

from sync.errors import InvalidEvent
from sync.mapping.check import Checker, Path
from sync.mapping.scope import NOTHING, Directive, Node, Scope
from sync.mapping.values import falsy

_OPERATORS: dict[object, Callable[[str], str]] = {"lower": str.lower, "upper": str.upper}


def _check(checker: Checker, argument: object, path: Path) -> None:
    checker.members(argument, path, optional={"operator": checker.text, "value": checker.text_or_directive})


def _build(scope: Scope, argument: object) -> Node:
    if not isinstance(argument, dict) or falsy(argument.get("operator")):
        return scope.failure("has no `operator`: give `lower` or `upper`")
    if falsy(argument.get("value")):
        return NOTHING
    operator = argument["operator"]
    change = _OPERATORS.get(operator) if isinstance(operator, str) else None
    value = scope.at("value").node(argument["value"])
    inner = value.resolve
    refusal = scope.refusal("`operator` must be `lower` or `upper`")

    def resolve(event: object) -> object:
        given = inner(event)
        if not isinstance(given, str):
            return given
        if change is None:
            raise InvalidEvent(refusal)
        return change(given)

    return Node(resolve, whole=value.whole)


DIRECTIVE = Directive("@case", _check, _build)
