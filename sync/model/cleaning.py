"""JSON that no store and no reader chokes on: no NUL, no half of a surrogate pair, no number beyond 64 bits."""

from __future__ import annotations

import re
from typing import TypeVar

_Document = TypeVar("_Document")

_UNBEARABLE = re.compile("[\0\ud800-\udfff]")
_REPLACEMENT = "\ufffd"
_BEYOND = 2**63


def cleaned(document: _Document) -> _Document:
    """The same with U+FFFD for what text cannot be, and floats for the largest numbers.

    Raises ``ValueError`` with the rest of a sentence for what is not JSON at all.
    """
    return _cleaned(document)  # type: ignore[return-value]  # objects stay objects, lists stay lists


def _cleaned(value: object) -> object:
    if isinstance(value, str):
        return _UNBEARABLE.sub(_REPLACEMENT, value)
    if isinstance(value, dict):
        return {_UNBEARABLE.sub(_REPLACEMENT, str(key)): _cleaned(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_cleaned(each) for each in value]
    if isinstance(value, int) and not -_BEYOND <= value < 2 * _BEYOND:
        return _nearest(value)
    if value is None or isinstance(value, bool | int | float):
        return value
    raise ValueError(f"holds a value of type {type(value).__name__}, which JSON has not")


def _nearest(number: int) -> float | None:
    try:
        return float(number)
    except OverflowError:
        return None


def nested_deeper_than(document: object, levels: int) -> bool:
    """Whether lists and objects are in each other so deep; needs no stack for it."""
    layer = [document]
    for _ in range(levels):
        layer = [inner for each in layer for inner in _within(each)]
        if not layer:
            return False
    return True


def _within(value: object) -> list[object]:
    """The lists and objects directly in a list or an object."""
    if isinstance(value, dict):
        return [each for each in value.values() if isinstance(each, dict | list)]
    if isinstance(value, list):
        return [each for each in value if isinstance(each, dict | list)]
    return []
