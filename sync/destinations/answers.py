"""What an HTTP status means for delivery: the architecture's table of outcomes, as data, for any destination.

Also the two readings every answer needs: ``Retry-After`` in seconds, and a short clean text for people.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from sync.model.outcome import Verdict

LONGEST_RETRY_AFTER = 3600.0
"""Seconds; a destination that asks for more is asked again after this."""

DETAIL_LIMIT = 200
"""Characters of an answer's text that are kept."""

_REDACTED = "[redacted]"

_BY_STATUS = {
    400: Verdict.REFUSED,
    408: Verdict.NOT_APPLIED,
    413: Verdict.REFUSED,
    422: Verdict.REFUSED,
    423: Verdict.NOT_APPLIED,
    425: Verdict.NOT_APPLIED,
    429: Verdict.NOT_APPLIED,
    501: Verdict.FAULT,
    505: Verdict.FAULT,
}


def verdict_for(status: int, *, retry_after: float | None) -> Verdict:
    """The verdict of ``status`` alone. A 503 that names a time was not applied; one that doesn't may have been."""
    if 200 <= status <= 299:
        return Verdict.ACCEPTED
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    if status == 503 and retry_after is not None:
        return Verdict.NOT_APPLIED
    return Verdict.UNKNOWN if 500 <= status <= 599 else Verdict.FAULT


def retry_after_seconds(text: str | None, now: datetime) -> float | None:
    """``Retry-After`` as seconds from ``now``, within 0..3600; ``None`` when absent or unreadable.

    Takes both forms of RFC 9110: whole seconds and an HTTP date.
    """
    if text is None:
        return None
    text = text.strip()
    if text.isascii() and text.isdigit():
        return min(float(text), LONGEST_RETRY_AFTER)
    try:
        instant = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    if instant.tzinfo is None:
        instant = instant.replace(tzinfo=UTC)
    return min(max((instant - now).total_seconds(), 0.0), LONGEST_RETRY_AFTER)


def clean(text: str, secrets: Iterable[str]) -> str:
    """``text`` in one line of at most 200 characters, without control characters and without any of ``secrets``."""
    printable = "".join(character if character.isprintable() else " " for character in text)
    for secret in secrets:
        if secret:
            printable = printable.replace(secret, _REDACTED)
    return " ".join(printable.split())[:DETAIL_LIMIT]
