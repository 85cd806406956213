"""What a look at a destination says, and that it costs next to nothing however much waits there."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from sync.model.run import RunKind
from sync.store import enrolments, slots
from sync.store.engine import Database
from sync.store.outlook import _OUTLOOK, Outlook, outlook
from sync.store.slots import Settlement, Transition
from tests.moving_clock import MovingClock
from tests.recorder import LEASE, PUSH, QUIET, audience, record

NOTHING = Outlook(due=False, stuck=False, delivered=False)


def finish(database: Database) -> None:
    with database.write() as connection:
        enrolments.finish_backfills(connection, PUSH, database.now(connection))


def test_with_nothing_recorded_there_is_nothing_to_do(database: Database) -> None:
    assert outlook(database, PUSH) == NOTHING


@pytest.mark.parametrize("kind", [RunKind.DELTA, RunKind.BACKFILL])
def test_what_is_owed_is_due_until_it_is_claimed_and_stuck_when_the_claim_has_run_out(
    database: Database, clock: MovingClock, kind: RunKind
) -> None:
    record(database, audience(), ["a"], kind=kind)
    assert outlook(database, PUSH) == Outlook(due=True, stuck=False, delivered=False)
    assert outlook(database, "elsewhere") == NOTHING
    slots.claim(database, PUSH, 10, LEASE)
    assert outlook(database, PUSH) == NOTHING
    clock.advance(LEASE + 1)
    assert outlook(database, PUSH) == Outlook(due=False, stuck=True, delivered=False)


def test_what_waits_is_due_when_its_time_has_come(database: Database, clock: MovingClock) -> None:
    record(database, audience(), ["a"])
    [claimed] = slots.claim(database, PUSH, 10, LEASE)
    slots.settle(database, PUSH, [Settlement(claimed, Transition.DEFER, seconds=60)], QUIET)
    assert not outlook(database, PUSH).due
    clock.advance(61)
    assert outlook(database, PUSH).due


@pytest.mark.parametrize("last", [Transition.ACCEPT, Transition.PARK])
def test_a_backfill_is_delivered_when_nobody_is_owed_anything_any_more(database: Database, last: Transition) -> None:
    record(database, audience(), ["a"], kind=RunKind.BACKFILL)
    [claimed] = slots.claim(database, PUSH, 10, LEASE)
    slots.settle(database, PUSH, [Settlement(claimed, last)], QUIET)
    assert outlook(database, PUSH) == Outlook(due=False, stuck=False, delivered=True)
    finish(database)
    assert outlook(database, PUSH) == NOTHING


def test_a_backfill_of_nobody_is_delivered_at_once(database: Database) -> None:
    record(database, audience(), [], kind=RunKind.BACKFILL)
    assert outlook(database, PUSH).delivered


def test_a_look_reads_the_first_of_each_by_an_index(database: Database) -> None:
    with database.write() as connection:
        connection.execute(text(_CROWD))
    explain = "EXPLAIN QUERY PLAN" if database.dialect == "sqlite" else "EXPLAIN"
    with database.engine.connect() as connection:
        if database.dialect == "postgresql":
            connection.execute(text("ANALYZE slot"))
        rows = connection.execute(text(f"{explain} {_OUTLOOK.element.text}"), {"destination": PUSH}).all()  # type: ignore[attr-defined]
    plan = "\n".join(str(row[-1]) for row in rows)
    assert plan.count("slot_due") == 2, plan
    assert plan.count("slot_sending") == 1, plan
    assert "PRIMARY KEY" not in plan
    assert "Seq Scan on slot" not in plan


_CROWD = f"""
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)
INSERT INTO slot (destination, user_id, owed, base, enrichment, version, state, doubt, priority, due_at, owed_since)
SELECT '{PUSH}', 'u' || i, '{{}}', '{{}}', '{{}}', i, CASE i % 2 WHEN 0 THEN 'parked' ELSE 'waiting' END,
       false, i % 3 / 2, '2099-01-01 00:00:00.000000', '2026-01-01 00:00:00.000000' FROM n"""
