"""The plans that the design stands on, read from the engines."""

from __future__ import annotations

import pytest
from sqlalchemy import Connection, text

from sync.model.chunk import Chunk
from sync.store import recording
from sync.store.engine import Database
from sync.store.postgresql.recording import CHANGED_KEYS
from sync.store.sqlite.recording import ENTERED_OR_CHANGED, EXITED
from tests.recorder import audience, record

MANY = [f"user {number:05d}" for number in range(20_000)]


def staged(database: Database, session: recording.Session) -> Connection:
    session.load([Chunk(MANY)], ("user_id",))
    return session._connection


def test_the_diff_on_postgresql_is_a_merge_join_of_two_index_only_scans(postgresql_database: Database) -> None:
    database = postgresql_database
    record(database, audience("other"), MANY)
    record(database, audience(), MANY)
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("VACUUM (ANALYZE) snapshot")
    with recording.session(database) as session:
        connection = staged(database, session)
        with connection.begin():
            connection.exec_driver_sql("SET LOCAL enable_hashjoin = off")
            lines = connection.execute(
                text(f"EXPLAIN (COSTS OFF) {CHANGED_KEYS}"), {"definition_id": 2, "absent": "false"}
            ).scalars()
            plan = "\n".join(lines)
    assert "Merge Full Join" in plan
    assert plan.count("Index Only Scan") == 2
    assert "Sort" not in plan


@pytest.mark.parametrize("statement", [ENTERED_OR_CHANGED, EXITED])
def test_the_diff_on_sqlite_builds_no_index_on_the_fly(sqlite_database: Database, statement: str) -> None:
    record(sqlite_database, audience(), MANY)
    with recording.session(sqlite_database) as session:
        connection = staged(sqlite_database, session)
        with connection.begin():
            session._statements.compare(connection, 1, "false")
            rows = connection.execute(
                text(f"EXPLAIN QUERY PLAN {statement}"), {"definition_id": 1, "absent": "false"}
            ).all()
            plan = "\n".join(str(row[-1]) for row in rows)
    assert "PRIMARY KEY" in plan
    assert "AUTOMATIC" not in plan
    assert "TEMP B-TREE" not in plan
