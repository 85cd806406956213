"""Stops sending to a destination that is down or set up wrongly, and tries it again with one request at a time.

::

    CLOSED ── half of the last 100 failed, 20 failures in a row, 20 refusals in a row, or a fault ──► OPEN
    OPEN ── the delay is over, someone asks ``may_send`` ──► HALF_OPEN (one probe is out)
    HALF_OPEN ── success ──► CLOSED;  failure, fault, or a refusal as before ──► OPEN, with a longer delay

A refusal speaks of one user, so it is neither success nor failure. But twenty in a row without a success between them
are not twenty bad users: they open the breaker as a fault, and whoever parked those twenty takes them back.

Synchronous and without waiting: it only answers, so a test can drive it with its own clock.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from enum import StrEnum
from random import Random

from sync.clock import Clock
from sync.model.outcome import Outcome, Verdict
from sync.model.retry import jittered_backoff

WINDOW = 100
"""Exchanges over which the share of failures is taken."""

FEWEST = 20
"""Exchanges needed before a share means anything; also the failures, or refusals, in a row that open at once."""

LONGEST_DELAY = 60.0
"""Seconds until the next probe, at most."""

FIRST_FAULT_DELAY, LONGEST_FAULT_DELAY = 15.0, 300.0
"""Seconds until the next probe after a fault, the first time and at most: it waits for a person, not for a server."""

PROBE_PATIENCE = 60.0
"""Seconds after which a probe whose verdict never came counts as lost, so that a lost one cannot block for ever."""

_FAILING_SHARE = 0.5


class State(StrEnum):
    """Whether requests go out: all, none, or one probe."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


@dataclass(frozen=True, slots=True)
class Transition:
    """The breaker opened or closed. ``reason`` is for people.

    ``fault``: a person has to mend something. ``refusals``: so many of the latest refusals, the one just recorded among
    them, were the destination's fault and must not stay parked (0 unless refusals opened it; the refusals that follow
    are known by ``Breaker.doubts_refusals``).
    """

    to: State
    reason: str
    fault: bool = False
    refusals: int = 0


class Breaker:
    """One destination's breaker. Ask ``may_send`` right before each request, ``record`` every outcome after it."""

    def __init__(self, clock: Clock, random: Random) -> None:
        self._clock = clock
        self._random = random
        self._state = State.CLOSED
        self._reason = ""
        self._fault = False
        self._openings = 0
        self._retry_at = 0.0
        self._failed: deque[bool] = deque(maxlen=WINDOW)
        self._failures_in_a_row = 0
        self._refusals_in_a_row = 0

    @property
    def state(self) -> State:
        """Closed, open, or half open while a probe is out."""
        return self._state

    @property
    def reason(self) -> str:
        """Why it is not closed; empty when it is."""
        return self._reason

    @property
    def opened_by_fault(self) -> bool:
        """Whether somebody has to mend the destination's settings; true until it closes."""
        return self._fault

    @property
    def retry_at(self) -> float | None:
        """The monotonic instant at which ``may_send`` will say yes; ``None`` when closed."""
        return None if self._state is State.CLOSED else self._retry_at

    @property
    def refusals_in_a_row(self) -> int:
        """Refusals since the last success."""
        return self._refusals_in_a_row

    @property
    def doubts_refusals(self) -> bool:
        """Whether refusals are the destination's fault now: whoever is refused is deferred, not parked."""
        return self._refusals_in_a_row >= FEWEST

    def may_send(self) -> bool:
        """Whether one request may go out now. When not closed, a yes is the probe: the next one hears no."""
        if self._state is State.CLOSED:
            return True
        now = self._clock.monotonic()
        if now < self._retry_at:
            return False
        self._state = State.HALF_OPEN
        self._retry_at = now + PROBE_PATIENCE
        return True

    def abandon(self) -> None:
        """The request that ``may_send`` allowed was not sent after all: the next one may be the probe."""
        if self._state is State.HALF_OPEN:
            self._retry_at = self._clock.monotonic()

    def record(self, outcome: Outcome) -> Transition | None:
        """Take one exchange's outcome in; says so when the breaker opens or closes by it.

        Outcomes of requests that were under way when it opened are taken in, but only a fault changes anything
        then, by naming the reason.
        """
        match outcome.verdict:
            case Verdict.ACCEPTED:
                return self._succeeded()
            case Verdict.REFUSED:
                return self._refused()
            case Verdict.FAULT:
                return self._faulted(outcome)
            case _:
                return self._failed_once(outcome)

    def _succeeded(self) -> Transition | None:
        self._failed.append(False)
        self._failures_in_a_row = self._refusals_in_a_row = 0
        return self._close("a probe was accepted") if self._state is State.HALF_OPEN else None

    def _refused(self) -> Transition | None:
        self._refusals_in_a_row += 1
        if self.doubts_refusals:
            first = self._refusals_in_a_row == FEWEST
            if self._state is State.OPEN and not first:
                return None
            reason = f"{self._refusals_in_a_row} users refused in a row, none accepted"
            return self._open(reason, fault=True, refusals=FEWEST if first else 0)
        # A refusal is an answer about a user: the destination works again.
        return self._close("a probe was answered") if self._state is State.HALF_OPEN else None

    def _faulted(self, outcome: Outcome) -> Transition | None:
        if self._state is State.OPEN and self._fault:
            return None
        return self._open(_described(outcome), fault=True)

    def _failed_once(self, outcome: Outcome) -> Transition | None:
        self._failed.append(True)
        self._failures_in_a_row += 1
        if self._state is State.OPEN:
            return None
        if self._state is State.HALF_OPEN:
            return self._open(f"a probe failed: {_described(outcome)}")
        if self._failures_in_a_row >= FEWEST:
            return self._open(f"{self._failures_in_a_row} failures in a row, the last: {_described(outcome)}")
        failures = sum(self._failed)
        if len(self._failed) >= FEWEST and failures >= _FAILING_SHARE * len(self._failed):
            return self._open(f"{failures} of the last {len(self._failed)} exchanges failed")
        return None

    def _open(self, reason: str, *, fault: bool = False, refusals: int = 0) -> Transition:
        # A fault that arrives while it is open already says why; it is not one more attempt that failed.
        if self._state is not State.OPEN:
            self._openings = self._openings + 1 if self._fault or not fault else 1
            self._retry_at = self._clock.monotonic() + self._delay(fault=self._fault or fault)
        self._state = State.OPEN
        if fault or not self._fault:
            self._reason = reason
        self._fault = self._fault or fault
        return Transition(State.OPEN, reason, fault=fault, refusals=refusals)

    def _delay(self, *, fault: bool) -> float:
        if fault:
            return jittered_backoff(self._openings, LONGEST_FAULT_DELAY, self._random, FIRST_FAULT_DELAY)
        return jittered_backoff(self._openings, LONGEST_DELAY, self._random)

    def _close(self, reason: str) -> Transition:
        self._state = State.CLOSED
        self._reason = ""
        self._fault = False
        self._openings = 0
        self._failures_in_a_row = 0
        self._failed.clear()
        return Transition(State.CLOSED, reason)


def _described(outcome: Outcome) -> str:
    return f"{outcome.status} {outcome.detail}" if outcome.status else outcome.detail or outcome.verdict
