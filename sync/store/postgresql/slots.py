"""Claim and settle: PostgreSQL's statements. Each names the state and the token it expects.

Settling works on a batch: ``:batch`` is a JSON list of the rows described in `sync.store.slots`.
"""

from __future__ import annotations

CLAIM = """
WITH picked AS (
    SELECT destination, user_id FROM slot
    WHERE destination = :destination AND state IN ('due', 'waiting', 'confirm') AND due_at <= :now
        AND bulk_token IS NULL
    ORDER BY priority, due_at LIMIT :most FOR UPDATE SKIP LOCKED
)
UPDATE slot s SET state = 'sending', token = :token, lease_until = :until, base = '{}'
FROM picked p WHERE s.destination = p.destination AND s.user_id = p.user_id
RETURNING s.user_id, s.owed::text, s.enrichment::text, s.version, s.doubt, s.attempts, s.failing_since, s.owed_since,
    s.priority"""

CLAIMED = None
"""The claim itself says what it took."""

RESCUE = """
WITH expired AS (
    SELECT destination, user_id FROM slot
    WHERE destination = :destination AND state = 'sending' AND lease_until < :now
    ORDER BY user_id FOR UPDATE SKIP LOCKED
)
UPDATE slot s SET state = 'due', doubt = true, token = NULL, lease_until = NULL, due_at = :now
FROM expired e WHERE s.destination = e.destination AND s.user_id = e.user_id AND s.state = 'sending'"""
"""What somebody has locked is left for the next time: he may have been stopped in the middle of his transaction, and
nobody else's slots, nor whoever claims, shall wait for that."""

RESCUE_ALL = RESCUE.replace("AND lease_until < :now", "").replace("SKIP LOCKED", "")
"""None is left for the next time: that would be when its lease runs out."""

RESCUE_BULK = """
WITH lost AS (
    SELECT destination, user_id FROM slot
    WHERE destination = :destination AND bulk_token = :token
        AND user_id IN (SELECT jsonb_array_elements_text(CAST(:members AS jsonb)) COLLATE "C")
    ORDER BY user_id FOR UPDATE
)
UPDATE slot s SET doubt = true, bulk_token = NULL, sent = NULL, due_at = :now
FROM lost l WHERE s.destination = l.destination AND s.user_id = l.user_id AND s.bulk_token = :token"""

LOCK_DEFINITIONS = """
SELECT 1 FROM definition WHERE key = ANY(CAST(:keys AS text[])) ORDER BY id FOR SHARE"""

_BATCH = """
WITH b AS MATERIALIZED (
    SELECT r.user_id COLLATE "C" AS user_id, r.token, r.version, r.sent, r.accepted, r.due_at, r.unknown, r.reason
    FROM jsonb_to_recordset(CAST(:batch AS jsonb)) AS r (
        user_id text, token text, version bigint, sent jsonb, accepted jsonb, due_at timestamptz, unknown boolean,
        reason text)
)"""

_OURS = "s.destination = :destination AND s.user_id = b.user_id AND s.token = b.token AND s.state = 'sending'"

OURS = f"""{_BATCH}, ours AS MATERIALIZED (
    SELECT s.user_id FROM slot s, b WHERE {_OURS} ORDER BY s.user_id FOR UPDATE OF s
)
SELECT coalesce(json_agg(user_id), '[]')::text FROM ours"""

ACCEPT_ALL = f"""{_BATCH}
DELETE FROM slot s USING b WHERE {_OURS} AND s.version = b.version AND NOT s.doubt"""

ACCEPT_SOME = f"""{_BATCH}
UPDATE slot s SET
    owed = CASE
        WHEN s.doubt AND s.version = b.version THEN (
            SELECT jsonb_object_agg(e.key, jsonb_build_array(
                e.value -> 0, CAST(:confirm AS bigint), coalesce(e.value -> 2, e.value -> 1)))
            FROM jsonb_each(s.owed) e)
        WHEN s.doubt THEN s.owed
        ELSE (
            SELECT coalesce(jsonb_object_agg(e.key, e.value), '{{}}') FROM jsonb_each(s.owed) e
            WHERE (b.sent -> e.key) IS DISTINCT FROM (e.value -> 1))
    END,
    version = CASE WHEN s.doubt AND s.version = b.version THEN :confirm ELSE s.version END,
    state = CASE WHEN s.doubt AND s.version = b.version THEN 'confirm' ELSE 'due' END,
    due_at = CASE WHEN s.doubt AND s.version = b.version THEN CAST(:quiet AS timestamptz) ELSE :now END,
    doubt = s.doubt AND s.version <> b.version, owed_since = CASE WHEN s.doubt THEN s.owed_since ELSE :now END,
    singly = CASE WHEN s.doubt AND s.version = b.version AND s.singly = s.version THEN :confirm ELSE s.singly END,
    token = NULL, lease_until = NULL, attempts = 0, failing_since = NULL, reason = NULL
FROM b WHERE {_OURS}"""

DROP_ACCEPTED = f"""{_BATCH}
UPDATE slot s SET owed = (
    SELECT coalesce(jsonb_object_agg(e.key, e.value), '{{}}') FROM jsonb_each(s.owed) e
    WHERE (b.accepted -> e.key) IS DISTINCT FROM (e.value -> 1))
FROM b WHERE {_OURS} AND NOT s.doubt"""

CONFIRM_WHOLE = f"""{_BATCH}
UPDATE slot s SET
    owed = (
        SELECT jsonb_object_agg(e.key, jsonb_build_array(
                e.value -> 0, CAST(:confirm AS bigint), coalesce(e.value -> 2, e.value -> 1)))
        FROM jsonb_each(s.owed) e),
    version = :confirm, singly = CASE WHEN s.singly = s.version THEN :confirm ELSE s.singly END,
    state = 'confirm', due_at = greatest(CAST(:quiet AS timestamptz), b.due_at), doubt = false,
    reason = b.reason, token = NULL, lease_until = NULL
FROM b WHERE {_OURS} AND s.doubt AND s.version = b.version"""

DEFER = f"""{_BATCH}
UPDATE slot s SET state = 'waiting', due_at = b.due_at, doubt = s.doubt OR b.unknown, attempts = s.attempts + 1,
    failing_since = coalesce(s.failing_since, :now), reason = b.reason, token = NULL, lease_until = NULL
FROM b WHERE {_OURS}"""

PARK = f"""{_BATCH}
UPDATE slot s SET
    state = CASE WHEN s.version = b.version THEN 'parked' ELSE 'due' END, due_at = :now, doubt = s.doubt OR b.unknown,
    attempts = CASE WHEN s.version = b.version THEN s.attempts + 1 ELSE 0 END,
    failing_since = CASE WHEN s.version = b.version THEN coalesce(s.failing_since, :now) END,
    reason = b.reason, token = NULL, lease_until = NULL
FROM b WHERE {_OURS}"""

RELEASE = f"""{_BATCH}
UPDATE slot s SET state = 'due', due_at = coalesce(b.due_at, :now), token = NULL, lease_until = NULL
FROM b WHERE {_OURS}"""

REOWE = f"""{_BATCH}
INSERT INTO slot AS s
    (destination, user_id, owed, base, enrichment, version, state, doubt, priority, due_at, owed_since)
SELECT :destination, b.user_id,
       jsonb_object_agg(d.key, jsonb_build_array(p.value::jsonb, CAST(:confirm AS bigint))),
       '{{}}', '{{}}', :confirm, 'due', bool_or(b.unknown), 0, :now, :now
FROM b CROSS JOIN LATERAL jsonb_object_keys(b.sent) AS k(key)
JOIN definition d ON d.key = k.key
JOIN snapshot p ON p.definition_id = d.id AND p.user_id = b.user_id
GROUP BY b.user_id ORDER BY b.user_id
ON CONFLICT (destination, user_id) DO UPDATE SET
    owed = s.owed || excluded.owed, base = s.base - ARRAY(SELECT jsonb_object_keys(excluded.owed)),
    version = excluded.version, priority = 0,
    state = CASE WHEN s.state IN ('parked', 'confirm') THEN 'due' ELSE s.state END,
    doubt = s.doubt OR excluded.doubt OR s.state = 'confirm',
    due_at = CASE WHEN s.state IN ('parked', 'confirm') THEN excluded.due_at ELSE s.due_at END,
    attempts = CASE WHEN s.state = 'parked' THEN 0 ELSE s.attempts END,
    failing_since = CASE WHEN s.state = 'parked' THEN NULL ELSE s.failing_since END,
    reason = CASE WHEN s.state = 'parked' THEN NULL ELSE s.reason END"""

RECORD_ATTEMPTS = """
INSERT INTO attempt (destination, user_id, at, verdict, status, detail, sent)
SELECT :destination, r.user_id, :now, r.verdict, r.status, r.detail, r.traits
FROM ROWS FROM (jsonb_to_recordset(CAST(:batch AS jsonb)) AS (
    user_id text, verdict text, status integer, detail text, traits jsonb
)) WITH ORDINALITY AS r (user_id, verdict, status, detail, traits, position)
ORDER BY r.position"""

OWE_ALL = """
INSERT INTO slot (destination, user_id, owed, base, enrichment, version, state, doubt, priority, due_at, owed_since)
SELECT e.destination, p.user_id,
       jsonb_object_agg(d.key, jsonb_build_array(p.value::jsonb, CAST(:version AS bigint))),
       '{}', '{}', :version, 'due', false, 0,
       greatest(CAST(:now AS timestamptz), (SELECT max(give_up_at) FROM bulk b WHERE b.destination = e.destination)), :now
FROM definition d
JOIN enrolment e ON e.definition_id = d.id AND e.active
JOIN snapshot p ON p.definition_id = d.id AND p.user_id = :user_id
WHERE d.removed_at IS NULL GROUP BY e.destination, p.user_id"""
"""A bulk under way may carry what the user was owed before: nothing is sent until it has ended."""
