"""Compare the staged answer with the snapshot, owe the difference, advance the snapshot: PostgreSQL's statements.

The diff is a merge join of two index-only scans over ``user_id COLLATE "C"`` and the value's hash; values are fetched
for changed users only. The plan is pinned (no hash join) because more memory makes the planner choose a slower one; a
test reads the plan.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import orjson
from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from sync.store.candidates import LONGEST, Difference, Few
from sync.store.recordable import Recording
from sync.store.statement import text

_CHANGE = """
CREATE TEMP TABLE change (user_id text COLLATE "C" PRIMARY KEY, before text, after text, extra text) ON COMMIT DROP"""

_ALL_ENTERED = """
CREATE TEMP VIEW change AS SELECT user_id, CAST(NULL AS text) AS before, value AS after, extra FROM stage"""

CHANGED_KEYS = """
SELECT coalesce(s.user_id, p.user_id) AS user_id
FROM (SELECT user_id, value_hash FROM stage) s
FULL JOIN (SELECT user_id, value_hash FROM snapshot WHERE definition_id = CAST(:definition_id AS bigint)) p
    ON p.user_id = s.user_id
WHERE s.value_hash IS DISTINCT FROM p.value_hash
    AND (s.user_id IS NOT NULL OR p.value_hash <> hashtextextended(CAST(:absent AS text), 0))"""

_CHANGED_KEYS_TABLE = f"CREATE TEMP TABLE changed_key ON COMMIT DROP AS {CHANGED_KEYS}"

_CHANGES = """
INSERT INTO change (user_id, before, after, extra)
SELECT k.user_id, p.value, s.value, s.extra
FROM changed_key k
LEFT JOIN stage s ON s.user_id = k.user_id
LEFT JOIN snapshot p ON p.definition_id = CAST(:definition_id AS bigint) AND p.user_id = k.user_id"""

CHANGED_CANDIDATES = """
INSERT INTO change (user_id, before, after, extra)
SELECT s.user_id, p.value, s.value, s.extra
FROM stage s LEFT JOIN snapshot p ON p.definition_id = CAST(:definition_id AS bigint) AND p.user_id = s.user_id
WHERE s.value_hash IS DISTINCT FROM p.value_hash"""

EXITED_CANDIDATES = """
INSERT INTO change (user_id, before)
SELECT p.user_id, p.value
FROM (SELECT DISTINCT user_id FROM candidate c
      WHERE NOT EXISTS (SELECT 1 FROM stage s WHERE s.user_id = c.user_id)) gone
JOIN snapshot p ON p.definition_id = CAST(:definition_id AS bigint) AND p.user_id = gone.user_id
WHERE p.value <> CAST(:absent AS text)"""


def _columns(*names: str) -> str:
    """What is bound under these names, beside each other: JSON, which the driver need not look into as it would into arrays."""
    return f"ROWS FROM ({', '.join(f'json_array_elements_text(CAST(:{name} AS json))' for name in names)})"


DIFFERENT_FEW = f"""
SELECT user_id, left(before, {LONGEST + 1}) AS before, after, extra FROM (
    SELECT c.user_id, p.before, c.after, c.extra
    FROM {_columns("user_ids", "values", "extras")} AS c (user_id, after, extra)
    LEFT JOIN LATERAL (
        SELECT s.value AS before FROM snapshot s
        WHERE s.definition_id = CAST(:definition_id AS bigint) AND s.user_id = c.user_id COLLATE "C" OFFSET 0) p ON true) x
WHERE CASE WHEN after IS NULL THEN before <> CAST(:absent AS text) ELSE before IS DISTINCT FROM after END"""
"""Each is looked up (OFFSET keeps it so): the planner would rather read the whole snapshot, which takes longer."""

_FEW = f"""
WITH change AS (
    SELECT user_id COLLATE "C" AS user_id, before, after, extra
    FROM {_columns("changed", "befores", "afters", "extras")} AS c (user_id, before, after, extra))"""
"""Stands before a statement that reads ``change``, where that is bound to it."""

_PUT_FEW = f"{_FEW} INSERT INTO pg_temp.change (user_id, before, after, extra) SELECT * FROM change"

_NOISE = """CASE
    WHEN before ~ '^[-0-9]' AND after ~ '^[-0-9]' AND (before ~ '[.e]' OR after ~ '[.e]')
    THEN abs(CAST(after AS numeric) - CAST(before AS numeric)) <= 1e-12 * abs(CAST(before AS numeric)) END"""
"""Of sums: a difference that comes from the order in which fractions were added up. What was decided stays as it was."""

_DROP_NOISE = f"DELETE FROM change WHERE {_NOISE}"
_NO_NOISE = f" AND ({_NOISE}) IS NOT TRUE"

_MISSED = """
SELECT count(*) FROM change x WHERE NOT EXISTS (SELECT 1 FROM candidate c WHERE c.user_id = x.user_id)"""

_MISSED_BY_FEW = f"""
SELECT count(*) FROM change x
WHERE NOT EXISTS (SELECT 1 FROM {_columns("user_ids")} AS c (user_id) WHERE c.user_id = x.user_id)"""

_COUNT = """
SELECT count(*) FILTER (WHERE after IS NOT NULL AND (before IS NULL OR before = CAST(:absent AS text))) AS entered,
       count(*) FILTER (WHERE after IS NULL) AS exited,
       count(*) FILTER (WHERE after IS NOT NULL AND before <> CAST(:absent AS text)) AS changed
FROM change"""

_ENTER = """
INSERT INTO snapshot (definition_id, user_id, value, run_id)
SELECT :definition_id, user_id, coalesce(after, CAST(:absent AS text)), :run_id FROM change ORDER BY user_id"""

_ADVANCE = f"""{_ENTER}
ON CONFLICT (definition_id, user_id) DO UPDATE SET value = excluded.value, run_id = excluded.run_id"""

_HASHED = """encode(sha256(decode(CAST(:salt AS text), 'hex') || sha256(convert_to({user_id}, 'UTF8'))), 'hex')"""

_IS_FORGOTTEN = f"""{_HASHED.format(user_id="user_id")} IN (SELECT user_hash FROM suppression WHERE forgotten)"""
_FORGET = f"DELETE FROM change WHERE {_IS_FORGOTTEN} RETURNING after IS NOT NULL"

_OTHERS = "/* all */"
"""Stands for the condition that leaves out who is on the list; nobody is, as a rule, and then it costs nothing."""

_NOT_KEPT_OUT = f"""
AND NOT EXISTS (SELECT 1 FROM suppression x WHERE x.user_hash = {_HASHED})"""

# Rows are merged in the order of user_id here and in settle, so that two transactions never wait for each other.
_REACTIVATE = """
    version = excluded.version,
    priority = least(s.priority, excluded.priority),
    enrichment = s.enrichment || excluded.enrichment,
    state = CASE WHEN s.state IN ('parked', 'confirm') THEN 'due' ELSE s.state END,
    doubt = s.doubt OR s.state = 'confirm',
    due_at = CASE WHEN s.state IN ('parked', 'confirm') THEN excluded.due_at ELSE s.due_at END,
    attempts = CASE WHEN s.state = 'parked' THEN 0 ELSE s.attempts END,
    failing_since = CASE WHEN s.state = 'parked' THEN NULL ELSE s.failing_since END,
    reason = CASE WHEN s.state = 'parked' THEN NULL ELSE s.reason END"""

_SLOT_COLUMNS = "(destination, user_id, owed, base, enrichment, version, state, doubt, priority, due_at, owed_since)"

_OWE_CHANGES = f"""
INSERT INTO slot AS s {_SLOT_COLUMNS}
SELECT :destination, user_id,
       jsonb_build_object(CAST(:key AS text),
           jsonb_build_array(coalesce(after, CAST(:absent AS text))::jsonb, CAST(:version AS bigint))),
       jsonb_build_object(CAST(:key AS text), jsonb_build_array(coalesce(before, CAST(:absent AS text))::jsonb)),
       coalesce(extra, '{{}}')::jsonb, :version, 'due', false, 0, :at, :at
FROM change WHERE true {_OTHERS} ORDER BY user_id
ON CONFLICT (destination, user_id) DO UPDATE SET
    owed = CASE WHEN s.base #> ARRAY[:key, '0'] = excluded.owed #> ARRAY[:key, '0']
        THEN s.owed - CAST(:key AS text) ELSE s.owed || excluded.owed END,
    base = CASE WHEN s.base #> ARRAY[:key, '0'] = excluded.owed #> ARRAY[:key, '0'] THEN s.base - CAST(:key AS text)
        WHEN jsonb_exists(s.owed, :key) THEN s.base
        ELSE s.base || excluded.base END,
    {_REACTIVATE}"""


def _everyone(value: str, extra: str, priority: str, among: str) -> str:
    """Owe everybody ``among`` them. What nearly all are owed, as members, is written once."""
    return f"""
INSERT INTO slot AS s {_SLOT_COLUMNS}
SELECT :destination, p.user_id,
       CASE {value} WHEN 'true'
           THEN (SELECT jsonb_build_object(CAST(:key AS text), jsonb_build_array(true, CAST(:version AS bigint))))
           ELSE jsonb_build_object(CAST(:key AS text), jsonb_build_array({value}::jsonb, CAST(:version AS bigint))) END,
       '{{}}', coalesce({extra}, '{{}}')::jsonb, :version, 'due', false,
       {priority}, :at, :at
FROM {among}
{_OTHERS}
ORDER BY p.user_id
{_UNLESS_OWED} DO UPDATE SET
    owed = s.owed || excluded.owed, base = s.base - CAST(:key AS text), {_REACTIVATE}"""


def _snapshot(changed: str, or_changed: str) -> str:
    return f"""snapshot p LEFT JOIN stage g ON g.user_id = p.user_id{changed}
WHERE p.definition_id = :definition_id
    AND (p.value <> CAST(:absent AS text) OR p.run_id >= CAST(:since AS bigint){or_changed})"""


_UNLESS_OWED = "ON CONFLICT (destination, user_id)"

_OWE_EVERYONE = _everyone("p.value", "g.extra", "1", _snapshot("", ""))
_OWE_EVERYONE_CHANGES_FIRST = _everyone(
    "p.value",
    "g.extra",
    "CASE WHEN c.user_id IS NOT NULL THEN 0 ELSE 1 END",
    _snapshot(" LEFT JOIN change c ON c.user_id = p.user_id", " OR c.user_id IS NOT NULL"),
)
_OWE_ALL_ENTERED = _everyone("p.after", "p.extra", "CAST(:priority AS integer)", "change p WHERE true")
"""In the first recording: the same, without joining the new snapshot with what it was made of."""

_OWES_NOTHING = "SELECT NOT EXISTS (SELECT 1 FROM slot WHERE destination = :destination)"

_DROP_EMPTY = (
    "DELETE FROM slot WHERE destination = :destination AND owed = '{}' AND state = 'due' AND bulk_token IS NULL"
)

_OWED_BESIDES = "owed - ARRAY(SELECT jsonb_array_elements_text(CAST(:keys AS jsonb))) <> '{}'"

_CLEAR = """
INSERT INTO change (user_id, before, after, extra)
SELECT user_id, value, NULL, NULL FROM snapshot WHERE definition_id = :definition_id AND value <> :absent"""


class PostgresqlRecording:
    """`sync.store.recordable.Statements` for PostgreSQL."""

    owed_besides: ClassVar[str] = _OWED_BESIDES

    def compare(self, connection: Connection, recording: Recording) -> tuple[int, int, int, int]:
        if recording.first:
            connection.exec_driver_sql(_ALL_ENTERED)
            return self._counted(connection, recording)
        asked = {"definition_id": recording.definition_id, "absent": recording.absent}
        connection.exec_driver_sql(_CHANGE)
        connection.exec_driver_sql("SET LOCAL enable_hashjoin = off")
        connection.execute(text(_CHANGED_KEYS_TABLE), asked)
        connection.exec_driver_sql("SET LOCAL enable_hashjoin = on")
        connection.exec_driver_sql("ANALYZE changed_key")
        connection.execute(text(_CHANGES), {"definition_id": recording.definition_id})
        return self._settled(connection, recording)

    def compare_candidates(self, connection: Connection, recording: Recording) -> tuple[int, int, int, int]:
        asked = {"definition_id": recording.definition_id}
        connection.exec_driver_sql(_CHANGE)
        connection.execute(text(CHANGED_CANDIDATES), asked)
        connection.execute(text(EXITED_CANDIDATES), {**asked, "absent": recording.absent})
        return self._settled(connection, recording)

    def compare_few(self, connection: Connection, recording: Recording, few: Few) -> Difference:
        asked = {**_values(recording, "definition_id", "absent"), "salt": recording.salt}
        users = {"user_ids": _json(few.user_ids), "values": _json(few.values), "extras": _if_any(few.extras)}
        statement = DIFFERENT_FEW + (_NO_NOISE if recording.inexact else "")
        if recording.salt is not None:
            statement += f" AND NOT {_IS_FORGOTTEN}"
        return Difference([tuple(row) for row in connection.execute(text(statement), {**asked, **users})])

    def put(self, connection: Connection, some: Difference) -> None:
        connection.exec_driver_sql(_CHANGE)
        connection.execute(text(_PUT_FEW), _few(some))

    def missed(self, connection: Connection, few: Few | None) -> int:
        query, asked = (_MISSED, {}) if few is None else (_MISSED_BY_FEW, {"user_ids": _json(few.user_ids)})
        number: int = connection.execute(text(query), asked).scalar_one()
        return number

    def _settled(self, connection: Connection, recording: Recording) -> tuple[int, int, int, int]:
        if recording.inexact:
            connection.exec_driver_sql(_DROP_NOISE)
        connection.exec_driver_sql("ANALYZE change")
        return self._counted(connection, recording)

    @staticmethod
    def _counted(connection: Connection, recording: Recording) -> tuple[int, int, int, int]:
        absent, salt = recording.absent, recording.salt
        forgotten = 0 if salt is None else sum(connection.execute(text(_FORGET), {"salt": salt}).scalars())
        entered, exited, changed = connection.execute(text(_COUNT), {"absent": absent}).one()
        return entered, exited, changed, forgotten

    def clear(self, connection: Connection, definition_id: int, absent: str) -> int:
        """Fill ``change`` as if everybody had left."""
        connection.exec_driver_sql("DROP VIEW IF EXISTS pg_temp.change")
        connection.exec_driver_sql(_CHANGE)
        return connection.execute(text(_CLEAR), {"definition_id": definition_id, "absent": absent}).rowcount

    def hold_exits(self, connection: Connection) -> None:
        connection.exec_driver_sql("DELETE FROM change WHERE after IS NULL")

    def advance(self, connection: Connection, recording: Recording, some: Difference | None = None) -> None:
        statement = _ENTER if recording.first else _ADVANCE
        values = _values(recording, "definition_id", "absent", "run_id")
        connection.execute(text(_of(some, statement)), values | _few(some))

    def owe_changes(
        self, connection: Connection, recording: Recording, destination: str, some: Difference | None = None
    ) -> None:
        values = _values(recording, "key", "absent", "version", "at") | {"destination": destination}
        _owe(connection, _of(some, _OWE_CHANGES), "user_id", recording, values | _few(some))

    def owe_everyone(
        self, connection: Connection, recording: Recording, destination: str, since: int | None, *, changes_first: bool
    ) -> None:
        if recording.first:
            statement = _OWE_ALL_ENTERED
            values = _values(recording, "key", "version", "at")
            values |= {"destination": destination, "priority": 0 if changes_first else 1}
        else:
            statement = _OWE_EVERYONE_CHANGES_FIRST if changes_first else _OWE_EVERYONE
            values = _values(recording, "definition_id", "key", "absent", "version", "at")
            values |= {"destination": destination, "since": since}
        if not _owed_at_once(connection, statement, recording, values):
            _owe(connection, statement, "p.user_id", recording, values)

    def drop_empty(self, connection: Connection, destination: str) -> None:
        connection.execute(text(_DROP_EMPTY), {"destination": destination})

    def shadow(self, connection: Connection, table: str, definition_id: int | None = None) -> None:
        connection.exec_driver_sql(f"CREATE TEMP TABLE shadow (LIKE {table} INCLUDING ALL)")
        columns = "definition_id, user_id, value, run_id" if definition_id is not None else "*"
        where = "" if definition_id is None else f"WHERE definition_id = {definition_id:d}"
        into = "" if columns == "*" else f"({columns})"
        connection.exec_driver_sql(f"INSERT INTO shadow {into} SELECT {columns} FROM {table} {where}")
        connection.exec_driver_sql(f"ALTER TABLE shadow RENAME TO {table}")

    def unshadow(self, connection: Connection, table: str) -> None:
        connection.exec_driver_sql(f"DROP TABLE pg_temp.{table}")

    def begin_again(self, connection: Connection) -> None:
        connection.exec_driver_sql("DROP VIEW IF EXISTS pg_temp.change")

    def swept(self, connection: Connection) -> bool:  # noqa: ARG002
        """What a large TEMP table has left in catalogs and files goes best with the server's process."""
        return False

    def tidy(self, connection: Connection, changes: int) -> None:
        """After a large recording: make the snapshot's pages all-visible again, so that the next diff stays in the index."""
        if changes > _VACUUM_FROM:
            connection.execution_options(isolation_level="AUTOCOMMIT").exec_driver_sql("VACUUM (ANALYZE) snapshot")


_VACUUM_FROM = 50_000
"""Changes in one recording from which waiting for autovacuum would cost the next diff more than doing it now."""


def _json(column: Sequence[str | None]) -> str:
    return orjson.dumps(column).decode()


def _if_any(extras: list[str | None]) -> str | None:
    """``None``, which is as many as there are users, where nothing comes along."""
    return None if extras.count(None) == len(extras) else _json(extras)


def _of(some: Difference | None, statement: str) -> str:
    """A statement that reads ``change``: the table, or ``some`` that are bound to it."""
    return statement if some is None else _FEW + statement


def _few(some: Difference | None) -> dict[str, object]:
    """What is bound to a statement for ``some`` to be read."""
    if some is None:
        return {}
    user_ids, befores, afters, extras = ([row[place] for row in some.rows] for place in range(4))
    columns = {"changed": user_ids, "befores": befores, "afters": afters}
    return {name: _json(column) for name, column in columns.items()} | {"extras": _if_any(extras)}


def _owed_at_once(connection: Connection, statement: str, recording: Recording, values: dict[str, object]) -> bool:
    """Where nothing is owed to a destination, insert without looking for each user, which takes as long as inserting.

    Gives whether that was done: somebody may owe one of them something at the same time.
    """
    if not connection.execute(text(_OWES_NOTHING), {"destination": values["destination"]}).scalar_one():
        return False
    try:
        with connection.begin_nested():
            _owe(connection, statement.partition(_UNLESS_OWED)[0], "p.user_id", recording, values)
    except IntegrityError:
        return False
    return True


def _owe(connection: Connection, statement: str, user_id: str, recording: Recording, values: dict[str, object]) -> None:
    """Run a statement that owes something; who is on the list is left out."""
    if recording.salt is not None:
        statement = statement.replace(_OTHERS, _NOT_KEPT_OUT.format(user_id=user_id))
        values = {**values, "salt": recording.salt}
    connection.execute(text(statement), values)


def _values(recording: Recording, *names: str) -> dict[str, object]:
    known = {
        "definition_id": recording.definition_id,
        "key": recording.definition.key,
        "absent": recording.definition.kind.absent,
        "run_id": recording.run_id,
        "version": recording.version,
        "at": recording.at,
    }
    return {name: known[name] for name in names}
