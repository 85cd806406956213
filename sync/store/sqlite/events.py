"""SQLite's statements of the event log. Profiles go as one JSON document, ``:batch``; events row by row, which is faster."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sqlalchemy import Connection, text

from sync.model.event import LoggedEvent
from sync.store.instants import stamp

_INSERT = """
INSERT INTO event (id, source, message_id, type, name, user_id, anonymous_id, timestamp, received_at, lane, collected, body)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (message_id, source) DO NOTHING"""

_NEW = "SELECT id FROM event WHERE id BETWEEN ? AND ?"

PROFILES = text("""
SELECT user_id, traits, times FROM profile WHERE user_id IN (SELECT value FROM json_each(:user_ids))""")

MERGE = text("""
INSERT INTO profile (user_id, traits, times, created_at, updated_at)
SELECT value ->> 'user_id', value -> 'traits', value -> 'times', :now, :now FROM json_each(:batch) WHERE true
ON CONFLICT (user_id) DO UPDATE SET traits = excluded.traits, times = excluded.times,
    updated_at = CASE WHEN profile.traits = excluded.traits THEN profile.updated_at ELSE excluded.updated_at END""")


def insert(connection: Connection, batch: Sequence[tuple[int, LoggedEvent]]) -> set[int]:
    """Add events under their numbers, which go up; gives the numbers of those that were not there yet."""
    rows = list(_rows(batch))
    added = connection.exec_driver_sql(_INSERT, rows).rowcount
    if added == len(batch):
        return {number for number, _ in batch}
    return set(connection.exec_driver_sql(_NEW, (batch[0][0], batch[-1][0])).scalars())


def _rows(batch: Sequence[tuple[int, LoggedEvent]]) -> Iterator[tuple[object, ...]]:
    """Events of one request share the instant of their receipt: it is written down once."""
    received_at, received = None, ""
    for number, each in batch:
        if each.received_at is not received_at:
            received_at = each.received_at
            received = stamp(received_at)
        yield (
            number,
            each.source,
            each.message_id,
            each.type,
            each.name,
            each.user_id,
            each.anonymous_id,
            stamp(each.timestamp),
            received,
            each.lane,
            each.collected,
            each.body,
        )
