"""``{"@flatten": {"separator": "_", "value": …}}``: nested objects and lists as one flat object.

``{"a": {"b": 1}}`` becomes ``{"a_b": 1}``. Lists go by index, or are kept whole with ``omitArrays``; what is empty
vanishes. A value that is neither stands alone under the empty key.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from sync.errors import InvalidEvent
from sync.mapping.check import Checker, Path
from sync.mapping.scope import NOTHING, Directive, Node, Resolve, Scope
from sync.mapping.values import DEEPEST, LONGEST_TEXT, MISSING, falsy, guard_depth, members


def _check(checker: Checker, argument: object, path: Path) -> None:
    checker.members(argument, path, required={"value": checker.value}, optional={"separator": checker.text})


def _build(scope: Scope, argument: object) -> Node:
    if not isinstance(argument, dict) or falsy(argument.get("separator")):
        return scope.failure("has no `separator`: give the text that joins the keys")
    separator = scope.at("separator").node(argument["separator"])
    if separator.constant and not isinstance(separator.value(), str):
        return scope.failure("`separator` must be a text")
    value = scope.at("value").exactly().node(argument["value"]) if "value" in argument else NOTHING
    keeps_lists = not falsy(argument.get("omitArrays"))
    return Node(
        _flattening(scope, separator.resolve, value.resolve, keeps_lists=keeps_lists),
        whole=not scope.exact and (value.whole or not keeps_lists),
    )


def _flattening(scope: Scope, separator_of: Resolve, value_of: Resolve, *, keeps_lists: bool) -> Resolve:
    keeps_holes = scope.exact
    no_text = scope.refusal("`separator` must be a text, and this event gives something else")
    too_long = scope.refusal(f"the keys grow beyond {LONGEST_TEXT} characters")

    def resolve(event: object) -> object:
        separator = separator_of(event)
        if not isinstance(separator, str):
            raise InvalidEvent(no_text)
        flat: dict[str, object] = {}
        length = 0
        for key, value in _leaves(value_of(event), "", separator, keeps_lists, DEEPEST):
            length += len(key)
            if length > LONGEST_TEXT:
                raise InvalidEvent(too_long)
            if value is MISSING and not keeps_holes:
                flat.pop(key, None)
            else:
                flat[key] = value
        return flat

    return resolve


def _leaves(value: object, prefix: str, separator: str, keeps_lists: bool, levels: int) -> Iterator[tuple[str, object]]:
    """Every value that is not flattened further, with its joined key; an empty prefix joins nothing."""
    parts: Iterable[tuple[str, object]]
    if isinstance(value, dict):
        parts = members(value)
    elif isinstance(value, list) and not keeps_lists:
        parts = ((str(index), each) for index, each in enumerate(value))
    else:
        yield prefix, value
        return
    guard_depth(levels)
    for key, each in parts:
        yield from _leaves(each, f"{prefix}{separator}{key}" if prefix else key, separator, keeps_lists, levels - 1)


DIRECTIVE = Directive("@flatten", _check, _build)
