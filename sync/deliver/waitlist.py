"""What waits, in memory as in the store: kept after each settlement, and compared now and then.

Others may change it in the store: parked events are sent again, or dropped, by hand.
"""

from __future__ import annotations

from sync.clock import Clock
from sync.deliver.arrival import Arrival, Kind
from sync.deliver.courier import LOOK_AGAIN
from sync.deliver.holds import Holds, Waiting
from sync.deliver.order import Order
from sync.deliver.persistence import persistently
from sync.deliver.reader import PAGE, Reader
from sync.store.lanes import DROPPED, Held, HoldState, Said


class Waitlist:
    """Keeps ``holds``, and in ``order`` the events of lanes and holds that are settled or known anew."""

    def __init__(self, reader: Reader, holds: Holds, order: Order, clock: Clock) -> None:
        self._reader = reader
        self._holds = holds
        self._order = order
        self._clock = clock

    def note(self, arrival: Arrival) -> None:
        """What became of an event has been written."""
        settled = arrival.settled
        if settled is not None and settled.state is HoldState.WAITING:
            since = settled.failing_since or (self._clock.now() if settled.attempts else None)
            due = self._clock.monotonic() + settled.seconds
            self._holds.add(Waiting(arrival.id, arrival.user_key, due, settled.attempts, since, arrival.profile))
        else:
            self._forget(arrival.id, arrival.profile)

    def postpone(self, arrival: Arrival) -> None:
        """A held event could not be tried: it is looked at again soon."""
        waiting = self._holds.get(arrival.id)
        if waiting is not None:
            waiting.due = self._clock.monotonic() + LOOK_AGAIN

    def _forget(self, number: int, profile: str | None) -> None:
        waiting = self._holds.get(number)
        if waiting is not None:
            # As it was known: of an event that is gone, or of a suppressed user, one cannot say any more.
            profile = waiting.profile
        self._holds.remove(number)
        if profile is not None:
            self._order.remove(profile, number)

    async def again(self, users: list[list[Waiting]]) -> list[list[Arrival]]:
        """Held events from the log, to be tried again."""
        ids = [each.id for some in users for each in some]
        found = await persistently(lambda: self._reader.again(ids), "retry")
        return [[_held(each, found.get(each.id)) for each in some] for some in users]

    async def look(self) -> bool:
        """Compare with the store; says whether anything had changed there."""
        known = (self._holds.count, self._holds.total)
        found = await persistently(lambda: self._reader.waiting(known), "look")
        if found is None:
            return False
        there = {each.event_id: each for each in found}
        for gone in [each for each in self._holds if each.id not in there]:
            self._forget(gone.id, gone.profile)
        new = [each for number, each in there.items() if self._holds.get(number) is None]
        for start in range(0, len(new), PAGE):
            await self._get_to_know(new[start : start + PAGE])
        return True

    async def _get_to_know(self, new: list[Held]) -> None:
        found = await persistently(lambda: self._reader.again([each.event_id for each in new]), "look")
        now = self._clock.monotonic()
        for each in new:
            profile = found[each.event_id].profile if each.event_id in found else None
            due = now + each.seconds
            self._holds.add(Waiting(each.event_id, each.user_key, due, each.attempts, each.failing_since, profile))
            if profile is not None:
                self._order.add(profile, each.event_id)


def _held(waiting: Waiting, arrival: Arrival | None) -> Arrival:
    if arrival is None:
        arrival = Arrival(waiting.id, 0, None, waiting.user_key, Kind.NOTHING, (), (), False, 0.0, was_held=True)
        arrival.done(Said(DROPPED, detail="no longer in the log"))
    arrival.was_held = True
    arrival.attempts, arrival.failing_since = waiting.attempts, waiting.failing_since
    return arrival
