"""The types that Pushwoosh's tags have, and which of them can hold a value."""

from __future__ import annotations

import re
from collections.abc import Set
from enum import IntEnum


class TagType(IntEnum):
    """By the API's numbers."""

    INTEGER = 1
    STRING = 2
    LIST = 3
    DATE = 4
    BOOLEAN = 5
    PRICE = 6
    VERSION = 7

    @property
    def title(self) -> str:
        """Its name in the Control Panel."""
        return self.name.capitalize()


Types = frozenset[TagType]

ANY: Types = frozenset(TagType)
"""What may hold a null, which says nothing."""

_BOOLEAN: Types = frozenset({TagType.BOOLEAN})
_WHOLE: Types = frozenset({TagType.INTEGER, TagType.PRICE, TagType.DATE})
_DECIMAL: Types = frozenset({TagType.PRICE})
_LIST: Types = frozenset({TagType.LIST})
_TEXT: Types = frozenset({TagType.STRING})
_DATE: Types = frozenset({TagType.DATE, TagType.STRING})
_VERSION: Types = frozenset({TagType.VERSION, TagType.STRING})

_DATE_TEXT = re.compile(r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d)?.*)?")
_VERSION_TEXT = re.compile(r"\d{1,4}(?:\.\d{1,4}){1,3}")


def holding(value: object) -> Types:
    """The types that can hold a tag's value. A whole number may be an instant, and a price that happens to be round."""
    if value is None:
        return ANY
    if isinstance(value, bool):
        return _BOOLEAN
    if isinstance(value, int):
        return _WHOLE
    if isinstance(value, float):
        return _DECIMAL
    if isinstance(value, list):
        return _LIST
    text = str(value)
    if _DATE_TEXT.fullmatch(text):
        return _DATE
    return _VERSION if _VERSION_TEXT.fullmatch(text) else _TEXT


def advised(types: Set[TagType]) -> str:
    """Which of several types to create a tag with, in words; empty when nothing is known of its values."""
    if not types:
        return "String: its values are of several types"
    if types == _WHOLE:
        return "Integer, or Price if it may have decimals"
    if types == _DATE:
        return "Date, or String"
    if types == ANY:
        return ""
    return (TagType.STRING if TagType.STRING in types else min(types)).title
