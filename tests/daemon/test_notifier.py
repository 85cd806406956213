"""Changes reach receivers at least once, the newest state of each, however the receivers behave."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import logging
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from random import Random

import pytest

from sync import telemetry
from sync.config import Settings
from sync.daemon.notices import SIGNATURE
from sync.daemon.notifier import LONGEST_DELAY, MOST_AT_ONCE, Notifier
from sync.errors import StoreUnavailable
from sync.model.alert import AlertKind, AlertState, Subject
from sync.store import alerts
from sync.store.engine import Database
from tests.daemon.receivers import PATH, SECRET, bodies, configured, heard, slack, webhook
from tests.deliver.wire import Connection, answering, serving
from tests.moving_clock import HaltedClock, MovingClock
from tests.ports import unused_port

FIRING, RESOLVED = AlertState.FIRING, AlertState.RESOLVED
Behave = Callable[[Connection], Awaitable[None]]
Events = list[tuple[str, dict[str, object]]]


@pytest.fixture
def clock() -> HaltedClock:
    """What passes between two lines of a test is for the test to say."""
    return HaltedClock()


@pytest.fixture
def events() -> Iterator[Events]:
    found: Events = []
    silent = telemetry.listen(lambda name, fields: found.append((name, fields)))
    yield found
    silent()


def change(
    database: Database,
    settings: Settings,
    state: AlertState,
    subject: str = "push",
    kind: AlertKind = AlertKind.DESTINATION_DOWN,
) -> None:
    """Store a change for every receiver."""
    for receiver in settings.alerts:
        assert alerts.change(database, Subject(kind, subject).named_for(receiver.id), state, f"is {state}")


def notifier(database: Database, settings: Settings, clock: MovingClock, deadline: float = 10.0) -> Notifier:
    return Notifier(database, settings, clock, random=Random(1), deadline=deadline)


def saying(*answers: str) -> Behave:
    """Answer one request after another with these, then with 200; ``reset`` and ``silence`` are what they say."""
    left = list(answers)

    async def behave(connection: Connection) -> None:
        while True:
            await connection.request()
            answer = left.pop(0) if left else "200 OK"
            if answer == "reset":
                connection.reset()
                return
            if answer == "silence":
                await asyncio.Event().wait()
            await connection.send(f"HTTP/1.1 {answer}\r\nContent-Length: 0\r\n\r\n".encode())

    return behave


async def test_a_change_is_told_once_with_all_that_matters(
    database: Database, tmp_path: Path, clock: MovingClock
) -> None:
    async with serving(answering) as server:
        settings = configured(tmp_path, webhook(server))
        change(database, settings, FIRING)
        sender = notifier(database, settings, clock)
        assert (await sender.send_pending(), await sender.send_pending()) == (1, 0)
        (body,) = bodies(server)
        since = body["alerts"][0].pop("since")
        assert body == {
            "version": 1,
            "project": "shop",
            "alerts": [
                {
                    "alert": "destination_down",
                    "destination": "push",
                    "state": "firing",
                    "summary": "destination `push` is firing",
                }
            ],
        }
        with database.read() as connection:
            (stored,) = alerts.states(connection).values()
        assert since == stored.since.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        (request,) = server.requests
        assert request.startswith(f"POST {PATH} HTTP/1.1\r\n".encode())


async def test_a_webhook_is_signed_over_time_and_body(
    sqlite_database: Database, tmp_path: Path, clock: MovingClock
) -> None:
    async with serving(answering) as server:
        settings = configured(tmp_path, webhook(server))
        change(sqlite_database, settings, FIRING)
        await notifier(sqlite_database, settings, clock).send_pending()
        head, _, body = server.requests[0].partition(b"\r\n\r\n")
    headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n")[1:])
    time, signed = (part.partition("=")[2] for part in headers[SIGNATURE].split(","))
    assert abs(int(time) - clock.now().timestamp()) < 10
    assert hmac.new(SECRET.encode(), f"{time}.".encode() + body, hashlib.sha256).hexdigest() == signed
    assert headers["Content-Type"] == "application/json"


async def test_slack_gets_a_line_for_each_change_and_no_signature(
    sqlite_database: Database, tmp_path: Path, clock: MovingClock
) -> None:
    async with serving(answering) as server:
        settings = configured(tmp_path, slack(server))
        change(sqlite_database, settings, FIRING)
        name = Subject(AlertKind.GUARD_HELD, "vip").named_for(settings.alerts[0].id)
        alerts.change(sqlite_database, name, FIRING, "holds <3> & more")
        await notifier(sqlite_database, settings, clock).send_pending()
        assert bodies(server) == [
            {
                "text": "[shop] FIRING: destination `push` is firing\n"
                "[shop] FIRING: definition `vip` holds &lt;3&gt; &amp; more"
            }
        ]
        assert SIGNATURE.encode() not in server.requests[0]


@pytest.mark.parametrize("answer", ["500 Oops", "404 Not Found", "302 Found\r\nLocation: /elsewhere", "reset"])
async def test_what_was_not_heard_is_told_again_later(
    database: Database, tmp_path: Path, clock: MovingClock, answer: str
) -> None:
    async with serving(saying(answer)) as server:
        settings = configured(tmp_path, webhook(server))
        change(database, settings, FIRING)
        sender = notifier(database, settings, clock)
        assert (await sender.send_pending(), await sender.send_pending()) == (0, 0)
        assert len(server.requests) == 1
        clock.advance(2)
        assert await sender.send_pending() == 1
        assert heard(server) == [("destination_down", "push", "firing")] * 2


async def test_a_receiver_who_names_a_time_is_left_alone_until_then(
    sqlite_database: Database, tmp_path: Path, clock: MovingClock
) -> None:
    async with serving(saying("429 Slow\r\nRetry-After: 60")) as server:
        settings = configured(tmp_path, webhook(server))
        change(sqlite_database, settings, FIRING)
        sender = notifier(sqlite_database, settings, clock)
        await sender.send_pending()
        clock.advance(55)
        assert await sender.send_pending() == 0
        clock.advance(6)
        assert await sender.send_pending() == 1


async def test_a_silent_receiver_is_given_up_at_the_deadline_and_keeps_nobody_waiting(
    sqlite_database: Database, tmp_path: Path, clock: MovingClock
) -> None:
    async with serving(saying("silence")) as silent, serving(answering) as well:
        settings = configured(tmp_path, webhook(silent), webhook(well))
        change(sqlite_database, settings, FIRING)
        async with asyncio.timeout(60):
            assert await notifier(sqlite_database, settings, clock, deadline=4.0).send_pending() == 1
        assert heard(silent) == heard(well)


async def test_an_endless_answer_is_no_reason_to_wait(
    sqlite_database: Database, tmp_path: Path, clock: MovingClock
) -> None:
    async def behave(connection: Connection) -> None:
        await connection.request()
        await connection.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            await connection.send(b"1000\r\n" + b"x" * 4096 + b"\r\n")

    async with serving(behave) as server:
        settings = configured(tmp_path, webhook(server))
        change(sqlite_database, settings, FIRING)
        async with asyncio.timeout(60):
            assert await notifier(sqlite_database, settings, clock).send_pending() == 1


async def test_a_dead_receiver_is_tried_less_and_less_often_and_costs_two_lines_in_the_log(
    sqlite_database: Database, tmp_path: Path, clock: MovingClock, events: Events
) -> None:
    async with serving(saying(*["500 Oops"] * 20)) as server:
        settings = configured(tmp_path, webhook(server))
        change(sqlite_database, settings, FIRING)
        sender = notifier(sqlite_database, settings, clock)
        tries_by_hour = []
        for _ in range(2):
            for _ in range(360):
                await sender.send_pending()
                clock.advance(10)
            tries_by_hour.append(len(server.requests))
        assert tries_by_hour[0] < 22
        clock.advance(LONGEST_DELAY)
        await sender.send_pending()
    assert len(server.requests) == 21
    reports = [(name, fields) for name, fields in events if name.startswith("alerts.")]
    assert reports == [
        ("alerts.not_told", {"to": "alerts[0] (webhook)", "reason": "it answered 500"}),
        ("alerts.told", {"to": "alerts[0] (webhook)", "changes": 1, "failures": 20}),
    ]


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://127.0.0.1:{port}/t0ken", "it cannot be reached"),
        ("https://host.invalid/t0ken", "it cannot be reached"),
        ("https://a..b/t0ken", "it cannot be reached"),
        ("https://xn--/t0ken", "it cannot be reached"),
    ],
)
async def test_an_address_that_leads_nowhere_harms_nobody_and_is_not_logged(
    sqlite_database: Database,
    tmp_path: Path,
    clock: MovingClock,
    events: Events,
    caplog: pytest.LogCaptureFixture,
    url: str,
    reason: str,
) -> None:
    settings = configured(tmp_path, slack(url=url.format(port=unused_port())))
    change(sqlite_database, settings, FIRING)
    with caplog.at_level(logging.DEBUG):
        assert await notifier(sqlite_database, settings, clock).send_pending() == 0
    assert ("alerts.not_told", {"to": "alerts[0] (slack)", "reason": reason}) in events
    assert "t0ken" not in caplog.text


async def test_of_changes_that_were_not_heard_only_the_newest_is_told(
    database: Database, tmp_path: Path, clock: MovingClock
) -> None:
    async with serving(saying("503 Busy", "503 Busy")) as server:
        settings = configured(tmp_path, webhook(server))
        sender = notifier(database, settings, clock)
        for state in (FIRING, RESOLVED, FIRING):
            change(database, settings, state)
            await sender.send_pending()
            clock.advance(60)
        assert await sender.send_pending() == 0
        assert [state for _, _, state in heard(server)] == ["firing", "resolved", "firing"]


async def test_what_came_and_went_before_anybody_was_told_is_not_told(
    database: Database, tmp_path: Path, clock: MovingClock
) -> None:
    async with serving(answering) as server:
        settings = configured(tmp_path, webhook(server))
        change(database, settings, FIRING)
        change(database, settings, RESOLVED)
        assert await notifier(database, settings, clock).send_pending() == 0
        assert server.requests == []


async def test_who_may_have_heard_of_an_alert_is_told_that_it_is_over(
    database: Database, tmp_path: Path, clock: MovingClock
) -> None:
    async with serving(saying("reset")) as server:
        settings = configured(tmp_path, webhook(server))
        change(database, settings, FIRING)
        await notifier(database, settings, clock).send_pending()
        change(database, settings, RESOLVED)
        await notifier(database, settings, clock).send_pending()
        assert [state for _, _, state in heard(server)] == ["firing", "resolved"]


async def test_who_may_have_heard_that_it_is_over_is_told_that_it_is_not(
    database: Database, tmp_path: Path, clock: MovingClock
) -> None:
    async with serving(saying("200 OK", "reset")) as server:
        settings = configured(tmp_path, webhook(server))
        for state in (FIRING, RESOLVED, FIRING):
            change(database, settings, state)
            await notifier(database, settings, clock).send_pending()
        assert [state for _, _, state in heard(server)] == ["firing", "resolved", "firing"]


async def test_a_death_before_it_is_written_down_that_it_was_heard_tells_it_again(
    sqlite_database: Database, tmp_path: Path, clock: MovingClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object) -> None:
        raise StoreUnavailable("away")

    async with serving(answering) as server:
        settings = configured(tmp_path, webhook(server))
        change(sqlite_database, settings, FIRING)
        with monkeypatch.context() as patched:
            patched.setattr(alerts, "notified", away)
            with pytest.raises(StoreUnavailable):
                await notifier(sqlite_database, settings, clock).send_pending()
        assert await notifier(sqlite_database, settings, clock).send_pending() == 1
        assert len(heard(server)) == 2


async def test_many_changes_go_together_and_not_too_many(
    sqlite_database: Database, tmp_path: Path, clock: MovingClock
) -> None:
    async with serving(answering) as server:
        settings = configured(tmp_path, webhook(server))
        for number in range(MOST_AT_ONCE + 1):
            change(sqlite_database, settings, FIRING, f"vip_{number}", AlertKind.DEFINITION_FAILING)
        sender = notifier(sqlite_database, settings, clock)
        assert [await sender.send_pending() for _ in range(3)] == [MOST_AT_ONCE, 1, 0]
        assert len(set(heard(server))) == MOST_AT_ONCE + 1


async def test_what_is_stored_for_a_receiver_who_left_is_told_to_nobody(
    sqlite_database: Database, tmp_path: Path, clock: MovingClock
) -> None:
    async with serving(answering) as server:
        change(sqlite_database, configured(tmp_path, slack(server)), FIRING)
        settings = configured(tmp_path, webhook(server))
        assert await notifier(sqlite_database, settings, clock).send_pending() == 0
        assert server.requests == []
