"""What goes wrong is stored as a change, once for each receiver; and so is that it is right again."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import event

from sync import telemetry
from sync.config import Settings
from sync.daemon.alerts import Alerts
from sync.errors import StoreUnavailable
from sync.model.alert import AlertState
from sync.model.run import RunKind
from sync.model.tick import TickState
from sync.store import alerts, configurations, deletions, destinations, forgetting, lanes, runs, slots, ticks
from sync.store.deletions import Settlement, State
from sync.store.engine import Database
from sync.store.event_schema import hold
from sync.store.slots import Transition
from tests.daemon.receivers import bodies, configured, slack, webhook
from tests.deliver.wire import Connection, Server, answering, serving
from tests.moving_clock import MovingClock
from tests.recorder import PUSH, audience, claim, record, settle

PEOPLE = [f"user-{number}" for number in range(40)]


@pytest.fixture
def watching(tmp_path: Path) -> Settings:
    return configured(tmp_path, webhook())


@pytest.fixture
def watched(database: Database, watching: Settings, clock: MovingClock) -> Alerts:
    return Alerts(database, watching, clock)


def states(database: Database) -> dict[str, str]:
    """Every alert by kind and subject, without the receiver."""
    with database.read() as connection:
        return {name.partition(":")[2]: each.state for name, each in alerts.states(connection).items()}


def tick(database: Database, clock: MovingClock, key: str = "vip") -> ticks.ClaimedTick:
    """A tick of a definition, claimed."""
    clock.advance(60)
    generation = configurations.announce(database, "one")
    assert ticks.insert(database, key, clock.now(), due_at=clock.now(), generation=generation)
    claimed = ticks.claim(database, [key], generation, 30)
    assert claimed is not None
    return claimed


def fail(database: Database, clock: MovingClock) -> None:
    assert ticks.finish(database, tick(database, clock), TickState.FAILED, "user-1 has a value")


def test_where_all_is_well_nothing_is_stored(watched: Alerts, database: Database) -> None:
    destinations.report(database, PUSH, "closed", "")
    record(database, audience(), PEOPLE)
    assert watched.look() == 0
    assert states(database) == {}


def test_a_destination_goes_down_and_comes_back(watched: Alerts, database: Database) -> None:
    destinations.report(database, PUSH, "open", "503 Service Unavailable")
    assert (watched.look(), watched.look()) == (1, 0)
    assert states(database) == {"destination_down:push": AlertState.FIRING}
    destinations.report(database, PUSH, "closed", "a probe was accepted")
    assert (watched.look(), watched.look()) == (1, 0)
    assert states(database) == {"destination_down:push": AlertState.RESOLVED}


def test_a_tick_that_failed_for_good_is_an_alert_until_a_run_is_recorded(
    watched: Alerts, database: Database, clock: MovingClock
) -> None:
    fail(database, clock)
    assert watched.look() == 1
    assert states(database) == {"definition_failing:vip": AlertState.FIRING}
    clock.advance(1)
    record(database, audience(), PEOPLE)
    assert watched.look() == 1
    assert states(database) == {"definition_failing:vip": AlertState.RESOLVED}


def test_a_tick_that_is_tried_again_is_no_alert(watched: Alerts, database: Database, clock: MovingClock) -> None:
    claimed = tick(database, clock)
    run = runs.claim(database, audience(), RunKind.DELTA, None, forced=False)
    runs.fail(database, run, RuntimeError())
    assert ticks.again(database, claimed, due_at=clock.now() + timedelta(seconds=30), reason="away")
    assert watched.look() == 0


def test_a_definition_goes_on_failing_while_its_next_tick_waits(
    watched: Alerts, database: Database, clock: MovingClock
) -> None:
    fail(database, clock)
    watched.look()
    tick(database, clock)
    assert watched.look() == 0
    assert states(database) == {"definition_failing:vip": AlertState.FIRING}


def test_a_tick_that_is_skipped_says_nothing_of_a_definition(
    watched: Alerts, database: Database, clock: MovingClock
) -> None:
    fail(database, clock)
    assert ticks.finish(database, tick(database, clock), TickState.SKIPPED)
    assert watched.look() == 1
    assert states(database) == {"definition_failing:vip": AlertState.FIRING}


def test_a_tick_that_is_done_ends_the_alert(watched: Alerts, database: Database, clock: MovingClock) -> None:
    fail(database, clock)
    watched.look()
    assert ticks.finish(database, tick(database, clock), TickState.DONE)
    assert watched.look() == 1
    assert states(database) == {"definition_failing:vip": AlertState.RESOLVED}


def test_held_exits_are_an_alert_until_somebody_decides(watched: Alerts, database: Database) -> None:
    record(database, audience(), PEOPLE)
    record(database, audience(), PEOPLE[:2])
    assert watched.look() == 1
    assert states(database) == {"guard_held:vip": AlertState.FIRING}
    record(database, audience(), PEOPLE[:2], forced=True)
    assert watched.look() == 1
    assert states(database) == {"guard_held:vip": AlertState.RESOLVED}


def park(database: Database, users: int) -> None:
    """Record so many users, and park them."""
    record(database, audience(), PEOPLE[:users])
    for slot in claim(database):
        settle(database, slot, Transition.PARK, reason="400 user-1 has a value")


def test_every_receiver_has_a_limit_of_their_own_for_parked_users(
    database: Database, tmp_path: Path, clock: MovingClock
) -> None:
    strict, calm = webhook(parked_above=2), slack(parked_above=3)
    settings = configured(tmp_path, strict, calm)
    park(database, 3)
    assert Alerts(database, settings, clock).look() == 1
    with database.read() as connection:
        (fired,) = alerts.states(connection)
    assert fired == f"{settings.alerts[0].id}:parked_above:push"
    slots.unpark(database, PUSH, [PEOPLE[0]])
    assert Alerts(database, settings, clock).look() == 1
    assert states(database) == {"parked_above:push": AlertState.RESOLVED}


def test_parked_events_are_an_alert_as_parked_users_are_and_waiting_ones_are_none(
    watched: Alerts, database: Database, clock: MovingClock
) -> None:
    keep = {"user_key": "u", "due_at": clock.now(), "attempts": 1, "held_since": clock.now()}
    with database.write() as connection:
        connection.execute(
            hold.insert(),
            [
                {"destination": PUSH, "event_id": number, "state": state, **keep}
                for number, state in enumerate(("waiting", "parked", "parked"))
            ],
        )
    assert watched.look() == 1
    with database.read() as connection:
        (alert,) = alerts.states(connection).values()
    assert (alert.state, alert.detail) == (AlertState.FIRING, "has 2 parked events, and the limit is 0")
    assert lanes.drop(database, PUSH) == 2
    assert watched.look() == 1
    assert states(database) == {"parked_above:push": AlertState.RESOLVED}


def test_a_deletion_that_is_refused_is_an_alert_until_it_is_accepted_and_one_that_is_tried_again_is_none(
    watched: Alerts, database: Database
) -> None:
    forgetting.forget(database, "zoe", [PUSH], "op")
    settled = [(State.OWED, 0), (State.REFUSED, 1), (State.DONE, 1)]
    for state, told in settled:
        forgetting.forget(database, "zoe", [PUSH], "op")
        [owed] = deletions.due(database, PUSH, 1)
        deletions.settle(database, PUSH, [Settlement(owed, state, reason="400 zoe cannot go")])
        assert watched.look() == told
    assert states(database) == {f"deletion_refused:{PUSH}": AlertState.RESOLVED}


def test_what_leaves_the_configuration_is_resolved_and_a_receiver_who_leaves_it_forgotten(
    database: Database, tmp_path: Path, clock: MovingClock
) -> None:
    fail(database, clock)
    destinations.report(database, PUSH, "open", "401 no")
    assert Alerts(database, configured(tmp_path, webhook(), slack()), clock).look() == 4
    assert Alerts(database, configured(tmp_path, webhook(on=["destination_down"])), clock).look() == 1
    assert states(database) == {
        "definition_failing:vip": AlertState.RESOLVED,
        "destination_down:push": AlertState.FIRING,
    }


def test_where_nobody_is_to_be_told_the_store_is_not_asked(
    database: Database, tmp_path: Path, clock: MovingClock
) -> None:
    asked: list[str] = []
    event.listen(database.engine, "before_cursor_execute", lambda *arguments: asked.append(arguments[2]))
    assert Alerts(database, configured(tmp_path), clock).look() == 0
    assert asked == []


def test_a_look_reads_indexes_and_never_the_history(
    sqlite_database: Database, tmp_path: Path, clock: MovingClock
) -> None:
    asked: list[tuple[str, object]] = []
    watched = Alerts(sqlite_database, configured(tmp_path, webhook()), clock)
    event.listen(sqlite_database.engine, "before_cursor_execute", lambda *each: asked.append((each[2], each[3])))
    watched.look()
    with sqlite_database.engine.connect() as connection:
        plans = [
            str(step[-1])
            for statement, values in list(asked)
            if statement.startswith("SELECT")
            for step in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)  # type: ignore[arg-type]
        ]
    assert any("slot_parked" in step for step in plans)
    walked = {step for step in plans if step.startswith("SCAN") and " INDEX " not in step}
    assert walked <= {"SCAN alert", "SCAN definition", "SCAN destination", "SCAN watermark"}


async def told(server: Server, service: Alerts, until: Callable[[], bool]) -> None:
    """Let the service run until something holds."""
    stopping = asyncio.Event()
    running = asyncio.create_task(service.run(stopping))
    async with asyncio.timeout(60):
        while not until():  # noqa: ASYNC110 - the server knows no service
            await asyncio.sleep(0.005)
    stopping.set()
    await running


async def test_neither_users_nor_values_nor_secrets_are_told_or_logged(
    database: Database, tmp_path: Path, clock: MovingClock, caplog: pytest.LogCaptureFixture
) -> None:
    lines: list[str] = []
    silent = telemetry.listen(lambda name, fields: lines.append(f"{name} {fields}"))
    park(database, 12)
    record(database, audience(), PEOPLE)
    record(database, audience(), [])
    fail(database, clock)
    destinations.report(database, PUSH, "open", "500 user-1 has a value")
    try:
        with caplog.at_level(logging.DEBUG):
            async with serving(answering) as server:
                settings = configured(tmp_path, webhook(server), slack(server))
                service = Alerts(database, settings, clock)
                await told(server, service, lambda: len(server.requests) == 2)
    finally:
        silent()
    (text,) = [body["text"] for body in bodies(server) if "text" in body]
    (changes,) = [body["alerts"] for body in bodies(server) if "alerts" in body]
    assert len(changes) == len(text.splitlines()) == 4
    said = f"{changes}{text}{lines}{caplog.text}"
    assert "user-" not in said
    assert "has a value" not in said
    assert "hunter2" not in said
    assert "t0ken" not in said
    assert "k3y" not in said


async def test_a_receiver_is_tried_again_a_second_later_while_another_one_hangs(
    sqlite_database: Database, tmp_path: Path, clock: MovingClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def hang(connection: Connection) -> None:
        await connection.request()
        await asyncio.Event().wait()

    answers = [b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n", b"HTTP/1.1 204 No Content\r\n\r\n"]

    async def stumble(connection: Connection) -> None:
        while True:
            await connection.request()
            await connection.send(answers.pop(0))

    # Neither the next look nor an idle receiver's own may be what makes the second try.
    monkeypatch.setattr("sync.daemon.alerts.LOOK_EVERY", 3600.0)
    monkeypatch.setattr("sync.daemon.notifier.IDLE", 3600.0)
    destinations.report(sqlite_database, PUSH, "open", "401 no")
    async with serving(hang) as silent, serving(stumble) as other:
        settings = configured(tmp_path, webhook(silent), webhook(other))
        running = asyncio.create_task(Alerts(sqlite_database, settings, clock).run(asyncio.Event()))
        async with asyncio.timeout(60):
            while answers:  # noqa: ASYNC110 - the server knows no service
                await asyncio.sleep(0.005)
        assert len(silent.requests) == 1
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running


async def test_a_store_that_is_away_ends_the_duty_with_its_own_words(
    sqlite_database: Database, tmp_path: Path, clock: MovingClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object) -> None:
        raise StoreUnavailable("away")

    monkeypatch.setattr(alerts, "unnotified", away)
    with pytest.raises(StoreUnavailable, match="away"):
        await Alerts(sqlite_database, configured(tmp_path, webhook()), clock).run(asyncio.Event())


async def test_what_could_not_be_told_is_told_by_the_next_leader(
    database: Database, tmp_path: Path, clock: MovingClock
) -> None:
    answers = [b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n", b"HTTP/1.1 204 No Content\r\n\r\n"]

    async def behave(connection: Connection) -> None:
        while True:
            await connection.request()
            await connection.send(answers.pop(0))

    destinations.report(database, PUSH, "open", "401 no")
    async with serving(behave) as server:
        settings = configured(tmp_path, webhook(server))
        await told(server, Alerts(database, settings, clock), lambda: len(server.requests) == 1)
        await told(server, Alerts(database, settings, clock), lambda: not answers)
        one, other = bodies(server)
        assert one == other
    with database.read() as connection:
        assert alerts.unnotified(connection) == []
