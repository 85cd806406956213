"""Send the events of one run, and say what became of each: the outcome table, for events.

A run goes in order. Where it is cut short (by limits, the breaker, a fault, the caller) the events from there on are left
as they are. An event that must wait makes later ones of its user in the run wait behind it. A refused request of several
events is sent again in halves, the earlier events first, until it is known which one is to blame.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random

from sync.clock import Clock
from sync.deliver.arrival import Arrival, Kind
from sync.deliver.channel import Channel
from sync.deliver.destination import Destination
from sync.deliver.order import Order
from sync.deliver.turn import described
from sync.deliver.window import Lane
from sync.model.delivery import DeliverySettings
from sync.model.outcome import DEFERRED, INVALID, Outcome, Verdict
from sync.model.retry import exhausted, next_delay
from sync.store.lanes import HoldState, Said

BEHIND = "an earlier event of its user goes first"
AFTER_SLOT = "an older audience update of its user goes first"

LOOK_AGAIN = 0.5
"""Seconds after which an event that waits for a slot is looked at again."""


@dataclass(slots=True, eq=False)
class Run:
    """Events that go together, or one after another; of ``lanes``, or (without any) held ones.

    What is settled already when it begins needs no request. ``users`` are those who are sent something meanwhile.
    ``behind``: users of whom something waits, so that what follows waits as well. ``postponed``: held events that wait
    for something else than another try, as before.
    """

    kind: Kind
    arrivals: list[Arrival]
    lanes: list[Lane] = field(default_factory=list)
    users: set[str] = field(default_factory=set)
    behind: set[str] = field(default_factory=set)
    postponed: list[Arrival] = field(default_factory=list)


class Courier:
    """Sends runs to one destination."""

    def __init__(
        self,
        destination: Destination,
        settings: DeliverySettings,
        channel: Channel,
        order: Order,
        clock: Clock,
        random: Random,
    ) -> None:
        self._destination = destination
        self._settings = settings
        self._channel = channel
        self._order = order
        self._clock = clock
        self._random = random
        self._blamed = ""
        self._refused: list[int] = []
        channel.on_accepted(self._forgive)

    def _forgive(self) -> None:
        self._blamed = ""
        self._refused.clear()

    def take_refused(self) -> list[int]:
        """The events parked since the last success; they wait again when the destination was to blame."""
        refused = list(self._refused)
        self._refused.clear()
        return refused

    async def send(self, run: Run, allowed: Callable[[], bool], blocked: Mapping[str, int]) -> None:
        """Send what can be sent of a run. ``blocked``: profiles that are not to be changed by events above a number."""
        if run.kind is Kind.SHARED:
            await self._share(run, [each for each in run.arrivals if each.settled is None], allowed)
            return
        for each in run.arrivals:
            if each.settled is None and not await self._own(run, each, allowed, blocked):
                return

    async def _share(self, run: Run, sharing: Sequence[Arrival], allowed: Callable[[], bool]) -> bool:
        """One request of several events; false where the run ends."""
        first = [each for each in sharing if not self._waits_behind(run, each)]
        if not first:
            return True
        if not await self._channel.may_send(allowed):
            return False
        parts = [part for each in first for part in each.parts]
        outcome = await self._channel.exchange(self._destination.request_of(parts))
        if outcome.verdict is Verdict.REFUSED and len(first) > 1:
            self._channel.learn(outcome, blames=False)
            half = len(first) // 2
            return await self._share(run, first[:half], allowed) and await self._share(run, first[half:], allowed)
        if outcome.verdict is Verdict.REFUSED:
            self._learn_refusal(first[0], outcome)
            self._refuse(run, first[0], [described(outcome)], outcome)
            return True
        self._learn(outcome)
        for each in first:
            self._judge(run, each, outcome)
        return outcome.verdict is not Verdict.FAULT

    async def _own(self, run: Run, arrival: Arrival, allowed: Callable[[], bool], blocked: Mapping[str, int]) -> bool:
        """One event's own requests; false where the run ends."""
        if self._waits_behind(run, arrival):
            return True
        user_id = arrival.profile
        if user_id is None:
            return await self._requests(run, arrival, allowed)
        if blocked.get(user_id, arrival.id) < arrival.id:
            self._wait(run, arrival, AFTER_SLOT, LOOK_AGAIN)
            return True
        await self._order.enter(user_id)
        try:
            return await self._requests(run, arrival, allowed)
        finally:
            self._order.leave(user_id)

    async def _requests(self, run: Run, arrival: Arrival, allowed: Callable[[], bool]) -> bool:
        refusals: list[str] = []
        outcome = Outcome(Verdict.ACCEPTED)
        for part in sorted(arrival.parts, key=lambda each: each.once):
            if refusals and part.once:
                # What cannot be taken back goes when all the rest has arrived: or it would go again with every try.
                break
            if not await self._channel.may_send(allowed):
                return False
            outcome = await self._channel.exchange(self._destination.request_of([part]))
            if outcome.verdict is Verdict.REFUSED:
                self._learn_refusal(arrival, outcome, again=bool(refusals))
                refusals.append(described(outcome))
                continue
            self._learn(outcome)
            if outcome.verdict is not Verdict.ACCEPTED:
                self._judge(run, arrival, outcome)
                return outcome.verdict is not Verdict.FAULT
        if refusals:
            self._refuse(run, arrival, refusals, outcome)
        elif arrival.refusals:
            arrival.done(Said(INVALID, outcome.status, arrival.invalid))
        else:
            arrival.done(Said(outcome.verdict, outcome.status, outcome.detail))
        return True

    def _learn(self, outcome: Outcome) -> None:
        self._channel.learn(outcome)
        if outcome.verdict is not Verdict.ACCEPTED:
            self._channel.trouble = described(outcome)

    def _learn_refusal(self, arrival: Arrival, outcome: Outcome, *, again: bool = False) -> None:
        """The breaker counts users who are refused: several events of one in a row are one."""
        self._channel.learn(outcome, blames=not again and arrival.user_key != self._blamed)
        self._blamed = arrival.user_key

    def _refuse(self, run: Run, arrival: Arrival, refusals: list[str], outcome: Outcome) -> None:
        """Park it. When so many have been refused that it cannot be their own fault, it waits instead: others are tried
        before it, so that the one that is taken shows whose fault it was."""
        reason = "; ".join(dict.fromkeys(refusals))
        said = Said(Verdict.REFUSED, outcome.status, reason)
        breaker = self._channel.breaker
        if breaker.doubts_refusals:
            run.behind.add(arrival.user_key)
            seconds = next_delay(arrival.attempts + 1, self._settings, self._random)
            arrival.hold(HoldState.WAITING, said, reason, seconds=seconds)
            return
        if breaker.refusals_in_a_row:
            self._refused.append(arrival.id)
        arrival.hold(HoldState.PARKED, said, reason)

    def _judge(self, run: Run, arrival: Arrival, outcome: Outcome) -> None:
        """What an answer that is no refusal means for one event. By a fault nothing becomes of it."""
        said = Said(outcome.verdict, outcome.status, outcome.detail)
        if outcome.verdict is Verdict.ACCEPTED:
            arrival.done(said)
        elif outcome.verdict in DEFERRED:
            attempts = arrival.attempts + 1
            since = arrival.failing_since
            failing_for = (self._clock.now() - since).total_seconds() if since else 0.0
            if exhausted(attempts, failing_for, self._settings):
                arrival.hold(HoldState.PARKED, said, described(outcome))
                return
            seconds = next_delay(attempts, self._settings, self._random, outcome.retry_after)
            if outcome.verdict is Verdict.UNKNOWN:
                # By then whatever was on its way has arrived, and cannot come after what is sent later.
                seconds = max(seconds, self._settings.quiet_period)
            run.behind.add(arrival.user_key)
            arrival.hold(HoldState.WAITING, said, described(outcome), seconds=seconds)

    def _waits_behind(self, run: Run, arrival: Arrival) -> bool:
        if arrival.user_key not in run.behind:
            return False
        self._wait(run, arrival, BEHIND, 0.0)
        return True

    def _wait(self, run: Run, arrival: Arrival, reason: str, seconds: float) -> None:
        """It waits, and was not tried. The store knows of those that are held already."""
        run.behind.add(arrival.user_key)
        if arrival.was_held:
            run.postponed.append(arrival)
        else:
            arrival.hold(HoldState.WAITING, None, reason, tried=False, seconds=seconds)
