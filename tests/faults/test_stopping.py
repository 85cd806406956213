"""Told to stop, a delivery settles what is in flight and gives the rest back: the next one goes on without doubt."""

from __future__ import annotations

import signal
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from sqlalchemy import update

from sync import telemetry
from sync.deliver import dispatcher, persistence
from sync.errors import StoreUnavailable
from sync.store import slots
from sync.store.schema import slot
from tests.proofs import Road, ended, until


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
def test_a_signal_ends_a_delivery_in_good_order_and_the_next_one_sends_nobody_twice(
    road: Road, number: signal.Signals
) -> None:
    road.crowd(400)
    road.sandbox.set_faults(latency=0.3)
    child = road.spawn("backfill")
    until(lambda: road.sandbox.user_count >= 30, "nothing is delivered")
    child.send_signal(number)
    code, said = ended(child)
    assert code == 1, said
    assert "still owed: stopped by a signal" in said
    left = road.states()
    assert set(left) == {"due"}
    assert left["due"] == 400 - road.sandbox.user_count
    assert not road.rows("SELECT 1 FROM slot WHERE doubt OR token IS NOT NULL")

    road.sandbox.replace_faults()
    assert road.command("backfill") == 0
    road.delivered()
    assert set(road.sandbox.sent_counts().values()) == {1}


@pytest.mark.parametrize("operation", ["settle", "claim", "rescue", "backlog"])
def test_a_delivery_outlives_a_store_that_is_away_for_a_moment(
    sqlite_road: Road, monkeypatch: pytest.MonkeyPatch, operation: str
) -> None:
    sqlite_road.crowd(50)
    sqlite_road.refresh()
    ask, away = getattr(slots, operation), iter([True, True])
    delivering = False

    def sometimes(*arguments: object, **named: object) -> object:
        if delivering and next(away, False):
            raise StoreUnavailable("the store cannot be reached")
        return ask(*arguments, **named)

    def listener(name: str, _: dict[str, object]) -> None:
        nonlocal delivering
        delivering = delivering or name == "deliver.claimed"

    monkeypatch.setattr(slots, operation, sometimes)
    monkeypatch.setattr(dispatcher, "RESCUE_EVERY", 0.0)
    stop = telemetry.listen(listener)
    try:
        assert sqlite_road.command("delta") == 0
    finally:
        stop()
    assert next(away, None) is None
    sqlite_road.delivered()
    assert set(sqlite_road.sandbox.sent_counts().values()) == {1}


@pytest.mark.parametrize("operation", ["settle", "claim"])
def test_a_store_that_stays_away_ends_a_delivery_with_one_sentence_and_loses_nothing(
    sqlite_road: Road, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], operation: str
) -> None:
    sqlite_road.configure(deadline="2s", lease="3.5s")  # what was sent and could not be settled is waited for
    sqlite_road.crowd(50)
    with monkeypatch.context() as patch:

        def away(*_: object) -> None:
            raise StoreUnavailable("the store cannot be reached")

        patch.setattr(slots, operation, away)
        patch.setattr(persistence, "PAUSES", (0.01, 0.01))
        assert sqlite_road.command("backfill") == 1
    assert capsys.readouterr().err.strip() == "error: the store cannot be reached"
    assert sum(sqlite_road.states().values()) == 50

    # What was sent and could not be written down is in doubt once its lease has run out.
    assert sqlite_road.command("backfill") == 0
    sqlite_road.delivered()
    # A machine that stands still longer than the deadline makes some more of it unknown.
    assert max(sqlite_road.sandbox.sent_counts().values()) <= 3 + sqlite_road.tries()["unknown"]


def test_a_store_that_drops_all_connections_in_the_middle_of_a_delivery_is_asked_again(road: Road) -> None:
    if road.store.startswith("sqlite"):
        pytest.skip("a file has no connections")
    road.crowd(300)
    settled = 0

    def listener(name: str, _: dict[str, object]) -> None:
        nonlocal settled
        settled += name == "deliver.settled"
        if name == "deliver.settled" and settled in {2, 5, 8}:
            with psycopg.connect(road.store.replace("+psycopg", ""), autocommit=True) as connection:
                connection.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                    "WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )

    stop = telemetry.listen(listener)
    try:
        assert road.command("backfill") == 0
    finally:
        stop()
    road.delivered()
    assert settled > 2  # what is settled while one settlement is written goes together: how many there are is chance


def test_a_clock_that_was_set_back_neither_spins_nor_waits_beyond_its_patience(
    road: Road, capsys: pytest.CaptureFixture[str]
) -> None:
    road.crowd(3)
    assert road.command("delta", "--no-deliver") == 0
    with road.opened() as database, database.write() as connection:
        connection.execute(update(slot).values(due_at=datetime.now(UTC) + timedelta(minutes=10)))
    capsys.readouterr()
    looks: list[str] = []
    stop = telemetry.listen(lambda name, _: looks.append(name))
    assert road.command("delta", "--wait", "0.6") == 1
    stop()
    assert "still owed: nothing was accepted for 0.6 s" in capsys.readouterr().out
    assert "deliver.claimed" not in looks
