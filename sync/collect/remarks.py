"""What is said to the log of what was refused: each thing at most once a minute, however often it happens."""

from __future__ import annotations

import logging

from sync import telemetry
from sync.clock import Clock

EVERY = 60.0
"""Seconds."""


class Remarks:
    """Counts everything at once, and says it now and then."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._said: dict[tuple[str, str], float] = {}
        self._unsaid: dict[tuple[str, str], int] = {}

    def refused(self, source: str, reason: str, sentence: str, number: int = 1) -> None:
        """So many events, or a request, of ``source`` were refused. ``sentence`` has no values in it."""
        telemetry.count("collect_refused", number, source=source, reason=reason)
        key, now = (source, reason), self._clock.monotonic()
        total = self._unsaid.pop(key, 0) + number
        if now - self._said.get(key, -EVERY) < EVERY:
            self._unsaid[key] = total
            return
        self._said[key] = now
        telemetry.event(
            "collect.refused", level=logging.WARNING, source=source, reason=reason, because=sentence, times=total
        )
