"""What a value is, when two are equal, which is less, what is a date: the rules for dirty data, without a database.

A value is missing (here ``None``: absent or null), a boolean, a number, a text, or something nested. Two values of
different sorts are neither equal nor less nor greater; nested ones never are, not even to themselves.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache

_DATE = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)"
    r"(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?(Z|[+-]\d\d(?::?\d\d)?)?)?",
    re.ASCII,
)


def sort_of(value: object) -> str:
    """``missing``, ``boolean``, ``number``, ``text`` or ``nested``."""
    if value is None:
        return "missing"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "number"
    return "text" if isinstance(value, str) else "nested"


def equal(left: object, right: object) -> bool:
    """Of the same sort and the same; two that are missing are not equal."""
    return sort_of(left) == sort_of(right) and sort_of(left) not in ("missing", "nested") and left == right


def less(left: object, right: object) -> bool:
    """Two numbers by size, two texts by their code points; nothing else has an order."""
    sorts = {sort_of(left), sort_of(right)}
    return sorts in ({"number"}, {"text"}) and left < right  # type: ignore[operator]


def step(document: object, name: str) -> object:
    """What is at ``name``, whose dots step into objects; a list has no steps."""
    for piece in name.split("."):
        document = document.get(piece) if isinstance(document, dict) else None
    return document


def as_written(value: object) -> str:
    """A scalar as text, for alphabetical order: ``5`` and ``5.0`` are ``5``, a boolean is ``true`` or ``false``."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def alphabetical(value: object) -> tuple[str, str]:
    """The key to sort scalars by; a number goes before the text that looks like it."""
    return as_written(value), sort_of(value)


def plain(value: object) -> object:
    """A whole number as such: ``5.0`` and ``5`` are one value."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def instant(value: object) -> datetime | None:
    """The time that an ISO 8601 text means, in UTC unless it says otherwise; ``None`` for anything else."""
    return _instant(value) if isinstance(value, str) else None


@lru_cache(4096)
def _instant(text: str) -> datetime | None:
    found = _DATE.fullmatch(text)
    if found is None:
        return None
    *fields, fraction, zone = found.groups()
    year, month, day, hour, minute, second = (int(field or 0) for field in fields)
    micro = int((fraction or "0").ljust(6, "0")[:6])
    try:
        return datetime(year, month, day, hour, minute, second, micro, tzinfo=_zone(zone)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _zone(zone: str | None) -> timezone:
    if zone is None or zone == "Z":
        return UTC
    digits = zone[1:].replace(":", "").ljust(4, "0")
    offset = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    return timezone(-offset if zone[0] == "-" else offset)
