"""Told to stop, a delivery settles what is in flight and gives the rest back: the next one goes on without doubt."""

from __future__ import annotations

import signal

import psycopg
import pytest

from sync import telemetry
from sync.errors import StoreUnavailable
from sync.store import slots
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


def test_outcomes_wait_while_the_store_is_away(sqlite_road: Road, monkeypatch: pytest.MonkeyPatch) -> None:
    settle, away = slots.settle, iter([True, True])

    def sometimes(*arguments: object) -> int:
        if next(away, False):
            raise StoreUnavailable("the store cannot be reached")
        return settle(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(slots, "settle", sometimes)
    sqlite_road.crowd(50)
    assert sqlite_road.command("backfill") == 0
    sqlite_road.delivered()
    assert set(sqlite_road.sandbox.sent_counts().values()) == {1}


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
    assert settled > 8
