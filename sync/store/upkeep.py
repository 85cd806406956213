"""Upkeep: throw away history that is old, keep SQLite's log short, see a transaction that keeps PostgreSQL from it.

History is deleted in small batches, each a transaction of its own, so that nobody waits for it and a death leaves only
less to do. What decides anything later is kept however old it is: see `prune`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Delete, Select, Table, delete, func, select, text, tuple_

from sync.model.retention import LEAST_EVENTS, Retention
from sync.model.run import RunStatus
from sync.store.engine import BUSY_SECONDS, Database, translated
from sync.store.event_schema import event, event_outcome, forwarding, hold, lane
from sync.store.schema import attempt, bulk_attempt, run, tick

BATCH = 1000
"""Rows deleted in one transaction."""

BULKS = 50
"""The same of attempts of many users in one request: each may be some tens of kilobytes."""

RUNS_KEPT = 10
"""The newest runs of every definition are kept however old they are."""

CHECKPOINT_SECONDS = 1.0
"""How long a checkpoint waits for readers: meanwhile nobody can write."""


@dataclass(frozen=True, slots=True)
class Pruned:
    """Rows that were thrown away."""

    runs: int
    attempts: int
    ticks: int
    events: int = 0
    outcomes: int = 0


@dataclass(frozen=True, slots=True)
class OpenTransaction:
    """Who has kept a transaction open, and for how long."""

    age: timedelta
    pid: int
    application: str


def _always() -> bool:
    return True


def prune(
    database: Database,
    retention: Retention,
    *,
    destinations: Collection[str] | None = None,
    batch: int = BATCH,
    go_on: Callable[[], bool] = _always,
) -> Pruned:
    """Delete what is older than ``retention`` says, ``batch`` rows at a time, for as long as ``go_on`` says so.

    Kept are, of every definition, the newest runs, the newest recorded and the newest succeeded one (their held exits
    and their instants are still asked for) and the last tick; events that some destination still waits for; and
    whatever is under way. Only ``destinations`` are asked for their events when they are given: one that is no longer
    configured would keep the log for ever.
    """

    def old_events(before: datetime, now: datetime, batch: int) -> Delete:
        return _old_events(before, now, batch, destinations)

    return Pruned(
        runs=_delete(database, retention.runs, _old_runs, batch, go_on),
        attempts=_delete(database, retention.attempts, _old_attempts, batch, go_on)
        + _delete(database, retention.attempts, _old_bulk_attempts, min(batch, BULKS), go_on),
        ticks=_delete(database, retention.runs, _old_ticks, batch, go_on),
        events=_delete(database, max(retention.events, LEAST_EVENTS), old_events, batch, go_on),
        outcomes=_delete(database, retention.attempts, _old_outcomes, batch, go_on),
    )


def _delete(
    database: Database,
    seconds: float,
    old: Callable[[datetime, datetime, int], Delete],
    batch: int,
    go_on: Callable[[], bool],
) -> int:
    deleted = 0
    while go_on() and math.isfinite(seconds):
        with database.write() as connection:
            now = database.now(connection)
            gone = connection.execute(old(now - timedelta(seconds=seconds), now, batch)).rowcount
        deleted += gone
        if gone < batch:
            break
    return deleted


def _old_runs(before: datetime, _: datetime, batch: int) -> Delete:
    newer = run.alias("newer")
    newer_run = select(newer.c.id).where(newer.c.definition_id == run.c.definition_id, newer.c.id > run.c.id)
    recorded = newer_run.where(newer.c.status.in_((RunStatus.SUCCEEDED, RunStatus.HELD)))
    succeeded = newer_run.where(newer.c.status == RunStatus.SUCCEEDED)
    old = (
        select(run.c.id)
        .where(
            run.c.finished_at < before,
            newer_run.order_by(newer.c.id).offset(RUNS_KEPT - 1).limit(1).exists(),
            run.c.status.not_in((RunStatus.SUCCEEDED, RunStatus.HELD)) | recorded.exists(),
            (run.c.status != RunStatus.SUCCEEDED) | succeeded.exists(),
        )
        .order_by(run.c.finished_at)
        .limit(batch)
    )
    return delete(run).where(run.c.id.in_(old))


def _old_attempts(before: datetime, now: datetime, batch: int) -> Delete:
    """Attempts have no index by time, as each send writes some: the oldest have the smallest numbers. Those dated in
    the future, by a clock that was wrong, are passed over until their time has come."""
    return _oldest(attempt, before, now, batch)


def _old_bulk_attempts(before: datetime, now: datetime, batch: int) -> Delete:
    return _oldest(bulk_attempt, before, now, batch)


def _oldest(table: Table, before: datetime, now: datetime, batch: int) -> Delete:
    oldest = select(table.c.id, table.c.at).where(table.c.at <= now).order_by(table.c.id).limit(batch).subquery()
    return delete(table).where(table.c.id.in_(select(oldest.c.id).where(oldest.c.at < before)))


def _old_ticks(before: datetime, _: datetime, batch: int) -> Delete:
    newer = tick.alias("newer")
    newer_tick = select(newer.c.key).where(newer.c.key == tick.c.key, newer.c.instant > tick.c.instant)
    old: Select[Any] = (
        select(tick.c.key, tick.c.instant)
        .where(tick.c.finished_at < before, newer_tick.exists())
        .order_by(tick.c.finished_at)
        .limit(batch)
    )
    return delete(tick).where(tuple_(tick.c.key, tick.c.instant).in_(old))


def _old_events(before: datetime, now: datetime, batch: int, destinations: Collection[str] | None) -> Delete:
    """The log's oldest have the smallest numbers, as attempts have; what a lane has not come to, or holds, is kept."""
    passed = func.coalesce(lane.c.cursor, forwarding.c.floor)
    of_its_lane = (lane.c.destination == forwarding.c.destination) & (lane.c.number == event.c.lane)
    waits = (
        select(forwarding.c.destination)
        .select_from(forwarding.outerjoin(lane, of_its_lane))
        .where(event.c.id > passed, event.c.id > forwarding.c.floor)
    )
    if destinations is not None:
        waits = waits.where(forwarding.c.destination.in_(destinations))
    oldest = (
        select(event.c.id, event.c.received_at)
        .where(event.c.received_at <= now, ~waits.correlate(event).exists(), event.c.id.not_in(select(hold.c.event_id)))
        .order_by(event.c.id)
        .limit(batch)
        .subquery()
    )
    return delete(event).where(event.c.id.in_(select(oldest.c.id).where(oldest.c.received_at < before)))


def _old_outcomes(before: datetime, _: datetime, batch: int) -> Delete:
    """An outcome whose event is held still says why."""
    held = select(hold.c.event_id).where(
        hold.c.event_id == event_outcome.c.event_id, hold.c.destination == event_outcome.c.destination
    )
    old = (
        select(event_outcome.c.event_id, event_outcome.c.destination)
        .where(event_outcome.c.at < before, ~held.exists())
        .order_by(event_outcome.c.at)
        .limit(batch)
    )
    return delete(event_outcome).where(tuple_(event_outcome.c.event_id, event_outcome.c.destination).in_(old))


def checkpoint(database: Database) -> bool:
    """Move SQLite's write-ahead log into the file and empty it; False when readers were in the way, to be tried later.

    PostgreSQL sees to itself.
    """
    if database.dialect != "sqlite":
        return True
    with translated(), closing(database.engine.raw_connection()) as connection, closing(connection.cursor()) as cursor:
        cursor.execute(f"PRAGMA busy_timeout = {CHECKPOINT_SECONDS * 1000:.0f}")
        try:
            busy: int = cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
        finally:
            cursor.execute(f"PRAGMA busy_timeout = {BUSY_SECONDS * 1000}")
    return not busy


def oldest_transaction(connection: Connection) -> OpenTransaction | None:
    """The transaction that has been open longest in the store's PostgreSQL database, besides this connection's.

    While it is open nothing that died after its start can be cleared away, and the tables of the outbox grow.
    """
    if connection.dialect.name != "postgresql":
        return None
    row = connection.execute(text(_OLDEST)).one_or_none()
    return None if row is None else OpenTransaction(row.age, row.pid, row.application_name)


_OLDEST = """
SELECT clock_timestamp() - xact_start AS age, pid, application_name FROM pg_stat_activity
WHERE datname = current_database() AND xact_start IS NOT NULL AND pid <> pg_backend_pid()
    AND backend_type = 'client backend'
ORDER BY xact_start LIMIT 1"""
