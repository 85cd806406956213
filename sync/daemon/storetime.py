"""The time by the store's clock, without asking it every time.

Instants that several daemons must agree on come from one clock: the server's on PostgreSQL, the host's on SQLite. It is
looked at now and then; in between, the monotonic clock counts on. So a host's clock that jumps moves no instant on
PostgreSQL, and on SQLite (where it is the store's) it is followed within seconds.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sync.clock import Clock
from sync.store.engine import Database

SAMPLE_EVERY = 10.0
"""Seconds between two looks at the store's clock."""


class StoreTime:
    """One daemon's idea of the store's time. Talks to the store now and then, so call it from a thread."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._sample: tuple[datetime, float] | None = None

    def now(self) -> datetime:
        """The instant by the store's clock. Raises `StoreUnavailable` when it must be asked and is away."""
        at = self._clock.monotonic()
        if self._sample is None or at - self._sample[1] >= SAMPLE_EVERY:
            with self._database.read() as connection:
                # The instant before the monotonic clock: what the answer takes must not put us ahead of the store.
                self._sample = (self._database.now(connection), self._clock.monotonic())
        instant, taken = self._sample
        return instant + timedelta(seconds=self._clock.monotonic() - taken)
