"""``{"@excludeWhenNull": …}``: null as missing, and the same for the members of an object at any depth.

What stands in a list stays.
"""

from __future__ import annotations

from sync.mapping.check import Checker, Path
from sync.mapping.scope import NOTHING, Directive, Node, Scope
from sync.mapping.values import DEEPEST, MISSING, guard_depth


def _check(checker: Checker, argument: object, path: Path) -> None:
    checker.directive_or_raw(argument, path)


def _build(scope: Scope, argument: object) -> Node:
    value = scope.node(argument)
    if value.constant and value.value() is None:
        return NOTHING
    inner, keeps_holes = value.resolve, scope.exact

    def resolve(event: object) -> object:
        given = inner(event)
        if isinstance(given, dict):
            return _without_nulls(given, DEEPEST, keeps_holes=keeps_holes)
        return MISSING if given is None else given

    return Node(resolve, whole=value.whole and not keeps_holes)


def _without_nulls(value: dict[str, object], levels: int, *, keeps_holes: bool) -> dict[str, object]:
    guard_depth(levels)
    members: dict[str, object] = {}
    for key, each in value.items():
        if isinstance(each, dict):
            members[key] = _without_nulls(each, levels - 1, keeps_holes=keeps_holes)
        elif each is not None:
            members[key] = each
        elif keeps_holes:
            members[key] = MISSING
    return members


DIRECTIVE = Directive("@excludeWhenNull", _check, _build)
