"""The loop of one destination: it never ends in silence, never waits for ever, and leaves nothing behind."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from sync import telemetry
from sync.daemon.app import App
from sync.deliver import breaker
from sync.deliver.channel import Channel
from sync.deliver.delivered import Delivered
from sync.deliver.foreground import deliver
from sync.store import destinations, slots
from tests.moving_clock import MovingClock
from tests.proofs import Road


def delivered(app: App, patience: float = 60) -> Delivered:
    [done] = deliver(app.database(), app.outlets(["pushwoosh"]), app.clock, patience=patience)
    return done


def test_with_nothing_owed_a_delivery_ends_at_once(sqlite_road: Road) -> None:
    with sqlite_road.app() as app:
        done = delivered(app)
    assert done.complete
    assert (done.accepted, done.stopped) == (0, "")


def test_a_mistake_of_ours_in_one_sender_ends_the_drain_with_it_and_what_was_sent_is_in_doubt(
    road: Road, monkeypatch: pytest.MonkeyPatch
) -> None:
    road.configure(deadline="1s", lease="3s")  # what the mistaken one had claimed is waited for
    road.crowd(100)
    road.refresh()
    exchange, left = Channel.exchange, iter(range(30))

    async def mistaken(self: Channel, request: object) -> object:
        if next(left, None) is None:
            raise ZeroDivisionError
        return await exchange(self, request)  # type: ignore[arg-type]

    with monkeypatch.context() as patch, road.app() as app:
        patch.setattr(Channel, "exchange", mistaken)
        with pytest.raises(ZeroDivisionError):
            delivered(app)
    assert 0 < road.states()["sending"] <= 20
    assert road.command("delta") == 0
    road.delivered()
    assert road.rows("SELECT count(*) FROM lease WHERE term > 0") == [(1,)]


def test_one_user_of_whom_no_request_can_be_made_is_parked_and_the_others_are_delivered(
    road: Road, monkeypatch: pytest.MonkeyPatch
) -> None:
    road.crowd(100)
    road.refresh()
    with road.app() as app:
        [outlet] = app.outlets(["pushwoosh"])
        requests_for = outlet.destination.requests_for

        def fussy(event: dict[str, object]) -> object:
            if event["userId"] == "u50":
                raise ValueError("a value of this user")
            return requests_for(event)

        monkeypatch.setattr(outlet.destination, "requests_for", fussy)
        [done] = deliver(app.database(), [outlet], app.clock, patience=60)
    assert (done.accepted, done.parked) == (99, 1)
    assert road.rows("SELECT user_id, reason FROM slot") == [("u50", "no request can be made of it (ValueError)")]


def test_a_delivery_may_run_in_another_thread_where_no_signal_can_be_heard(sqlite_road: Road) -> None:
    sqlite_road.crowd(10)
    sqlite_road.refresh()
    with sqlite_road.app() as app, ThreadPoolExecutor(1) as threads:
        assert threads.submit(delivered, app).result().complete
    sqlite_road.delivered()


def test_a_report_that_fails_does_not_hold_up_the_end(sqlite_road: Road, monkeypatch: pytest.MonkeyPatch) -> None:
    sqlite_road.crowd(50)
    sqlite_road.refresh()
    sqlite_road.sandbox.set_faults(status=401)

    def failing(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(destinations, "report", failing)
    with sqlite_road.app() as app, pytest.raises(ZeroDivisionError):
        delivered(app)
    assert sqlite_road.states() == {"due": 50}


def test_progress_is_told_after_every_batch_and_adds_up(road: Road) -> None:
    road.crowd(100)
    road.refresh()
    road.sandbox.set_faults(fail_users=["u1", "u2"])
    told: list[int] = []
    with road.app() as app:
        [done] = deliver(
            app.database(),
            app.outlets(["pushwoosh"]),
            app.clock,
            patience=60,
            on_progress=lambda done: told.append(done.accepted + done.parked),
        )
    assert told == sorted(told)
    assert told[-1] == 100
    assert (done.accepted, done.parked, done.refused) == (98, 2, 2)
    assert done.by_verdict == {"accepted": 98, "refused": 2}
    assert not done.complete


def test_while_the_breaker_is_open_nothing_is_claimed_but_for_the_probe(
    sqlite_road: Road, clock: MovingClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(breaker, "LONGEST_DELAY", 0.05)
    sqlite_road.crowd(60)
    sqlite_road.refresh()
    sqlite_road.sandbox.set_faults(status=500)
    claimed: list[object] = []
    opened, patience = False, 8.0  # shorter than a lease, which is not to run out with it

    def listener(name: str, fields: dict[str, object]) -> None:
        nonlocal opened
        opened = opened or name == "breaker.opened"
        if opened and name == "deliver.claimed":
            claimed.append(fields["users"])
            if len(claimed) == 4:
                clock.advance(patience)

    stop = telemetry.listen(listener)
    with sqlite_road.app(clock) as app:
        done = delivered(app, patience)
    stop()
    assert "failure" in done.stopped or "failed" in done.stopped
    # But for one claim that was under way when it opened.
    assert len(claimed) >= 4
    assert set(claimed[1:]) <= {1}
    assert sqlite_road.states().keys() <= {"waiting", "due"}


def test_a_dispatcher_counts_what_it_un_parked_again(sqlite_road: Road) -> None:
    sqlite_road.crowd(50)
    sqlite_road.refresh()
    sqlite_road.sandbox.set_faults(fail_users=[f"u{number}" for number in range(50)])
    with sqlite_road.app() as app:
        done = delivered(app)
        with app.database().read() as connection:
            assert slots.backlog(connection, "pushwoosh").parked == 0
    assert done.parked == 0
    assert done.stopped == "20 users refused in a row, none accepted"
