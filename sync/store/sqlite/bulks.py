"""Many slots in one request: SQLite's statements. What is on its way of a slot stands in its ``sent``.

The slots of a bulk are found by the ids of its ``:members``, and are its own by ``bulk_token``.
"""

from __future__ import annotations

_MINE = "destination = :destination AND bulk_token = :token AND user_id IN (SELECT value FROM json_each(:members))"

_ALIKE = "owed, enrichment, version, doubt, attempts, failing_since, owed_since, priority, singly = version"


def _first(priority: int) -> str:
    return f"""SELECT * FROM (
        SELECT due_at, user_id, state, {_ALIKE} AS alone FROM slot
        WHERE destination = :destination AND state IN ('due', 'waiting', 'confirm') AND priority = {priority}
            AND due_at <= :now AND (due_at, user_id) > (:due_{priority}, :user_{priority}) AND bulk_token IS NULL
        ORDER BY due_at, user_id LIMIT :most)"""


_GROUPED = _ALIKE.replace("singly = version", "alone")

PICK = f"""
SELECT '[' || coalesce(group_concat(alike, ','), '') || ']' FROM (
    SELECT json_array({_GROUPED}, json_array(substr(max(place), 1, 26), substr(max(place), 27)), max(state <> 'due'),
        json_group_array(user_id)) AS alike
    FROM (SELECT *, due_at || user_id AS place FROM ({_first(0)} UNION ALL {_first(1)} LIMIT :most))
    GROUP BY {_GROUPED})"""
"""Who is next after two places in the queue, of deltas and of backfills: one list for each group of slots that differ in
nothing but their users. Each tells besides how far it reaches (an instant has 26 characters), and whether somebody was
waiting or to be confirmed. The write lock keeps everybody out until they are held."""

_PICKED = "destination = :destination AND bulk_token IS NULL AND user_id IN (SELECT value FROM json_each(:members))"

MAKE_DUE = f"UPDATE slot SET state = 'due' WHERE {_PICKED} AND state <> 'due'"

HOLD = f"UPDATE slot SET bulk_token = :token, base = '{{}}', sent = owed WHERE {_PICKED}"
"""No index has a column of these. One that is set to what it was is written to the indexes all the same: so the state is
set by itself, and only where it is another."""

APART = f"""
UPDATE slot SET state = 'sending', token = :apart, lease_until = :until, bulk_token = NULL, sent = NULL
WHERE {_MINE} AND (:everybody OR singly = version)"""

USERS = f"SELECT user_id FROM slot WHERE {_MINE}"

SPLIT = f"""
UPDATE slot SET bulk_token = :other WHERE {_MINE} AND user_id IN (SELECT value FROM json_each(:users))"""

LOCK = None
"""The write lock keeps everybody out."""

PUT_BACK = f"""
UPDATE slot SET due_at = :due_at, doubt = doubt OR :unknown,
    singly = CASE WHEN :singly AND owed = sent THEN version ELSE singly END,
    sent = NULL, bulk_token = NULL
WHERE {_MINE}"""

PUT_SOME_BACK = f"{PUT_BACK} AND user_id IN (SELECT value FROM json_each(:users))"

DEFER = f"""
UPDATE slot SET state = 'waiting', due_at = :due_at, doubt = doubt OR :unknown, attempts = attempts + 1,
    failing_since = coalesce(failing_since, :now), reason = :reason, sent = NULL, bulk_token = NULL
WHERE {_MINE}"""

_TRAITS = """CASE WHEN s.enrichment = '{}'
    THEN (SELECT json_group_object(e.key, json(e.value -> '$[0]')) FROM json_each(s.sent) e)
    ELSE (SELECT json_group_object(key, json(value)) FROM (
        SELECT e.key, CASE WHEN e.type IN ('true', 'false') THEN e.type WHEN e.type IN ('object', 'array') THEN e.value
            ELSE json_quote(e.value) END AS value
        FROM json_each(s.enrichment) e WHERE e.key NOT IN (SELECT key FROM json_each(s.sent))
        UNION ALL SELECT e.key, e.value -> '$[0]' FROM json_each(s.sent) e)) END"""

_OF_MINE = _MINE.replace("destination =", "s.destination =", 1).replace("user_id", "s.user_id", 1)

RECORD = f"""
WITH alike AS (
    SELECT s.sent, s.enrichment, json_group_array(s.user_id) AS users, min(s.user_id) AS first, max(s.user_id) AS last
    FROM slot AS s WHERE {_OF_MINE} GROUP BY s.sent, s.enrichment)
INSERT INTO bulk_attempt (destination, at, verdict, status, detail, first_user, last_user, sent)
SELECT :destination, :now, :verdict, :status, :detail, first, last, sent FROM (
    SELECT min(first) AS first, max(last) AS last, '[' || group_concat(
        '{{"sent":' || sent || ',"enrichment":' || enrichment || ',"users":' || users || '}}') || ']' AS sent
    FROM alike)
WHERE sent IS NOT NULL"""
"""One row for all who are still in it, who stand together with whoever was sent the same."""

RECORD_FAILED = f"""
INSERT INTO attempt (destination, user_id, at, verdict, status, detail, sent)
SELECT s.destination, s.user_id, :now, :verdict, :status, :detail || ': ' || f.value, {_TRAITS}
FROM json_each(:failures) f CROSS JOIN slot s ON s.user_id = f.key WHERE {_OF_MINE}"""

ACCEPT = f"DELETE FROM slot WHERE {_MINE} AND owed = sent AND NOT doubt"

CONFIRM = f"""
UPDATE slot AS s SET
    owed = (SELECT json_group_object(e.key, json_array(
            json(e.value -> '$[0]'), :confirm, coalesce(e.value ->> '$[2]', e.value ->> '$[1]'))) FROM json_each(s.owed) e),
    version = :confirm, singly = CASE WHEN s.singly = s.version THEN :confirm ELSE s.singly END,
    state = 'confirm', due_at = :quiet, doubt = 0,
    sent = NULL, bulk_token = NULL, attempts = 0, failing_since = NULL, reason = NULL
WHERE {_MINE} AND doubt AND owed = sent"""

KEEP_NEWER = f"""
UPDATE slot AS s SET
    owed = CASE WHEN s.doubt THEN s.owed ELSE (
        SELECT json_group_object(e.key, json(e.value)) FROM json_each(s.owed) e
        WHERE NOT EXISTS (
            SELECT 1 FROM json_each(s.sent) t WHERE t.key = e.key AND t.value ->> '$[1]' = e.value ->> '$[1]')) END,
    due_at = :now, owed_since = CASE WHEN s.doubt THEN s.owed_since ELSE :now END,
    sent = NULL, bulk_token = NULL, attempts = 0, failing_since = NULL, reason = NULL
WHERE {_MINE}"""

NAMING = "SELECT id FROM bulk WHERE instr(members, :quoted) > 0"

FORGET_MEMBER = """
UPDATE bulk SET sent = NULL,
    members = (SELECT json_group_array(value) FROM json_each(members) WHERE value <> :user_id)
WHERE id = :number AND NOT EXISTS (
    SELECT 1 FROM slot s
    WHERE s.destination = bulk.destination AND s.user_id = :user_id AND s.bulk_token = bulk.token)"""
"""Who has come back, and is held by it, is no trace."""

_OTHERS = "json_each(g.value, '$.users') u WHERE u.value <> :user_id"

FORGET_ALONE = "DELETE FROM bulk_attempt WHERE first_user = :user_id AND last_user = :user_id"

FORGET = f"""
UPDATE bulk_attempt AS b SET
    first_user = (SELECT min(u.value) FROM json_each(b.sent) g, {_OTHERS}),
    last_user = (SELECT max(u.value) FROM json_each(b.sent) g, {_OTHERS}),
    sent = (
        SELECT json_group_array(json_set(g.value, '$.users', json((SELECT json_group_array(u.value) FROM {_OTHERS}))))
        FROM json_each(b.sent) g WHERE EXISTS (SELECT 1 FROM {_OTHERS}))
WHERE first_user <= :user_id AND last_user >= :user_id AND instr(sent, :quoted) > 0
    AND EXISTS (SELECT 1 FROM json_each(b.sent) g, json_each(g.value, '$.users') u WHERE u.value = :user_id)"""
"""Take a user out of attempts that others are in."""
