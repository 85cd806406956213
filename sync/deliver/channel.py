"""The way to one destination: its connections and its limits, shared by whatever is sent there.

Rate, concurrency, breaker and pause are exact because everything goes through one channel: slots and forwarded events
alike ask it before each request, and tell it every outcome.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from random import Random

import httpx

from sync import telemetry
from sync.clock import Clock
from sync.deliver.breaker import Breaker, Transition
from sync.deliver.client import Client, ReadAnswer
from sync.deliver.limits import AdaptiveConcurrency, Pause, TokenBucket
from sync.model.delivery import DeliverySettings
from sync.model.outcome import Outcome, Verdict

_TOO_MANY_REQUESTS = 429


class Channel:
    """One destination as long as somebody holds it. ``trouble`` is the last one, for people; empty when there was none."""

    def __init__(
        self,
        name: str,
        read_answer: ReadAnswer,
        settings: DeliverySettings,
        transport: httpx.AsyncBaseTransport,
        clock: Clock,
        random: Random,
        *,
        on_breaker: Callable[[Transition], None],
    ) -> None:
        self.name = name
        self.read_answer = read_answer
        self.breaker = Breaker(clock, random)
        self.concurrency = AdaptiveConcurrency(settings.concurrency)
        self.pause = Pause(clock)
        self.warnings: set[str] = set()
        self.trouble = ""
        self._rate = settings.rate
        self._bucket = TokenBucket(settings.rate, (settings.rate or 1.0) / 10, clock)
        self._client = Client(transport, read_answer, settings.deadline)
        self._on_breaker = on_breaker
        self._on_accepted: list[Callable[[], None]] = []

    def on_accepted(self, told: Callable[[], None]) -> None:
        """Call ``told`` whenever a request is accepted: refusals before it were those of single users."""
        self._on_accepted.append(told)

    async def may_send(self, allowed: Callable[[], bool]) -> bool:
        """Whether one request may go out now, after waiting for its place in the rate; ask before each request.

        A yes must be used, or given back by `abandon`: while the breaker is open it is the one probe.
        """
        if self._rate is not None:
            if not self._is_ready(allowed):
                return False
            await self._bucket.acquire()
        return self._is_ready(allowed) and self.breaker.may_send()

    def _is_ready(self, allowed: Callable[[], bool]) -> bool:
        return self.pause.remaining <= 0 and allowed()

    async def exchange(self, request: httpx.Request) -> Outcome:
        """Send one request and say what it meant."""
        telemetry.step("deliver.sending")
        try:
            outcome = await self._client.exchange(request)
        except BaseException:
            self.breaker.abandon()
            raise
        telemetry.step("deliver.answered", verdict=outcome.verdict)
        return outcome

    def learn(self, outcome: Outcome, *, blames: bool = True) -> None:
        """What one answer says about the destination. A refusal that ``blames`` nobody new is none for the breaker:
        it counts users who are refused, and several refusals of one user are one."""
        self._adapt(outcome)
        # A 429 says that the destination is well and busy: the pause and the concurrency answer it, not the breaker.
        if outcome.status == _TOO_MANY_REQUESTS or (outcome.verdict is Verdict.REFUSED and not blames):
            self.breaker.abandon()
            return
        transition = self.breaker.record(outcome)
        if transition is not None:
            self._on_breaker(transition)

    def _adapt(self, outcome: Outcome) -> None:
        if outcome.verdict is Verdict.ACCEPTED:
            self.concurrency.increase()
            for told in self._on_accepted:
                told()
        elif outcome.status == _TOO_MANY_REQUESTS:
            self.concurrency.decrease()
        if outcome.retry_after is not None:
            self.pause.lengthen(outcome.retry_after)
        for warning in outcome.warnings:
            if warning not in self.warnings:
                self.warnings.add(warning)
                telemetry.event("destination.warning", level=logging.WARNING, destination=self.name, warning=warning)
