"""One run of events and what becomes of each: the outcome table, in order, each request asked for anew."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from random import Random

import httpx
import pytest

from sync.deliver.arrival import Arrival, Kind
from sync.deliver.channel import Channel
from sync.deliver.courier import AFTER_SLOT, BEHIND, Courier, Run
from sync.deliver.order import Order
from sync.destinations.answers import retry_after_seconds, verdict_for
from sync.destinations.mapped import Mapped, Part, Prepared
from sync.model.delivery import DeliverySettings
from sync.model.outcome import Outcome
from sync.store.lanes import Said
from tests.moving_clock import MovingClock

SETTINGS = DeliverySettings(deadline=1.0, quiet_period=20.0, retry_window=60, retry_attempts=3)


class Anything:
    """A destination whose requests hold what they were made of."""

    name = "anything"

    def __init__(self, clock: MovingClock) -> None:
        self._clock = clock

    def request_of(self, parts: Sequence[Part]) -> httpx.Request:
        return httpx.Request("POST", "http://x.y/", content=b" ".join(part.text for part in parts))

    def read_answer(self, status: int, headers: Mapping[str, str], body: bytes) -> Outcome:
        retry_after = retry_after_seconds(headers.get("retry-after"), self._clock.now())
        return Outcome(verdict_for(status, retry_after=retry_after), status, "said", retry_after)

    def requests_for(self, event: dict[str, object]) -> Mapped:
        raise NotImplementedError

    def prepare(self, event: dict[str, object]) -> Prepared:
        raise NotImplementedError

    def ping(self) -> httpx.Request:
        raise NotImplementedError


class Bench:
    """A courier; ``answers`` has what the destination says to each request by its content, 200 to the others."""

    def __init__(self, answers: Mapping[str, int] | None = None) -> None:
        self.clock = MovingClock()
        self.answers = dict(answers or {})
        self.asked: list[str] = []
        destination = Anything(self.clock)
        random = Random(1)
        transport = httpx.MockTransport(self._answer)
        self.channel = Channel(
            "anything", destination.read_answer, SETTINGS, transport, self.clock, random, on_breaker=lambda _: None
        )
        self.order = Order(lambda _: 10**9)
        self.courier = Courier(destination, SETTINGS, self.channel, self.order, self.clock, random)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        content = request.read().decode()
        self.asked.append(content)
        return httpx.Response(self.answers.get(content, 200))

    async def send(
        self, kind: Kind, *arrivals: Arrival, blocked: Mapping[str, int] | None = None, requests: int = 1000
    ) -> Run:
        run = Run(kind, list(arrivals))
        await self.courier.send(run, lambda: len(self.asked) < requests, blocked or {})
        return run


def event(number: int, user: str = "u", *texts: str, profile: bool = False, refusals: tuple[str, ...] = ()) -> Arrival:
    """An event with a request of its own for each text; without any, of its number."""
    parts = [Part("/", text.encode(), join=False, once=not profile) for text in texts or (str(number),)]
    return Arrival(
        number,
        1,
        user,
        user,
        Kind.OWN,
        tuple(parts),
        refusals,
        suppressed=False,
        at=0.0,
        profile=user if profile else None,
    )


def became(run: Run) -> list[object]:
    """What became of each: a verdict, with the state where it is held; nothing where it was left as it is."""
    found: list[object] = []
    for each in run.arrivals:
        settled = each.settled
        verdict = str(settled.said.verdict) if settled is not None and settled.said is not None else None
        found.append(settled and (verdict if settled.state is None else (verdict, str(settled.state))))
    return found


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (200, "accepted"),
        (400, ("refused", "parked")),
        (401, None),
        (408, ("not_applied", "waiting")),
        (422, ("refused", "parked")),
        (429, ("not_applied", "waiting")),
        (500, ("unknown", "waiting")),
    ],
)
@pytest.mark.parametrize("kind", [Kind.OWN, Kind.SHARED])
async def test_every_outcome_has_one_meaning_for_an_event(kind: Kind, status: int, outcome: object) -> None:
    run = await Bench({"1": status}).send(kind, event(1))
    assert became(run) == [outcome]


async def test_a_refused_request_of_several_is_halved_until_it_is_known_who_is_to_blame() -> None:
    bench = Bench({"1 2 3 4": 400, "3 4": 400, "3": 400})
    run = await bench.send(Kind.SHARED, *(event(number, f"u{number}") for number in range(1, 5)))
    assert bench.asked == ["1 2 3 4", "1 2", "3 4", "3", "4"]
    assert became(run) == ["accepted", "accepted", ("refused", "parked"), "accepted"]
    assert bench.courier.take_refused() == []  # one was accepted since


async def test_where_it_is_cut_short_the_rest_is_left_as_it_is() -> None:
    run = await Bench({"1 2 3 4": 400}).send(Kind.SHARED, *(event(n, f"u{n}") for n in range(1, 5)), requests=2)
    assert became(run) == ["accepted", "accepted", None, None]
    run = await Bench().send(Kind.OWN, *(event(number) for number in range(1, 4)), requests=2)
    assert became(run) == ["accepted", "accepted", None]


async def test_later_events_of_a_user_who_must_wait_wait_behind_and_count_no_attempt() -> None:
    bench = Bench({"1": 500})
    run = await bench.send(Kind.OWN, event(1, "a"), event(2, "b"), event(3, "a"))
    assert bench.asked == ["1", "2"]
    assert became(run) == [("unknown", "waiting"), "accepted", (None, "waiting")]
    assert run.arrivals[2].settled is not None
    assert (run.arrivals[2].settled.attempts, run.arrivals[2].settled.reason) == (0, BEHIND)


async def test_the_same_holds_where_halves_are_sent_one_after_the_other() -> None:
    bench = Bench({"1 2 3 4": 400, "1 2": 408})
    run = await bench.send(Kind.SHARED, event(1, "a"), event(2, "b"), event(3, "a"), event(4, "c"))
    assert bench.asked == ["1 2 3 4", "1 2", "4"]
    assert became(run)[2:] == [(None, "waiting"), "accepted"]


async def test_after_an_unknown_outcome_it_is_not_tried_before_the_quiet_period() -> None:
    run = await Bench({"1": 500}).send(Kind.OWN, event(1, profile=True))
    assert run.arrivals[0].settled is not None
    assert run.arrivals[0].settled.seconds >= 20.0


async def test_an_event_is_parked_when_both_attempts_and_window_are_used_up() -> None:
    bench = Bench({"1": 500})
    tried = event(1)
    tried.attempts, tried.failing_since = 2, bench.clock.now() - timedelta(seconds=61)
    assert became(await bench.send(Kind.OWN, tried)) == [("unknown", "parked")]


async def test_of_an_event_with_several_requests_profiles_go_first_and_what_cannot_be_taken_back_only_after_all() -> (
    None
):
    mixed = event(1, "u", "event")
    mixed.parts = (*mixed.parts, Part("/", b"profile", join=False, once=False))
    bench = Bench({"profile": 400})
    run = await bench.send(Kind.OWN, mixed)
    assert bench.asked == ["profile"]
    assert became(run) == [("refused", "parked")]
    unusable = event(2, "u", "profile", profile=True, refusals=("no name",))
    run = await Bench().send(Kind.OWN, unusable)
    assert run.arrivals[0].settled is not None
    assert (run.arrivals[0].settled.state, run.arrivals[0].settled.said) == (None, Said("invalid", 200, "no name"))


async def test_an_event_that_a_slot_goes_before_waits_and_an_older_one_does_not() -> None:
    bench = Bench()
    older, newer = event(3, profile=True), event(8, profile=True)
    run = await bench.send(Kind.OWN, older, newer, blocked={"u": 5})
    assert became(run) == ["accepted", (None, "waiting")]
    assert newer.settled is not None
    assert newer.settled.reason == AFTER_SLOT
    held = event(9, profile=True)
    held.was_held = True
    run = await bench.send(Kind.OWN, held, blocked={"u": 5})
    assert (held.settled, run.postponed) == (None, [held])


async def test_from_the_twentieth_user_refused_in_a_row_on_they_wait_and_the_others_are_taken_back() -> None:
    bench = Bench({str(number): 400 for number in range(1, 22)})
    run = await bench.send(Kind.OWN, *(event(number, f"u{number}") for number in range(1, 21)))
    assert became(run) == [("refused", "parked")] * 19 + [("refused", "waiting")]
    assert bench.courier.take_refused() == list(range(1, 20))
    assert bench.courier.take_refused() == []
