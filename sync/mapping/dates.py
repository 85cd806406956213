"""Date-like values as RFC 3339 text, the only form that services take.

A text that is RFC 3339 already is never touched. Any other ISO 8601 text that Segment takes, with ``/`` for ``-`` too,
and a count of seconds (or, with 13 digits, of milliseconds) since 1970 is written anew in UTC; a text without an offset
is UTC. What is no real date, or lies outside the years 1 to 9999, has no such form.
"""

from __future__ import annotations

import re
from calendar import isleap
from datetime import UTC, datetime, timedelta
from decimal import ROUND_DOWN, ROUND_FLOOR, Decimal

from sync.mapping.values import number_text

_RFC3339 = re.compile(
    r"(\d{4})-(0[1-9]|1[0-2])-(?:0[1-9]|1\d|2[0-8]|(29|30|31))"
    r"T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d+)?(?:Z|[+-](?:[01]\d|2[0-3]):[0-5]\d)",
    re.ASCII,
)
"""In capitals: small ``t`` and ``z`` are allowed on paper, and refused by readers. Days that every month has are done
with here."""

_ISO8601 = re.compile(
    r"(?P<year>\d{4})(?:(?P<dash>[-/]?)(?P<month>\d\d?)(?:(?P=dash)(?P<day>\d\d?))?)?"
    r"(?:(?P<separator>[Tt ])(?P<hour>\d\d?)"
    r"(?:(?P<colon>:?)(?P<minute>\d\d?)(?:(?P=colon)(?P<second>\d\d?)(?P<fraction>\.\d+)?)?"
    r"(?P<offset>[Zz]|[+-](?:[01]\d|2[0-3]):?[0-5]\d)?)?)?",
    re.ASCII,
)
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:e[+-]\d+)?", re.ASCII)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LARGEST_IN_TEXT = 8_640_000_000_000
_MILLISECONDS_FROM = 10**12
_BEYOND = 10**13
_NANOSECOND = Decimal("1e-9")


def rfc3339(value: str | float) -> str | None:
    """``value`` as RFC 3339 text; ``None`` when it is no date."""
    if not isinstance(value, str):
        return _since_1970(value)
    whole = _RFC3339.fullmatch(value)
    if whole and (whole[3] is None or _exists(whole[1], whole[2], whole[3])):
        return value
    if _NUMBER.fullmatch(value):
        return _number_in_text(value)
    return _rewritten(value)


def _exists(year: str, month: str, day: str) -> bool:
    """Whether the month has such a day, which is one from the 29th on."""
    if month == "02":
        return day == "29" and isleap(int(year))
    return day != "31" or month not in {"04", "06", "09", "11"}


def _number_in_text(text: str) -> str | None:
    """A text is a number when JavaScript would print that number so; leading zeros make it something else."""
    number = float(text)
    if abs(number) > _LARGEST_IN_TEXT or number_text(number) != text:
        return None
    return _since_1970(number)


def _since_1970(number: float) -> str | None:
    if not -_BEYOND < number < _BEYOND:
        return None
    instant = Decimal(repr(number))
    if abs(instant) >= _MILLISECONDS_FROM:
        instant = instant.scaleb(-3)
    whole = instant.to_integral_value(ROUND_FLOOR)
    fraction = (instant - whole).quantize(_NANOSECOND, ROUND_DOWN)
    try:
        return _written(_EPOCH + timedelta(seconds=int(whole)), f"{fraction:f}"[1:].rstrip("0").rstrip("."))
    except OverflowError:
        return None


def _rewritten(text: str) -> str | None:
    found = _ISO8601.fullmatch(text)
    if found is None or _runs_together(found) or _refused_by_segment(found):
        return None
    year, month, day = int(found["year"]), int(found["month"] or 1), int(found["day"] or 1)
    hour, minute, second = (int(found[name] or 0) for name in ("hour", "minute", "second"))
    fraction = found["fraction"] or ""
    midnight = hour == 24 and not (minute or second or fraction.strip(".0"))
    try:
        moment = datetime(year, month, day, 0 if midnight else hour, minute, second, tzinfo=UTC)
        return _written(moment + timedelta(days=midnight) - _offset(found["offset"] or "Z"), fraction)
    except (ValueError, OverflowError):
        return None


def _runs_together(found: re.Match[str]) -> bool:
    """Whether a number of one digit stands where nothing separates it: ``2024118`` could be read in two ways."""
    dates = () if found["dash"] else (found["month"], found["day"])
    times = () if found["colon"] else (found["hour"], found["minute"], found["second"])
    return any(each is not None and len(each) == 1 for each in (*dates, *times))


def _refused_by_segment(found: re.Match[str]) -> bool:
    """Whether the text has an offset, and what its engine's parser of dates cannot read before it.

    A time needs its colons then, and a date that is written together has no time. With a ``T`` before the time, dates
    have dashes and every number all of its digits.
    """
    if found["offset"] is None:
        return False
    if not found["colon"] or found["dash"] == "":
        return True
    numbers = (found[name] for name in ("month", "day", "hour", "minute", "second"))
    one_digit = any(each is not None and len(each) == 1 for each in numbers)
    return found["separator"] != " " and (found["dash"] == "/" or one_digit)


def _offset(text: str) -> timedelta:
    if text in {"Z", "z"}:
        return timedelta()
    ahead = timedelta(hours=int(text[1:3]), minutes=int(text[-2:]))
    return -ahead if text[0] == "-" else ahead


def _written(moment: datetime, fraction: str) -> str:
    return f"{moment.replace(tzinfo=None).isoformat(timespec='seconds')}{fraction}Z"
