"""Settle forwarded events: SQLite's statements. ``:batch`` is a JSON list, see `sync.store.lanes`."""

from __future__ import annotations

FENCE = """
UPDATE forwarding SET floor = max(floor, :floor) WHERE destination = :destination AND token = :token"""

DONE = """
DELETE FROM hold WHERE destination = :destination AND state = 'waiting'
    AND event_id IN (SELECT value FROM json_each(:batch))"""

# UPDATE … FROM would read the whole list for each event that waits: here the list comes first, whatever the planner thinks.
KEEP = """
INSERT INTO hold (destination, event_id, user_key, state, due_at, attempts, failing_since, reason, held_since)
SELECT h.destination, h.event_id, h.user_key, b.value ->> 'state', b.value ->> 'due_at', b.value ->> 'attempts',
       b.value ->> 'failing_since', b.value ->> 'reason', h.held_since
FROM json_each(:batch) AS b CROSS JOIN hold AS h
WHERE h.destination = :destination AND h.event_id = b.value ->> 'event_id' AND h.state = 'waiting'
ON CONFLICT (destination, event_id) DO UPDATE SET
    state = excluded.state, due_at = excluded.due_at, attempts = excluded.attempts,
    failing_since = excluded.failing_since, reason = excluded.reason"""

HOLD = """
INSERT INTO hold (destination, event_id, user_key, state, due_at, attempts, failing_since, reason, held_since)
SELECT :destination, value ->> 'event_id', value ->> 'user_key', value ->> 'state', value ->> 'due_at',
       value ->> 'attempts', value ->> 'failing_since', value ->> 'reason', :now
FROM json_each(:batch) WHERE true ORDER BY key
ON CONFLICT (destination, event_id) DO NOTHING"""

OUTCOMES = """
INSERT INTO event_outcome (event_id, destination, at, verdict, status, detail)
SELECT value ->> 0, :destination, :now, value ->> 1, value ->> 2, value ->> 3 FROM json_each(:batch) WHERE true
ON CONFLICT (event_id, destination) DO UPDATE SET
    at = excluded.at, verdict = excluded.verdict, status = excluded.status, detail = excluded.detail"""

CURSORS = """
INSERT INTO lane (destination, number, cursor)
SELECT :destination, value ->> 0, value ->> 1 FROM json_each(:batch) WHERE true
ON CONFLICT (destination, number) DO UPDATE SET cursor = max(cursor, excluded.cursor)"""
