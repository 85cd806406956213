"""Instants in whole seconds since 1970, and how far a time zone is from UTC at one of them."""

from __future__ import annotations

import zoneinfo
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from sync.errors import InvalidEvent

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LONGEST_NAME = 64


def instant(timestamp: object) -> datetime:
    """The instant of RFC 3339 text, with the offset that it is written in; raises `InvalidEvent`."""
    try:
        found = datetime.fromisoformat(str(timestamp))
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise InvalidEvent("Timestamp is no instant that can be sent.")
    return found


def seconds(moment: datetime) -> int:
    """Whole seconds since 1970, the fraction cut off towards the past."""
    return (moment - _EPOCH) // timedelta(seconds=1)


def zone_offset(name: object, at: datetime) -> int | None:
    """How many seconds the time zone is ahead of UTC at that instant; ``None`` when there is no such zone."""
    zone = _zone(name) if isinstance(name, str) and 0 < len(name) <= _LONGEST_NAME else None
    if zone is None:
        return None
    try:
        offset = at.astimezone(zone).utcoffset()
    except (OverflowError, ValueError):
        return None  # beyond the years that there are
    return None if offset is None else int(offset.total_seconds())


def written_offset(moment: datetime) -> int | None:
    """The offset in which an instant was written; ``None`` for UTC, which says nothing of where somebody is."""
    offset = moment.utcoffset()
    return int(offset.total_seconds()) if offset else None


@lru_cache(maxsize=1024)
def _zone(name: str) -> zoneinfo.ZoneInfo | None:
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        return None
