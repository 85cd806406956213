"""What is watched from outside, in a handful of numbers: one statement a topic, so that looking costs little."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, case, func, select, text

from sync.store import destinations, reports
from sync.store.engine import Database
from sync.store.schema import definition, run, slot, tick

STATEMENT_MILLISECONDS = 4000
"""The longest that one of these statements may take on PostgreSQL; behind a locked table it would wait for ever."""


@dataclass(frozen=True, slots=True)
class DefinitionMeasure:
    """One definition. ``recorded_at`` is ``None`` before its first success; the counts are its newest finished run's."""

    kind: str
    members: int
    recorded_at: datetime | None
    status: str | None
    seconds: float
    entered: int
    exited: int
    changed: int
    held: int


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
    """The store at the instant ``at``, by its own clock; definitions by key, destinations by name."""

    at: datetime
    definitions: Mapping[str, DefinitionMeasure]
    backlogs: Mapping[str, BacklogMeasure]
    breakers: Mapping[str, str]
    leases: Sequence[Mapping[str, Any]]
    ticks: TickMeasure


def measure(database: Database) -> Measures:
    """Look at everything once. Raises `StoreError`."""
    with database.read() as connection:
        if database.dialect == "postgresql":
            connection.execute(text(f"SET LOCAL statement_timeout = {STATEMENT_MILLISECONDS}"))
        now = database.now(connection)
        return Measures(
            at=now,
            definitions=_definitions(connection),
            backlogs=_backlogs(connection),
            breakers={name: str(row["breaker"]) for name, row in destinations.states(connection).items()},
            leases=reports.leases(connection, database),
            ticks=_ticks(connection, now),
        )


def _definitions(connection: Connection) -> dict[str, DefinitionMeasure]:
    # A definition's newest finished run, by the index of its history: the table of runs is long, and is not read.
    newest = (
        select(run.c.id)
        .where(run.c.definition_id == definition.c.id, run.c.finished_at.is_not(None))
        .order_by(run.c.id.desc())
        .limit(1)
        .correlate(definition)
        .scalar_subquery()
    )
    own = (definition.c.key, definition.c.kind, definition.c.members, definition.c.recorded_at)
    its = (run.c.status, run.c.started_at, run.c.finished_at, run.c.entered, run.c.exited, run.c.changed, run.c.held)
    query = select(*own, *its).join(run, run.c.id == newest, isouter=True).where(definition.c.removed_at.is_(None))
    return {row.key: _definition(row) for row in connection.execute(query)}


def _definition(row: Any) -> DefinitionMeasure:
    took = (row.finished_at - row.started_at).total_seconds() if row.finished_at else 0.0
    counts = (row.entered or 0, row.exited or 0, row.changed or 0, row.held or 0)
    return DefinitionMeasure(row.kind, row.members, row.recorded_at, row.status, max(0.0, took), *counts)


def _backlogs(connection: Connection) -> dict[str, BacklogMeasure]:
    query = select(slot.c.destination, slot.c.state, func.count(), func.min(slot.c.owed_since)).group_by(
        slot.c.destination, slot.c.state
    )
    users: dict[str, dict[str, int]] = {}
    oldest: dict[str, datetime] = {}
    for name, state, count, since in connection.execute(query):
        users.setdefault(name, {})[state] = count
        if state != "parked":
            oldest[name] = min(since, oldest.get(name, since))
    return {name: BacklogMeasure(found, oldest.get(name)) for name, found in users.items()}


def _ticks(connection: Connection, now: datetime) -> TickMeasure:
    waiting, running = tick.c.state == "due", tick.c.state == "running"
    query = select(
        func.count(case((waiting, 1))),
        func.count(case((running, 1))),
        func.min(case((waiting, tick.c.due_at))),
    ).where(waiting | running)
    due, started, oldest = connection.execute(query).one()
    return TickMeasure(due, started, oldest if oldest is not None and oldest < now else None)
