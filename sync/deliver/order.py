"""What goes first, where a user's slot and forwarded events change the same profile.

Slots' versions and events' ids come from one counter, so the lower number was recorded earlier and goes earlier:

* A key of a slot waits while an event with a lower number is pending (`due`): not sent yet, or not known to be accepted.
* An event waits while its user's slot owes a key with a lower number (`sync.store.lanes.slots_before`).

Of everything that waits for something else, the lowest number waits for nothing: nobody waits in a circle. Besides, one
user's profile is changed by one request at a time (`enter`, `leave`), whatever the numbers say.

Only events that change a profile count: one that is merely added to a user's history may come before or after.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from sync.model.slot import ClaimedSlot


class Order:
    """One destination's. ``read_to``: the number up to which all events of a user are pending, or done with."""

    def __init__(self, read_to: Callable[[str], int]) -> None:
        self._read_to = read_to
        self._pending: dict[str, set[int]] = {}
        self._unread: dict[str, int] = {}
        self._busy: dict[str, list[asyncio.Future[None]]] = {}

    def add(self, user_id: str, number: int) -> None:
        """An event has been read that will change the user's profile."""
        self._pending.setdefault(user_id, set()).add(number)

    def remove(self, user_id: str, number: int) -> None:
        """The event is done with, or parked."""
        numbers = self._pending.get(user_id)
        if numbers is not None:
            numbers.discard(number)
            if not numbers:
                del self._pending[user_id]

    def note_unread(self, claimed: list[ClaimedSlot], unread: Mapping[str, int]) -> None:
        """The lowest events of these slots' users that are in the log and have not been read."""
        for slot in claimed:
            self._unread.pop(slot.user_id, None)
        self._unread.update(unread)

    def due(self, slot: ClaimedSlot) -> dict[str, int]:
        """The keys, with their versions, that no event goes before."""
        user_id = slot.user_id
        lowest = min(self._pending[user_id]) if user_id in self._pending else None
        unread = self._unread.pop(user_id, None) if self._unread else None
        if unread is not None and unread > self._read_to(user_id):
            lowest = unread if lowest is None else min(lowest, unread)
        if lowest is None:
            return slot.versions
        return {key: version for key, version in slot.versions.items() if slot.recorded(key) < lowest}

    async def enter(self, user_id: str) -> None:
        """Wait until nobody else sends something that changes this user's profile. `leave` must follow."""
        while (waiting := self._busy.get(user_id)) is not None:
            turn = asyncio.get_running_loop().create_future()
            waiting.append(turn)
            await turn
        self._busy[user_id] = []

    def is_busy(self, user_id: str) -> bool:
        """Whether somebody is sending something that changes this user's profile."""
        return user_id in self._busy

    def leave(self, user_id: str) -> None:
        """Whoever waits may try."""
        for turn in self._busy.pop(user_id):
            if not turn.done():  # done: cancelled
                turn.set_result(None)
