"""The daemon's forwarding: events go out as they come, whoever else fails, and whoever takes over loses none."""

from __future__ import annotations

import asyncio

import pytest

from sync.deliver import breaker, dispatcher, persistence
from sync.errors import StoreUnavailable
from sync.store import forwarding, lanes
from tests.daemon.test_delivery_service import becomes, running, service_of
from tests.deliver.steps import when
from tests.posted import DESTINATION, IMPATIENT, TOGETHER, identify, numbers, post, track
from tests.proofs import Road


@pytest.fixture(autouse=True)
def _looks_and_probes_come_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatcher, "_LOOK_EVERY", 0.05)
    monkeypatch.setattr(breaker, "FIRST_FAULT_DELAY", 0.05)
    monkeypatch.setattr(breaker, "LONGEST_FAULT_DELAY", 0.1)


async def test_events_go_out_as_they_come_and_a_stop_leaves_nothing_behind(road: Road) -> None:
    with road.app() as app:
        service = service_of(app)
        async with running(service):
            await becomes(lambda: bool(road.rows("SELECT 1 FROM forwarding")))
            for number in range(5):
                await asyncio.to_thread(post, app.database(), track("u", number), identify("u", n=number))
                service.nudge()
                await becomes(lambda last=number: (road.sandbox.user("u") or {}).get("attributes") == {"n": last})
            await becomes(lambda: numbers(road, "u") == list(range(5)))
    assert road.rows("SELECT token FROM forwarding") == [(None,)]
    assert not road.rows("SELECT 1 FROM hold")
    assert not road.sandbox.complaints


async def test_many_refused_events_in_a_row_hold_nobody_else_up_for_good(sqlite_road: Road) -> None:
    road = sqlite_road
    road.configure(concurrency=4, more={"mappings": [TOGETHER], "batch": IMPATIENT})
    refused = {f"u{position}" for position in range(60) if position % 3}
    road.sandbox.set_faults(fail_users=sorted(refused))
    with road.app() as app:
        post(app.database(), *(track(f"u{position}", position) for position in range(60)))
        async with running(service_of(app)):
            await becomes(lambda: len(numbers(road)) == 20, "good events wait for bad ones")
            await becomes(lambda: road.rows("SELECT count(*) FROM hold WHERE state = 'parked'") == [(40,)])
    assert set(numbers(road)) == {position for position in range(60) if not position % 3}


async def test_who_has_been_replaced_settles_nothing_and_what_it_sent_goes_once_more(sqlite_road: Road) -> None:
    road = sqlite_road
    road.configure(deadline="400ms", lease="2s")
    with road.app() as app:
        database = app.database()
        post(database, *(track(f"u{position}", position) for position in range(30)))
        async with running(service_of(app)):
            # What has been answered then is not settled yet.
            with when("deliver.answered", 1, lambda: forwarding.take(database, DESTINATION)):
                await becomes(lambda: road.rows("SELECT count(*) FROM event_outcome") == [(30,)])
    assert set(numbers(road)) == set(range(30))
    assert len(numbers(road)) > 30


async def test_a_store_that_is_away_for_a_while_ends_the_forwarding_and_it_starts_over(
    sqlite_road: Road, monkeypatch: pytest.MonkeyPatch
) -> None:
    settle, tries = lanes.settle, iter(range(3))

    def away(*arguments: object) -> object:
        if next(tries, None) is not None:
            raise StoreUnavailable("the store cannot be reached")
        return settle(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(lanes, "settle", away)
    monkeypatch.setattr(persistence, "PAUSES", (0.01, 0.01))
    sqlite_road.configure(deadline="400ms", lease="2s")
    with sqlite_road.app() as app:
        post(app.database(), *(track(f"u{position}", position) for position in range(20)))
        async with running(service_of(app)):
            await becomes(lambda: sqlite_road.rows("SELECT count(*) FROM event_outcome") == [(20,)])
    assert set(numbers(sqlite_road)) == set(range(20))
