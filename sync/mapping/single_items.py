"""Fields that are filled with a list of one directive.

Segment opens such a list, and tells an item that is missing (refused) from one that is null (an empty text, a zero).
In JSON both are null, so the directive is resolved without its list, which is put around the value afterwards.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from sync.errors import InvalidMapping
from sync.mapping.action import Field, Type
from sync.mapping.check import directive_keys
from sync.mapping.compiler import compile_mapping
from sync.mapping.values import MISSING

_Object: TypeAlias = dict[str, object]

_Wrapped: TypeAlias = dict[str, "_Wrapped | None"]
"""The keys whose values get their list back; a key with members of its own has them beside it."""


def with_single_items(mapping: object, fields: tuple[Field, ...]) -> Callable[[object], object] | None:
    """The function of a mapping that compiles, in which the item of such a list may be ``MISSING``.

    None when there is no such list, or when what stands in one cannot stand anywhere else: lists are never checked.
    """
    wrapped = _wrapped(mapping, fields)
    if not wrapped or not isinstance(mapping, dict):
        return None
    try:
        resolve = compile_mapping(_without_lists(mapping, wrapped))
    except InvalidMapping:
        return None
    return lambda event: _restored(resolve(event), wrapped)


def _wrapped(mapping: object, fields: tuple[Field, ...]) -> _Wrapped:
    found: _Wrapped = {}
    if not isinstance(mapping, dict) or directive_keys(mapping):
        return found
    for field in fields:
        raw = mapping.get(field.key)
        if field.properties:
            if inner := _wrapped(raw, field.properties):
                found[field.key] = inner
        elif Type.OBJECT not in field.types and _is_single(raw):
            found[field.key] = None
    return found


def _is_single(raw: object) -> bool:
    """Whether this is a list of one directive."""
    if not isinstance(raw, list) or len(raw) != 1 or not isinstance(raw[0], dict):
        return False
    return len(raw[0]) == 1 and len(directive_keys(raw[0])) == 1


def _without_lists(mapping: _Object, wrapped: _Wrapped) -> _Object:
    """The raw mapping with the directives in place of their lists."""
    opened = {**mapping}
    for key, inner in wrapped.items():
        raw = mapping[key]
        if isinstance(raw, list):
            opened[key] = raw[0]
        elif isinstance(raw, dict) and inner is not None:
            opened[key] = _without_lists(raw, inner)
    return opened


def _restored(resolved: object, wrapped: _Wrapped) -> object:
    """What was resolved, with its lists again."""
    if not isinstance(resolved, dict):
        return resolved
    restored = {**resolved}
    for key, inner in wrapped.items():
        value = resolved.get(key, MISSING)
        restored[key] = [value] if inner is None else _restored(value, inner)
    return restored
