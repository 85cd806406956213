"""Send one claimed slot and say what becomes of it: the outcome table, as transitions of the slot."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

import httpx

from sync import telemetry
from sync.clock import Clock
from sync.deliver.breaker import FEWEST, Breaker, Transition
from sync.deliver.client import Client
from sync.deliver.destination import Destination
from sync.deliver.limits import AdaptiveConcurrency, Pause, TokenBucket
from sync.model.delivery import DeliverySettings
from sync.model.identify import identify
from sync.model.outcome import DEFERRED, Outcome, Verdict
from sync.model.retry import exhausted, next_delay
from sync.model.slot import ClaimedSlot
from sync.store import slots
from sync.store.slots import Settlement

_TOO_MANY_REQUESTS = 429


@dataclass(frozen=True, slots=True)
class Claimed:
    """A claimed slot and the monotonic instant at which its claim *started* (R2 counts from there)."""

    slot: ClaimedSlot
    since: float


class Sender:
    """Everything between a claimed slot and its settlement, for one destination."""

    def __init__(
        self,
        destination: Destination,
        settings: DeliverySettings,
        transport: httpx.AsyncBaseTransport,
        clock: Clock,
        random: Random,
        *,
        on_breaker: Callable[[Transition], None],
    ) -> None:
        self._destination = destination
        self._settings = settings
        self._clock = clock
        self._random = random
        self._on_breaker = on_breaker
        self._client = Client(transport, destination.read_answer, settings.deadline)
        self._bucket = TokenBucket(settings.rate, (settings.rate or 1.0) / 10, clock)
        self.breaker = Breaker(clock, random)
        self.concurrency = AdaptiveConcurrency(settings.concurrency)
        self.pause = Pause(clock)
        self.warnings: set[str] = set()
        self.trouble = ""
        self._refused: deque[str] = deque(maxlen=FEWEST)

    async def send(self, claimed: Claimed, allowed: Callable[[], bool]) -> Settlement:
        """Send when limits, breaker, leases and the caller allow it; else give the slot back unsent."""
        await self.concurrency.acquire()
        try:
            if self.pause.remaining <= 0:
                await self._bucket.acquire()
            # The breaker is asked last: a yes while it is open is the one probe, and must be used.
            ready = self.pause.remaining <= 0 and self._lease_suffices(claimed) and allowed()
            if ready and self.breaker.may_send():
                return await self._exchange(claimed.slot)
            return Settlement(claimed.slot, slots.Transition.RELEASE)
        finally:
            self.concurrency.release()

    def _lease_suffices(self, claimed: Claimed) -> bool:
        """R2: what is left of the lease must exceed the whole request deadline, or another holder could overtake us."""
        left = self._settings.lease - (self._clock.monotonic() - claimed.since)
        return left > self._settings.deadline

    async def _exchange(self, slot: ClaimedSlot) -> Settlement:
        event = identify(slot, destination=self._destination.name, at=self._clock.now())
        traits: dict[str, object] = event["traits"]  # type: ignore[assignment]
        try:
            requests = self._destination.requests_for(event)
        except Exception as error:  # noqa: BLE001 - one user whose values cannot be mapped must not stop the others
            self.breaker.abandon()
            outcome = Outcome(Verdict.REFUSED, detail=f"no request can be made of it ({type(error).__name__})")
            return self._judge(slot, outcome, traits)
        outcome = Outcome(Verdict.ACCEPTED, detail="nothing to send for it")
        try:
            for request in requests:
                telemetry.step("deliver.sending")
                outcome = await self._client.exchange(request)
                telemetry.step("deliver.answered", verdict=outcome.verdict)
                if outcome.verdict is not Verdict.ACCEPTED:
                    break
        except BaseException:
            self.breaker.abandon()
            raise
        return self._settlement(slot, outcome, traits)

    def _settlement(self, slot: ClaimedSlot, outcome: Outcome, traits: dict[str, object]) -> Settlement:
        self._adapt(outcome)
        # A 429 says that the destination is well and busy: the pause and the concurrency answer it, not the breaker.
        if outcome.status == _TOO_MANY_REQUESTS:
            self.breaker.abandon()
            transition = None
        else:
            transition = self.breaker.record(outcome)
        settlement = self._judge(slot, outcome, traits)
        if transition is not None:
            self._on_breaker(transition)
        return settlement

    def _adapt(self, outcome: Outcome) -> None:
        if outcome.verdict is Verdict.ACCEPTED:
            self.concurrency.increase()
            self._refused.clear()
        elif outcome.status == _TOO_MANY_REQUESTS:
            self.concurrency.decrease()
        if outcome.retry_after is not None:
            self.pause.lengthen(outcome.retry_after)
        for warning in outcome.warnings:
            if warning not in self.warnings:
                self.warnings.add(warning)
                telemetry.event("destination.warning", destination=self._destination.name, warning=warning)

    def _judge(self, slot: ClaimedSlot, outcome: Outcome, traits: dict[str, object]) -> Settlement:
        reason = f"{outcome.status} {outcome.detail}".strip() if outcome.status else outcome.detail
        if outcome.verdict not in (Verdict.ACCEPTED, Verdict.REFUSED):
            self.trouble = reason
        transition, seconds = slots.Transition.RELEASE, 0.0
        if outcome.verdict is Verdict.ACCEPTED:
            transition = slots.Transition.ACCEPT
        elif outcome.verdict is Verdict.REFUSED and not self.breaker.doubts_refusals:
            transition = slots.Transition.PARK
            self._refused.append(slot.user_id)
        elif outcome.verdict in DEFERRED:
            transition, seconds = self._defer(slot, outcome)
        return Settlement(
            slot,
            transition,
            seconds=seconds,
            unknown=outcome.verdict is Verdict.UNKNOWN,
            reason=reason,
            verdict=outcome.verdict,
            status=outcome.status,
            detail=outcome.detail,
            traits=traits,
        )

    def _defer(self, slot: ClaimedSlot, outcome: Outcome) -> tuple[slots.Transition, float]:
        attempts = slot.attempts + 1
        failing_for = (self._clock.now() - slot.failing_since).total_seconds() if slot.failing_since else 0.0
        if exhausted(attempts, failing_for, self._settings):
            return slots.Transition.PARK, 0.0
        return slots.Transition.DEFER, next_delay(attempts, self._settings, self._random, outcome.retry_after)

    def take_refused(self) -> list[str]:
        """The users parked since the last success; the caller un-parks them when the destination was to blame."""
        users = list(self._refused)
        self._refused.clear()
        return users
