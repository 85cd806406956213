"""``{"@arrayPath": ["$.properties.products", {"id": {"@path": "$.sku"}}]}``: a list, each item in a new shape.

Inside the shape, paths begin at the item: the event is out of reach. A single object counts as a list of one; where
there is neither, or no shape, the value passes through as it is.
"""

from __future__ import annotations

from sync.mapping.check import Checker, Path
from sync.mapping.paths import prepared, split, walker
from sync.mapping.scope import NOTHING, Directive, Node, Scope
from sync.mapping.values import MISSING


def _check(checker: Checker, argument: object, path: Path) -> None:
    if not isinstance(argument, list) or not argument:
        checker.report(path, "must be a list: a path, and the shape of an item")
        return
    checker.text_or_directive(argument[0], (*path, 0))
    checker.value(argument[1] if len(argument) > 1 else None, (*path, 1))


def _build(scope: Scope, argument: object) -> Node:
    if not isinstance(argument, list):
        return scope.failure("must be a list: a path, and the shape of an item")
    root = _root(scope, argument[0]) if argument else NOTHING
    shape = argument[1] if len(argument) > 1 else None
    if not isinstance(shape, dict) or not shape:
        return root
    return _shaped(root, scope.at(1).perhaps().on(whole=root.whole).node(shape), exact=scope.exact)


def _root(scope: Scope, path: object) -> Node:
    if not isinstance(path, str):
        return scope.at(0).exactly().node(path)
    pieces = split(prepared(path))
    scope.reads.add(pieces)
    return Node(walker(pieces), whole=scope.input_whole)


def _shaped(root: Node, shape: Node, *, exact: bool) -> Node:
    items_of, make = root.resolve, shape.resolve
    hole = MISSING if exact else None

    def item(value: object) -> object:
        made = make(value)
        return hole if made is MISSING else made

    def resolve(event: object) -> object:
        value = items_of(event)
        if isinstance(value, list):
            return [item(each) for each in value]
        return [item(value)] if isinstance(value, dict) else value

    return Node(resolve, whole=not exact)


DIRECTIVE = Directive("@arrayPath", _check, _build)
