"""Whatever goes wrong before the commit, nothing was recorded."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace

import psycopg
import pytest
from sqlalchemy import event, text

from sync import telemetry
from sync.errors import DataError, QueryError, SchemaError, StoreUnavailable, SyncError
from sync.model.definition import Definition
from sync.refresh.run import Refreshed
from sync.store.engine import Database
from sync.store.revision import check
from tests.recorder import PUSH
from tests.refresh.conftest import SPEND, VIP, Stage

DECIDED = ("snapshot", "slot", "enrolment", "counter")
"""The tables that say what was decided; a failed run is remembered as such, and nothing else."""


def decided(database: Database, *tables: str) -> dict[str, list[str]]:
    with database.read() as connection:
        return {
            table: sorted(map(repr, connection.execute(text(f"SELECT * FROM {table}")))) for table in tables or DECIDED
        }


def fails(stage: Stage, error: type[SyncError], match: str, definition: Definition = VIP) -> None:
    before = decided(stage.database)
    with pytest.raises(error, match=match):
        stage.delta(definition)
    assert decided(stage.database) == before
    with stage.database.read() as connection:
        last = connection.execute(text("SELECT status, message FROM run ORDER BY id DESC LIMIT 1")).one()
    assert last.status == "failed"


def test_a_user_who_stands_there_twice_is_named(stage: Stage) -> None:
    stage.delta(members=["ann"])
    stage.shop.answers([("bob",), ("ann",), ("bob",), ("cid",), ("cid",)])
    fails(stage, DataError, "more than one row for user 'bob', 'cid': group the query by user_id; nothing was recorded")
    assert stage.delta(members=["bob"]).counts.entered == 1


@pytest.mark.parametrize("user_id", [None, ""])
def test_a_row_without_a_user_is_refused(stage: Stage, user_id: str | None) -> None:
    stage.delta(members=["ann"])
    stage.shop.answers([("ann", "1"), (user_id, "1")])
    fails(stage, DataError, "nothing was recorded")


def test_a_source_that_fails_in_the_middle_leaves_nothing(stage_of_postgresql_shop: Stage) -> None:
    stage = stage_of_postgresql_shop
    stage.delta(members=["ann"])
    broken = replace(VIP, sql="SELECT 1 / (30000 - i) AS user_id FROM generate_series(1, 40000) i")
    fails(stage, QueryError, "division by zero", broken)
    broken = replace(VIP, sql="SELECT CASE WHEN i < 30000 THEN i END AS user_id FROM generate_series(1, 40000) i")
    fails(stage, DataError, "in row 30000 of its answer, user_id is NULL", broken)


def test_a_sqlite_source_that_fails_in_the_middle_leaves_nothing(stage: Stage) -> None:
    stage.delta(members=["ann"])
    numbers = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 30000) "
    fails(stage, DataError, "in row 25000", replace(VIP, sql=numbers + "SELECT nullif(i, 25000) AS user_id FROM n"))


def test_a_process_that_is_stopped_before_the_commit_leaves_nothing(stage: Stage) -> None:
    stage.delta(members=["ann"])
    before = decided(stage.database)

    def stop(name: str, _: dict[str, object]) -> None:
        if name == "refresh.recorded":
            raise KeyboardInterrupt

    silence = telemetry.listen(stop)
    try:
        with pytest.raises(KeyboardInterrupt):
            stage.delta(members=["bob"])
    finally:
        silence()
    assert decided(stage.database, "snapshot", "slot", "enrolment") == {
        table: rows for table, rows in before.items() if table != "counter"
    }
    assert stage.delta().counts.entered == 1


def test_of_two_refreshes_at_once_one_is_busy(stage: Stage) -> None:
    stage.shop.members("ann")
    stage.delta()
    started, ended = threading.Barrier(2), []

    def work(refresh: Callable[[], Refreshed]) -> None:
        started.wait()
        try:
            ended.append(refresh().status.value)
        except SyncError as error:
            ended.append(type(error).__name__)

    reading = threading.Event()
    both_claimed = threading.Event()

    def wait(name: str, _: dict[str, object]) -> None:
        if name == "refresh.claimed":
            reading.set()
            assert both_claimed.wait(60)

    silence = telemetry.listen(wait)
    first = threading.Thread(target=work, args=(stage.delta,))
    first.start()
    started.wait()
    assert reading.wait(60)
    with pytest.raises(SyncError, match="is going on in process"):
        stage.delta()
    both_claimed.set()
    first.join()
    silence()
    assert ended == ["succeeded"]


def test_a_full_store_records_nothing(sqlite_database: Database, stage: Stage) -> None:
    if stage.database.dialect != "sqlite":
        pytest.skip("only SQLite can be given a size")
    stage.delta(members=["ann"])
    stage.sent()
    limit = {"on": True}

    @event.listens_for(stage.database.engine, "begin")
    def small(connection: object) -> None:
        pages = connection.exec_driver_sql("PRAGMA main.page_count").scalar_one()  # type: ignore[attr-defined]
        most = pages + 2 if limit["on"] else 2**30
        connection.exec_driver_sql(f"PRAGMA main.max_page_count = {most}")  # type: ignore[attr-defined]

    before = decided(stage.database, "snapshot", "slot", "enrolment")
    with pytest.raises(StoreUnavailable, match="the store is full: nothing was recorded"):
        stage.delta(members=[f"user number {number}" for number in range(5000)])
    assert decided(stage.database, "snapshot", "slot", "enrolment") == before
    limit["on"] = False
    assert stage.delta().counts.entered == 5000


def test_a_store_that_goes_away_while_staging_is_not_taken_for_the_source(stage: Stage, postgresql_url: str) -> None:
    if stage.database.dialect != "postgresql":
        pytest.skip("nobody can end a connection to a file")
    stage.shop.members("ann")

    sessions: list[psycopg.Connection] = []
    event.listen(stage.database.engine, "connect", lambda connection, _: sessions.append(connection))
    stage.database.close()  # so that every connection from here on is a new one, and known

    def cut(name: str, _: dict[str, object]) -> None:
        if name == "refresh.reading":
            pids = [each.info.backend_pid for each in sessions if not each.closed]
            with psycopg.connect(postgresql_url) as other:
                other.execute("SELECT pg_terminate_backend(pid, 10000) FROM unnest(%s::int[]) pid", [pids])

    silence = telemetry.listen(cut)
    try:
        with pytest.raises(StoreUnavailable, match="the store cannot be reached"):
            stage.delta()
    finally:
        silence()
    assert stage.owed() == {}
    assert stage.delta().counts.entered == 1


def test_a_store_written_by_a_newer_version_is_refused(stage: Stage) -> None:
    with stage.database.write() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = 'f00d'"))
    with pytest.raises(SchemaError, match="newer"):
        check(stage.database)


def test_the_next_refresh_after_a_failed_one_sees_everything(stage: Stage) -> None:
    stage.shop.answers([("ann", "1")])
    stage.delta(SPEND)
    stage.shop.answers([("ann", "2"), ("", "3")])
    with pytest.raises(DataError):
        stage.delta(SPEND)
    stage.shop.answers([("ann", "2")])
    assert stage.delta(SPEND).counts.changed == 1
    assert stage.owed(PUSH) == {"ann": {"spend": "2"}}
