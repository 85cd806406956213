"""``{"@path": "$.traits.email"}``: the value at a path of the event."""

from __future__ import annotations

from sync.errors import InvalidEvent
from sync.mapping.check import Checker, Path
from sync.mapping.paths import found, prepared, split, walker
from sync.mapping.scope import Directive, Node, Scope


def _check(checker: Checker, argument: object, path: Path) -> None:
    checker.text_or_directive(argument, path)


def _build(scope: Scope, argument: object) -> Node:
    named = scope.node(argument)
    if not named.constant:
        return _named_by_event(scope, named)
    path = named.value()
    if not isinstance(path, str):
        return scope.failure("the path must be a text")
    pieces = split(prepared(path))
    scope.reads.add(pieces)
    return Node(walker(pieces), whole=scope.input_whole)


def _named_by_event(scope: Scope, named: Node) -> Node:
    scope.reads.add(())
    refusal = scope.refusal("the path must be a text, and this event gives something else")

    def resolve(event: object) -> object:
        path = named.resolve(event)
        if not isinstance(path, str):
            raise InvalidEvent(refusal)
        return found(prepared(path))(event)

    return Node(resolve, whole=scope.input_whole)


DIRECTIVE = Directive("@path", _check, _build)
