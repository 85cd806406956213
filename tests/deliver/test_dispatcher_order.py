"""What is sent when: newer after older, deltas before backfills, and the repair when a holder was frozen (R6)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import httpx

from sync.daemon.app import App
from sync.deliver.delivered import Delivered
from sync.deliver.dispatcher import Dispatcher
from sync.deliver.foreground import deliver
from sync.deliver.tenure import Tenure, tenure
from sync.deliver.transport import AiohttpTransport
from sync.model.identify import identify
from sync.model.outcome import Verdict
from sync.model.run import RunKind
from sync.model.slot import ClaimedSlot
from sync.store import slots
from sync.store.slots import Settlement, Transition
from tests.deliver.steps import when
from tests.moving_clock import MovingClock
from tests.proofs import Road
from tests.recorder import sent

FROZEN = 40.0
"""Seconds of a claim whose holder is frozen: it ends when the clock is moved on, however long the machine takes."""


@asynccontextmanager
async def dispatching(app: App, clock: MovingClock) -> AsyncIterator[tuple[Dispatcher, Tenure]]:
    """A dispatcher of the road's destination, and its tenure."""
    [outlet] = app.outlets(["pushwoosh"])
    async with (
        AiohttpTransport(outlet.settings.concurrency) as transport,
        tenure(app.database(), outlet.destination.name, clock) as held,
    ):
        assert isinstance(held, Tenure)
        yield Dispatcher(app.database(), outlet.destination, outlet.settings, transport, clock), held


async def drained(app: App, clock: MovingClock, patience: float = 60) -> Delivered:
    async with dispatching(app, clock) as (dispatcher, held):
        return await dispatcher.drain(held, patience)


def claim_one(app: App) -> ClaimedSlot:
    """Claim as a holder that will be frozen does."""
    [claimed] = slots.claim(app.database(), "pushwoosh", 10, FROZEN)
    return claimed


def lose(held: Tenure) -> None:
    """Let somebody else have taken the destination over."""
    held._lost = True


async def send_late(app: App, claimed: ClaimedSlot) -> Settlement:
    """What a frozen holder does when it wakes: its check is behind it, so it sends, and hears that it was accepted."""
    [outlet] = app.outlets(["pushwoosh"])
    event = identify(claimed, destination="pushwoosh")
    [request] = outlet.destination.requests_for(event).requests
    async with AiohttpTransport(1) as transport:
        answer = await transport.handle_async_request(request)
    assert answer.status_code == httpx.codes.OK
    return Settlement(claimed, Transition.ACCEPT, attempts=sent(claimed))


async def test_r6_what_a_frozen_holder_sends_late_is_repaired_with_the_current_value(road: Road) -> None:
    clock = MovingClock()
    road.people({"u": 1})
    with road.app(clock) as app:
        road.refresh(clock=clock)
        frozen = claim_one(app)
        clock.advance(FROZEN + 1)
        road.people({"u": 2})
        road.refresh(clock=clock)
        assert (await drained(app, clock)).complete
        assert road.sandbox.values("u", "score") == [2, 2]  # rescued in doubt, so confirmed

        settlement = await send_late(app, frozen)
        assert road.sandbox.user("u") == {"attributes": {"members": True, "score": 1}}
        assert slots.settle(app.database(), "pushwoosh", [settlement], 0.3) == 1
        assert road.states() == {"due": 1}
        assert (await drained(app, clock)).complete
    road.delivered()
    assert road.sandbox.values("u", "score") == [2, 2, 1, 2]


async def test_r6_a_frozen_holder_that_wakes_while_another_one_is_sending_makes_it_send_again(road: Road) -> None:
    clock = MovingClock()
    road.people({"u": 1})
    with road.app(clock) as app:
        road.refresh(clock=clock)
        frozen = claim_one(app)
        clock.advance(FROZEN + 1)
        assert slots.rescue(app.database(), "pushwoosh") == 1
        other = claim_one(app)
        late = await send_late(app, frozen)
        assert slots.settle(app.database(), "pushwoosh", [late], 0.3) == 1
        assert road.states() == {"sending": 1}  # still the other one's: one request in flight for a user
        slots.settle(app.database(), "pushwoosh", [await send_late(app, other)], 0.3)
        assert road.states()
        assert (await drained(app, clock)).complete
    road.delivered()


async def test_r1_a_value_that_changes_while_the_older_one_is_being_sent_is_still_owed_afterwards(road: Road) -> None:
    clock = MovingClock()
    road.people({"u": 1})
    with road.app(clock) as app:
        road.refresh(clock=clock)
        sending = claim_one(app)
        road.people({"u": 2})
        road.refresh(clock=clock)
        assert slots.settle(app.database(), "pushwoosh", [await send_late(app, sending)], 0.3) == 0
        assert road.states() == {"due": 1}
        assert (await drained(app, clock)).complete
    road.delivered()
    assert road.sandbox.values("u", "score") == [1, 2]


async def test_a_holder_that_cannot_be_proven_dead_is_waited_for_until_its_claims_run_out(road: Road) -> None:
    clock = MovingClock()
    road.crowd(1)
    with road.app(clock) as app:
        road.refresh(clock=clock)
        claim_one(app)
        done = await drained(app, clock, patience=0.2)
        assert done.backlog is not None
        assert done.backlog.sending == 1
        assert not road.sandbox.requests
        clock.advance(FROZEN + 1)
        assert (await drained(app, clock)).complete
    road.delivered()


async def test_a_lease_that_ran_out_is_not_told_as_somebody_elses_deed(road: Road) -> None:
    clock = MovingClock()
    road.crowd(1)
    with road.app(clock) as app:
        road.refresh(clock=clock)
        async with dispatching(app, clock) as (dispatcher, held):
            clock.advance(15)
            done = await dispatcher.drain(held, 10)
    assert done.stopped == "its lease ran out and could not be renewed in time"
    assert not road.sandbox.requests


async def test_a_tenure_that_is_lost_sends_nothing_more_and_gives_its_claims_back(road: Road) -> None:
    clock = MovingClock()
    road.crowd(100)
    road.sandbox.set_faults(latency=0.2)
    with road.app(clock) as app:
        road.refresh(clock=clock)
        async with dispatching(app, clock) as (dispatcher, held):
            with when("deliver.sending", 20, lambda: lose(held)):
                done = await dispatcher.drain(held, 10)
        assert done.stopped == "another process took the destination over"
        assert done.accepted == road.sandbox.requests == 20
        assert road.states() == {"due": 100 - done.accepted}
        road.sandbox.replace_faults()
        assert (await drained(app, clock)).complete
    road.delivered()
    assert set(road.sandbox.sent_counts().values()) == {1}


async def test_one_who_has_lost_the_destination_tells_nobody_that_it_is_down(road: Road) -> None:
    clock = MovingClock()
    road.crowd(100)
    road.sandbox.set_faults(latency=0.3, status=500)
    with road.app(clock) as app:
        road.refresh(clock=clock)
        async with dispatching(app, clock) as (dispatcher, held):
            # It was frozen: all that it has under way fails at once when it wakes.
            with when("deliver.sending", 20, lambda: lose(held)):
                done = await dispatcher.drain(held, 10)
    assert done.by_verdict[Verdict.UNKNOWN] == 20
    assert not road.rows("SELECT * FROM destination")


def score_in(body: Mapping[str, Any]) -> int:
    """The score that a request sets, by either API."""
    tags = body["attributes"] if "attributes" in body else body["tags"]
    score: int = tags["score"]
    return score


def test_a_backfill_under_way_never_overtakes_a_delta(road: Road) -> None:
    road.configure(concurrency=4)
    road.crowd(300)
    road.refresh(RunKind.BACKFILL)
    changed = {f"u{position}": -position for position in range(280, 300)}
    recorded_at = 0

    def record_a_delta(done: Delivered) -> None:
        nonlocal recorded_at
        if done.accepted >= 50 and not recorded_at:
            road.people(changed)
            road.refresh()
            recorded_at = road.sandbox.requests

    with road.app() as app:
        [done] = deliver(app.database(), app.outlets(["pushwoosh"]), app.clock, patience=60, on_progress=record_a_delta)
    assert done.complete
    road.delivered()
    # Those who were claimed already go first (three times the concurrency), then the delta, and the backfill after it;
    # of those who are in flight together any may arrive first.
    later = [score_in(request.body) for request in road.sandbox.log[recorded_at:] if request.body]
    ahead = 3 * 4 + 4
    assert recorded_at
    assert sum(score <= 0 for score in later[: len(changed) + ahead]) >= len(changed)
    assert len(later) > len(changed) + 150
