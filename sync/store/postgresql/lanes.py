"""Settle forwarded events: PostgreSQL's statements. ``:batch`` is a JSON list, see `sync.store.lanes`."""

from __future__ import annotations

FENCE = """
UPDATE forwarding SET floor = greatest(floor, :floor) WHERE destination = :destination AND token = :token"""

_BATCH = """jsonb_to_recordset(CAST(:batch AS jsonb)) AS b (
    event_id bigint, user_key text, state text, due_at timestamptz, attempts integer, failing_since timestamptz,
    reason text)"""

DONE = """
DELETE FROM hold WHERE destination = :destination AND state = 'waiting'
    AND event_id IN (SELECT CAST(value AS bigint) FROM jsonb_array_elements_text(CAST(:batch AS jsonb)))"""

KEEP = f"""
UPDATE hold AS h SET state = b.state, due_at = b.due_at, attempts = b.attempts, failing_since = b.failing_since,
    reason = b.reason
FROM {_BATCH} WHERE h.destination = :destination AND h.event_id = b.event_id AND h.state = 'waiting'"""

HOLD = f"""
INSERT INTO hold (destination, event_id, user_key, state, due_at, attempts, failing_since, reason, held_since)
SELECT :destination, b.event_id, b.user_key, b.state, b.due_at, b.attempts, b.failing_since, b.reason, :now
FROM {_BATCH} ON CONFLICT (destination, event_id) DO NOTHING"""

OUTCOMES = """
INSERT INTO event_outcome (event_id, destination, at, verdict, status, detail)
SELECT CAST(b.value ->> 0 AS bigint), :destination, :now, b.value ->> 1, CAST(b.value ->> 2 AS integer), b.value ->> 3
FROM jsonb_array_elements(CAST(:batch AS jsonb)) AS b
ON CONFLICT (event_id, destination) DO UPDATE SET
    at = excluded.at, verdict = excluded.verdict, status = excluded.status, detail = excluded.detail"""

CURSORS = """
INSERT INTO lane (destination, number, cursor)
SELECT :destination, CAST(b.value ->> 0 AS integer), CAST(b.value ->> 1 AS bigint)
FROM jsonb_array_elements(CAST(:batch AS jsonb)) AS b
ON CONFLICT (destination, number) DO UPDATE SET cursor = greatest(lane.cursor, excluded.cursor)"""
