"""What happens while a recording is under way: nobody overtakes it, nobody waits for it in a circle."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
from sqlalchemy import text

from sync import telemetry
from sync.model.run import RunKind
from sync.store import enrolments, runs, slots
from sync.store.engine import Database
from tests.moving_clock import MovingClock
from tests.recorder import LEASE, PUSH, accept, audience, claim_one, owed, record, trait


@contextmanager
def recording_under_way(database: Database, answer: dict[str, object]) -> Iterator[None]:
    """A recording of the trait ``spend`` that has done everything but commit, for as long as the block lasts."""
    reached, go_on = threading.Event(), threading.Event()

    def hold(name: str, _: dict[str, object]) -> None:
        if name == "refresh.recorded" and threading.current_thread() is thread:
            reached.set()
            go_on.wait(60)

    failures: list[BaseException] = []

    def work() -> None:
        try:
            record(database, trait(), answer)
        except BaseException as error:  # noqa: BLE001 - told to the test below
            failures.append(error)

    thread = threading.Thread(target=work)
    stop = telemetry.listen(hold)
    thread.start()
    try:
        assert reached.wait(60)
        releaser = threading.Timer(0.5, go_on.set)
        releaser.start()
        yield
    finally:
        go_on.set()
        thread.join(60)
        stop()
    assert not failures


def test_r6_waits_for_a_recording_under_way_and_owes_its_values(
    postgresql_database: Database, clock: MovingClock
) -> None:
    database = postgresql_database
    record(database, trait(), {"ann": 1})
    late = claim_one(database)
    clock.advance(LEASE + 1)
    slots.rescue(database, PUSH)
    with recording_under_way(database, {"ann": 2}):
        accept(database, late)
    assert owed(database) == {"ann": {"spend": 2}}


def test_a_run_whose_lease_ran_out_while_it_records_is_neither_killed_nor_kills(
    postgresql_database: Database, clock: MovingClock
) -> None:
    database = postgresql_database
    record(database, trait(), {"ann": 1})
    with recording_under_way(database, {"ann": 2}):
        clock.advance(runs.LEASE_SECONDS + 1)
        claimed = runs.claim(database, trait(), RunKind.DELTA, clock.now() + timedelta(days=1), forced=False)
    with database.read() as connection:
        states = connection.execute(text("SELECT id, status FROM run ORDER BY id")).all()
    assert [row.status for row in states] == ["succeeded", "succeeded", "running"]
    assert states[-1].id == claimed.id


def test_destinations_are_owed_in_one_order_whatever_the_file_says(database: Database) -> None:
    record(database, audience("vip", "push", "other"), ["ann"])
    with database.read() as connection:
        decided = enrolments.decide(connection, 1, ["push", "other", "a"], RunKind.DELTA)
    assert [each.destination for each in decided.enrolments] == ["a", "other", "push"]


@pytest.mark.parametrize("round_", range(3))
def test_a_backfill_and_a_delta_at_once_both_record(round_: int, postgresql_database: Database) -> None:
    database = postgresql_database
    everybody = [f"u{number:05d}" for number in range(3000)]
    record(database, audience("a"), everybody)
    record(database, audience("b"), everybody[:1500])
    failures: list[BaseException] = []

    def run(key: str, members: list[str], kind: RunKind) -> None:
        try:
            record(database, audience(key), members, kind=kind)
        except BaseException as error:  # noqa: BLE001 - told to the test below
            failures.append(error)

    with database.write() as connection:
        connection.execute(text("DELETE FROM slot"))
    threads = [
        threading.Thread(target=run, args=("a", everybody[1:], RunKind.BACKFILL)),
        threading.Thread(target=run, args=("b", everybody[round_ : 1600 + round_], RunKind.DELTA)),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not failures
