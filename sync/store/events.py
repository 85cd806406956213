"""The event log: what was received, numbered in the order in which it was recorded.

A recording takes its numbers first of all, from the counter that slots' versions come from, and keeps the counter's row
until it has committed. So recordings go one after another and cannot wait for each other in a circle; whoever has seen
a number has seen all lower ones that there will ever be; and of an event and a slot's version, the higher number was
recorded later.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import ModuleType

import psycopg
from sqlalchemy import Connection, Text, cast, func, select, text
from sqlalchemy.exc import DBAPIError

from sync import telemetry
from sync.model.event import LoggedEvent
from sync.store import profiles, suppressions
from sync.store.engine import Database
from sync.store.event_schema import event
from sync.store.postgresql import events as postgresql_events
from sync.store.sqlite import events as sqlite_events

Numbered = Sequence[tuple[int, LoggedEvent]]


@dataclass(frozen=True, slots=True)
class Recorded:
    """What became of a batch. ``ids``: the new events' numbers, in the batch's order. ``duplicates`` were in the log
    before, or stood earlier in the batch; ``suppressed`` are of users of whom nothing is taken in. ``refused``:
    positions in the batch of what the store cannot hold (text with NUL, a number beyond all measure)."""

    ids: tuple[int, ...] = ()
    duplicates: int = 0
    suppressed: int = 0
    refused: tuple[int, ...] = ()

    @property
    def new(self) -> int:
        """How many events the log has got."""
        return len(self.ids)


@dataclass(slots=True)
class _Added:
    numbers: set[int] = field(default_factory=set)
    refused: set[int] = field(default_factory=set)


class _Unstorable(Exception):
    """Some event of a batch cannot be stored as it is."""


_Insert = Callable[[Connection, ModuleType, Numbered], _Added]


def record(database: Database, batch: Sequence[LoggedEvent]) -> Recorded:
    """Add events to the log and to the profiles of their users, in one transaction: durable when this returns.

    One event that cannot be stored is left out and does not touch the others. Raises `StoreUnavailable` when nothing was recorded
    and it may be tried again: events are told from each other by source and message id.
    """
    if not batch:
        return Recorded()
    try:
        return _record(database, batch, _insert)
    except _Unstorable:
        return _record(database, batch, _insert_one_by_one)


def _record(database: Database, batch: Sequence[LoggedEvent], insert: _Insert) -> Recorded:
    sql = sqlite_events if database.dialect == "sqlite" else postgresql_events
    with database.write() as connection:
        last = _numbers(connection, len(batch))
        numbered = list(zip(range(last - len(batch) + 1, last + 1), batch, strict=True))
        wanted = _wanted(connection, numbered)
        added = insert(connection, sql, wanted) if wanted else _Added()
        new = [pair for pair in wanted if pair[0] in added.numbers]
        profiles.merge(connection, sql, [each for _, each in new], database.now)
    if added.refused:
        telemetry.event("events.not_storable", level=logging.WARNING, events=len(added.refused))
    return Recorded(
        ids=tuple(number for number, _ in new),
        duplicates=len(wanted) - len(new) - len(added.refused),
        suppressed=len(numbered) - len(wanted),
        refused=tuple(place for place, (number, _) in enumerate(numbered) if number in added.refused),
    )


def _numbers(connection: Connection, many: int) -> int:
    """Draw so many numbers; gives the last one. The counter's row is ours until the transaction's end."""
    last: int = connection.execute(_DRAW, {"many": many}).scalar_one()
    return last


# Written out, as every group of posted events waits for it: SQLAlchemy would take longer to build it than the engine to run it.
_DRAW = text("UPDATE counter SET value = value + :many WHERE name = 'version' RETURNING value")


def _wanted(connection: Connection, numbered: Numbered) -> Numbered:
    users = {each.user_id for _, each in numbered if each.user_id is not None}
    suppressed = suppressions.suppressed(connection, users)
    return [pair for pair in numbered if pair[1].user_id not in suppressed] if suppressed else numbered


def _insert(connection: Connection, sql: ModuleType, numbered: Numbered) -> _Added:
    """All at once."""
    if any(each.user_id is not None and "\0" in each.user_id for _, each in numbered):
        raise _Unstorable  # SQLite would take it, and cut it off where it is read
    try:
        return _Added(sql.insert(connection, numbered))
    except (ValueError, TypeError, OverflowError, DBAPIError) as error:
        if isinstance(error, DBAPIError) and not _is_about_a_row(error.orig):
            raise
        raise _Unstorable from error


def _insert_one_by_one(connection: Connection, sql: ModuleType, numbered: Numbered) -> _Added:
    """By halves, down to those that cannot be stored."""
    try:
        with connection.begin_nested():
            return _insert(connection, sql, numbered)
    except _Unstorable:
        if len(numbered) == 1:
            return _Added(refused={numbered[0][0]})
    half = len(numbered) // 2
    first = _insert_one_by_one(connection, sql, numbered[:half])
    second = _insert_one_by_one(connection, sql, numbered[half:])
    return _Added(first.numbers | second.numbers, first.refused | second.refused)


def _is_about_a_row(error: BaseException | None) -> bool:
    """Whether a row's content was refused: by its type, a constraint, or one of PostgreSQL's limits (an index entry's)."""
    if isinstance(error, psycopg.Error) and error.sqlstate is not None:
        return error.sqlstate[:2] in ("22", "23", "54")
    return isinstance(error, psycopg.DataError | sqlite3.DataError | sqlite3.IntegrityError | sqlite3.ProgrammingError)


def latest(connection: Connection) -> int:
    """The number up to which everything is recorded that ever will be."""
    number: int = connection.execute(select(func.coalesce(func.max(event.c.id), 0))).scalar_one()
    return number


def find(
    connection: Connection,
    *,
    number: int | None = None,
    message_id: str | None = None,
    user_id: str | None = None,
    type: str | None = None,  # noqa: A002 - the field's word
    name: str | None = None,
    after: int | None = None,
    newest_first: bool = True,
    most: int = 100,
) -> list[LoggedEvent]:
    """Events of which all that is given holds, by number; those ``after`` a number when one follows the log."""
    equal = {"id": number, "message_id": message_id, "user_id": user_id, "type": type, "name": name}
    statement = select(*_COLUMNS).where(*(event.c[key] == value for key, value in equal.items() if value is not None))
    if after is not None:
        statement = statement.where(event.c.id > after)
    rows = connection.execute(statement.order_by(event.c.id.desc() if newest_first else event.c.id).limit(most))
    return [LoggedEvent(**row._mapping) for row in rows]  # noqa: SLF001 - SQLAlchemy's name for it


_COLUMNS = (
    event.c.id,
    event.c.source,
    event.c.message_id,
    event.c.type,
    event.c.name,
    event.c.user_id,
    event.c.anonymous_id,
    event.c.timestamp,
    event.c.received_at,
    cast(event.c.body, Text).label("body"),
    event.c.collected,
)
