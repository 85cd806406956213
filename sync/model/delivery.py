"""The numbers that rule delivery to one destination; defaults are the architecture's."""

from __future__ import annotations

from dataclasses import dataclass

LEASE_MARGIN = 1.0
"""Seconds by which a slot's lease must outlast the total request deadline (R3)."""


@dataclass(frozen=True, slots=True)
class DeliverySettings:
    """Limits, deadlines and patience for one destination. Durations in seconds.

    ``rate`` is requests per second (``None`` = no limit), ``concurrency`` the most requests in flight.
    ``deadline`` is total for one exchange; ``lease`` is how long a claim is ours; ``quiet_period`` is the wait before an
    ambiguous send is confirmed. A slot is parked only when it has failed for ``retry_window`` *and* ``retry_attempts``
    times; ``longest_delay`` caps the exponential backoff.

    A request with several events holds at most ``batch_events``; an event waits at most ``linger`` for others to share
    its request with, and not at all where no request takes several. ``bulk_users`` is the most users in a request that
    takes several of those.
    """

    rate: float | None = None
    concurrency: int = 50
    deadline: float = 10.0
    lease: float = 30.0
    quiet_period: float = 20.0
    retry_window: float = 24 * 3600.0
    retry_attempts: int = 8
    longest_delay: float = 15 * 60.0
    batch_events: int = 100
    linger: float = 1.0
    bulk_users: int = 1000
