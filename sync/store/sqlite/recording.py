"""Compare the staged answer with the snapshot, owe the difference, advance the snapshot: SQLite's statements.

The diff is two anti-joins over tables that are stored in the order of ``user_id``; that of candidates looks each of them up. SQLite has no 64-bit hash, so values
are compared as they are. ``json_patch`` would take a null for "remove this key": what is merged is therefore always a
pair in a list, which is replaced whole.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

import orjson
from sqlalchemy import Connection

from sync.store.candidates import LONGEST, Difference, Few
from sync.store.instants import stamp
from sync.store.recordable import Recording
from sync.store.statement import text

_CHANGE = """
CREATE TEMP TABLE change (user_id TEXT PRIMARY KEY, before TEXT, after TEXT, extra TEXT) WITHOUT ROWID"""

_ALL_ENTERED = """
CREATE TEMP VIEW change AS SELECT user_id, NULL AS before, value AS after, extra FROM temp.stage"""

ENTERED_OR_CHANGED = """
INSERT INTO temp.change (user_id, before, after, extra)
SELECT s.user_id, p.value, s.value, s.extra
FROM temp.stage s LEFT JOIN snapshot p ON p.definition_id = :definition_id AND p.user_id = s.user_id
WHERE p.value IS NULL OR p.value <> s.value"""

EXITED = """
INSERT INTO temp.change (user_id, before)
SELECT p.user_id, p.value
FROM snapshot p
WHERE p.definition_id = :definition_id AND p.value <> :absent
    AND NOT EXISTS (SELECT 1 FROM temp.stage s WHERE s.user_id = p.user_id)"""

EXITED_CANDIDATES = """
INSERT INTO temp.change (user_id, before)
SELECT DISTINCT p.user_id, p.value
FROM temp.candidate c CROSS JOIN snapshot p
WHERE p.definition_id = :definition_id AND p.user_id = c.user_id AND p.value <> :absent
    AND NOT EXISTS (SELECT 1 FROM temp.stage s WHERE s.user_id = c.user_id)"""

DIFFERENT_FEW = f"""
SELECT user_id, substr(before, 1, {LONGEST + 1}) AS before, after, extra FROM (
    SELECT c.value ->> 0 AS user_id, p.value AS before, c.value ->> 1 AS after, c.value ->> 2 AS extra
    FROM json_each(:few) c LEFT JOIN snapshot p ON p.definition_id = :definition_id AND p.user_id = c.value ->> 0)
WHERE CASE WHEN after IS NULL THEN before <> :absent ELSE before IS NOT after END"""
"""``few`` are lists of a user id, a value and what comes along."""

_FEW = """
WITH change AS (
    SELECT value ->> 0 AS user_id, value ->> 1 AS before, value ->> 2 AS after, value ->> 3 AS extra
    FROM json_each(:changed))"""
"""Stands before a statement that reads ``change``, where that is bound to it."""

_PUT_FEW = f"{_FEW} INSERT INTO temp.change (user_id, before, after, extra) SELECT * FROM change"

_NOISE = """
    before GLOB '[-0-9]*' AND after GLOB '[-0-9]*' AND (before GLOB '*[.e]*' OR after GLOB '*[.e]*')
    AND abs(CAST(after AS REAL) - CAST(before AS REAL)) <= 1e-12 * abs(CAST(before AS REAL))"""
"""Of sums: a difference that comes from the order in which fractions were added up. What was decided stays as it was."""

_DROP_NOISE = f"DELETE FROM temp.change WHERE {_NOISE}"
_NO_NOISE = f" AND ({_NOISE}) IS NOT TRUE"

_MISSED = """
SELECT count(*) FROM temp.change x WHERE NOT EXISTS (SELECT 1 FROM temp.candidate c WHERE c.user_id = x.user_id)"""

_MISSED_BY_FEW = """
SELECT count(*) FROM temp.change WHERE user_id NOT IN (SELECT value FROM json_each(:few))"""

_COUNT = """
SELECT count(*) FILTER (WHERE after IS NOT NULL AND (before IS NULL OR before = :absent)) AS entered,
       count(*) FILTER (WHERE after IS NULL) AS exited,
       count(*) FILTER (WHERE after IS NOT NULL AND before <> :absent) AS changed
FROM temp.change"""

_ADVANCE = """
INSERT INTO snapshot (definition_id, user_id, value, run_id)
SELECT :definition_id, user_id, coalesce(after, :absent), :run_id FROM change WHERE true ORDER BY user_id
ON CONFLICT (definition_id, user_id) DO UPDATE SET value = excluded.value, run_id = excluded.run_id"""

_HASHED = "user_hash(:salt, {user_id})"

_IS_FORGOTTEN = f"""{_HASHED.format(user_id="user_id")} IN (SELECT user_hash FROM suppression WHERE forgotten)"""
_FORGET = f"DELETE FROM temp.change WHERE {_IS_FORGOTTEN} RETURNING after IS NOT NULL"

_FORGET_STAGED = _FORGET.replace("temp.change", "temp.stage").replace("after IS NOT NULL", "true")

_OTHERS = "/* all */"
"""Stands for the condition that leaves out who is on the list; nobody is, as a rule, and then it costs nothing."""

_NOT_KEPT_OUT = f"""
AND {_HASHED} NOT IN (SELECT user_hash FROM suppression)"""

_REACTIVATE = """
    version = excluded.version,
    priority = min(s.priority, excluded.priority),
    enrichment = json_patch(s.enrichment, excluded.enrichment),
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
       json_object(:key, json_array(json(coalesce(after, :absent)), :version)),
       json_object(:key, json_array(json(coalesce(before, :absent)))),
       coalesce(extra, '{{}}'), :version, 'due', 0, 0, :at, :at
FROM change WHERE true {_OTHERS} ORDER BY user_id
ON CONFLICT (destination, user_id) DO UPDATE SET
    owed = CASE WHEN s.base -> :first = excluded.owed -> :first
        THEN json_remove(s.owed, :path) ELSE json_patch(s.owed, excluded.owed) END,
    base = CASE WHEN s.base -> :first = excluded.owed -> :first THEN json_remove(s.base, :path)
        WHEN json_type(s.owed, :path) IS NOT NULL THEN s.base
        ELSE json_patch(s.base, excluded.base) END,
    {_REACTIVATE}"""


def _everyone(value: str, extra: str, priority: str, among: str) -> str:
    """Owe everybody ``among`` them. What nearly all are owed, as members, is written once."""
    return f"""
INSERT INTO slot AS s {_SLOT_COLUMNS}
SELECT :destination, p.user_id, CASE {value} WHEN 'true' THEN (SELECT json_object(:key, json_array(json('true'), :version)))
           ELSE json_object(:key, json_array(json({value}), :version)) END, '{{}}',
       coalesce({extra}, '{{}}'), :version, 'due', 0,
       {priority}, :at, :at
FROM {among}
{_OTHERS}
ORDER BY p.user_id
ON CONFLICT (destination, user_id) DO UPDATE SET
    owed = json_patch(s.owed, excluded.owed), base = json_remove(s.base, :path), {_REACTIVATE}"""


def _snapshot(changed: str, or_changed: str) -> str:
    return f"""snapshot p LEFT JOIN temp.stage g ON g.user_id = p.user_id{changed}
WHERE p.definition_id = :definition_id
    AND (p.value <> :absent OR p.run_id >= :since{or_changed})"""


_OWE_EVERYONE = _everyone("p.value", "g.extra", "1", _snapshot("", ""))
_OWE_EVERYONE_CHANGES_FIRST = _everyone(
    "p.value",
    "g.extra",
    "CASE WHEN c.user_id IS NOT NULL THEN 0 ELSE 1 END",
    _snapshot(" LEFT JOIN temp.change c ON c.user_id = p.user_id", " OR c.user_id IS NOT NULL"),
)
_OWE_ALL_ENTERED = _everyone("p.after", "p.extra", ":priority", "temp.change p WHERE true")
"""In the first recording: the same, without joining the new snapshot with what it was made of."""

_DROP_EMPTY = """
DELETE FROM slot INDEXED BY slot_empty
WHERE destination = :destination AND owed = '{}' AND state = 'due' AND bulk_token IS NULL"""

_OWED_BESIDES = """
EXISTS (SELECT 1 FROM json_each(slot.owed) WHERE key NOT IN (SELECT value FROM json_each(:keys)))"""

_CLEAR = """
INSERT INTO temp.change (user_id, before)
SELECT user_id, value FROM snapshot WHERE definition_id = :definition_id AND value <> :absent"""


class SqliteRecording:
    """`sync.store.recordable.Statements` for SQLite."""

    owed_besides: ClassVar[str] = _OWED_BESIDES

    def compare(self, connection: Connection, recording: Recording) -> tuple[int, int, int, int]:
        if recording.first:
            self._drop_change(connection)
            connection.exec_driver_sql(_ALL_ENTERED)
            return self._counted(connection, recording, _FORGET_STAGED)
        self._fresh_change(connection)
        return self._compare(connection, EXITED, recording)

    def compare_candidates(self, connection: Connection, recording: Recording) -> tuple[int, int, int, int]:
        self._fresh_change(connection)
        return self._compare(connection, EXITED_CANDIDATES, recording)

    def compare_few(self, connection: Connection, recording: Recording, few: Few) -> Difference:
        rows = zip(few.user_ids, few.values, few.extras, strict=True)
        asked = {**_values(recording, "definition_id", "absent"), "few": _json(rows), "salt": recording.salt}
        statement = DIFFERENT_FEW + (_NO_NOISE if recording.inexact else "")
        if recording.salt is not None:
            statement += f" AND NOT {_IS_FORGOTTEN}"
        return Difference([tuple(row) for row in connection.execute(text(statement), asked)])

    def put(self, connection: Connection, some: Difference) -> None:
        self._fresh_change(connection)
        connection.execute(text(_PUT_FEW), _few(some))

    def _compare(self, connection: Connection, exited_ones: str, recording: Recording) -> tuple[int, int, int, int]:
        asked = {"definition_id": recording.definition_id}
        connection.execute(text(ENTERED_OR_CHANGED), asked)
        connection.execute(text(exited_ones), {**asked, "absent": recording.absent})
        return self._settled(connection, recording)

    def _settled(self, connection: Connection, recording: Recording) -> tuple[int, int, int, int]:
        if recording.inexact:
            connection.exec_driver_sql(_DROP_NOISE)
        return self._counted(connection, recording, _FORGET)

    @staticmethod
    def _counted(connection: Connection, recording: Recording, forget: str) -> tuple[int, int, int, int]:
        absent, salt = recording.absent, recording.salt
        forgotten = 0 if salt is None else sum(connection.execute(text(forget), {"salt": salt}).scalars())
        entered, exited, changed = connection.execute(text(_COUNT), {"absent": absent}).one()
        return entered, exited, changed, forgotten

    def missed(self, connection: Connection, few: Few | None) -> int:
        query, asked = (_MISSED, {}) if few is None else (_MISSED_BY_FEW, {"few": _json(few.user_ids)})
        number: int = connection.execute(text(query), asked).scalar_one()
        return number

    def clear(self, connection: Connection, definition_id: int, absent: str) -> int:
        """Fill ``change`` as if everybody had left."""
        self._fresh_change(connection)
        return connection.execute(text(_CLEAR), {"definition_id": definition_id, "absent": absent}).rowcount

    def hold_exits(self, connection: Connection) -> None:
        connection.exec_driver_sql("DELETE FROM temp.change WHERE after IS NULL")

    def advance(self, connection: Connection, recording: Recording, some: Difference | None = None) -> None:
        values = _values(recording, "definition_id", "absent", "run_id")
        connection.execute(text(_of(some, _ADVANCE)), values | _few(some))

    def owe_changes(
        self, connection: Connection, recording: Recording, destination: str, some: Difference | None = None
    ) -> None:
        values = _values(recording, "key", "path", "first", "absent", "version", "at") | {"destination": destination}
        _owe(connection, _of(some, _OWE_CHANGES), "user_id", recording, values | _few(some))

    def owe_everyone(
        self, connection: Connection, recording: Recording, destination: str, since: int | None, *, changes_first: bool
    ) -> None:
        if recording.first:
            values = _values(recording, "key", "path", "version", "at")
            values |= {"destination": destination, "priority": 0 if changes_first else 1}
            _owe(connection, _OWE_ALL_ENTERED, "p.user_id", recording, values)
            return
        values = _values(recording, "definition_id", "key", "path", "absent", "version", "at")
        values |= {"destination": destination, "since": since}
        statement = _OWE_EVERYONE_CHANGES_FIRST if changes_first else _OWE_EVERYONE
        _owe(connection, statement, "p.user_id", recording, values)

    def drop_empty(self, connection: Connection, destination: str) -> None:
        connection.execute(text(_DROP_EMPTY), {"destination": destination})

    def shadow(self, connection: Connection, table: str, definition_id: int | None = None) -> None:
        ddl = "SELECT sql FROM main.sqlite_master WHERE tbl_name = ? AND sql IS NOT NULL ORDER BY type DESC"
        for statement in connection.exec_driver_sql(ddl, (table,)).scalars().all():
            connection.exec_driver_sql(
                statement.replace("CREATE TABLE ", "CREATE TEMP TABLE ").replace("CREATE INDEX ", "CREATE INDEX temp.")
            )
        where = "" if definition_id is None else f"WHERE definition_id = {definition_id:d}"
        connection.exec_driver_sql(f"INSERT INTO temp.{table} SELECT * FROM main.{table} {where}")

    def unshadow(self, connection: Connection, table: str) -> None:
        connection.exec_driver_sql(f"DROP TABLE temp.{table}")

    def begin_again(self, connection: Connection) -> None:
        self._drop_change(connection)

    def swept(self, connection: Connection) -> bool:
        """SQLite deletes the TEMP database, file and all, when it is to be kept elsewhere.

        To close the connection would be more: the last one empties the store's log, and the next one knows no page.
        """
        driver: Any = connection.connection.driver_connection
        for place in ("MEMORY", "FILE"):
            driver.execute(f"PRAGMA temp_store={place}").close()
        return True

    def tidy(self, connection: Connection, changes: int) -> None:
        """Nothing to do: SQLite's tables need no upkeep after a large recording."""

    def _fresh_change(self, connection: Connection) -> None:
        self._drop_change(connection)
        connection.exec_driver_sql(_CHANGE)

    @staticmethod
    def _drop_change(connection: Connection) -> None:
        kind = connection.exec_driver_sql("SELECT type FROM temp.sqlite_master WHERE name = 'change'").scalar()
        if kind is not None:
            connection.exec_driver_sql(f"DROP {kind} temp.change")


def _of(some: Difference | None, statement: str) -> str:
    """A statement that reads ``change``: the table, or ``some`` that are bound to it."""
    return statement if some is None else _FEW + statement


def _few(some: Difference | None) -> dict[str, object]:
    """What is bound to a statement for ``some`` to be read."""
    return {} if some is None else {"changed": _json(some.rows)}


def _json(some: Iterable[object]) -> str:
    return orjson.dumps(list(some)).decode()


def _owe(connection: Connection, statement: str, user_id: str, recording: Recording, values: dict[str, object]) -> None:
    """Run a statement that owes something; who is on the list is left out."""
    if recording.salt is not None:
        statement = statement.replace(_OTHERS, _NOT_KEPT_OUT.format(user_id=user_id))
        values = {**values, "salt": recording.salt}
    connection.execute(text(statement), values)


def _values(recording: Recording, *names: str) -> dict[str, object]:
    key = recording.definition.key
    known = {
        "definition_id": recording.definition_id,
        "key": key,
        "path": f'$."{key}"',
        "first": f'$."{key}"[0]',
        "absent": recording.definition.kind.absent,
        "run_id": recording.run_id,
        "version": recording.version,
        "at": stamp(recording.at),
    }
    return {name: known[name] for name in names}
