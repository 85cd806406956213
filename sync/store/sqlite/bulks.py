"""Many slots in one request: SQLite's statements. What is on its way of a slot stands in its ``sent``.

The slots of a bulk are found by the index of those that are being sent: nobody else has its very ``give_up_at``.
"""

from __future__ import annotations

_SLOT = "slot INDEXED BY slot_sending"
"""SQLite would rather go through the whole table."""

_MINE = "destination = :destination AND state = 'sending' AND lease_until = :give_up_at AND token = :token"

CLAIM = """
UPDATE slot SET state = 'sending', token = :token, lease_until = :give_up_at, base = '{}', sent = owed
WHERE destination = :destination AND user_id IN (
    SELECT user_id FROM slot
    WHERE destination = :destination AND state IN ('due', 'waiting', 'confirm') AND due_at <= :now
    ORDER BY priority, due_at LIMIT :most)"""

_ALIKE = "owed, enrichment, version, doubt, attempts, failing_since, owed_since, priority, singly = version"

CLAIMED = f"""
SELECT '[' || coalesce(group_concat(alike, ','), '') || ']' FROM (
    SELECT json_array({_ALIKE}, json_group_array(user_id)) AS alike
    FROM {_SLOT} WHERE {_MINE} GROUP BY {_ALIKE})"""
"""One list for each group of slots that differ in nothing but their users."""

APART = f"""
UPDATE {_SLOT} SET token = :apart, lease_until = :until, sent = NULL WHERE {_MINE} AND (:everybody OR singly = version)"""

USERS = f"SELECT user_id FROM {_SLOT} WHERE {_MINE}"

SPLIT = f"""
UPDATE {_SLOT} SET token = :other WHERE {_MINE} AND user_id IN (SELECT value FROM json_each(:users))"""

LOCK = None
"""The write lock keeps everybody out."""

PUT_BACK = f"""
UPDATE {_SLOT} SET state = 'due', due_at = :due_at, doubt = doubt OR :unknown,
    singly = CASE WHEN :singly AND owed = sent THEN version ELSE singly END,
    sent = NULL, token = NULL, lease_until = NULL
WHERE {_MINE}"""

PUT_SOME_BACK = f"{PUT_BACK} AND user_id IN (SELECT value FROM json_each(:users))"

DEFER = f"""
UPDATE {_SLOT} SET state = 'waiting', due_at = :due_at, doubt = doubt OR :unknown, attempts = attempts + 1,
    failing_since = coalesce(failing_since, :now), reason = :reason, sent = NULL, token = NULL, lease_until = NULL
WHERE {_MINE}"""

_TRAITS = """CASE WHEN s.enrichment = '{}'
    THEN (SELECT json_group_object(e.key, json(e.value -> '$[0]')) FROM json_each(s.sent) e)
    ELSE (SELECT json_group_object(key, json(value)) FROM (
        SELECT e.key, CASE WHEN e.type IN ('true', 'false') THEN e.type WHEN e.type IN ('object', 'array') THEN e.value
            ELSE json_quote(e.value) END AS value
        FROM json_each(s.enrichment) e WHERE e.key NOT IN (SELECT key FROM json_each(s.sent))
        UNION ALL SELECT e.key, e.value -> '$[0]' FROM json_each(s.sent) e)) END"""

_OF_MINE = _MINE.replace("destination =", "s.destination =", 1)

RECORD = f"""
WITH one AS MATERIALIZED (
    SELECT s.sent, s.enrichment, {_TRAITS} AS traits FROM slot AS s INDEXED BY slot_sending WHERE {_OF_MINE} LIMIT 1)
INSERT INTO attempt (destination, user_id, at, verdict, status, detail, sent)
SELECT s.destination, s.user_id, :now, :verdict, :status, :detail,
    CASE WHEN s.sent = one.sent AND s.enrichment = one.enrichment THEN one.traits ELSE {_TRAITS} END
FROM slot AS s INDEXED BY slot_sending, one WHERE {_OF_MINE}"""
"""Mostly all were sent the same, which is looked up in one of them."""

RECORD_FAILED = f"""
INSERT INTO attempt (destination, user_id, at, verdict, status, detail, sent)
SELECT s.destination, s.user_id, :now, :verdict, :status, :detail || ': ' || f.value, {_TRAITS}
FROM json_each(:failures) f CROSS JOIN slot s ON s.user_id = f.key WHERE {_OF_MINE}"""

ACCEPT = f"DELETE FROM {_SLOT} WHERE {_MINE} AND owed = sent AND NOT doubt"

CONFIRM = f"""
UPDATE slot AS s INDEXED BY slot_sending SET
    owed = (SELECT json_group_object(e.key, json_array(
            json(e.value -> '$[0]'), :confirm, coalesce(e.value ->> '$[2]', e.value ->> '$[1]'))) FROM json_each(s.owed) e),
    version = :confirm, singly = CASE WHEN s.singly = s.version THEN :confirm ELSE s.singly END,
    state = 'confirm', due_at = :quiet, doubt = 0,
    sent = NULL, token = NULL, lease_until = NULL, attempts = 0, failing_since = NULL, reason = NULL
WHERE {_MINE} AND doubt AND owed = sent"""

KEEP_NEWER = f"""
UPDATE slot AS s INDEXED BY slot_sending SET
    owed = CASE WHEN s.doubt THEN s.owed ELSE (
        SELECT json_group_object(e.key, json(e.value)) FROM json_each(s.owed) e
        WHERE NOT EXISTS (
            SELECT 1 FROM json_each(s.sent) t WHERE t.key = e.key AND t.value ->> '$[1]' = e.value ->> '$[1]')) END,
    state = 'due', due_at = :now, owed_since = CASE WHEN s.doubt THEN s.owed_since ELSE :now END,
    sent = NULL, token = NULL, lease_until = NULL, attempts = 0, failing_since = NULL, reason = NULL
WHERE {_MINE}"""
