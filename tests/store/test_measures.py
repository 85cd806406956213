"""The numbers that are watched are the store's, and looking at them reads no history."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

from sqlalchemy import event, text

from sync.model.run import RunKind
from sync.store import destinations, leases, runs, ticks
from sync.store.engine import Database
from sync.store.measures import BacklogMeasure, DefinitionMeasure, TickMeasure, measure
from sync.store.slots import Transition
from tests.moving_clock import MovingClock
from tests.recorder import PUSH, audience, claim, record, settle, trait


def test_an_empty_store_has_nothing(database: Database) -> None:
    found = measure(database)
    assert (found.definitions, found.backlogs, found.breakers, found.leases) == ({}, {}, {}, [])
    assert found.ticks == TickMeasure(0, 0, None)
    assert found.oldest_transaction >= timedelta()


def test_a_definition_has_the_counts_of_the_newest_recorded_run_and_the_end_of_the_newest(
    database: Database, clock: MovingClock
) -> None:
    record(database, audience(), ["ann", "bob"])
    record(database, audience(), ["ann", "cid", "dan"])
    clock.advance(60)
    failed = runs.claim(database, audience(), RunKind.DELTA, None, forced=False)
    clock.advance(7)
    runs.fail(database, failed, ValueError())
    runs.claim(database, audience(), RunKind.DELTA, None, forced=False)  # is going on: no end yet
    found = measure(database)
    vip = found.definitions["vip"]
    assert vip.recorded_at is not None
    assert 67 <= (found.at - vip.recorded_at).total_seconds() < 67 + 60
    assert 7 <= vip.seconds < 7 + 60
    assert vip == DefinitionMeasure("audience", 3, vip.recorded_at, "failed", vip.seconds, 2, 1, 0, 0)


def test_held_exits_stay_until_a_run_is_recorded_that_holds_none(database: Database) -> None:
    record(database, audience(), [f"u{number}" for number in range(20)])
    record(database, audience(), [])
    runs.fail(database, runs.claim(database, audience(), RunKind.DELTA, None, forced=False), ValueError())
    assert measure(database).definitions["vip"].held == 20
    record(database, audience(), [f"u{number}" for number in range(20)])
    assert measure(database).definitions["vip"].held == 0


def test_a_definition_without_a_recorded_run_has_none(database: Database) -> None:
    runs.fail(database, runs.claim(database, trait(), RunKind.DELTA, None, forced=False), ValueError())
    found = measure(database).definitions["spend"]
    assert (found.kind, found.recorded_at, found.status, found.members) == ("trait", None, "failed", 0)


def test_a_backlog_is_counted_by_state_and_the_oldest_is_of_those_who_are_not_parked(
    database: Database, clock: MovingClock
) -> None:
    record(database, audience("vip", PUSH, "other"), ["ann", "bob", "cid"])
    clock.advance(100)
    for claimed in claim(database):
        settle(database, claimed, Transition.PARK if claimed.user_id == "ann" else Transition.DEFER, seconds=5)
    record(database, audience("vip", PUSH, "other"), ["ann", "bob", "cid", "dan"])
    found = measure(database)
    assert found.backlogs[PUSH].users == {"parked": 1, "waiting": 2, "due": 1}
    assert found.backlogs["other"].users == {"due": 4}
    assert found.backlogs[PUSH].oldest is not None
    assert (found.at - found.backlogs[PUSH].oldest).total_seconds() >= 100


def test_parked_users_alone_are_not_waiting(database: Database) -> None:
    record(database, audience(), ["ann"])
    settle(database, claim(database)[0], Transition.PARK)
    assert measure(database).backlogs == {PUSH: BacklogMeasure({"parked": 1}, None)}


def test_breakers_and_leases_are_those_of_the_store(database: Database) -> None:
    destinations.report(database, PUSH, "open", "401 unauthorized")
    leases.acquire(database, "leader", 15)
    found = measure(database)
    assert found.breakers == {PUSH: "open"}
    assert [(each["name"], each["term"]) for each in found.leases] == [("leader", 1)]


def test_a_tick_is_late_from_the_instant_it_is_due_until_somebody_takes_it(
    database: Database, clock: MovingClock
) -> None:
    now = clock.now()
    for key, seconds in (("vip", 10), ("spend", 30)):
        ticks.insert(database, key, now, due_at=now + timedelta(seconds=seconds), generation=1)
    assert measure(database).ticks == TickMeasure(2, 0, None)
    clock.advance(40)
    late = measure(database).ticks
    assert (late.due, late.running, late.overdue_since) == (2, 0, now + timedelta(seconds=10))
    assert ticks.claim(database, ["vip", "spend"], 1, 30) is not None
    assert measure(database).ticks == TickMeasure(1, 1, now + timedelta(seconds=30))


def test_an_old_transaction_on_the_server_is_seen(postgresql_database: Database) -> None:
    with postgresql_database.read() as connection:
        connection.execute(text("SELECT pg_sleep(0.05)"))
        assert measure(postgresql_database).oldest_transaction >= timedelta(seconds=0.05)


def test_no_table_of_history_is_read_whole(database: Database) -> None:
    _fill_history(database)
    whole = re.compile(r"(SCAN|Seq Scan on) (run|tick|attempt|snapshot|ended|recorded)\b(?! USING)")
    assert [plan for plan in _plans(database) if whole.search(plan)] == []


def _fill_history(database: Database) -> None:
    """Enough for a planner to prefer indexes."""
    record(database, audience(), ["ann"])
    record(database, trait(), {"ann": 1})
    numbers = {
        "sqlite": "WITH RECURSIVE s(n) AS (SELECT 2 UNION ALL SELECT n + 1 FROM s WHERE n < 5000)",
        "postgresql": "WITH s AS (SELECT n FROM generate_series(2, 5000) AS n)",
    }[database.dialect]
    columns = "definition_id, kind, token, holder, lease_until, as_of, forced, started_at, finished_at"
    later = {"sqlite": "substr(started_at, 1, 20) || (100000 + n)", "postgresql": "started_at + n * interval '1 s'"}
    ended = "key, state, generation, created_at, due_at, finished_at, instant"
    one = "run WHERE run.id = (SELECT min(id) FROM run)"
    with database.write() as connection:
        connection.execute(
            text(
                f"INSERT INTO run (id, status, {columns}) {numbers} SELECT 1000 + n, 'failed', {columns} FROM s, {one}"
            )
        )
        connection.execute(
            text(
                f"INSERT INTO tick ({ended}) {numbers} SELECT 'vip', 'done', 1, started_at, started_at, started_at, "
                f"{later[database.dialect]} FROM s, {one}"
            )
        )
    with database.engine.connect() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT").execute(text("ANALYZE"))


def _plans(database: Database) -> list[str]:
    """How the store would answer each statement of one measurement."""
    said: list[tuple[str, Any]] = []

    def note(_connection: object, _cursor: object, statement: str, values: object, *_: object) -> None:
        said.append((statement, values))

    event.listen(database.engine, "before_cursor_execute", note)
    measure(database)
    event.remove(database.engine, "before_cursor_execute", note)
    explain = "EXPLAIN QUERY PLAN " if database.dialect == "sqlite" else "EXPLAIN "
    with database.engine.connect() as connection:
        plans = [
            "\n".join(str(row[-1]) for row in connection.exec_driver_sql(explain + statement, values))
            for statement, values in said
            if statement.startswith("SELECT")
        ]
    assert len(plans) >= 5
    return plans
