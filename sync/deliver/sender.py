"""Send one claimed slot and say what becomes of it: the outcome table, as transitions of the slot."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import httpx

from sync.clock import Clock
from sync.deliver.channel import Channel
from sync.deliver.destination import Destination
from sync.deliver.order import Order
from sync.deliver.turn import Claimed, Turn, described
from sync.destinations.mapped import ONCE, Mapped
from sync.model.delivery import DeliverySettings
from sync.model.identify import Event, IdentifyPer, Personas, identify, identify_computation, portions
from sync.model.outcome import DEFERRED, Outcome, Verdict
from sync.model.retry import exhausted, next_delay
from sync.model.slot import ClaimedSlot
from sync.store import slots
from sync.store.slots import Settlement

_LOOK_AGAIN = 0.5
"""Seconds after which keys that wait for an earlier event of their user are looked at again."""


class Sender:
    """Everything between a claimed slot and its settlement, for one destination.

    With ``personas`` (which may learn of more keys meanwhile) every key goes in an event of its own. ``order``, where
    events are forwarded too, knows which of them go before what a slot owes.
    """

    def __init__(
        self,
        destination: Destination,
        settings: DeliverySettings,
        channel: Channel,
        clock: Clock,
        random: Random,
        *,
        personas: Personas | None = None,
    ) -> None:
        self._destination = destination
        self._settings = settings
        self._channel = channel
        self._clock = clock
        self._random = random
        self.order: Order | None = None
        self._per = IdentifyPer.USER if personas is None else IdentifyPer.COMPUTATION
        self._personas = {} if personas is None else personas
        self._refused: list[str] = []
        channel.on_accepted(self._refused.clear)

    async def send(self, claimed: Claimed, allowed: Callable[[], bool]) -> Settlement:
        """Send what is owed, as far as limits, breaker, leases and the caller allow it; the rest is given back unsent."""
        await self._channel.concurrency.acquire()
        try:
            turn = Turn(claimed, allowed)
            if self.order is None:
                await self._send_portions(turn, claimed.slot.versions)
            else:
                await self.order.enter(claimed.slot.user_id)
                try:
                    due = self.order.due(claimed.slot)
                    turn.postponed = len(due) < len(claimed.slot.versions)
                    await self._send_portions(turn, due)
                finally:
                    self.order.leave(claimed.slot.user_id)
            return self._settlement(turn)
        finally:
            self._channel.concurrency.release()

    async def _send_portions(self, turn: Turn, due: dict[str, int]) -> None:
        for carried in portions(turn.claimed.slot, self._per, due):
            await self._send_portion(turn, carried)
            if turn.over:
                break

    async def _send_portion(self, turn: Turn, carried: dict[str, int]) -> None:
        """Send one event by every mapping that takes it; its keys are accepted when all of its requests are."""
        event, mapped = self._mapped(turn.claimed.slot, carried)
        traits: dict[str, object] = event.get("traits", {})  # type: ignore[assignment]
        if not (mapped.requests or mapped.refusals):
            turn.filtered(carried, traits)
            return
        refusals = list(mapped.refusals)
        turn.invalid(refusals, traits)
        for request in _repeatable_first(mapped.requests):
            if refusals and request.extensions.get(ONCE):
                # What cannot be taken back goes when all the rest has arrived: or it would go again with every try.
                break
            if not await self._may_send(turn):
                turn.cut_short = True
                return
            outcome = await self._channel.exchange(request)
            turn.note(outcome, traits)
            self._learn(turn, outcome)
            if outcome.verdict is Verdict.REFUSED:
                refusals.append(described(outcome))
            elif outcome.verdict is not Verdict.ACCEPTED:
                turn.halt = outcome
                return
        if refusals:
            turn.refusals.extend(self._named(carried, refusals))
        else:
            turn.accepted.update(carried)

    def _mapped(self, slot: ClaimedSlot, carried: dict[str, int]) -> tuple[Event, Mapped]:
        """One event, and the requests it becomes. One user whose values cannot be mapped must not stop the others."""
        event: Event = {"traits": slot.owed}
        try:
            event = self._event(slot, carried)
            return event, self._destination.requests_for(event)
        except Exception as error:  # noqa: BLE001 - a mistake of ours, about this user
            return event, Mapped(refusals=[f"no request can be made of it ({type(error).__name__})"])

    def _event(self, slot: ClaimedSlot, carried: dict[str, int]) -> Event:
        name = self._destination.name
        if self._per is IdentifyPer.USER:
            return identify(slot, destination=name, carried=carried)
        (key,) = carried
        return identify_computation(slot, key, destination=name, personas=self._personas)

    async def _may_send(self, turn: Turn) -> bool:
        """Whether one request may go out now; asked before each request."""
        return await self._channel.may_send(lambda: self._lease_suffices(turn.claimed) and turn.allowed())

    def _lease_suffices(self, claimed: Claimed) -> bool:
        """R2: what is left of the lease must exceed the whole request deadline, or another holder could overtake us."""
        left = self._settings.lease - (self._clock.monotonic() - claimed.since)
        return left > self._settings.deadline

    def _learn(self, turn: Turn, outcome: Outcome) -> None:
        """What one answer says about the destination."""
        blames = outcome.verdict is Verdict.REFUSED and not turn.blamed
        turn.blamed = turn.blamed or blames
        self._channel.learn(outcome, blames=blames)

    def _named(self, carried: dict[str, int], refusals: list[str]) -> list[str]:
        """Refusals of one event, with the key they are about when it has one of its own."""
        if self._per is IdentifyPer.USER:
            return refusals
        (key,) = carried
        return [f"{key}: {each}" for each in refusals]

    def _settlement(self, turn: Turn) -> Settlement:
        transition, seconds = self._judge(turn)
        halt = turn.halt
        if halt is not None:
            self._channel.trouble = described(halt)
        return Settlement(
            turn.claimed.slot,
            transition,
            seconds=seconds,
            unknown=halt is not None and halt.verdict is Verdict.UNKNOWN,
            reason=turn.reason,
            accepted=turn.accepted,
            attempts=turn.attempts,
        )

    def _judge(self, turn: Turn) -> tuple[slots.Transition, float]:
        """Where the slot goes, with what was not accepted of it; and the seconds until that is tried again."""
        slot, halt = turn.claimed.slot, turn.halt
        if halt is not None:
            return self._defer(slot, halt) if halt.verdict in DEFERRED else (slots.Transition.RELEASE, 0.0)
        if turn.blamed and self._channel.breaker.doubts_refusals:
            return slots.Transition.RELEASE, 0.0
        if turn.cut_short or turn.postponed:
            # What was refused would be refused at once again, if the slot came back at once.
            return self._defer(slot) if turn.refusals else (slots.Transition.RELEASE, _LOOK_AGAIN * turn.postponed)
        if not turn.refusals:
            return slots.Transition.ACCEPT, 0.0
        if turn.blamed and self._channel.breaker.refusals_in_a_row:
            self._refused.append(slot.user_id)
        return slots.Transition.PARK, 0.0

    def _defer(self, slot: ClaimedSlot, outcome: Outcome | None = None) -> tuple[slots.Transition, float]:
        attempts = slot.attempts + 1
        failing_for = (self._clock.now() - slot.failing_since).total_seconds() if slot.failing_since else 0.0
        if exhausted(attempts, failing_for, self._settings):
            return slots.Transition.PARK, 0.0
        retry_after = None if outcome is None else outcome.retry_after
        return slots.Transition.DEFER, next_delay(attempts, self._settings, self._random, retry_after)

    def take_refused(self) -> list[str]:
        """The users parked since the last success; the caller un-parks them when the destination was to blame."""
        users = list(self._refused)
        self._refused.clear()
        return users


def _repeatable_first(requests: list[httpx.Request]) -> list[httpx.Request]:
    """Profiles before events, each in the order of the mappings: when a later request fails, all of them go again."""
    return requests if len(requests) < 2 else sorted(requests, key=lambda each: bool(each.extensions.get(ONCE)))
