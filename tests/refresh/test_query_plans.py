"""The plans that the design stands on, read from the engines."""

from __future__ import annotations

from datetime import UTC, datetime

import orjson
import pytest
from sqlalchemy import Connection, text

from sync.model.chunk import Chunk
from sync.store import recording
from sync.store.candidates import few
from sync.store.engine import Database
from sync.store.postgresql import recording as postgresql
from sync.store.postgresql.recording import CHANGED_KEYS
from sync.store.recordable import Recording
from sync.store.sqlite.recording import DIFFERENT_FEW, ENTERED_OR_CHANGED, EXITED, EXITED_CANDIDATES
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


FEW = MANY[::500]
RECORDING = Recording(audience(), definition_id=1, run_id=1, version=1, at=datetime.now(UTC))


VALUES: list[str | None] = ["true" if place % 2 else None for place, _ in enumerate(FEW)]


def candidates(session: recording.Session, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some users, staged as if they were too many to be held."""
    monkeypatch.setattr(recording, "MOST", 0)
    session.load_candidates([Chunk(FEW, VALUES)], ("user_id", "value"))
    assert session.stage_candidates() == (len(FEW) // 2, [])


def are_looked_up_on_postgresql(plan: str) -> bool:
    others = plan.replace("Index Scan using snapshot_pkey on snapshot", "")
    return "Nested Loop" in plan and "using snapshot_pkey" in plan and "Scan on snapshot" not in others


@pytest.fixture
def large_postgresql(postgresql_database: Database) -> Database:
    record(postgresql_database, audience(), MANY)
    with postgresql_database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("VACUUM (ANALYZE) snapshot")
    return postgresql_database


@pytest.mark.parametrize("statement", [postgresql.CHANGED_CANDIDATES, postgresql.EXITED_CANDIDATES])
def test_candidates_are_looked_up_on_postgresql_however_many_users_there_are(
    large_postgresql: Database, monkeypatch: pytest.MonkeyPatch, statement: str
) -> None:
    with recording.session(large_postgresql) as session:
        candidates(session, monkeypatch)
        connection = session._connection
        with connection.begin():
            found = session._statements.compare_candidates(connection, RECORDING)
            assert found == (0, len(FEW) // 2, 0, 0)
            values = {"definition_id": 1} | ({"absent": "false"} if ":absent" in statement else {})
            lines = connection.execute(text(f"EXPLAIN (COSTS OFF) {statement}"), values).scalars()
            assert are_looked_up_on_postgresql("\n".join(lines))


def test_few_candidates_are_looked_up_on_postgresql_however_many_users_there_are(large_postgresql: Database) -> None:
    with recording.session(large_postgresql) as session:
        connection = session._connection
        with connection.begin():
            found = session._statements.compare_few(connection, RECORDING, few([Chunk(FEW, VALUES)]))
            assert found.counted("false") == (0, len(FEW) // 2, 0)
            some = dict.fromkeys(("user_ids", "values", "extras"), orjson.dumps(FEW).decode())
            asked = text(f"EXPLAIN (COSTS OFF) {postgresql.DIFFERENT_FEW}")
            lines = connection.execute(asked, {"definition_id": 1, "absent": "false", **some}).scalars()
            assert are_looked_up_on_postgresql("\n".join(lines))


def test_candidates_are_looked_up_on_sqlite_however_many_users_there_are(
    sqlite_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    record(sqlite_database, audience(), MANY)
    with recording.session(sqlite_database) as session:
        candidates(session, monkeypatch)
        connection = session._connection
        with connection.begin():
            assert session._statements.compare_candidates(connection, RECORDING) == (0, len(FEW) // 2, 0, 0)
            plan = [
                str(row[-1])
                for statement in (ENTERED_OR_CHANGED, EXITED_CANDIDATES, DIFFERENT_FEW)
                for row in connection.execute(
                    text(f"EXPLAIN QUERY PLAN {statement}"), {"definition_id": 1, "absent": "false", "few": "[]"}
                )
            ]
    assert [each for each in plan if " p " in each or each.endswith(" p")] == [
        "SEARCH p USING PRIMARY KEY (definition_id=? AND user_id=?) LEFT-JOIN",
        "SEARCH p USING PRIMARY KEY (definition_id=? AND user_id=?)",
        "SEARCH p USING PRIMARY KEY (definition_id=? AND user_id=?) LEFT-JOIN",
    ]
    assert not any("AUTOMATIC" in each for each in plan)


def test_few_candidates_on_sqlite_are_compared_as_staged_ones_are(sqlite_database: Database) -> None:
    record(sqlite_database, audience(), MANY)
    with recording.session(sqlite_database) as session:
        connection = session._connection
        with connection.begin():
            found = session._statements.compare_few(connection, RECORDING, few([Chunk(FEW, VALUES)]))
            assert found.counted("false") == (0, len(FEW) // 2, 0)


@pytest.mark.parametrize("statement", [ENTERED_OR_CHANGED, EXITED])
def test_the_diff_on_sqlite_builds_no_index_on_the_fly(sqlite_database: Database, statement: str) -> None:
    record(sqlite_database, audience(), MANY)
    with recording.session(sqlite_database) as session:
        connection = staged(sqlite_database, session)
        with connection.begin():
            session._statements.compare(connection, RECORDING)
            rows = connection.execute(
                text(f"EXPLAIN QUERY PLAN {statement}"), {"definition_id": 1, "absent": "false"}
            ).all()
            plan = "\n".join(str(row[-1]) for row in rows)
    assert "PRIMARY KEY" in plan
    assert "AUTOMATIC" not in plan
    assert "TEMP B-TREE" not in plan
