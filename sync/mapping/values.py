"""JavaScript's ideas of missing, false, text and number: where they show on the wire, they are part of the contract.

Values are those of JSON as ``orjson`` reads them: ``None``, ``bool``, ``int``, ``float``, ``str``, ``list``, ``dict``.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from enum import Enum
from typing import Final

from sync.errors import InvalidEvent


class Missing(Enum):
    """JavaScript's ``undefined``: nothing there, which is not the same as null."""

    MISSING = "missing"


MISSING: Final = Missing.MISSING

BLANKS: Final = "\t\n\v\f\r \u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000\ufeff"
"""What JavaScript trims from a text; Python's own idea of blanks is another one."""

DEEPEST: Final = 255
"""Levels of lists and objects that are followed into an event: a fixed number, so that what is too deep does not
depend on who calls. ``orjson`` writes no deeper ones."""

LONGEST_TEXT: Final = 4_000_000
"""Characters of a text that directives build; templates filled by templates would grow without end."""

_LARGEST_EXACT = 2**53
_LONGEST_INDEX = 10
_ABOVE_INDEXES = 2**32 - 1

_DECIMAL = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
_WITH_BASE = re.compile(r"0(?:[xX][0-9a-fA-F]+|[oO][0-7]+|[bB][01]+)", re.ASCII)
_INFINITE = {"Infinity": math.inf, "+Infinity": math.inf, "-Infinity": -math.inf}


def falsy(value: object) -> bool:
    """Whether JavaScript takes ``value`` for false: missing, null, false, 0, NaN and ``""``; lists and objects never."""
    if isinstance(value, (list, dict)):
        return False
    return value is MISSING or not value or (isinstance(value, float) and math.isnan(value))


def is_number(value: object) -> bool:
    """A JSON number; Python counts booleans among the integers."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def double(number: float) -> float:
    """The number as JavaScript holds it: an integer of more than 53 bits loses its last digits."""
    try:
        return float(number)
    except OverflowError:
        return math.inf if number > 0 else -math.inf


def number_text(number: float) -> str:
    """The number as JavaScript prints it: ``1.0`` is ``1``, and there is an exponent from 1e21 and below 1e-6."""
    if isinstance(number, int) and -_LARGEST_EXACT <= number <= _LARGEST_EXACT:
        return str(int(number))
    number = double(number)
    if math.isnan(number):
        return "NaN"
    sign = "-" if number < 0 else ""
    if math.isinf(number):
        return sign + "Infinity"
    return sign + _digits_placed(*_shortest_digits(abs(number)))


def _shortest_digits(number: float) -> tuple[str, int]:
    """The fewest digits that tell the number from its neighbours, and where the point stands among them."""
    mantissa, _, exponent = repr(number).partition("e")
    whole, _, fraction = mantissa.partition(".")
    digits = (whole + fraction).lstrip("0")
    leading = len(whole + fraction) - len(digits)
    return digits.rstrip("0"), len(whole) - leading + int(exponent or 0)


def _digits_placed(digits: str, point: int) -> str:
    if not digits:
        return "0"
    if len(digits) <= point <= 21:
        return digits.ljust(point, "0")
    if 0 < point <= 21:
        return f"{digits[:point]}.{digits[point:]}"
    if -6 < point <= 0:
        return f"0.{'0' * -point}{digits}"
    mantissa = digits if len(digits) == 1 else f"{digits[0]}.{digits[1:]}"
    return f"{mantissa}e{point - 1:+d}"


def number_from_text(text: str) -> float:
    """The number that JavaScript reads in the text, NaN when there is none; an integer comes back as ``int``."""
    text = text.strip(BLANKS)
    if not text:
        return 0
    if _DECIMAL.fullmatch(text):
        number = float(text)
    elif _WITH_BASE.fullmatch(text):
        number = double(int(text, 0))
    else:
        number = _INFINITE.get(text, math.nan)
    return int(number) if number.is_integer() and abs(number) <= _LARGEST_EXACT else number


def text_of(value: object) -> str:
    """The text JavaScript makes of any value: a list is its items between commas, an object ``[object Object]``."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return number_text(value)
    if value is None:
        return "null"
    if isinstance(value, list):
        return _list_text(value, DEEPEST)
    return "undefined" if value is MISSING else "[object Object]"


def _list_text(items: list[object], levels: int) -> str:
    guard_depth(levels)
    texts = []
    for item in items:
        if item is None or item is MISSING:
            texts.append("")
        else:
            texts.append(_list_text(item, levels - 1) if isinstance(item, list) else text_of(item))
    return ",".join(texts)


def guard_depth(levels: int) -> None:
    """Refuse to go deeper when no ``levels`` are left.

    Raises:
        InvalidEvent: the value is nested more than ``DEEPEST`` levels deep.
    """
    if levels <= 0:
        raise InvalidEvent(f"lists and objects are nested more than {DEEPEST} levels deep: send them flatter")


def units(text: str) -> int:
    """The text's length as JavaScript counts it, in UTF-16 units: characters beyond U+FFFF count twice."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2


def unit_at(text: str, index: int) -> str:
    """The UTF-16 unit at an index below ``units(text)``; half a character, which no wire carries, is U+FFFD."""
    if text.isascii():
        return text[index]
    unit = text.encode("utf-16-le", "surrogatepass")[2 * index : 2 * index + 2]
    return unit.decode("utf-16-le", "replace")


def index_of(key: str) -> int | None:
    """The index of a list that ``key`` names as JavaScript spells it (``0``, ``17``; not ``017``), if any."""
    if not (key.isascii() and key.isdigit()) or len(key) > _LONGEST_INDEX or (key[0] == "0" and key != "0"):
        return None
    index = int(key)
    return index if index < _ABOVE_INDEXES else None


def members(value: dict[str, object]) -> Iterable[tuple[str, object]]:
    """The members of an object in JavaScript's order: keys that are indexes first, by number, then as they were put."""
    indexes = [key for key in value if key[:1].isdigit() and index_of(key) is not None]
    if not indexes:
        return value.items()
    first = dict.fromkeys(sorted(indexes, key=int))
    return [(key, value[key]) for key in (*first, *(key for key in value if key not in first))]
