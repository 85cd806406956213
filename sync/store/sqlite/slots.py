"""Claim and settle: SQLite's statements. Each names the state and the token it expects.

Settling works on a batch: ``:batch`` is a JSON list of the rows described in `sync.store.slots`.

What concerns every user comes back as one row of JSON: for each row the driver gives the interpreter to another thread
and waits to get it back, which costs more than the row when the event loop is busy.
"""

from __future__ import annotations

CLAIM = """
UPDATE slot SET state = 'sending', token = :token, lease_until = :until, base = '{}'
WHERE destination = :destination AND user_id IN (
    SELECT user_id FROM slot
    WHERE destination = :destination AND state IN ('due', 'waiting', 'confirm') AND due_at <= :now
        AND bulk_token IS NULL
    ORDER BY priority, due_at LIMIT :most)"""

CLAIMED = """
SELECT json_group_array(
    json_array(user_id, json(owed), json(enrichment), version, doubt, attempts, failing_since, owed_since, priority))
FROM slot INDEXED BY slot_sending
WHERE destination = :destination AND state = 'sending' AND lease_until = :until AND token = :token"""
"""Without a word about the index SQLite would go through the whole table, here and where claims are rescued."""

RESCUE = """
UPDATE slot INDEXED BY slot_sending SET
    state = 'due', doubt = 1, token = NULL, lease_until = NULL, due_at = :now
WHERE destination = :destination AND state = 'sending' AND lease_until < :now"""

RESCUE_ALL = RESCUE.replace("AND lease_until < :now", "")

RESCUE_BULK = """
UPDATE slot SET doubt = 1, bulk_token = NULL, sent = NULL, due_at = :now
WHERE destination = :destination AND bulk_token = :token AND user_id IN (SELECT value FROM json_each(:members))"""

_BATCH = """
WITH b AS MATERIALIZED (
    SELECT value ->> 'user_id' AS user_id, value ->> 'token' AS token, value ->> 'version' AS version,
           value -> 'sent' AS sent, value -> 'accepted' AS accepted, value ->> 'due_at' AS due_at,
           value ->> 'unknown' AS unknown, value ->> 'reason' AS reason
    FROM json_each(:batch)
)"""

_OURS = "s.destination = :destination AND s.user_id = b.user_id AND s.token = b.token AND s.state = 'sending'"

LOCK_DEFINITIONS = None
"""The write lock keeps recordings out."""

OURS = """
WITH b AS MATERIALIZED (SELECT value ->> 'user_id' AS user_id, value ->> 'token' AS token FROM json_each(:batch))
SELECT json_group_array(s.user_id) FROM slot AS s, b
WHERE s.destination = :destination AND s.user_id = b.user_id AND s.token = b.token AND s.state = 'sending'"""

ACCEPT_ALL = """
DELETE FROM slot AS s WHERE s.destination = :destination AND s.state = 'sending' AND NOT s.doubt
    AND (s.user_id, s.token, s.version) IN (
        SELECT value ->> 'user_id', value ->> 'token', value ->> 'version' FROM json_each(:batch))"""

ACCEPT_SOME = f"""{_BATCH}
UPDATE slot AS s SET
    owed = CASE
        WHEN s.doubt AND s.version = b.version THEN (
            SELECT json_group_object(e.key, json_array(
            json(e.value -> '$[0]'), :confirm, coalesce(e.value ->> '$[2]', e.value ->> '$[1]'))) FROM json_each(s.owed) e)
        WHEN s.doubt THEN s.owed
        ELSE (
            SELECT json_group_object(e.key, json(e.value)) FROM json_each(s.owed) e
            WHERE NOT EXISTS (
                SELECT 1 FROM json_each(b.sent) t WHERE t.key = e.key AND t.value = e.value ->> '$[1]'))
    END,
    version = CASE WHEN s.doubt AND s.version = b.version THEN :confirm ELSE s.version END,
    state = CASE WHEN s.doubt AND s.version = b.version THEN 'confirm' ELSE 'due' END,
    due_at = CASE WHEN s.doubt AND s.version = b.version THEN :quiet ELSE :now END,
    doubt = s.doubt AND s.version <> b.version, owed_since = CASE WHEN s.doubt THEN s.owed_since ELSE :now END,
    singly = CASE WHEN s.doubt AND s.version = b.version AND s.singly = s.version THEN :confirm ELSE s.singly END,
    token = NULL, lease_until = NULL, attempts = 0, failing_since = NULL, reason = NULL
FROM b WHERE {_OURS}"""

DROP_ACCEPTED = f"""{_BATCH}
UPDATE slot AS s SET owed = (
    SELECT json_group_object(e.key, json(e.value)) FROM json_each(s.owed) e
    WHERE NOT EXISTS (SELECT 1 FROM json_each(b.accepted) t WHERE t.key = e.key AND t.value = e.value ->> '$[1]'))
FROM b WHERE {_OURS} AND NOT s.doubt"""

CONFIRM_WHOLE = f"""{_BATCH}
UPDATE slot AS s SET
    owed = (SELECT json_group_object(e.key, json_array(
            json(e.value -> '$[0]'), :confirm, coalesce(e.value ->> '$[2]', e.value ->> '$[1]'))) FROM json_each(s.owed) e),
    version = :confirm, singly = CASE WHEN s.singly = s.version THEN :confirm ELSE s.singly END,
    state = 'confirm', due_at = max(:quiet, coalesce(b.due_at, :quiet)), doubt = 0,
    reason = b.reason, token = NULL, lease_until = NULL
FROM b WHERE {_OURS} AND s.doubt AND s.version = b.version"""

DEFER = f"""{_BATCH}
UPDATE slot AS s SET state = 'waiting', due_at = b.due_at, doubt = s.doubt OR b.unknown, attempts = s.attempts + 1,
    failing_since = coalesce(s.failing_since, :now), reason = b.reason, token = NULL, lease_until = NULL
FROM b WHERE {_OURS}"""

PARK = f"""{_BATCH}
UPDATE slot AS s SET
    state = CASE WHEN s.version = b.version THEN 'parked' ELSE 'due' END, due_at = :now, doubt = s.doubt OR b.unknown,
    attempts = CASE WHEN s.version = b.version THEN s.attempts + 1 ELSE 0 END,
    failing_since = CASE WHEN s.version = b.version THEN coalesce(s.failing_since, :now) END,
    reason = b.reason, token = NULL, lease_until = NULL
FROM b WHERE {_OURS}"""

RELEASE = f"""{_BATCH}
UPDATE slot AS s SET state = 'due', due_at = coalesce(b.due_at, :now), token = NULL, lease_until = NULL
FROM b WHERE {_OURS}"""

REOWE = f"""{_BATCH}
INSERT INTO slot AS s
    (destination, user_id, owed, base, enrichment, version, state, doubt, priority, due_at, owed_since)
SELECT :destination, b.user_id, json_group_object(d.key, json_array(json(p.value), :confirm)),
       '{{}}', '{{}}', :confirm, 'due', max(b.unknown), 0, :now, :now
FROM b, json_each(b.sent) k
JOIN definition d ON d.key = k.key
JOIN snapshot p ON p.definition_id = d.id AND p.user_id = b.user_id
WHERE true GROUP BY b.user_id
ON CONFLICT (destination, user_id) DO UPDATE SET
    owed = json_patch(s.owed, excluded.owed),
    base = (SELECT json_group_object(e.key, json(e.value)) FROM json_each(s.base) e
            WHERE json_type(excluded.owed, '$."' || e.key || '"') IS NULL),
    version = excluded.version, priority = 0,
    state = CASE WHEN s.state IN ('parked', 'confirm') THEN 'due' ELSE s.state END,
    doubt = s.doubt OR excluded.doubt OR s.state = 'confirm',
    due_at = CASE WHEN s.state IN ('parked', 'confirm') THEN excluded.due_at ELSE s.due_at END,
    attempts = CASE WHEN s.state = 'parked' THEN 0 ELSE s.attempts END,
    failing_since = CASE WHEN s.state = 'parked' THEN NULL ELSE s.failing_since END,
    reason = CASE WHEN s.state = 'parked' THEN NULL ELSE s.reason END"""

RECORD_ATTEMPTS = """
INSERT INTO attempt (destination, user_id, at, verdict, status, detail, sent)
SELECT :destination, value ->> 'user_id', :now, value ->> 'verdict', value ->> 'status', value ->> 'detail',
       value -> 'traits'
FROM json_each(:batch) ORDER BY key"""

OWE_ALL = """
INSERT INTO slot (destination, user_id, owed, base, enrichment, version, state, doubt, priority, due_at, owed_since)
SELECT e.destination, p.user_id, json_group_object(d.key, json_array(json(p.value), :version)),
       '{}', '{}', :version, 'due', 0, 0,
       max(:now, coalesce((SELECT max(give_up_at) FROM bulk b WHERE b.destination = e.destination), :now)), :now
FROM definition d
JOIN enrolment e ON e.definition_id = d.id AND e.active
JOIN snapshot p ON p.definition_id = d.id AND p.user_id = :user_id
WHERE d.removed_at IS NULL GROUP BY e.destination, p.user_id"""
"""A bulk under way may carry what the user was owed before: nothing is sent until it has ended."""
