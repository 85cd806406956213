"""PostgreSQL's statements of the event log. Rows go as one JSON document, ``:batch``, into which bodies are laid as they are."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC

import orjson
from sqlalchemy import Connection, text

from sync.model.event import LoggedEvent

_INSERT = text("""
INSERT INTO event (id, source, message_id, type, name, user_id, anonymous_id, timestamp, received_at, lane, collected, body)
SELECT * FROM json_to_recordset(cast(:batch AS json)) AS row (
    id bigint, source text, message_id text, type text, name text, user_id text, anonymous_id text,
    timestamp timestamptz, received_at timestamptz, lane integer, collected boolean, body jsonb)
ON CONFLICT (message_id, source) DO NOTHING RETURNING id""")

PROFILES = text("""
SELECT user_id, traits::text, times::text FROM profile
WHERE user_id IN (SELECT json_array_elements_text(cast(:user_ids AS json))) ORDER BY user_id FOR UPDATE""")

MERGE = text("""
INSERT INTO profile (user_id, traits, times, created_at, updated_at)
SELECT user_id, traits, times, :now, :now
FROM json_to_recordset(cast(:batch AS json)) AS row (user_id text, traits jsonb, times jsonb)
ON CONFLICT (user_id) DO UPDATE SET traits = excluded.traits, times = excluded.times,
    updated_at = CASE WHEN profile.traits = excluded.traits THEN profile.updated_at ELSE excluded.updated_at END""")


def insert(connection: Connection, batch: Sequence[tuple[int, LoggedEvent]]) -> set[int]:
    """Add events under their numbers, which go up; gives the numbers of those that were not there yet."""
    rows = [
        {
            "id": number,
            "source": each.source,
            "message_id": each.message_id,
            "type": each.type,
            "name": each.name,
            "user_id": each.user_id,
            "anonymous_id": each.anonymous_id,
            "timestamp": each.timestamp.astimezone(UTC),
            "received_at": each.received_at.astimezone(UTC),
            "lane": each.lane,
            "collected": each.collected,
            "body": orjson.Fragment(each.body),
        }
        for number, each in batch
    ]
    return set(connection.execute(_INSERT, {"batch": orjson.dumps(rows).decode()}).scalars())
