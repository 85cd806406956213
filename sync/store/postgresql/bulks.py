"""Many slots in one request: PostgreSQL's statements. What is on its way of a slot stands in its ``sent``.

The slots of a bulk are found by the index of those that are being sent: nobody else has its very ``give_up_at``.
"""

from __future__ import annotations

_MINE = "destination = :destination AND state = 'sending' AND lease_until = :give_up_at AND token = :token"

_ALIKE = "owed, enrichment, version, doubt, attempts, failing_since, owed_since, priority"

CLAIM = f"""
WITH picked AS MATERIALIZED (
    SELECT ctid FROM slot
    WHERE destination = :destination AND state IN ('due', 'waiting', 'confirm') AND due_at <= :now
    ORDER BY priority, due_at LIMIT :most FOR UPDATE SKIP LOCKED
), claimed AS (
    UPDATE slot s SET state = 'sending', token = :token, lease_until = :give_up_at, base = '{{}}', sent = owed
    WHERE s.ctid = ANY (ARRAY(SELECT ctid FROM picked))
    RETURNING user_id, {_ALIKE}, singly = version AS alone
)
SELECT coalesce(json_agg(a.alike), '[]')::text FROM (
    SELECT json_build_array({_ALIKE}, alone, json_agg(user_id)) AS alike FROM claimed GROUP BY {_ALIKE}, alone) a"""
"""One list for each group of slots that differ in nothing but their users. What is locked stays where it is."""

CLAIMED = None
"""The claim itself says what it took."""

APART = f"""
UPDATE slot SET token = :apart, lease_until = :until, sent = NULL
WHERE {_MINE} AND (CAST(:everybody AS boolean) OR singly = version)"""

USERS = f"SELECT user_id FROM slot WHERE {_MINE}"

SPLIT = f"""
UPDATE slot SET token = :other
WHERE {_MINE} AND user_id IN (SELECT jsonb_array_elements_text(CAST(:users AS jsonb)) COLLATE "C")"""

LOCK = f"SELECT 1 FROM slot WHERE {_MINE} ORDER BY user_id FOR UPDATE"

PUT_BACK = f"""
UPDATE slot SET state = 'due', due_at = :due_at, doubt = doubt OR CAST(:unknown AS boolean),
    singly = CASE WHEN CAST(:singly AS boolean) AND owed = sent THEN version ELSE singly END,
    sent = NULL, token = NULL, lease_until = NULL
WHERE {_MINE}"""

PUT_SOME_BACK = f'{PUT_BACK} AND user_id IN (SELECT jsonb_array_elements_text(CAST(:users AS jsonb)) COLLATE "C")'

DEFER = f"""
UPDATE slot SET state = 'waiting', due_at = :due_at, doubt = doubt OR CAST(:unknown AS boolean), attempts = attempts + 1,
    failing_since = coalesce(failing_since, :now), reason = :reason, sent = NULL, token = NULL, lease_until = NULL
WHERE {_MINE}"""

_TRAITS = "s.enrichment || (SELECT jsonb_object_agg(e.key, e.value -> 0) FROM jsonb_each(s.sent) e)"

_OF_MINE = _MINE.replace("destination =", "s.destination =", 1)

RECORD = f"""
WITH one AS MATERIALIZED (SELECT s.sent, s.enrichment, {_TRAITS} AS traits FROM slot s WHERE {_OF_MINE} LIMIT 1)
INSERT INTO attempt (destination, user_id, at, verdict, status, detail, sent)
SELECT s.destination, s.user_id, :now, :verdict, CAST(:status AS integer), :detail,
    CASE WHEN s.sent = one.sent AND s.enrichment = one.enrichment THEN one.traits ELSE {_TRAITS} END
FROM slot s CROSS JOIN one WHERE {_OF_MINE} ORDER BY s.user_id"""
"""Mostly all were sent the same, which is looked up in one of them."""

RECORD_FAILED = f"""
INSERT INTO attempt (destination, user_id, at, verdict, status, detail, sent)
SELECT s.destination, s.user_id, :now, :verdict, CAST(:status AS integer), CAST(:detail AS text) || ': ' || f.value, {_TRAITS}
FROM jsonb_each_text(CAST(:failures AS jsonb)) f JOIN slot s ON s.user_id = f.key COLLATE "C"
WHERE {_OF_MINE} ORDER BY s.user_id"""

ACCEPT = f"DELETE FROM slot WHERE {_MINE} AND owed = sent AND NOT doubt"

CONFIRM = f"""
UPDATE slot s SET
    owed = (
        SELECT jsonb_object_agg(e.key, jsonb_build_array(
                e.value -> 0, CAST(:confirm AS bigint), coalesce(e.value -> 2, e.value -> 1)))
        FROM jsonb_each(s.owed) e),
    version = :confirm, singly = CASE WHEN s.singly = s.version THEN :confirm ELSE s.singly END,
    state = 'confirm', due_at = :quiet, doubt = false,
    sent = NULL, token = NULL, lease_until = NULL, attempts = 0, failing_since = NULL, reason = NULL
WHERE {_MINE} AND doubt AND owed = sent"""

KEEP_NEWER = f"""
UPDATE slot s SET
    owed = CASE WHEN s.doubt THEN s.owed ELSE (
        SELECT coalesce(jsonb_object_agg(e.key, e.value), '{{}}') FROM jsonb_each(s.owed) e
        WHERE (s.sent -> e.key -> 1) IS DISTINCT FROM (e.value -> 1)) END,
    state = 'due', due_at = :now, owed_since = CASE WHEN s.doubt THEN s.owed_since ELSE :now END,
    sent = NULL, token = NULL, lease_until = NULL, attempts = 0, failing_since = NULL, reason = NULL
WHERE {_MINE}"""
