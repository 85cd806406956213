"""``{"@literal": "{{not a template}}"}``: what stands there; directives inside are resolved all the same."""

from __future__ import annotations

from sync.mapping.check import Checker, Path
from sync.mapping.scope import Directive, Node, Scope


def _check(checker: Checker, argument: object, path: Path) -> None:
    checker.directive_or_raw(argument, path)


def _build(scope: Scope, argument: object) -> Node:
    return scope.node(argument)


DIRECTIVE = Directive("@literal", _check, _build)
