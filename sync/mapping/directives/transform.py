"""``{"@transform": {"apply": {…}, "mapping": {…}}}``: a mapping on what another mapping made of the event.

``apply`` is a complete mapping of its own, checked and cleaned; ``mapping`` sees only its result.
"""

from __future__ import annotations

from sync.errors import InvalidEvent, InvalidMapping
from sync.mapping.check import Checker, Path
from sync.mapping.complete import checked
from sync.mapping.scope import Directive, Node, Resolve, Scope, settled
from sync.mapping.values import MISSING, falsy


def _check(checker: Checker, argument: object, path: Path) -> None:
    rule = checker.object_or_directive
    checker.members(argument, path, required={"apply": rule, "mapping": rule})


def _build(scope: Scope, argument: object) -> Node:
    if not isinstance(argument, dict) or falsy(argument.get("mapping")):
        return scope.failure("has no `mapping`: give the mapping for what `apply` makes")
    apply = argument.get("apply")
    if not isinstance(apply, dict):
        return scope.failure("`apply` must be an object: give the mapping that comes first")
    try:
        apply = checked(apply, scope.directives)
    except InvalidMapping as invalid:
        path, sentence = invalid.problems[0]
        return scope.at("apply", *path).failure(sentence)
    applied = scope.at("apply").exactly().node(apply)
    mapping = scope.at("mapping").on(whole=applied.whole).node(argument["mapping"])
    return Node(_chained(scope, _cleaned(applied), mapping.resolve), whole=mapping.whole)


def _cleaned(applied: Node) -> Resolve:
    """What ``apply`` makes without its missing members; missing items stay, for a path still finds them missing."""
    inner = applied.resolve
    return inner if applied.whole else lambda event: settled(inner(event), hole=MISSING)


def _chained(scope: Scope, apply: Resolve, mapping: Resolve) -> Resolve:
    refusal = scope.refusal("needs an object to work on, and this event gives something else")

    def resolve(event: object) -> object:
        if event is MISSING:
            event = {}
        elif not isinstance(event, dict):
            raise InvalidEvent(refusal)
        return mapping(apply(event))

    return resolve


DIRECTIVE = Directive("@transform", _check, _build)
