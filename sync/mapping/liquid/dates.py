"""Liquid's filter ``date``: a moment in UTC, printed by a pattern of ``%`` signs.

Takes ISO 8601 texts and seconds since 1970; anything else comes back as it is. There is no clock in a mapping, so the
same event always gives the same request: ``now`` is refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from liquid.exceptions import FilterArgumentError

from sync.mapping.liquid.texts import text
from sync.mapping.values import LONGEST_TEXT, MISSING

_USUAL = "%A, %B %-e, %Y at %-l:%M %P %z"
_PART = re.compile(r"%([-_0^#:]*)(\d*)[EO]?(.)", re.DOTALL)
_WIDEST = 100
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_DAYS = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
_MONTHS = ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October",
           "November", "December")  # fmt: skip

_CODES: dict[str, tuple[Callable[[datetime], object], int]] = {
    "a": (lambda at: _DAYS[at.isoweekday() % 7][:3], 0),
    "A": (lambda at: _DAYS[at.isoweekday() % 7], 0),
    "b": (lambda at: _MONTHS[at.month - 1][:3], 0),
    "h": (lambda at: _MONTHS[at.month - 1][:3], 0),
    "B": (lambda at: _MONTHS[at.month - 1], 0),
    "C": (lambda at: at.year // 100, 2),
    "d": (lambda at: at.day, 2),
    "e": (lambda at: at.day, 2),
    "H": (lambda at: at.hour, 2),
    "I": (lambda at: at.hour % 12 or 12, 2),
    "j": (lambda at: at.timetuple().tm_yday, 3),
    "k": (lambda at: at.hour, 2),
    "l": (lambda at: at.hour % 12 or 12, 2),
    "L": (lambda at: at.microsecond // 1000, 3),
    "m": (lambda at: at.month, 2),
    "M": (lambda at: at.minute, 2),
    "N": (lambda at: f"{at.microsecond // 1000:03d}000000", 0),
    "p": (lambda at: "AM" if at.hour < 12 else "PM", 0),
    "P": (lambda at: "am" if at.hour < 12 else "pm", 0),
    "q": (lambda at: _ordinal(at.day), 0),
    "s": (lambda at: int((at - _EPOCH).total_seconds() // 1), 0),
    "S": (lambda at: at.second, 2),
    "u": (lambda at: at.isoweekday(), 0),
    "U": (lambda at: _week(at, at.isoweekday() % 7), 2),
    "w": (lambda at: at.isoweekday() % 7, 0),
    "W": (lambda at: _week(at, at.weekday()), 2),
    "y": (lambda at: at.year % 100, 2),
    "Y": (lambda at: at.year, 0),
    "z": (lambda _: "+0000", 0),
    "Z": (lambda _: "UTC", 0),
    "t": (lambda _: "\t", 0),
    "n": (lambda _: "\n", 0),
    "%": (lambda _: "%", 0),
}
_PADDED_WITH_BLANKS = set("aAbBceklpP")


def date(value: object, pattern: object = None) -> object:
    """The moment as the pattern says."""
    if value in ("now", "today"):
        raise FilterArgumentError("a mapping has no clock: use a time of the event", token=None)
    moment = _moment(value)
    if moment is None:
        return value
    written = _USUAL if pattern is None or pattern is MISSING else text(pattern)
    if len(written) * _WIDEST > LONGEST_TEXT:
        raise FilterArgumentError("the pattern is too long", token=None)
    return _PART.sub(lambda part: _printed(moment, part), written)


def _moment(value: object) -> datetime | None:
    try:
        if isinstance(value, str) and not (value.isascii() and value.isdigit()):
            moment: datetime = datetime.fromisoformat(value)
            return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
        if isinstance(value, (str, int, float)) and not isinstance(value, bool):
            return _EPOCH + timedelta(seconds=float(value))
    except (ValueError, OverflowError):
        pass
    return None


def _printed(moment: datetime, part: re.Match[str]) -> str:
    flags, width, code = part[1], part[2], part[3]
    if code in "cxX":
        raise FilterArgumentError(f"`%{code}` depends on where it runs: name the parts", token=None)
    if code not in _CODES:
        return part[0]
    of, usual_width = _CODES[code]
    printed = str(of(moment))
    if code == "N":
        return printed[: int(width[:2] or 9)].ljust(min(int(width[:3] or 9), _WIDEST), "0")
    if code == "z" and ":" in flags:
        printed = "+00:00"
    if "^" in flags:
        printed = printed.upper()
    elif "#" in flags:
        printed = printed.swapcase() if printed.isupper() else printed.upper()
    if "-" in flags:
        return printed
    blank = "_" in flags or (code in _PADDED_WITH_BLANKS and "0" not in flags)
    return printed.rjust(min(int(width[:3] or usual_width), _WIDEST), " " if blank else "0")


def _week(at: datetime, since_first_day: int) -> int:
    return (at.timetuple().tm_yday - 1 - since_first_day + 7) // 7


def _ordinal(day: int) -> str:
    return "th" if day in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th")
