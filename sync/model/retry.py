"""When to try again, and when to give up."""

from __future__ import annotations

from random import Random

from sync.model.delivery import DeliverySettings

FIRST_DELAY = 1.0
"""Seconds before the second attempt; each further one waits twice as long."""

JITTER = 0.2
"""Share by which a delay is made longer or shorter at random, so that many failures do not come back at once."""

_MOST_DOUBLINGS = 32


def jittered_backoff(failures: int, longest: float, random: Random, first: float = FIRST_DELAY) -> float:
    """Seconds to wait after ``failures`` failures in a row (the first is 1), never more than ``longest``."""
    doubled = first * 2.0 ** min(max(failures - 1, 0), _MOST_DOUBLINGS)
    return min(min(doubled, longest) * random.uniform(1 - JITTER, 1 + JITTER), longest)


def next_delay(attempts: int, settings: DeliverySettings, random: Random, retry_after: float | None = None) -> float:
    """Seconds until the next attempt after ``attempts`` failed ones; at least ``retry_after``, which we were told."""
    return max(jittered_backoff(attempts, settings.longest_delay, random), retry_after or 0.0)


def exhausted(attempts: int, failing_for: float, settings: DeliverySettings) -> bool:
    """Whether to park: only when *both* were used up, the attempts and the window (``failing_for`` in seconds).

    A long outage alone parks nothing after one attempt; a burst of quick attempts parks nothing within the window.
    """
    return attempts >= settings.retry_attempts and failing_for >= settings.retry_window
