"""Tell one destination to delete users who were forgotten: sent until it is accepted, beside everything else.

Only the destination's holder does it, by the same channel: rate, concurrency, pause and breaker are asked as for every
request. A deletion may be sent twice, and never given up: what is put off is tried again for as long as it takes, what
is refused waits until somebody asks for it again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from sync import telemetry
from sync.clock import Clock
from sync.deliver.channel import Channel
from sync.deliver.destination import Destination
from sync.deliver.patience import wait_for
from sync.deliver.persistence import persistently
from sync.deliver.turn import described
from sync.model.delivery import DeliverySettings
from sync.model.outcome import Outcome, Verdict
from sync.model.retry import next_delay
from sync.store import deletions
from sync.store.deletions import Owed, Settlement, State
from sync.store.engine import Database

LOOK_EVERY = 2.0
"""Seconds between two looks for what is owed."""

AT_ONCE = 20
"""Deletions between two settlements."""


@dataclass(slots=True)
class Deleted:
    """What a destination said to deletions."""

    destination: str
    accepted: int = 0
    refused: int = 0
    put_off: int = 0

    def count(self, state: State) -> None:
        """Take in what became of one."""
        self.accepted += state is State.DONE
        self.refused += state is State.REFUSED
        self.put_off += state is State.OWED


class Deleter:
    """Deletes at one destination; ``done`` says how many. ``fault``: why somebody has to mend its settings."""

    def __init__(
        self,
        database: Database,
        destination: Destination,
        settings: DeliverySettings,
        channel: Channel,
        clock: Clock,
        random: Random,
    ) -> None:
        self._database = database
        self._destination = destination
        self._name = destination.name
        self._settings = settings
        self._channel = channel
        self._clock = clock
        self._random = random
        self._news = asyncio.Event()
        self.done = Deleted(destination.name)
        self.fault = ""

    def nudge(self) -> None:
        """Something may be owed: look now."""
        self._news.set()

    async def run(self, allowed: Callable[[], bool]) -> None:
        """Delete whatever comes to be owed, until cancelled."""
        while True:
            self._news.clear()
            if not (allowed() and await self.delete_some(allowed)):
                await wait_for(self._news, LOOK_EVERY)

    async def delete_some(self, allowed: Callable[[], bool]) -> bool:
        """Send what is due now; says whether anything was accepted."""
        due = await persistently(lambda: deletions.due(self._database, self._name, AT_ONCE), "delete")
        found = await asyncio.gather(*(self._delete(each, allowed) for each in due))
        settled = [each for each in found if each is not None]
        if not settled:
            return False
        await persistently(lambda: deletions.settle(self._database, self._name, settled), "delete")
        telemetry.step("forget.settled", users=len(settled))
        for each in settled:
            self._tell(each)
        return any(each.state is State.DONE for each in settled)

    async def _delete(self, owed: Owed, allowed: Callable[[], bool]) -> Settlement | None:
        """Send one; ``None`` where it could not be sent now."""
        async with self._channel.concurrency.slot():
            if not await self._channel.may_send(allowed):
                return None
            telemetry.step("forget.sending")
            outcome = await self._channel.exchange(self._destination.delete_user(owed.user_id))
            telemetry.step("forget.answered", verdict=outcome.verdict)
            self._channel.learn(outcome)
        return self._judged(owed, outcome)

    def _judged(self, owed: Owed, outcome: Outcome) -> Settlement:
        if outcome.verdict is Verdict.ACCEPTED:
            return Settlement(owed, State.DONE)
        reason = described(outcome)
        self._channel.trouble = reason
        if outcome.verdict is Verdict.FAULT:
            self.fault = reason
        if outcome.verdict is Verdict.REFUSED and not self._channel.breaker.doubts_refusals:
            return Settlement(owed, State.REFUSED, reason=reason)
        seconds = next_delay(owed.attempts + 1, self._settings, self._random, outcome.retry_after)
        return Settlement(owed, State.OWED, seconds, reason)

    def _tell(self, settled: Settlement) -> None:
        self.done.count(settled.state)
        telemetry.count("deletions", 1, destination=self._name, outcome=settled.state.value)
        telemetry.event(
            "user.deletion",
            level=logging.WARNING if settled.state is State.REFUSED else logging.INFO,
            destination=self._name,
            user=telemetry.user_hash(settled.owed.user_id),
            outcome=settled.state.value,
        )
