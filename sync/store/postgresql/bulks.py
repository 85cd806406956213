"""Many slots in one request: PostgreSQL's statements. What is on its way of a slot stands in its ``sent``.

The slots of a bulk are found by the ids of its ``:members``, and are its own by ``bulk_token``.
"""

from __future__ import annotations

_MEMBERS = 'SELECT jsonb_array_elements_text(CAST(:members AS jsonb)) COLLATE "C"'

_MINE = f"destination = :destination AND bulk_token = :token AND user_id = ANY (ARRAY({_MEMBERS}))"
"""An array is looked up by the key, whatever the planner knows of the table. In a join with a table of which it knows nothing
yet, it goes through all members for each slot: a request of 1,000 took 0.3 s to settle."""

_ALIKE = "owed, enrichment, version, doubt, attempts, failing_since, owed_since, priority"


def _first(priority: int) -> str:
    return f"""(
        SELECT ctid FROM slot
        WHERE destination = :destination AND state IN ('due', 'waiting', 'confirm') AND priority = {priority}
            AND due_at <= :now AND (due_at, user_id) > (CAST(:due_{priority} AS timestamptz), CAST(:user_{priority} AS text))
            AND bulk_token IS NULL
        ORDER BY due_at, user_id LIMIT :most FOR UPDATE SKIP LOCKED)"""


PICK = f"""
WITH deltas AS MATERIALIZED {_first(0)},
backfills AS MATERIALIZED {_first(1)},
picked AS MATERIALIZED (SELECT ctid FROM deltas UNION ALL SELECT ctid FROM backfills LIMIT :most),
held AS (
    UPDATE slot s SET state = 'due', bulk_token = :token, base = '{{}}', sent = owed
    WHERE s.ctid = ANY (ARRAY(SELECT ctid FROM picked))
    RETURNING user_id, due_at, {_ALIKE}, singly = version AS alone
)
SELECT coalesce(json_agg(a.alike), '[]')::text FROM (
    SELECT json_build_array({_ALIKE}, alone, json_build_array(max(due_at), max(user_id)), false, json_agg(user_id)) AS alike
    FROM held GROUP BY {_ALIKE}, alone) a"""
"""Hold who is next after two places in the queue, of deltas and of backfills: one list for each group of slots that differ
in nothing but their users. Each tells besides how far it reaches, at most. What is locked stays where it is.

No index has a column of those that change, but for who was waiting or to be confirmed: the new version of a row finds room
beside the old one, and no index is written.
"""

HOLD = None
"""The pick itself holds them."""

APART = f"""
UPDATE slot SET state = 'sending', token = :apart, lease_until = :until, bulk_token = NULL, sent = NULL
WHERE {_MINE} AND (CAST(:everybody AS boolean) OR singly = version)"""

USERS = f"SELECT user_id FROM slot WHERE {_MINE}"

SPLIT = f"""
UPDATE slot SET bulk_token = :other
WHERE {_MINE} AND user_id IN (SELECT jsonb_array_elements_text(CAST(:users AS jsonb)) COLLATE "C")"""

LOCK = f"SELECT 1 FROM slot WHERE {_MINE} ORDER BY user_id FOR UPDATE"

PUT_BACK = f"""
UPDATE slot SET due_at = :due_at, doubt = doubt OR CAST(:unknown AS boolean),
    singly = CASE WHEN CAST(:singly AS boolean) AND owed = sent THEN version ELSE singly END,
    sent = NULL, bulk_token = NULL
WHERE {_MINE}"""

PUT_SOME_BACK = f'{PUT_BACK} AND user_id IN (SELECT jsonb_array_elements_text(CAST(:users AS jsonb)) COLLATE "C")'

DEFER = f"""
UPDATE slot SET state = 'waiting', due_at = :due_at, doubt = doubt OR CAST(:unknown AS boolean), attempts = attempts + 1,
    failing_since = coalesce(failing_since, :now), reason = :reason, sent = NULL, bulk_token = NULL
WHERE {_MINE}"""

_TRAITS = "s.enrichment || (SELECT jsonb_object_agg(e.key, e.value -> 0) FROM jsonb_each(s.sent) e)"

_OF_MINE = _MINE.replace("destination =", "s.destination =", 1).replace("user_id", "s.user_id", 1)

RECORD = f"""
WITH alike AS (
    SELECT CAST(s.sent AS text) COLLATE "C" AS sent, CAST(s.enrichment AS text) COLLATE "C" AS enrichment,
        json_agg(s.user_id) AS users, min(s.user_id) AS first, max(s.user_id) AS last
    FROM slot s WHERE {_OF_MINE} GROUP BY 1, 2)
INSERT INTO bulk_attempt (destination, at, verdict, status, detail, first_user, last_user, sent)
SELECT CAST(:destination AS text), :now, :verdict, CAST(:status AS integer), :detail, min(first), max(last), '[' || string_agg(
    '{{"sent":' || sent || ',"enrichment":' || enrichment || ',"users":' || CAST(users AS text) || '}}', ',') || ']'
FROM alike HAVING count(*) > 0"""
"""One row for all who are still in it, who stand together with whoever was sent the same: by the texts of it, as documents
take long to compare."""

RECORD_FAILED = f"""
INSERT INTO attempt (destination, user_id, at, verdict, status, detail, sent)
SELECT s.destination, s.user_id, :now, :verdict, CAST(:status AS integer), CAST(:detail AS text) || ': ' || f.value, {_TRAITS}
FROM jsonb_each_text(CAST(:failures AS jsonb)) f JOIN slot s ON s.user_id = f.key COLLATE "C"
WHERE {_OF_MINE} ORDER BY s.user_id"""

ACCEPT = f"""
WITH mine AS MATERIALIZED (SELECT ctid FROM slot WHERE {_MINE} ORDER BY user_id FOR UPDATE)
DELETE FROM slot WHERE ctid = ANY (ARRAY(SELECT ctid FROM mine)) AND owed = sent AND NOT doubt"""
"""Nearly all are deleted; the others are locked too."""

CONFIRM = f"""
UPDATE slot s SET
    owed = (
        SELECT jsonb_object_agg(e.key, jsonb_build_array(
                e.value -> 0, CAST(:confirm AS bigint), coalesce(e.value -> 2, e.value -> 1)))
        FROM jsonb_each(s.owed) e),
    version = :confirm, singly = CASE WHEN s.singly = s.version THEN :confirm ELSE s.singly END,
    state = 'confirm', due_at = :quiet, doubt = false,
    sent = NULL, bulk_token = NULL, attempts = 0, failing_since = NULL, reason = NULL
WHERE {_MINE} AND doubt AND owed = sent"""

KEEP_NEWER = f"""
UPDATE slot s SET
    owed = CASE WHEN s.doubt THEN s.owed ELSE (
        SELECT coalesce(jsonb_object_agg(e.key, e.value), '{{}}') FROM jsonb_each(s.owed) e
        WHERE (s.sent -> e.key -> 1) IS DISTINCT FROM (e.value -> 1)) END,
    due_at = :now, owed_since = CASE WHEN s.doubt THEN s.owed_since ELSE :now END,
    sent = NULL, bulk_token = NULL, attempts = 0, failing_since = NULL, reason = NULL
WHERE {_MINE}"""

NAMING = "SELECT id FROM bulk WHERE strpos(members, :quoted) > 0"

FORGET_MEMBER = """
UPDATE bulk SET sent = NULL, members = CAST(CAST(members AS jsonb) - CAST(:user_id AS text) AS text)
WHERE id = :number AND NOT EXISTS (
    SELECT 1 FROM slot s
    WHERE s.destination = bulk.destination AND s.user_id = :user_id AND s.bulk_token = bulk.token)"""
"""Who has come back, and is held by it, is no trace."""

FORGET_ALONE = "DELETE FROM bulk_attempt WHERE first_user = :user_id AND last_user = :user_id"

_GROUPS = "jsonb_array_elements(CAST(b.sent AS jsonb)) g"

_OTHERS = f"{_GROUPS}, jsonb_array_elements_text(g -> 'users') u WHERE u <> :user_id"

FORGET = f"""
WITH holding AS MATERIALIZED (
    SELECT id FROM bulk_attempt
    WHERE first_user <= :user_id AND last_user >= :user_id AND strpos(sent, :quoted) > 0 ORDER BY id FOR UPDATE)
UPDATE bulk_attempt AS b SET
    first_user = (SELECT min(u COLLATE "C") FROM {_OTHERS}),
    last_user = (SELECT max(u COLLATE "C") FROM {_OTHERS}),
    sent = (
        SELECT CAST(jsonb_agg(jsonb_set(g, '{{users}}', (g -> 'users') - CAST(:user_id AS text))) AS text)
        FROM {_GROUPS} WHERE g -> 'users' <> jsonb_build_array(CAST(:user_id AS text)))
WHERE id IN (SELECT id FROM holding)
    AND EXISTS (SELECT 1 FROM {_GROUPS} WHERE g -> 'users' @> jsonb_build_array(CAST(:user_id AS text)))"""
"""Take a user out of attempts that others are in, which are locked in the order of their numbers."""
