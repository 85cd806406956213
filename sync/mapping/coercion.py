"""From a value of the wrong JSON type to one of a field's types, where Segment's validation finds a way.

A list of one item is opened first. Then the types are tried in the order in which the field names them, null last.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from sync.mapping.action import Type
from sync.mapping.values import MISSING, is_number, number_from_text, text_of

Conversion = Callable[[object], object]
"""Gives the converted value, or ``MISSING`` where there is no way."""

_NULL = "null"
_INFINITE = (math.inf, -math.inf)


def kind(value: object) -> str:
    """What messages call the value's type, with its article."""
    if value is None:
        return _NULL
    if value is MISSING:
        return "undefined"
    if isinstance(value, bool):
        return "a boolean"
    if isinstance(value, str):
        return "a string"
    if is_number(value):
        return "a number"
    return "an array" if isinstance(value, list) else "an object"


def kinds(types: tuple[Type, ...], *, nullable: bool) -> str:
    """What messages call a field's types: ``a string or null``."""
    names = [*types, *([_NULL] if nullable else [])]
    return ("an " if names[0] == Type.OBJECT else "a ") + " or ".join(names)


def fits(wanted: Type) -> Callable[[object], bool]:
    """Says of a value whether it is of the type as it stands; a number must be finite."""
    return _FITS[wanted]


def opened(value: object, types: tuple[Type, ...], *, nullable: bool) -> object:
    """The item of a list of one; anything else, and a list for a field that takes objects only, as it is."""
    is_one = isinstance(value, list) and len(value) == 1
    return value[0] if is_one and (nullable or types != (Type.OBJECT,)) else value  # type: ignore[index]


def conversions(types: tuple[Type, ...], *, nullable: bool) -> tuple[Conversion, ...]:
    """The ways to one of the types, in the order in which they are tried; there is none to an object."""
    ways = [_WAYS[each] for each in types if each in _WAYS]
    return (*ways, _to_null) if nullable else tuple(ways)


def _to_string(value: object) -> object:
    if value is None:
        return ""
    return text_of(value) if isinstance(value, bool) or is_number(value) else MISSING


def _to_number(value: object) -> object:
    if value is None:
        return 0
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, str) and value:
        number = number_from_text(value)
        return MISSING if math.isnan(number) else number
    return MISSING


def _to_boolean(value: object) -> object:
    if value is None or value == "false" or _is_exactly(value, 0):
        return False
    return True if value == "true" or _is_exactly(value, 1) else MISSING


def _to_null(value: object) -> object:
    return None if value == "" or value is False or _is_exactly(value, 0) else MISSING


def _is_exactly(value: object, number: int) -> bool:
    return is_number(value) and value == number


_WAYS: dict[Type, Conversion] = {Type.STRING: _to_string, Type.NUMBER: _to_number, Type.BOOLEAN: _to_boolean}

_FITS: dict[Type, Callable[[object], bool]] = {
    Type.STRING: lambda value: isinstance(value, str),
    Type.NUMBER: lambda value: is_number(value) and value not in _INFINITE and value == value,
    Type.BOOLEAN: lambda value: isinstance(value, bool),
    Type.OBJECT: lambda value: isinstance(value, dict),
}
