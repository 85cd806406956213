from __future__ import annotations

import os
import threading
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import event, text

from sync.errors import UsageError
from sync.model.retention import Retention
from sync.model.run import RunKind
from sync.model.tick import TickState
from sync.store import configurations, engine, reports, runs, ticks, upkeep
from sync.store.engine import Database
from sync.store.upkeep import Pruned
from tests.moving_clock import MovingClock
from tests.postgresql import own_database
from tests.recorder import accept, audience, claim, record

DAY = 86_400.0
KEEP = Retention(runs=10 * DAY, attempts=2 * DAY)
PEOPLE = [str(number) for number in range(40)]


def fail(database: Database) -> None:
    runs.fail(database, runs.claim(database, audience(), RunKind.DELTA, None, forced=False), UsageError("because"))


def ids(database: Database) -> list[int]:
    with database.read() as connection:
        return list(connection.execute(text("SELECT id FROM run ORDER BY id")).scalars())


def count(database: Database, table: str) -> int:
    with database.read() as connection:
        number: int = connection.execute(text(f"SELECT count(*) FROM {table}")).scalar_one()
    return number


def test_a_store_without_history_is_left_as_it_is(database: Database) -> None:
    assert upkeep.prune(database, KEEP) == Pruned(0, 0, 0)


def test_runs_are_kept_for_as_long_as_was_asked(database: Database, clock: MovingClock) -> None:
    for _ in range(upkeep.RUNS_KEPT + 3):
        record(database, audience(), ["ann"])
    clock.advance(KEEP.runs - 60)
    assert upkeep.prune(database, KEEP).runs == 0
    clock.advance(120)
    assert upkeep.prune(database, KEEP).runs == 3
    assert len(ids(database)) == upkeep.RUNS_KEPT


def test_the_newest_runs_of_every_definition_are_kept_however_old(database: Database, clock: MovingClock) -> None:
    record(database, audience("other"), ["ann"])
    for _ in range(upkeep.RUNS_KEPT + 5):
        record(database, audience(), ["ann"])
    before = ids(database)
    clock.advance(KEEP.runs + 60)
    assert upkeep.prune(database, KEEP).runs == 5
    assert ids(database) == before[:1] + before[6:]


def test_the_last_success_and_the_last_held_run_outlive_any_number_of_failures(
    database: Database, clock: MovingClock
) -> None:
    record(database, audience(), PEOPLE)
    assert record(database, audience(), []).hold
    for _ in range(upkeep.RUNS_KEPT + 5):
        fail(database)
    before = ids(database)
    clock.advance(KEEP.runs + 60)
    upkeep.prune(database, KEEP)
    assert ids(database)[:2] == before[:2]
    with database.read() as connection:
        assert reports.held_runs(connection)["vip"]["held"] == len(PEOPLE)
        assert ticks.followers_due(connection, {"follower": "vip"})


def test_a_run_that_goes_on_is_kept(database: Database, clock: MovingClock) -> None:
    going = runs.claim(database, audience("going"), RunKind.DELTA, None, forced=False)
    clock.advance(KEEP.runs + 60)
    upkeep.prune(database, Retention(runs=0, attempts=0))
    assert going.id in ids(database)


def test_a_user_is_still_known_when_the_run_that_decided_is_not(database: Database, clock: MovingClock) -> None:
    record(database, audience(), ["ann"])
    for _ in range(upkeep.RUNS_KEPT):
        record(database, audience(), ["ann"])
    clock.advance(KEEP.runs + 60)
    assert upkeep.prune(database, KEEP).runs == 1
    with database.read() as connection:
        (value,) = reports.user(connection, "ann")["values"]
    assert (value["value"], value["run_id"], value["as_of"]) == (True, 1, None)


def test_a_removed_definitions_return_after_pruning_still_sends_what_was_missed(
    database: Database, clock: MovingClock
) -> None:
    """Who left while a destination was not enrolled is found by the numbers of runs, which are never given twice."""
    record(database, audience("vip", "push", "mail"), PEOPLE)
    record(database, audience("vip", "push"), PEOPLE)
    record(database, audience("vip", "push"), PEOPLE[1:])
    for _ in range(upkeep.RUNS_KEPT):
        record(database, audience("vip", "push"), PEOPLE[1:])
    claimed = claim(database, destination="mail")
    with database.write() as connection:
        connection.execute(text("DELETE FROM slot"))
    clock.advance(KEEP.runs + 60)
    assert upkeep.prune(database, KEEP).runs == 3
    record(database, audience("vip", "push", "mail"), PEOPLE[1:])
    owed = {slot.user_id: slot.owed for slot in claim(database, destination="mail")}
    assert len(claimed) == len(PEOPLE)
    assert owed[PEOPLE[0]] == {"vip": False}


def test_attempts_are_kept_for_as_long_as_was_asked(database: Database, clock: MovingClock) -> None:
    record(database, audience(), PEOPLE)
    accept(database, *claim(database))
    clock.advance(KEEP.attempts - 60)
    record(database, audience("other"), PEOPLE[:3])
    accept(database, *claim(database))
    assert upkeep.prune(database, KEEP).attempts == 0
    clock.advance(120)
    assert upkeep.prune(database, KEEP).attempts == len(PEOPLE)
    assert count(database, "attempt") == 3


def test_attempts_dated_by_a_clock_that_was_ahead_keep_no_others(database: Database, clock: MovingClock) -> None:
    clock.advance(1000 * DAY)
    record(database, audience(), PEOPLE[:5])
    accept(database, *claim(database))
    clock.advance(-1000 * DAY)
    with database.write() as connection:
        connection.execute(text("DELETE FROM snapshot"))
        connection.execute(text("DELETE FROM run"))
        connection.execute(text("UPDATE definition SET as_of = NULL, members = 0"))
    record(database, audience(), PEOPLE)
    accept(database, *claim(database))
    clock.advance(KEEP.attempts + 60)
    assert upkeep.prune(database, KEEP, batch=4).attempts == len(PEOPLE)
    assert count(database, "attempt") == 5


def test_ended_ticks_are_kept_as_long_as_runs_and_the_last_of_each_key_for_ever(
    database: Database, clock: MovingClock
) -> None:
    generation = configurations.announce(database, "one")
    at = clock.now()

    def add(key: str, number: int) -> None:
        ticks.insert(database, key, at + timedelta(seconds=number), due_at=at, generation=generation)

    for key in ("a", "b"):
        for number in range(5):
            add(key, number)
            tick = ticks.claim(database, [key], generation, 30)
            assert tick is not None
            ticks.finish(database, tick, (TickState.DONE, TickState.FAILED, TickState.SKIPPED)[number % 3])
    add("a", 5)
    assert upkeep.prune(database, KEEP).ticks == 0
    clock.advance(KEEP.runs + 60)
    assert upkeep.prune(database, KEEP).ticks == 5 + 4
    with database.read() as connection:
        found = ticks.latest(connection, ["a", "b"])
    assert found == {"a": at + timedelta(seconds=5), "b": at + timedelta(seconds=4)}
    assert count(database, "tick") == 2


def test_what_is_owed_decided_and_enrolled_has_no_age(database: Database, clock: MovingClock) -> None:
    record(database, audience(), PEOPLE)
    tables = ("slot", "snapshot", "enrolment", "definition")
    before = [count(database, table) for table in tables]
    clock.advance(10_000 * DAY)
    upkeep.prune(database, Retention(runs=0, attempts=0))
    assert [count(database, table) for table in tables] == before


@pytest.mark.parametrize("batch", [1, 7, 40, 1000])
def test_history_goes_in_small_batches_each_a_transaction(database: Database, clock: MovingClock, batch: int) -> None:
    record(database, audience(), PEOPLE)
    accept(database, *claim(database))
    clock.advance(KEEP.attempts + 60)
    commits: list[object] = []
    event.listen(database.engine, "commit", commits.append)
    assert upkeep.prune(database, KEEP, batch=batch).attempts == len(PEOPLE)
    assert count(database, "attempt") == 0
    assert len(commits) == len(PEOPLE) // batch + 6


def test_pruning_beside_others_who_prune_and_record_loses_nothing(database: Database, clock: MovingClock) -> None:
    for _ in range(upkeep.RUNS_KEPT + 20):
        record(database, audience(), ["ann"])
    clock.advance(KEEP.runs + 60)
    start = threading.Barrier(3)
    pruned: list[int] = []

    def work() -> None:
        start.wait()
        pruned.append(upkeep.prune(database, KEEP, batch=3).runs)

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    start.wait()
    for _ in range(5):
        record(database, audience("other"), ["ann"])
    for thread in threads:
        thread.join()
    assert sum(pruned) == 20
    assert len(ids(database)) == upkeep.RUNS_KEPT + 5


def log_of(database: Database) -> Path:
    assert database.engine.url.database
    return Path(f"{database.engine.url.database}-wal")


def test_a_checkpoint_empties_sqlites_log(sqlite_database: Database) -> None:
    record(sqlite_database, audience(), PEOPLE)
    assert log_of(sqlite_database).stat().st_size > 0
    assert upkeep.checkpoint(sqlite_database)
    assert log_of(sqlite_database).stat().st_size == 0
    record(sqlite_database, audience("other"), PEOPLE)


def test_a_checkpoint_that_a_reader_keeps_from_its_end_says_so_and_blocks_nobody(
    sqlite_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upkeep, "CHECKPOINT_SECONDS", 0.01)
    with sqlite_database.read() as reader:
        reader.execute(text("SELECT count(*) FROM slot")).all()
        record(sqlite_database, audience(), PEOPLE)
        assert not upkeep.checkpoint(sqlite_database)
        record(sqlite_database, audience("other"), PEOPLE)
    assert upkeep.checkpoint(sqlite_database)


def test_a_checkpoint_leaves_connections_as_patient_as_they_were(sqlite_database: Database) -> None:
    with sqlite_database.read() as connection:
        before = connection.execute(text("PRAGMA busy_timeout")).scalar_one()
    upkeep.checkpoint(sqlite_database)
    with sqlite_database.read() as connection:
        assert connection.execute(text("PRAGMA busy_timeout")).scalar_one() == before


def test_postgresql_needs_no_checkpoint_and_sqlite_knows_no_old_transaction(
    sqlite_database: Database, postgresql_database: Database
) -> None:
    assert upkeep.checkpoint(postgresql_database)
    with sqlite_database.read() as connection:
        assert upkeep.oldest_transaction(connection) is None


def test_the_oldest_transaction_on_postgresql_is_found_with_who_has_it(postgresql_url: str) -> None:
    # A database of its own: others' tests have transactions open too.
    with own_database(postgresql_url, f"upkeep_{os.getpid()}") as url, closing(engine.connect(url)) as database:
        with database.read() as looking:
            assert upkeep.oldest_transaction(looking) is None
        with database.read() as forgotten, database.read() as younger, database.read() as looking:
            pid = forgotten.execute(text("SELECT pg_backend_pid()")).scalar_one()
            younger.execute(text("SELECT 1"))
            found = upkeep.oldest_transaction(looking)
    assert found is not None
    assert (found.pid, found.application) == (pid, "engage-sync")
    assert found.age >= timedelta(0)


def test_queue_tables_on_postgresql_are_vacuumed_early(postgresql_database: Database) -> None:
    with postgresql_database.read() as connection:
        settings = dict(
            connection.execute(
                text(
                    "SELECT relname, array_to_string(reloptions, ' ') FROM pg_class"
                    " WHERE relnamespace = current_schema()::regnamespace AND reloptions IS NOT NULL"
                )
            ).all()
        )
    assert {"slot", "tick", "attempt", "bulk_attempt", "lease", "counter"} <= set(settings)
    assert "autovacuum_vacuum_scale_factor=0.01" in settings["slot"]
