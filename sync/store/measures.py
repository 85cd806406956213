"""What is watched from outside, in a handful of numbers: one statement a topic, so that looking costs little."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, ScalarSelect, Select, func, literal_column, select, text, union_all

from sync.model.run import RunStatus
from sync.store import deletions, destinations, event_measures, reports, upkeep
from sync.store.engine import Database
from sync.store.event_measures import EventBacklog, LogMeasure
from sync.store.schema import definition, run, slot, tick, watermark
from sync.store.slots import STATE

_RECORDED = (RunStatus.SUCCEEDED, RunStatus.HELD)

STATEMENT_MILLISECONDS = 4000
"""The longest that one of these statements may take on PostgreSQL; behind a locked table it would wait for ever."""


@dataclass(frozen=True, slots=True)
class DefinitionMeasure:
    """One definition. ``recorded_at`` is ``None`` before its first success; the counts are those of its newest recorded
    run, ``status`` and ``seconds`` those of the newest that ended, also of one that failed. ``broken``: incremental runs
    had missed changes."""

    kind: str
    members: int
    recorded_at: datetime | None
    status: str | None
    seconds: float
    entered: int
    exited: int
    changed: int
    held: int
    broken: bool = False


@dataclass(frozen=True, slots=True)
class BacklogMeasure:
    """One destination's users by state. ``oldest``: since when something is owed to somebody who is not parked."""

    users: Mapping[str, int]
    oldest: datetime | None


@dataclass(frozen=True, slots=True)
class TickMeasure:
    """``overdue_since``: when the oldest tick that nobody has taken yet was due."""

    due: int
    running: int
    overdue_since: datetime | None


@dataclass(frozen=True, slots=True)
class Measures:
    """The store at the instant ``at``, by its own clock; definitions by key, destinations by name.

    ``oldest_transaction`` is how long another connection to the server has kept a transaction open; nothing on SQLite.
    """

    at: datetime
    definitions: Mapping[str, DefinitionMeasure]
    backlogs: Mapping[str, BacklogMeasure]
    breakers: Mapping[str, str]
    leases: Sequence[Mapping[str, Any]]
    ticks: TickMeasure
    oldest_transaction: timedelta
    log: LogMeasure
    events: Mapping[str, EventBacklog]
    store_bytes: int
    deletions: Mapping[str, deletions.Backlog]


def measure(database: Database) -> Measures:
    """Look at everything once. Raises `StoreError`."""
    with database.read() as connection:
        if database.dialect == "postgresql":
            connection.execute(text(f"SET LOCAL statement_timeout = {STATEMENT_MILLISECONDS}"))
        now = database.now(connection)
        transaction = upkeep.oldest_transaction(connection)
        return Measures(
            at=now,
            definitions=_definitions(connection),
            backlogs=_backlogs(connection),
            breakers={name: str(row["breaker"]) for name, row in destinations.states(connection).items()},
            leases=reports.leases(connection, database),
            ticks=_ticks(connection, now),
            oldest_transaction=transaction.age if transaction else timedelta(),
            log=event_measures.measure_log(connection),
            events=event_measures.event_backlogs(connection),
            store_bytes=event_measures.store_bytes(connection),
            deletions=deletions.backlog(connection),
        )


def _definitions(connection: Connection) -> dict[str, DefinitionMeasure]:
    ended, recorded = run.alias("ended"), run.alias("recorded")
    own = (definition.c.key, definition.c.kind, definition.c.members, definition.c.recorded_at)
    last = (ended.c.status, ended.c.started_at, ended.c.finished_at)
    counts = (recorded.c.entered, recorded.c.exited, recorded.c.changed, recorded.c.held)
    query = (
        select(*own, *last, *counts, watermark.c.broken_at)
        .select_from(definition)
        .join(watermark, isouter=True)
        .join(ended, ended.c.id == _newest(run.c.finished_at.is_not(None)), isouter=True)
        .join(recorded, recorded.c.id == _newest(run.c.status.in_(_RECORDED)), isouter=True)
        .where(definition.c.removed_at.is_(None))
    )
    return {row.key: _definition(row) for row in connection.execute(query)}


def _newest(condition: ColumnElement[bool]) -> ScalarSelect[int]:
    """A definition's newest run, by the index of its history: the table of runs is long, and is not read."""
    return (
        select(run.c.id)
        .where(run.c.definition_id == definition.c.id, condition)
        .order_by(run.c.id.desc())
        .limit(1)
        .correlate(definition)
        .scalar_subquery()
    )


def _definition(row: Any) -> DefinitionMeasure:
    took = (row.finished_at - row.started_at).total_seconds() if row.finished_at else 0.0
    counts = (row.entered or 0, row.exited or 0, row.changed or 0, row.held or 0)
    broken = row.broken_at is not None
    return DefinitionMeasure(row.kind, row.members, row.recorded_at, row.status, max(0.0, took), *counts, broken)


def _backlogs(connection: Connection) -> dict[str, BacklogMeasure]:
    query = select(slot.c.destination, STATE, func.count(), func.min(slot.c.owed_since)).group_by(
        slot.c.destination, STATE
    )
    users: dict[str, dict[str, int]] = {}
    oldest: dict[str, datetime] = {}
    for name, state, count, since in connection.execute(query):
        users.setdefault(name, {})[state] = count
        if state != "parked":
            oldest[name] = min(since, oldest.get(name, since))
    return {name: BacklogMeasure(found, oldest.get(name)) for name, found in users.items()}


def _ticks(connection: Connection, now: datetime) -> TickMeasure:
    due, running = (_ticks_in(state) for state in ("'due'", "'running'"))
    rows = connection.execute(union_all(due, running)).all()
    found = {row.state: (row.ticks, row.oldest) for row in rows}
    waiting, oldest = found["due"]
    overdue = None if oldest is None or oldest >= now else oldest
    return TickMeasure(waiting, found["running"][0], overdue)


def _ticks_in(state: str) -> Select[Any, Any, Any]:
    # Written out, not bound: SQLite knows a partial index only by its very words, and history is long.
    return select(
        literal_column(state).label("state"), func.count().label("ticks"), func.min(tick.c.due_at).label("oldest")
    ).where(tick.c.state == literal_column(state))
