"""A destination in the daemon: held, served as long as the daemon lives, and given back in good order."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager

import pytest
from sqlalchemy import event, insert, select

from sync import telemetry
from sync.daemon import delivery
from sync.daemon.app import App
from sync.daemon.delivery import DeliveryService
from sync.daemon.service import supervise
from sync.deliver import breaker, bulk, bulk_answers, dispatcher, persistence, reporter, tenure
from sync.errors import StoreUnavailable
from sync.model.run import RunKind
from sync.store import leases, schema, slots
from sync.web.vitals import Vitals
from tests.moving_clock import MovingClock
from tests.proofs import Road, until

LEASE = "destination:pushwoosh"
OURS = ("delivery.", "breaker.", "lease.", "service.")


@pytest.fixture(autouse=True)
def _looks_and_probes_come_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatcher, "_LOOK_EVERY", 0.05)
    monkeypatch.setattr(reporter, "_SUM_UP_EVERY", 0.05)
    monkeypatch.setattr(breaker, "FIRST_FAULT_DELAY", 0.05)
    monkeypatch.setattr(breaker, "LONGEST_FAULT_DELAY", 0.1)


@pytest.fixture
def events() -> Iterator[list[str]]:
    """The changes of state that were told."""
    heard: list[str] = []
    stop = telemetry.listen(
        lambda name, _: heard.append(name) if name.startswith(OURS) and name != "breaker.still_open" else None
    )
    yield heard
    stop()


async def becomes(holds: Callable[[], bool], otherwise: str = "it does not happen") -> None:
    """Wait for something without standing in the service's way."""
    await asyncio.to_thread(until, holds, otherwise)


async def rest() -> None:
    """Wait until nothing can be claimed any more."""
    resting = asyncio.Event()
    stop = telemetry.listen(lambda name, _: resting.set() if name == "deliver.resting" else None)
    try:
        async with asyncio.timeout(60):
            await resting.wait()
    finally:
        stop()


def service_of(app: App, is_current: Callable[[], bool] = lambda: True) -> DeliveryService:
    [outlet] = app.outlets(["pushwoosh"])
    return DeliveryService(app.database(), outlet, app.clock, is_current=is_current)


@asynccontextmanager
async def running(service: DeliveryService) -> AsyncIterator[asyncio.Event]:
    """The service at work under its supervisor, until the block ends; yields what tells it to stop."""
    stopping = asyncio.Event()
    task = asyncio.create_task(supervise(service, stopping, Vitals()))
    try:
        yield stopping
    finally:
        stopping.set()
        async with asyncio.timeout(60):
            await task


def arrived(road: Road) -> Callable[[], bool]:
    return lambda: road.sandbox.user_count == len(road.wanted) and not road.states()


async def test_what_is_owed_is_delivered_and_so_is_what_anybody_records_later(road: Road, events: list[str]) -> None:
    road.crowd(50)
    road.refresh()
    with road.app() as app:
        async with running(service_of(app)):
            await becomes(arrived(road))
            road.people({"u7": -7, "somebody": 1})
            road.refresh()
            await becomes(lambda: not road.states())
    road.delivered()
    assert road.sandbox.sent_counts().total() == 52
    assert events == ["delivery.began", "delivery.ended"]


async def test_a_nudge_is_answered_at_once(road: Road, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatcher, "_LOOK_EVERY", 1000.0)
    with road.app() as app:
        service = service_of(app)
        service.nudge()  # nobody is there yet
        async with running(service):
            await rest()
            road.crowd(3)
            road.refresh()
            service.nudge()
            await becomes(arrived(road))
    road.delivered()


async def test_told_to_stop_in_the_middle_it_settles_what_is_in_flight_and_the_next_one_sends_nobody_twice(
    road: Road,
) -> None:
    road.crowd(600)
    road.refresh(RunKind.BACKFILL)
    road.sandbox.set_faults(latency=0.2)
    with road.app() as app:
        async with running(service_of(app)):
            await becomes(lambda: road.sandbox.user_count >= 60, "nothing is delivered")
        assert road.states() == {"due": 600 - road.sandbox.user_count}
        assert not road.rows("SELECT 1 FROM slot WHERE doubt OR token IS NOT NULL OR attempts > 0")
        assert leases.holder(app.database(), LEASE) is None
        road.sandbox.replace_faults()
        async with running(service_of(app)):
            await becomes(arrived(road))
    road.delivered()
    assert set(road.sandbox.sent_counts().values()) == {1}


async def test_a_backfill_is_finished_when_the_last_of_it_is_delivered(road: Road) -> None:
    road.crowd(20)
    road.refresh(RunKind.BACKFILL)
    road.sandbox.set_faults(fail_users=["u3"])
    with road.app() as app:
        async with running(service_of(app)):
            await becomes(lambda: not road.rows("SELECT 1 FROM enrolment WHERE backfilled_at IS NULL"))
    assert road.states() == {"parked": 1}
    assert road.rows("SELECT count(*) FROM enrolment") == [(2,)]


async def test_a_wrong_key_parks_nobody_and_when_it_is_mended_all_is_delivered_by_itself(
    road: Road, events: list[str]
) -> None:
    road.crowd(50)
    road.refresh()
    road.sandbox.set_faults(status=401)
    with road.app() as app:
        async with running(service_of(app)):
            await becomes(lambda: road.rows("SELECT breaker FROM destination") == [("open",)])
            before = road.sandbox.requests
            await becomes(lambda: road.sandbox.requests >= before + 3, "nobody probes")
            assert leases.holder(app.database(), LEASE) is not None
            road.sandbox.replace_faults()
            await becomes(arrived(road))
            await becomes(
                lambda: road.rows("SELECT breaker, reason FROM destination") == [("closed", "a probe was accepted")]
            )
    road.delivered()
    assert not road.rows("SELECT 1 FROM slot")
    # However often it was tried in vain: told once.
    assert events == ["delivery.began", "breaker.opened", "breaker.closed", "delivery.ended"]
    assert str(road.rows("SELECT last_error FROM destination")[0][0]).startswith("401")


async def test_many_refused_users_in_a_row_hold_nobody_else_up_for_good(road: Road) -> None:
    road.configure(concurrency=4)
    road.crowd(60)
    road.refresh()
    refused = {f"u{position}" for position in range(60) if position % 3}
    road.sandbox.set_faults(fail_users=sorted(refused))
    with road.app() as app:
        async with running(service_of(app)):
            await becomes(lambda: road.sandbox.user_count == 20, "good users wait for bad ones")
    assert not set(road.sandbox.users()) & refused


async def test_the_store_is_told_that_a_destination_works_which_an_earlier_process_found_broken(road: Road) -> None:
    road.crowd(3)
    road.sandbox.set_faults(status=403)
    assert await asyncio.to_thread(road.command, "delta") == 1
    assert road.rows("SELECT breaker FROM destination") == [("open",)]
    road.sandbox.replace_faults()
    with road.app() as app:
        async with running(service_of(app)):
            await becomes(lambda: road.rows("SELECT breaker FROM destination") == [("closed",)])
            await becomes(arrived(road))


@pytest.mark.parametrize("operation", ["claim", "settle"])
async def test_a_store_that_stays_away_ends_the_tenure_and_when_it_is_back_delivery_starts_over(
    road: Road, monkeypatch: pytest.MonkeyPatch, events: list[str], operation: str
) -> None:
    road.configure(deadline="2s", lease="3.5s")  # what was sent and could not be settled is waited for
    road.crowd(50)
    road.refresh()
    ask, tries = getattr(slots, operation), iter(range(3))

    def away(*arguments: object) -> object:
        if next(tries, None) is not None:
            raise StoreUnavailable("the store cannot be reached")
        return ask(*arguments)

    monkeypatch.setattr(slots, operation, away)
    monkeypatch.setattr(persistence, "PAUSES", (0.01, 0.01))
    with road.app() as app:
        async with running(service_of(app)):
            await becomes(arrived(road))
    road.delivered()
    assert events == ["delivery.began", "service.failed", "delivery.began", "delivery.ended"]
    # What could not be written down is in doubt once its claim has run out, so it is sent, and confirmed.
    # A machine that stands still longer than the deadline makes some more of it unknown.
    assert max(road.sandbox.sent_counts().values()) <= 3 + road.tries()["unknown"]


async def test_one_who_lost_the_destination_stops_sending_and_takes_it_again_when_it_is_free(
    road: Road, monkeypatch: pytest.MonkeyPatch, events: list[str]
) -> None:
    monkeypatch.setattr(tenure, "RENEW_EVERY", 1000.0)
    began, ended = "delivery.began", "delivery.ended"
    clock = MovingClock()
    road.crowd(300)
    road.sandbox.set_faults(latency=0.1)
    with road.app(clock) as app, road.app(clock) as elsewhere:
        road.refresh(clock=clock)
        # The one who lost it looks again only when somebody else has it, however long that one takes.
        async with running(service_of(app, lambda: events != [began, ended])):
            await becomes(lambda: road.sandbox.user_count >= 40)
            clock.advance(tenure.LEASE_SECONDS)  # as if it had been frozen for so long
            await becomes(lambda: "delivery.ended" in events)
            assert sum(road.states().values()) > 0
            async with running(service_of(elsewhere)):
                await becomes(arrived(road))
                await becomes(lambda: "delivery.elsewhere" in events)
            road.people({"somebody": 1})
            road.refresh(clock=clock)
            await becomes(arrived(road))
    road.delivered()
    assert road.sandbox.stats()["max_concurrent_per_user"] == 1
    assert events == [began, ended, began, "delivery.elsewhere", ended, began, ended]


async def test_a_delta_by_hand_records_and_watches_the_service_deliver(
    road: Road, capsys: pytest.CaptureFixture[str]
) -> None:
    with road.app() as app:
        async with running(service_of(app)):
            await becomes(lambda: leases.holder(app.database(), LEASE) is not None)
            road.crowd(100)
            assert await asyncio.to_thread(road.command, "delta") == 0
    road.delivered()
    # The service is quick enough to send the first definition before the second is recorded.
    assert max(road.sandbox.sent_counts().values()) <= 2
    assert "still owed" not in capsys.readouterr().out


async def test_an_outdated_configuration_leaves_the_destination_to_others(
    sqlite_road: Road, monkeypatch: pytest.MonkeyPatch, events: list[str]
) -> None:
    monkeypatch.setattr(delivery, "LOOK_EVERY", 0.02)
    current = True
    with sqlite_road.app() as app:
        async with running(service_of(app, lambda: current)):
            await becomes(lambda: leases.holder(app.database(), LEASE) is not None)
            current = False
            await becomes(lambda: leases.holder(app.database(), LEASE) is None)
            async with running(service_of(app)):
                sqlite_road.crowd(10)
                sqlite_road.refresh()
                await becomes(arrived(sqlite_road))
    assert events == ["delivery.began", "delivery.ended"] * 2


async def test_with_nothing_to_do_it_writes_nothing(road: Road, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tenure, "RENEW_EVERY", 1000.0)
    with road.app() as app:
        engine, said = app.database().engine, list[str]()

        def note(*arguments: object) -> None:
            said.append(str(arguments[2]).strip())

        async with running(service_of(app)):
            await rest()
            event.listen(engine, "before_cursor_execute", note)
            await becomes(lambda: len(said) >= 10)
            event.remove(engine, "before_cursor_execute", note)
    asked = {statement for statement in said if statement != "BEGIN"}
    assert all(statement.startswith("SELECT") and "FOR UPDATE" not in statement for statement in asked), asked


@pytest.mark.parametrize("transport", ["public-api"])
async def test_what_is_owed_to_many_goes_in_bulk_and_a_stop_leaves_it_to_the_next_who_asks_on(
    sqlite_road: Road, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk_answers, "FIRST_WAIT", 0.02)
    sqlite_road.configure(more={"token": "server"}, deadline="60s", lease="90s")
    sqlite_road.crowd(60)
    sqlite_road.refresh()
    sqlite_road.sandbox.set_faults(bulk_polls=10**6)
    with sqlite_road.app() as app:
        async with running(service_of(app)) as stopping:
            await becomes(lambda: bool(sqlite_road.rows("SELECT 1 FROM bulk WHERE request_id IS NOT NULL")))
            stopping.set()
        assert sqlite_road.states() == {"sending": 60}
        [job] = sqlite_road.sandbox._state.jobs.known.values()
        job.polls = 0
        async with running(service_of(app)):
            await becomes(lambda: not sqlite_road.states())
    sqlite_road.delivered()
    assert sqlite_road.sandbox.sent_counts() == dict.fromkeys(sqlite_road.wanted, 1)


@pytest.mark.parametrize("transport", ["public-api"])
async def test_a_request_that_is_there_again_after_it_was_settled_is_asked_after_once_more(
    sqlite_road: Road, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk_answers, "FIRST_WAIT", 0.02)
    monkeypatch.setattr(bulk, "TAKE_UP_EVERY", 0.05)
    sqlite_road.configure(more={"token": "server"}, deadline="60s", lease="90s")
    sqlite_road.crowd(60)
    sqlite_road.refresh()
    sqlite_road.sandbox.set_faults(bulk_polls=10**6)
    with sqlite_road.app() as app, sqlite_road.opened() as database:
        async with running(service_of(app)):
            await becomes(lambda: bool(sqlite_road.rows("SELECT 1 FROM bulk WHERE request_id IS NOT NULL")))
            with database.read() as connection:
                kept = {
                    table: connection.execute(select(table)).mappings().all() for table in (schema.bulk, schema.slot)
                }
            [job] = sqlite_road.sandbox._state.jobs.known.values()
            job.polls = 0
            await becomes(lambda: not sqlite_road.states())
            with database.write() as connection:  # as after the crash of a server that had not written it to its disk
                for table, rows in kept.items():
                    connection.execute(insert(table), [dict(row) for row in rows])
            await becomes(lambda: not sqlite_road.states())
    sqlite_road.delivered()
    assert sqlite_road.sandbox.sent_counts() == dict.fromkeys(sqlite_road.wanted, 1)
