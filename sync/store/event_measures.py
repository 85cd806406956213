"""How the event log stands with every destination, in a handful of numbers that cost little however long the log is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, case, func, literal_column, select, text

from sync.store.event_schema import event, forwarding, hold, lane

COUNTED = 100_000
"""Unread events are counted up to here: beyond, their number matters less than their age."""

_WAITING: ColumnElement[str] = literal_column("'waiting'")
"""Written out, not bound: SQLite knows a partial index only by its very words."""


@dataclass(frozen=True, slots=True)
class EventBacklog:
    """What of the log one destination has still to get.

    ``unread``: events that no lane has come to, counted up to `COUNTED`. ``waiting`` and ``parked``: held ones.
    ``oldest``: when the oldest that is unread or waiting was received. ``began_at``: since when events go there.
    """

    unread: int
    waiting: int
    parked: int
    oldest: datetime | None
    began_at: datetime


@dataclass(frozen=True, slots=True)
class LogMeasure:
    """The log itself: its newest event's number, and when its oldest and its newest one were received."""

    newest: int
    oldest_at: datetime | None
    newest_at: datetime | None


def measure_log(connection: Connection) -> LogMeasure:
    """How far the log goes; two looks at its ends."""
    ends = [
        connection.execute(select(event.c.id, event.c.received_at).order_by(order).limit(1)).one_or_none()
        for order in (event.c.id, event.c.id.desc())
    ]
    oldest, newest = ends
    if oldest is None or newest is None:
        return LogMeasure(0, None, None)
    return LogMeasure(newest.id, oldest.received_at, newest.received_at)


def event_backlogs(connection: Connection) -> Mapping[str, EventBacklog]:
    """Of every destination that events go to, by name."""
    held = {
        (row.destination, row.state): row.number
        for row in connection.execute(
            select(hold.c.destination, hold.c.state, func.count().label("number")).group_by(
                hold.c.destination, hold.c.state
            )
        )
    }
    found = {}
    for row in connection.execute(select(forwarding).order_by(forwarding.c.destination)).all():
        unread, since = _unread(connection, row)
        waiting = held.get((row.destination, "waiting"), 0)
        instants = (since, _first_waiting(connection, row.destination) if waiting else None)
        oldest = min((each for each in instants if each is not None), default=None)
        parked = held.get((row.destination, "parked"), 0)
        found[row.destination] = EventBacklog(unread, waiting, parked, oldest, row.began_at)
    return found


def _unread(connection: Connection, began: Row[Any]) -> tuple[int, datetime | None]:
    """How many events no lane has come to, and when the first of them was received.

    Who forwards keeps the floor close below what it reads: of the events above it nearly all are unread.
    """
    some = (
        select(event.c.lane, event.c.id, event.c.received_at)
        .where(event.c.id > began.floor)
        .order_by(event.c.id)
        .limit(COUNTED)
        .subquery()
    )
    unread = case((some.c.id > func.coalesce(lane.c.cursor, 0), some.c.received_at))
    number, looked, oldest = connection.execute(
        select(func.count(unread), func.count(), func.min(unread))
        .select_from(some)
        .join(lane, (lane.c.destination == began.destination) & (lane.c.number == some.c.lane), isouter=True)
    ).one()
    return COUNTED if looked == COUNTED else number, oldest


def _first_waiting(connection: Connection, destination: str) -> datetime | None:
    first = select(func.min(hold.c.event_id)).where(hold.c.destination == destination, hold.c.state == _WAITING)
    found: datetime | None = connection.execute(
        select(event.c.received_at).where(event.c.id == first.scalar_subquery())
    ).scalar_one_or_none()
    return found


def store_bytes(connection: Connection) -> int:
    """The size of the store: of its file, without the log before it is moved in, or of its tables with their indexes."""
    statement = _SQLITE_BYTES if connection.dialect.name == "sqlite" else _POSTGRESQL_BYTES
    size: int = connection.execute(text(statement)).scalar_one()
    return size


_SQLITE_BYTES = "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()"
_POSTGRESQL_BYTES = """
SELECT coalesce(sum(pg_total_relation_size(oid)), 0)::bigint FROM pg_class
WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r'"""
