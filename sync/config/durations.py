"""Durations as people write them: ``30 days``, ``10s``, ``24h``, ``5 minutes``."""

from __future__ import annotations

import re

_SECONDS = {
    **dict.fromkeys(("ms", "millisecond", "milliseconds"), 0.001),
    **dict.fromkeys(("s", "sec", "second", "seconds"), 1.0),
    **dict.fromkeys(("m", "min", "minute", "minutes"), 60.0),
    **dict.fromkeys(("h", "hour", "hours"), 3600.0),
    **dict.fromkeys(("d", "day", "days"), 86400.0),
    **dict.fromkeys(("w", "week", "weeks"), 604800.0),
}
# Twelve digits are plenty, and keep the arithmetic finite.
_DURATION = re.compile(r"(?P<count>\d{1,12}(\.\d{1,6})?)\s*(?P<unit>[a-z]+)", re.ASCII)
_LONGEST = 10 * 366 * 86400.0


def parse(text: object) -> float:
    """Seconds, more than none. Raises ``ValueError`` with a sentence that does not repeat ``text``."""
    seconds = wait(text)
    if not seconds:
        raise ValueError("must be longer than nothing and at most ten years")
    return seconds


def wait(text: object) -> float:
    """Seconds, maybe none at all. Raises ``ValueError`` likewise."""
    match = _DURATION.fullmatch(text.strip().lower()) if isinstance(text, str) else None
    if match is None or match["unit"] not in _SECONDS:
        raise ValueError("must be a duration with its unit, like `10s`, `5 minutes`, `24h` or `30 days`")
    seconds = float(match["count"]) * _SECONDS[match["unit"]]
    if seconds > _LONGEST:
        raise ValueError("must be longer than nothing and at most ten years")
    return seconds
