"""What one destination's senders work on: slots are claimed in batches, a little ahead of them, and never more than can be
sent within the lease."""

from __future__ import annotations

import asyncio
from itertools import chain

from sync import telemetry
from sync.clock import Clock
from sync.deliver import breaker
from sync.deliver.bulk import BulkSender
from sync.deliver.channel import Channel
from sync.deliver.forwarder import Forwarder
from sync.deliver.persistence import persistently
from sync.deliver.turn import Claimed
from sync.model.delivery import DeliverySettings
from sync.model.slot import ClaimedSlot
from sync.store import definitions, slots
from sync.store.engine import Database

MOST_CLAIMED = 500
"""Slots in one claim, at most, but for those that go in bulk: larger ones are no faster and hold more back when a process
dies."""


class Claims:
    """The ``queue`` of claimed slots. ``room`` is set when more may be claimed than before.

    ``count`` are claimed and not settled, ``unanswered`` those of them that are not answered yet. ``personas``, where every
    key goes alone, is kept complete. With ``bulk`` what is due goes to that, and only what cannot go there comes here.
    """

    def __init__(
        self,
        database: Database,
        name: str,
        settings: DeliverySettings,
        channel: Channel,
        clock: Clock,
        *,
        personas: dict[str, dict[str, object]] | None,
        bulk: BulkSender | None,
    ) -> None:
        self._database = database
        self._name = name
        self._settings = settings
        self._channel = channel
        self._clock = clock
        self._personas = personas
        self.bulk = bulk
        self._requests_each = 1.0
        self.forwarder: Forwarder | None = None
        self.queue: asyncio.Queue[Claimed] = asyncio.Queue()
        self.room = asyncio.Event()
        self.count = 0
        self.unanswered = 0

    @property
    def idle(self) -> bool:
        """Nobody has anything in hand; bulk requests that were accepted are in nobody's."""
        return not self.count and (self.bulk is None or not self.bulk.preparing)

    def answered(self) -> None:
        """A sender is done with a slot."""
        self.unanswered -= 1
        if 3 * self.unanswered <= 2 * self._ahead():
            self.room.set()

    def most(self) -> int:
        """How many slots to claim now: enough to keep the senders busy, never more than can start within the lease."""
        if self._channel.breaker.state is not breaker.State.CLOSED:
            due = (self._channel.breaker.retry_at or 0.0) <= self._clock.monotonic()
            return 1 if due and self.idle else 0
        if self._channel.pause.remaining > 0:
            return 0
        ahead = self._ahead()
        # Answers that are being settled take no sender's time; they are bounded too, should the store be slow.
        room = min(ahead - self.unanswered, 2 * ahead - self.count, MOST_CLAIMED)
        if room < ahead // 3:
            return 0
        return 0 if self.bulk is not None and self.bulk.wants and not self.bulk.has_room else room

    def _ahead(self) -> int:
        """The most slots that are claimed and not answered yet: twice as many queued as can be in flight, for a claim
        takes a while, and a sender that waits for one is a connection that does nothing."""
        ahead = 3 * self._channel.concurrency.limit
        if self._settings.rate is not None:
            within_the_lease = self._settings.rate * (self._settings.lease - self._settings.deadline)
            ahead = min(ahead, max(1, int(within_the_lease / 2 / self._requests_each)))
        return ahead

    async def take(self, most: int) -> tuple[int, bool]:
        """Claim up to so many slots; gives how many that were, and whether there may be more."""
        if self.bulk is not None and self.bulk.wants:
            return await self._take_many(self.bulk, most)
        since = 0.0

        def claim() -> list[ClaimedSlot]:
            nonlocal since
            since = self._clock.monotonic()
            return slots.claim(self._database, self._name, most, self._settings.lease)

        batch = await persistently(claim, "claim")
        await self._compare(batch)
        self._enqueue(batch, since)
        return len(batch), len(batch) == most

    async def _take_many(self, bulk: BulkSender, most: int) -> tuple[int, bool]:
        """Claim for a bulk request; what goes alone is queued here, or put off where that would be too much."""
        batches = await bulk.claim(most)
        for batch in batches:
            if self.forwarder is not None:
                await self.forwarder.compare([*chain.from_iterable(batch.together), *batch.alone])
            self._enqueue(batch.alone, batch.since)
            bulk.add(batch)
        return sum(map(len, batches)), batches[-1].full

    async def _compare(self, batch: list[ClaimedSlot]) -> None:
        if self.forwarder is not None and batch:
            await self.forwarder.compare(batch)
        await self._get_to_know(batch)

    def _enqueue(self, batch: list[ClaimedSlot], since: float) -> None:
        self.count += len(batch)
        self.unanswered += len(batch)
        if batch:
            telemetry.step("deliver.claimed", users=len(batch))
        for slot in batch:
            self.queue.put_nowait(Claimed(slot, since))

    async def _get_to_know(self, batch: list[ClaimedSlot]) -> None:
        """Where each key goes alone: how many each has, and the personas, read again when a key is new to us."""
        if (known := self._personas) is None or not batch:
            return
        self._requests_each = sum(len(slot.versions) for slot in batch) / len(batch)
        if any(key not in known for slot in batch for key in slot.versions):
            known.update(await persistently(self._read_personas, "personas"))

    def _read_personas(self) -> dict[str, dict[str, object]]:
        with self._database.read() as connection:
            return definitions.personas(connection)
