"""How fast, how many at once, and when to hold still: the three limits of one destination.

They are in-process, and exact because one holder serves a destination at a time. ``TokenBucket`` spaces the starts of
requests, ``AdaptiveConcurrency`` bounds those in flight, ``Pause`` stops the whole destination for ``Retry-After``.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from sync.clock import Clock


class TokenBucket:
    """At most ``rate`` starts a second on the long run, ``burst`` at once after a rest; ``None`` is no limit.

    Who asks first goes first: each one reserves its token at once, if need be one of the future, and waits for it.
    """

    def __init__(self, rate: float | None, burst: float, clock: Clock) -> None:
        self._rate = rate
        self._burst = max(burst, 1.0)
        self._clock = clock
        self._tokens = self._burst
        self._filled_at = clock.monotonic()

    async def acquire(self) -> None:
        """Wait for the next token. A cancelled wait gives it back."""
        delay = self.reserve()
        if delay <= 0:
            return
        try:
            await asyncio.sleep(delay)
        except asyncio.CancelledError:
            self._tokens += 1
            raise

    def reserve(self) -> float:
        """Take a token and return the seconds until it may be used."""
        if self._rate is None:
            return 0.0
        now = self._clock.monotonic()
        self._tokens = min(self._burst, self._tokens + (now - self._filled_at) * self._rate)
        self._filled_at = now
        self._tokens -= 1
        return max(0.0, -self._tokens / self._rate)


class AdaptiveConcurrency:
    """Slots for requests in flight, at most ``limit``: halved by a 429, one more for each limit's worth of successes.

    A cut holds for one round trip: the requests in flight at that moment were sent under the old limit, so their own
    429s say nothing about the new one.
    """

    def __init__(self, maximum: int) -> None:
        self._maximum = maximum
        self._limit = float(maximum)
        self._in_flight = 0
        self._from_before_the_cut = 0
        self._waiting: deque[asyncio.Future[None]] = deque()

    @property
    def limit(self) -> int:
        """The most requests that may be in flight now."""
        return int(self._limit)

    @property
    def in_flight(self) -> int:
        """Slots taken; may exceed ``limit`` for a while after a cut."""
        return self._in_flight

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[None]:
        """Hold one slot for the block."""
        await self.acquire()
        try:
            yield
        finally:
            self.release()

    async def acquire(self) -> None:
        """Take a slot, waiting in line for it."""
        if self._in_flight < self.limit and not self._waiting:
            self._in_flight += 1
            return
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.cancelled():
                with suppress(ValueError):  # already out of the line
                    self._waiting.remove(turn)
                self._admit()
            else:  # the slot had been handed over
                self.release()
            raise

    def release(self) -> None:
        """Give a slot back."""
        self._in_flight -= 1
        self._from_before_the_cut = max(0, self._from_before_the_cut - 1)
        self._admit()

    def decrease(self) -> None:
        """The destination said 429: halve the limit, once per round trip. Call it before ``release``."""
        if self._from_before_the_cut:
            return
        self._limit = max(1.0, float(self.limit // 2))
        self._from_before_the_cut = self._in_flight

    def increase(self) -> None:
        """A request succeeded: a limit's worth of these raises the limit by one."""
        self._limit = min(float(self._maximum), self._limit + 1 / self._limit)
        self._admit()

    def _admit(self) -> None:
        while self._waiting and self._in_flight < self.limit:
            turn = self._waiting.popleft()
            if not turn.done():  # done: cancelled while in line
                self._in_flight += 1
                turn.set_result(None)


class Pause:
    """Nothing is sent to the destination until a moment that can only move later."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._until = clock.monotonic()

    @property
    def remaining(self) -> float:
        """Seconds left; 0 when there is no pause."""
        return max(0.0, self._until - self._clock.monotonic())

    def lengthen(self, seconds: float) -> None:
        """Pause for ``seconds`` from now, unless a longer pause is on already."""
        self._until = max(self._until, self._clock.monotonic() + seconds)

    async def wait(self) -> None:
        """Return when the pause is over, however often it is lengthened meanwhile."""
        while (remaining := self.remaining) > 0:  # noqa: ASYNC110 - time ends it, no event does
            await asyncio.sleep(remaining)
