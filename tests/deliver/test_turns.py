"""One turn of a slot with several events: each key is settled for itself, and before each request everything is asked anew."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from random import Random

import httpx
import orjson
import pytest

from sync.deliver import breaker
from sync.deliver.channel import Channel
from sync.deliver.sender import Sender
from sync.deliver.turn import Claimed
from sync.destinations.answers import verdict_for
from sync.destinations.mapped import ONCE, Mapped
from sync.model.definition import Kind
from sync.model.delivery import DeliverySettings
from sync.model.identify import persona
from sync.model.outcome import Outcome
from sync.model.slot import ClaimedSlot
from sync.store.slots import Settlement, Transition
from tests.moving_clock import MovingClock

NOW = datetime(2026, 11, 21, tzinfo=UTC)
SETTINGS = DeliverySettings(deadline=1.0, lease=10.0, retry_window=60, retry_attempts=3)
KEYS = ("a", "b", "c", "d")


class Picky:
    """A destination with one mapping, which does not want the keys in ``filtered`` and cannot take those in ``invalid``."""

    name = "picky"

    def __init__(self) -> None:
        self.filtered: set[str] = set()
        self.invalid: set[str] = set()
        self.events: list[dict[str, object]] = []

    def requests_for(self, event: dict[str, object]) -> Mapped:
        self.events.append(event)
        traits: dict[str, object] = event["traits"]  # type: ignore[assignment]
        if self.filtered & traits.keys():
            return Mapped()
        if self.invalid & traits.keys():
            return Mapped(refusals=["Email must be a string but it was an object."])
        return Mapped([httpx.Request("POST", "http://x.y/", content=orjson.dumps(traits))])

    def ping(self) -> httpx.Request:
        raise NotImplementedError

    def read_answer(self, status: int, headers: Mapping[str, str], body: bytes) -> Outcome:
        return Outcome(verdict_for(status, retry_after=None), status, "so it is", None)


class Bench:
    """A sender that sends each key alone; ``answers`` are statuses by key, 200 for the others."""

    def __init__(
        self, destination: Picky | None = None, *, settings: DeliverySettings = SETTINGS, **answers: int
    ) -> None:
        self.clock = MovingClock()
        self.destination = destination or Picky()
        self.answers = answers
        self.asked: list[str] = []
        self.on_request: Callable[[str], None] = lambda _: None
        self.moves: list[breaker.Transition] = []
        self.channel = Channel(
            "picky",
            self.destination.read_answer,
            settings,
            httpx.MockTransport(self._answer),
            self.clock,
            Random(1),
            on_breaker=self.moves.append,
        )
        self.sender = Sender(
            self.destination,
            settings,
            self.channel,
            self.clock,
            Random(1),
            personas={key: persona("shop", Kind.AUDIENCE, key, f"aud_{key}") for key in KEYS},
        )

    def _answer(self, request: httpx.Request) -> httpx.Response:
        [key] = orjson.loads(request.content).keys() & set(KEYS)
        self.asked.append(key)
        self.on_request(key)
        return httpx.Response(self.answers.get(key, 200))

    def slot(self, *keys: str, **more: object) -> ClaimedSlot:
        named = keys or KEYS
        values = {"user_id": "u", "doubt": False, "attempts": 0, "enrichment": {}, **more}
        versions = {key: number for number, key in enumerate(named, 1)}
        return ClaimedSlot(
            token="token",
            version=len(named),
            owed=dict.fromkeys(named, True),
            versions=versions,
            failing_since=None,
            owed_since=NOW,
            **values,  # type: ignore[arg-type]
        )

    async def send(self, slot: ClaimedSlot | None = None, allowed: Callable[[], bool] = lambda: True) -> Settlement:
        return await self.sender.send(Claimed(slot or self.slot(), self.clock.monotonic()), allowed)


def verdicts(settlement: Settlement) -> list[str]:
    return [attempt.verdict for attempt in settlement.attempts]


async def test_every_key_goes_in_an_event_of_its_own_with_its_personas_and_the_enrichment() -> None:
    bench = Bench()
    slot = bench.slot("a", "b", enrichment={"email": "u@x.y", "b": "an enrichment"})
    settlement = await bench.send(slot)
    assert settlement.transition is Transition.ACCEPT
    assert [event["traits"] for event in bench.destination.events] == [
        {"email": "u@x.y", "a": True},
        {"email": "u@x.y", "b": True},
    ]
    assert [event["context"] for event in bench.destination.events] == [
        {
            "personas": {
                "computation_class": "audience",
                "computation_key": key,
                "computation_id": f"aud_{key}",
                "namespace": "shop",
                "space_id": "shop",
            }
        }
        for key in ("a", "b")
    ]
    ids = [event["messageId"] for event in bench.destination.events]
    assert ids == [slot.idempotency_key("picky", {"a": 1}), slot.idempotency_key("picky", {"b": 2})]


async def test_a_refused_key_is_parked_alone_and_the_reason_names_it() -> None:
    bench = Bench(b=422)
    settlement = await bench.send()
    assert bench.asked == ["a", "b", "c", "d"]
    assert settlement.transition is Transition.PARK
    assert settlement.accepted == {"a": 1, "c": 3, "d": 4}
    assert settlement.reason == "b: 422 so it is"
    assert verdicts(settlement) == ["accepted", "refused", "accepted", "accepted"]


async def test_of_many_refusals_the_reason_tells_a_few() -> None:
    settlement = await Bench(a=400, b=400, c=400, d=400).send()
    assert settlement.reason == "a: 400 so it is; b: 400 so it is; c: 400 so it is; and 1 more"


@pytest.mark.parametrize(("status", "unknown"), [(500, True), (429, False), (503, True)])
async def test_where_one_must_wait_nothing_more_is_sent_and_what_was_accepted_is_kept(
    status: int, unknown: bool
) -> None:
    bench = Bench(a=400, c=status)
    settlement = await bench.send()
    assert bench.asked == ["a", "b", "c"]
    assert (settlement.transition, settlement.unknown) == (Transition.DEFER, unknown)
    assert settlement.accepted == {"b": 2}
    assert settlement.reason == f"{status} so it is"


async def test_a_fault_of_the_destination_gives_the_rest_back() -> None:
    bench = Bench(b=401)
    settlement = await bench.send()
    assert (settlement.transition, settlement.accepted) == (Transition.RELEASE, {"a": 1})
    assert bench.asked == ["a", "b"]
    assert [move.fault for move in bench.moves] == [True]


async def test_r2_is_asked_before_each_request() -> None:
    bench = Bench()
    # The lease lasts 10 s and a request 1 s at most: after 9 s none may begin.
    bench.on_request = lambda _: bench.clock.advance(4.5)
    settlement = await bench.send()
    assert bench.asked == ["a", "b"]
    assert (settlement.transition, settlement.accepted) == (Transition.RELEASE, {"a": 1, "b": 2})


async def test_who_may_not_send_any_more_stops_between_two_requests() -> None:
    bench = Bench()
    settlement = await bench.send(allowed=lambda: len(bench.asked) < 3)
    assert (settlement.transition, settlement.accepted) == (Transition.RELEASE, {"a": 1, "b": 2, "c": 3})


async def test_a_pause_that_begins_between_two_requests_is_respected() -> None:
    bench = Bench()
    bench.on_request = lambda _: bench.channel.pause.lengthen(30)
    settlement = await bench.send()
    assert (bench.asked, settlement.transition) == (["a"], Transition.RELEASE)


async def test_a_breaker_that_opens_between_two_requests_is_respected() -> None:
    bench = Bench()

    def others_fail(key: str) -> None:
        for _ in range(breaker.FEWEST):
            bench.channel.breaker.record(Outcome(verdict_for(500, retry_after=None), 500, key))

    bench.on_request = others_fail
    settlement = await bench.send()
    assert (bench.asked, settlement.transition, settlement.accepted) == (["a"], Transition.RELEASE, {"a": 1})


async def test_every_request_takes_its_place_in_the_rate_and_what_is_filtered_takes_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bench = Bench(settings=replace(SETTINGS, rate=1000))
    bench.destination.filtered = {"b"}
    steps: list[str] = []
    bench.on_request = steps.append

    async def acquire() -> None:
        steps.append("token")

    monkeypatch.setattr(bench.channel._bucket, "acquire", acquire)
    await bench.send()
    assert steps == ["token", "a", "token", "c", "token", "d"]


async def test_what_was_refused_before_the_turn_was_cut_short_waits_instead_of_coming_back_at_once() -> None:
    bench = Bench(a=400)
    settlement = await bench.send(allowed=lambda: len(bench.asked) < 2)
    assert (settlement.transition, settlement.accepted) == (Transition.DEFER, {"b": 2})
    assert settlement.seconds > 0


async def test_after_a_failure_another_key_goes_first_so_that_one_that_always_hangs_holds_up_none() -> None:
    bench = Bench(a=500)
    settlement = await bench.send()
    assert (bench.asked, settlement.accepted) == (["a"], {})
    bench.asked.clear()
    settlement = await bench.send(bench.slot(attempts=1))
    assert (bench.asked, settlement.accepted) == (["b", "c", "d", "a"], {"b": 2, "c": 3, "d": 4})


async def test_several_refusals_of_one_user_are_one_for_the_breaker() -> None:
    bench = Bench(a=400, b=400, c=400, d=400)
    for number in range(1, breaker.FEWEST):
        assert (await bench.send(bench.slot(user_id=f"u{number}"))).transition is Transition.PARK
        assert bench.channel.breaker.refusals_in_a_row == number
    assert (await bench.send()).transition is Transition.RELEASE
    assert [move.refusals for move in bench.moves] == [breaker.FEWEST]
    assert bench.sender.take_refused() == [f"u{number}" for number in range(1, breaker.FEWEST)]


async def test_users_of_whom_something_was_accepted_later_are_not_taken_back_when_refusals_open_the_breaker() -> None:
    bench = Bench(a=400)
    await bench.send(bench.slot(user_id="partly"))
    bench.answers = dict.fromkeys(KEYS, 400)
    for number in range(breaker.FEWEST):
        await bench.send(bench.slot(user_id=f"u{number}"))
    assert bench.moves
    assert "partly" not in bench.sender.take_refused()


async def test_what_no_mapping_wants_is_done_with_and_counts_as_no_exchange() -> None:
    bench = Bench()
    bench.destination.filtered = {"a", "c"}
    settlement = await bench.send()
    assert (settlement.transition, bench.asked) == (Transition.ACCEPT, ["b", "d"])
    assert verdicts(settlement) == ["filtered", "accepted", "filtered", "accepted"]


async def test_what_no_mapping_wants_is_done_with_even_while_nothing_may_be_sent() -> None:
    bench = Bench()
    bench.destination.filtered = set(KEYS)
    bench.channel.pause.lengthen(60)
    settlement = await bench.send(allowed=lambda: False)
    assert (settlement.transition, bench.asked) == (Transition.ACCEPT, [])


async def test_what_a_mapping_cannot_take_is_parked_with_its_reason_and_says_nothing_of_the_destination() -> None:
    bench = Bench()
    bench.destination.invalid = {"b"}
    for _ in range(breaker.FEWEST + 5):
        settlement = await bench.send(bench.slot("b"))
        assert settlement.transition is Transition.PARK
    assert settlement.reason == "b: Email must be a string but it was an object."
    assert verdicts(settlement) == ["invalid"]
    assert not bench.moves
    assert bench.sender.take_refused() == []
    assert (await bench.send()).accepted == {"a": 1, "c": 3, "d": 4}


async def test_a_key_that_nobody_knows_is_parked_and_the_others_are_sent() -> None:
    bench = Bench()
    settlement = await bench.send(bench.slot("a", "stranger", "b"))
    assert settlement.reason == "stranger: no request can be made of it (KeyError)"
    assert (settlement.transition, settlement.accepted) == (Transition.PARK, {"a": 1, "b": 3})


class Twofold(Picky):
    """Two mappings take every event."""

    def requests_for(self, event: dict[str, object]) -> Mapped:
        [request] = super().requests_for(event).requests
        return Mapped([request, httpx.Request("POST", "http://x.y/second", content=request.content)])


async def test_a_key_is_accepted_when_all_of_its_requests_are() -> None:
    bench = Bench(Twofold(), b=400)
    settlement = await bench.send()
    assert bench.asked == ["a", "a", "b", "b", "c", "c", "d", "d"]
    assert settlement.accepted == {"a": 1, "c": 3, "d": 4}
    assert settlement.reason == "b: 400 so it is"


class Doubled(Picky):
    """Two mappings take everything: the first makes an event of it, the second a profile."""

    def requests_for(self, event: dict[str, object]) -> Mapped:
        mapped = super().requests_for(event)
        return Mapped(
            [
                httpx.Request("POST", f"http://x.y/{path}", content=request.content, extensions={ONCE: path == "event"})
                for request in mapped.requests
                for path in ("event", "profile")
            ],
            mapped.refusals,
        )


@pytest.mark.parametrize(("status", "paths"), [(200, ["profile", "event"]), (422, ["profile"]), (503, ["profile"])])
async def test_an_event_goes_only_when_the_profile_has_arrived_so_that_no_retry_repeats_it(
    status: int, paths: list[str]
) -> None:
    seen: list[str] = []

    class Noting(Bench):
        def _answer(self, request: httpx.Request) -> httpx.Response:
            seen.append(request.url.path.strip("/"))
            return super()._answer(request)

    bench = Noting(Doubled(), a=status)
    settlement = await bench.send(bench.slot("a"))
    assert seen == paths
    assert bool(settlement.accepted) == (status == 200)
