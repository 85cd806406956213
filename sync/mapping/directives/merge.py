"""``{"@merge": {"objects": […], "direction": "right"}}``: several objects as one, only their first level.

With ``left`` the first object wins, with anything else the last one does. A member wins even when its directive finds
nothing, and is then missing. Lists and texts count by index; what is no object, list or text adds nothing.
"""

from __future__ import annotations

from collections.abc import Iterable

from sync.mapping.check import Checker, Path
from sync.mapping.scope import Directive, Node, Scope
from sync.mapping.values import falsy, unit_at, units


def _check(checker: Checker, argument: object, path: Path) -> None:
    def objects(value: object, path: Path) -> None:
        if not isinstance(value, list):
            checker.report(path, "must be a list of objects")
            return
        for index, each in enumerate(value):
            checker.object_or_directive(each, (*path, index))

    checker.members(
        argument, path, required={"objects": objects}, optional={"direction": checker.one_of("left", "right")}
    )


def _build(scope: Scope, argument: object) -> Node:
    if not isinstance(argument, dict) or falsy(argument.get("direction")):
        return scope.failure("has no `direction`: give `left` or `right`")
    if not isinstance(argument.get("objects"), list):
        return scope.failure("`objects` must be a list of objects")
    direction = scope.at("direction").node(argument["direction"]).resolve
    inner = scope.at("objects").exactly()
    nodes = [inner.at(index).node(each) for index, each in enumerate(argument["objects"])]
    objects = [node.resolve for node in nodes]

    def resolve(event: object) -> object:
        is_left = direction(event) == "left"
        values = [each(event) for each in objects]
        return _merged(reversed(values) if is_left else values)

    return Node(resolve, whole=all(node.whole for node in nodes))


def _merged(values: Iterable[object]) -> dict[str, object]:
    merged: dict[str, object] = {}
    for value in values:
        if isinstance(value, dict):
            merged.update(value)
        elif isinstance(value, list):
            merged.update((str(index), each) for index, each in enumerate(value))
        elif isinstance(value, str):
            merged.update((str(index), unit_at(value, index)) for index in range(units(value)))
    return merged


DIRECTIVE = Directive("@merge", _check, _build)
