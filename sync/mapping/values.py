"""JavaScript's ideas of missing, false, text and number: where they show on the wire, they are part of the contract.

Values are those of JSON as ``orjson`` reads them: ``None``, ``bool``, ``int``, ``float``, ``str``, ``list``, ``dict``.
"""

from __future__ import annotations

import math
from enum import Enum
from typing import Final


class Missing(Enum):
    """JavaScript's ``undefined``: nothing there, which is not the same as null."""

    MISSING = "missing"


MISSING: Final = Missing.MISSING


def falsy(value: object) -> bool:
    """Whether JavaScript takes ``value`` for false: missing, null, false, 0, NaN and ``""``; lists and objects never."""
    if isinstance(value, (list, dict)):
        return False
    return value is MISSING or not value or (isinstance(value, float) and math.isnan(value))


def is_number(value: object) -> bool:
    """A JSON number; Python counts booleans among the integers."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)
