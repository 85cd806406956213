"""``{"@liquid": "{{ traits.name | upcase }}"}``: text with Shopify's template language in it.

The template is read at load. What it may do, and how it is bounded, is in ``sync.mapping.liquid``.
"""

from __future__ import annotations

from sync.errors import InvalidEvent
from sync.mapping.check import Checker, Path
from sync.mapping.scope import Directive, Node, Scope, constant
from sync.mapping.values import units

_LONGEST = 1000


def _check(checker: Checker, argument: object, path: Path) -> None:
    checker.text(argument, path)


def _build(scope: Scope, argument: object) -> Node:
    if not isinstance(argument, str):
        return scope.failure("the template must be a text")
    if not argument:
        return constant("")
    if units(argument) > _LONGEST:
        return scope.failure(f"a template has at most {_LONGEST} characters")
    # Imported here because it is slow to import, and seldom needed.
    from sync.mapping.liquid.environment import Unusable, paths, template

    try:
        read = template(argument)
    except Unusable as error:
        return scope.failure(str(error))
    scope.reads.update(paths(read))
    refusal = scope.refusal("the template cannot be filled in for this event")

    def resolve(event: object) -> object:
        try:
            return read.render(event if isinstance(event, dict) else {})
        except RecursionError:
            raise
        except Exception:  # noqa: BLE001 - whatever a template meets in an event is the event's fault
            raise InvalidEvent(refusal) from None

    return Node(resolve)


DIRECTIVE = Directive("@liquid", _check, _build)
