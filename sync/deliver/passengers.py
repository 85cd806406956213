"""Who of a batch of slots can go in one request with others, and as what."""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence

from sync.clock import Clock
from sync.deliver.order import Order
from sync.destinations.bulk import BulkUser, InBulk
from sync.model.delivery import DeliverySettings
from sync.model.identify import identify
from sync.model.retry import exhausted
from sync.model.slot import ClaimedSlot

Passenger = tuple[ClaimedSlot, BulkUser]
"""A user of a request, with the slot that they are from."""

_AT_A_STRETCH = 32
"""Users that are mapped before other threads get their turn: whoever talks to the store needs it briefly, and often."""


class Passengers:
    """One destination's."""

    def __init__(self, destination: InBulk, name: str, settings: DeliverySettings, clock: Clock) -> None:
        self._destination = destination
        self._name = name
        self._settings = settings
        self._clock = clock

    def blocked(self, batch: Sequence[ClaimedSlot], order: Order | None) -> set[str]:
        """Users before whom an event goes, or for whom something is on its way."""
        if order is None:
            return set()
        return {
            slot.user_id for slot in batch if order.is_busy(slot.user_id) or len(order.due(slot)) < len(slot.versions)
        }

    def of(self, batch: Sequence[ClaimedSlot], blocked: Collection[str]) -> tuple[list[Passenger], list[str]]:
        """What the slots become, and who cannot go with the others. It takes a while, and is for another thread."""
        users: list[Passenger] = []
        left_out: list[str] = []
        for place, slot in enumerate(batch):
            if not place % _AT_A_STRETCH:
                time.sleep(0)
            user = None if slot.user_id in blocked else self._user(slot)
            if user is None:
                left_out.append(slot.user_id)
            else:
                users.append((slot, user))
        return users, left_out

    def _user(self, slot: ClaimedSlot) -> BulkUser | None:
        if slot.failing_since is not None:
            failing_for = (self._clock.now() - slot.failing_since).total_seconds()
            if exhausted(slot.attempts + 1, failing_for, self._settings):
                return None  # It may be parked now, by an answer of its own.
        try:
            return self._destination.bulk_user(identify(slot, destination=self._name))
        except Exception:  # noqa: BLE001 - a mistake of ours, about this user: told where they go alone
            return None
