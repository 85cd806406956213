"""A connection with TEMP tables: who may have it next, and what they find there."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import Connection

from sync.model.chunk import Chunk
from sync.model.run import RunKind
from sync.model.watermark import Course, Reading, Since
from sync.store import recording, runs
from sync.store.candidates import few
from sync.store.engine import Database
from sync.store.enrolments import Decided
from tests.recorder import audience, record

_LEFT = {
    "sqlite": "SELECT count(*) FROM sqlite_temp_master",
    "postgresql": "SELECT count(*) FROM pg_class WHERE relpersistence = 't' AND pg_table_is_visible(oid)",
}


def left(connection: Connection) -> int:
    number: int = connection.exec_driver_sql(_LEFT[connection.dialect.name]).scalar_one()
    return number


def driver(session: recording.Session) -> Any:
    return session._connection.connection.driver_connection


def test_what_was_staged_is_not_there_for_the_next(database: Database) -> None:
    with recording.session(database) as session:
        session.load([Chunk(["ann"])], ("user_id",))
        assert left(session._connection) > 0
    with recording.session(database) as session:
        assert left(session._connection) == 0


def test_a_rehearsal_is_not_there_for_the_next(database: Database) -> None:
    record(database, audience(), ["ann"])
    with recording.session(database) as session:
        session.begin_rehearsal()
        session._connection.exec_driver_sql("DELETE FROM slot")
        session._connection.commit()
    with database.read() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM slot").scalar_one() == 1


def test_sqlites_log_stays_open_from_one_recording_to_the_next(sqlite_database: Database) -> None:
    with recording.session(sqlite_database) as session:
        session.load([Chunk(["ann"])], ("user_id",))
        mine = driver(session)
    with recording.session(sqlite_database) as session:
        assert driver(session) is mine


def test_a_session_for_which_nothing_was_staged_is_given_to_the_next(database: Database) -> None:
    with recording.session(database) as session:
        session.load_candidates([Chunk(["ann"], ["true"])], ("user_id", "value"))
        mine = driver(session)
    with recording.session(database) as session:
        assert driver(session) is mine


def test_candidates_that_are_too_many_to_be_held_are_staged(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recording, "MOST", 2)
    chunks = [Chunk(["ann", "bob"], ["true", None]), Chunk(["cid", "dan"], ["true", "true"])]
    with recording.session(database) as session:
        assert session.load_candidates(chunks, ("user_id", "value")) == 4
        assert session.stage_candidates() == (3, [])
        assert left(session._connection) > 0


def test_a_session_that_ends_with_an_error_is_closed_for_good(database: Database) -> None:
    mine = []

    def fail() -> None:
        with recording.session(database) as session:
            mine.append(driver(session))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    with recording.session(database) as session:
        assert driver(session) is not mine[0]


def test_what_was_recorded_of_a_few_leaves_nothing_on_the_connection(database: Database) -> None:
    record(database, audience(), ["ann", "bob"])
    now = database.clock.now()
    claimed = runs.claim(database, audience(), RunKind.DELTA, now, forced=False)
    with recording.session(database) as session:
        candidates = Chunk(["ann", "bob", "cid", "dan"], ["true", None, "true", None])
        session.load_candidates([candidates], ("user_id", "value"))
        members, _ = session.stage_candidates()
        read = Reading(Course(None, Since(now, {})), candidates=4)
        counts = session.record(claimed, audience(), members, None, read).counts
        mine = driver(session)
    assert (counts.members, counts.entered, counts.exited) == (2, 1, 1)
    with recording.session(database) as session:
        assert driver(session) is mine
        assert left(session._connection) == 0


def test_a_few_can_be_rehearsed_after_a_definition_that_is_new(database: Database) -> None:
    record(database, audience(), ["ann", "bob"])
    now = database.clock.now()
    with recording.session(database) as session:
        session.begin_rehearsal()
        members, _ = session.load([Chunk(["ann"])], ("user_id",))
        new, _ = session.rehearse(audience("new"), members, Decided(()), None, forced=False)
        session.load_candidates([Chunk(["bob", "cid"], [None, "true"])], ("user_id", "value"))
        read = Reading(Course(None, Since(now, {})), candidates=2)
        known, _ = session.rehearse(audience(), 1, Decided(()), None, forced=False, reading=read)
    assert new.counts.entered == 1
    assert (known.counts.members, known.counts.entered, known.counts.exited) == (2, 1, 1)


def test_of_an_id_that_stands_there_twice_only_two_answers_are_too_many() -> None:
    found = few([Chunk(["7", "8", "7"], [None, "true", "true"]), Chunk(["8", "9", "7"], ["true", None, None])])
    assert (found.user_ids, found.values, found.doubled) == (["7", "8", "9"], ["true", "true", None], ["8"])
    assert found.present == 2
