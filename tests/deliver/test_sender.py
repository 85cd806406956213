"""One claimed slot and what becomes of it: R2, the outcome table as transitions, limits and breaker in their order."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from random import Random

import httpx
import pytest

from sync.deliver import breaker
from sync.deliver.channel import Channel
from sync.deliver.sender import Sender
from sync.deliver.turn import Claimed
from sync.destinations.answers import retry_after_seconds, verdict_for
from sync.destinations.mapped import Mapped
from sync.model.delivery import DeliverySettings
from sync.model.outcome import Outcome, Verdict
from sync.model.slot import ClaimedSlot
from sync.store.slots import Attempt, Settlement, Transition
from tests.moving_clock import HaltedClock, MovingClock

NOW = datetime(2026, 11, 21, tzinfo=UTC)
SETTINGS = DeliverySettings(deadline=1.0, lease=2.5, retry_window=60, retry_attempts=3, concurrency=8)


class Anything:
    """A destination that takes everybody but ``unmappable``."""

    name = "anything"

    def __init__(self, clock: MovingClock) -> None:
        self._clock = clock

    def requests_for(self, event: dict[str, object]) -> Mapped:
        if event["userId"] == "unmappable":
            raise KeyError("secret of this user")
        return Mapped([httpx.Request("POST", "http://x.y/", content=str(event["userId"]).encode())])

    def ping(self) -> httpx.Request:
        raise NotImplementedError

    def read_answer(self, status: int, headers: Mapping[str, str], body: bytes) -> Outcome:
        retry_after = retry_after_seconds(headers.get("retry-after"), self._clock.now())
        return Outcome(verdict_for(status, retry_after=retry_after), status, body.decode(), retry_after)


class Bench:
    """A sender, what its destination answers, and what it was asked."""

    def __init__(self, settings: DeliverySettings = SETTINGS) -> None:
        self.clock = HaltedClock()
        self.asked: list[str] = []
        self.answer: Callable[[], httpx.Response] = lambda: httpx.Response(200)
        self.moves: list[breaker.Transition] = []
        transport = httpx.MockTransport(self._answer)
        destination = Anything(self.clock)
        self.channel = Channel(
            "anything",
            destination.read_answer,
            settings,
            transport,
            self.clock,
            Random(1),
            on_breaker=self.moves.append,
        )
        self.sender = Sender(destination, settings, self.channel, self.clock, Random(1))

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request.read().decode())
        return self.answer()

    def claimed(self, user_id: str = "u", *, attempts: int = 0, failing_for: float | None = None) -> Claimed:
        since = None if failing_for is None else self.clock.now() - timedelta(seconds=failing_for)
        slot = ClaimedSlot(user_id, "token", 1, {"key": True}, {"key": 1}, {}, False, attempts, since, owed_since=NOW)
        return Claimed(slot, self.clock.monotonic())

    async def send(self, claimed: Claimed | None = None, *, allowed: bool = True) -> Settlement:
        return await self.sender.send(claimed or self.claimed(), lambda: allowed)

    def says(self, status: int, **headers: str) -> None:
        self.answer = lambda: httpx.Response(
            status, headers={name.replace("_", "-"): headers[name] for name in headers}
        )


@pytest.mark.parametrize(("passed", "sent"), [(1.4, True), (1.5, False), (9.0, False)])
async def test_r2_a_claim_whose_lease_may_end_before_the_request_does_is_given_back_unsent(
    passed: float, sent: bool
) -> None:
    bench = Bench()
    claimed = bench.claimed()
    bench.clock.advance(passed)
    settlement = await bench.send(claimed)
    assert (settlement.transition is Transition.ACCEPT) is sent
    assert bench.asked == ["u"] * sent
    if not sent:
        assert (settlement.transition, settlement.attempts) == (Transition.RELEASE, [])


async def test_r2_counts_the_time_that_a_claim_waited_for_its_turn() -> None:
    bench = Bench(DeliverySettings(deadline=1.0, lease=2.5, concurrency=1))
    claimed = bench.claimed()
    async with bench.channel.concurrency.slot():
        waiting = asyncio.create_task(bench.send(claimed))
        await asyncio.sleep(0)
        bench.clock.advance(2)
    assert (await waiting).transition is Transition.RELEASE
    assert not bench.asked


async def test_who_may_not_send_any_more_gives_back_unsent() -> None:
    bench = Bench()
    assert (await bench.send(allowed=False)).transition is Transition.RELEASE
    assert not bench.asked


@pytest.mark.parametrize(
    ("status", "headers", "transition", "unknown"),
    [
        (200, {}, Transition.ACCEPT, False),
        (400, {}, Transition.PARK, False),
        (401, {}, Transition.RELEASE, False),
        (302, {}, Transition.RELEASE, False),
        (408, {}, Transition.DEFER, False),
        (422, {}, Transition.PARK, False),
        (429, {}, Transition.DEFER, False),
        (500, {}, Transition.DEFER, True),
        (503, {}, Transition.DEFER, True),
        (503, {"retry_after": "1"}, Transition.DEFER, False),
    ],
)
async def test_every_outcome_has_one_transition(
    status: int, headers: dict[str, str], transition: Transition, unknown: bool
) -> None:
    bench = Bench()
    bench.says(status, **headers)
    settlement = await bench.send()
    [attempt] = settlement.attempts
    assert (settlement.transition, settlement.unknown, attempt.status) == (transition, unknown, status)


async def test_a_pause_is_respected_by_the_monotonic_clock_and_nothing_is_sent_in_it() -> None:
    bench = Bench()
    bench.says(429, retry_after="30")
    settlement = await bench.send()
    assert settlement.seconds >= 30
    bench.says(200)
    assert (await bench.send()).transition is Transition.RELEASE
    bench.clock.advance(29.5)
    assert (await bench.send()).transition is Transition.RELEASE
    assert len(bench.asked) == 1
    bench.clock.advance(0.6)
    assert (await bench.send()).transition is Transition.ACCEPT


async def test_a_429_cuts_the_concurrency_which_grows_again_with_success() -> None:
    bench = Bench()
    bench.says(429)
    await bench.send()
    assert bench.channel.concurrency.limit == 4
    await bench.send()
    assert bench.channel.concurrency.limit == 2
    bench.says(200)
    for _ in range(60):
        await bench.send()
    assert bench.channel.concurrency.limit == SETTINGS.concurrency
    assert bench.channel.breaker.state is breaker.State.CLOSED


async def test_a_hundred_429s_do_not_open_the_breaker() -> None:
    bench = Bench()
    bench.says(429)
    for _ in range(100):
        assert (await bench.send()).transition is Transition.DEFER
    assert not bench.moves


@pytest.mark.parametrize(
    ("attempts", "failing_for", "parked"), [(2, 61, True), (2, 59, False), (1, 3600, False), (50, 59, False)]
)
async def test_a_user_is_parked_when_both_attempts_and_window_are_used_up(
    attempts: int, failing_for: float, parked: bool
) -> None:
    bench = Bench()
    bench.says(500)
    settlement = await bench.send(bench.claimed(attempts=attempts, failing_for=failing_for))
    assert settlement.transition is (Transition.PARK if parked else Transition.DEFER)
    assert settlement.unknown


async def test_a_user_of_whom_no_request_can_be_made_is_parked_alone_and_his_values_are_not_told() -> None:
    bench = Bench()
    settlement = await bench.send(bench.claimed("unmappable"))
    assert settlement.transition is Transition.PARK
    assert settlement.reason == "no request can be made of it (KeyError)"
    assert (await bench.send()).transition is Transition.ACCEPT
    assert bench.asked == ["u"]


async def test_an_open_breaker_lets_one_probe_through_and_a_user_without_a_request_does_not_use_it_up() -> None:
    bench = Bench()
    bench.says(500)
    for _ in range(20):
        await bench.send()
    assert [move.to for move in bench.moves] == [breaker.State.OPEN]
    assert (await bench.send()).transition is Transition.RELEASE
    bench.clock.advance(2)
    bench.says(200)
    assert (await bench.send(bench.claimed("unmappable"))).transition is Transition.PARK
    assert bench.channel.breaker.state is breaker.State.OPEN
    assert (await bench.send()).transition is Transition.ACCEPT
    assert bench.moves[-1].to is breaker.State.CLOSED


async def test_refusals_beyond_the_twentieth_are_not_parked_and_the_twenty_are_taken_back_once() -> None:
    bench = Bench()
    bench.says(400)
    settled = [await bench.send(bench.claimed(f"u{number}")) for number in range(21)]
    assert [each.transition for each in settled[18:]] == [Transition.PARK, Transition.RELEASE, Transition.RELEASE]
    assert [(move.to, move.fault, move.refusals) for move in bench.moves] == [(breaker.State.OPEN, True, 20)]
    assert bench.sender.take_refused() == [f"u{number}" for number in range(19)]
    assert bench.sender.take_refused() == []


async def test_what_was_sent_and_how_it_was_answered_is_kept_for_the_history() -> None:
    bench = Bench()
    bench.answer = lambda: httpx.Response(422, content=b"no such field")
    settlement = await bench.send()
    assert settlement.reason == "422 no such field"
    assert settlement.attempts == [Attempt(Verdict.REFUSED, 422, "no such field", {"key": True})]
