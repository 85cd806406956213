"""Who of a batch of slots can go in one request with others, and as what.

What is made of users who are owed the same is made once, where the destination says that it is the same for them all.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

from sync.deliver.order import Order
from sync.deliver.served import Served
from sync.destinations.bulk import BulkUser
from sync.model.identify import identify
from sync.model.retry import exhausted
from sync.model.slot import Alike, ClaimedSlot


class Passenger(NamedTuple):
    """A user of a request, and whose slot that is: one of several that are ``alike``."""

    user_id: str
    alike: Alike
    user: BulkUser

    @property
    def slot(self) -> ClaimedSlot:
        """The slot that they are from."""
        return self.alike.of(self.user_id)


class Passengers:
    """One destination's."""

    def __init__(self, served: Served) -> None:
        self._served = served

    def blocked(self, batch: Iterable[Alike], order: Order | None) -> set[str]:
        """Users before whom an event goes, or for whom something is on its way."""
        if order is None:
            return set()
        return {
            slot.user_id
            for alike in batch
            for slot in alike
            if order.is_busy(slot.user_id) or len(order.due(slot)) < len(slot.versions)
        }

    def of(self, batch: Iterable[Alike], blocked: Collection[str]) -> tuple[list[Passenger], list[str]]:
        """What the slots become, and who cannot go with the others. It takes a while, and is for another thread."""
        users: list[Passenger] = []
        left_out: list[str] = []
        for alike in batch:
            for user_id, user in zip(alike.users, self._users(alike), strict=True):
                if user is None or user_id in blocked:
                    left_out.append(user_id)
                else:
                    users.append(Passenger(user_id, alike, user))
        return users, left_out

    def _users(self, alike: Alike) -> Sequence[BulkUser | None]:
        slot = alike.slot
        if slot.failing_since is not None:
            failing_for = (self._served.clock.now() - slot.failing_since).total_seconds()
            if exhausted(slot.attempts + 1, failing_for, self._served.settings):
                return [None] * len(alike)  # It may be parked now, by an answer of its own.
        if len(alike) == 1 or not self._served.destination.treats_alike:
            return [self._user(each) for each in alike]
        one = self._user(alike.of(_ANYBODY))
        if one is None:
            return [None] * len(alike)
        return [BulkUser(user_id, one.tags) if user_id else None for user_id in alike.users]

    def _user(self, slot: ClaimedSlot) -> BulkUser | None:
        try:
            return self._served.destination.bulk_user(identify(slot, destination=self._served.name))
        except Exception:  # noqa: BLE001 - a mistake of ours, about this user: told where they go alone
            return None


_ANYBODY = "anybody"
