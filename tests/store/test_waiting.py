"""What waits for the disk, and what need not."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import Connection, event, text
from sqlalchemy.pool import ConnectionPoolEntry

from sync.errors import StoreUnavailable
from sync.model.run import RunKind
from sync.store import bulk_claims, slots
from sync.store.bulk_claims import Wanted
from sync.store.engine import Database, connect
from sync.store.migrate import migrate
from sync.store.sqlite import waiting as sqlite_waiting
from tests.recorder import LEASE, PUSH, audience, record

WAITS = {"sqlite": 2, "postgresql": "on"}
HURRIES = {"sqlite": 1, "postgresql": "off"}


@pytest.fixture
def durable(database: Database, tmp_path: Path) -> Database:
    """A store that waits for the disk, as those of tests do not."""
    if database.dialect == "postgresql":
        event.listen(database.engine, "connect", own_default)
        database.engine.dispose()
        return database
    store = connect(f"sqlite:///{tmp_path}/durable.db")
    migrate(store)
    return store


def waiting(connection: Connection) -> object:
    if connection.dialect.name == "sqlite":
        return connection.exec_driver_sql("PRAGMA synchronous").scalar_one()
    return connection.exec_driver_sql("SHOW synchronous_commit").scalar_one()


def own_default(connection: psycopg.Connection, _: ConnectionPoolEntry) -> None:
    """PostgreSQL's own, which the server of the tests does not have."""
    connection.execute("SET synchronous_commit = on")
    connection.commit()


def test_a_commit_that_need_not_wait_does_not_and_the_next_one_does(durable: Database) -> None:
    with durable.write(waits=False) as connection:
        assert waiting(connection) == HURRIES[durable.dialect]
        connection.execute(text("UPDATE counter SET value = 7"))
    with durable.write() as connection:
        assert waiting(connection) == WAITS[durable.dialect]
        assert connection.execute(text("SELECT value FROM counter")).scalars().all() == [7]
    durable.close()


def test_one_that_fails_leaves_nothing_and_the_next_one_waits(durable: Database) -> None:
    with suppress(ZeroDivisionError), durable.write(waits=False) as connection:
        connection.execute(text("UPDATE counter SET value = 7"))
        raise ZeroDivisionError
    with durable.write() as connection:
        assert waiting(connection) == WAITS[durable.dialect]
        assert connection.execute(text("SELECT value FROM counter")).scalars().all() != [7]
    durable.close()


@pytest.mark.parametrize("stops", [KeyboardInterrupt, StoreUnavailable])
def test_nobody_gets_a_connection_that_could_not_be_told_to_wait_again(
    tmp_path: Path, stops: type[BaseException]
) -> None:
    store = connect(f"sqlite:///{tmp_path}/durable.db")
    migrate(store)

    def stop(_: Connection) -> None:
        event.remove(store.engine, "commit", stop)
        raise stops("on the way to the commit")

    event.listen(store.engine, "commit", stop)
    with pytest.raises(stops, match="on the way"), store.write(waits=False) as connection:
        connection.execute(text("UPDATE counter SET value = 7"))
    with store.write() as connection:
        assert waiting(connection) == WAITS["sqlite"]
        assert connection.execute(text("SELECT value FROM counter")).scalars().all() != [7]
    store.close()


@pytest.mark.parametrize("said", ["synchronous=NORMAL", "synchronous=FULL"])
def test_nor_does_anybody_get_one_that_was_interrupted_while_it_was_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str
) -> None:
    store = connect(f"sqlite:///{tmp_path}/durable.db")
    migrate(store)
    tell = sqlite_waiting._pragma

    def interrupted(connection: Connection, what: str) -> object:
        told = None if what == said == "synchronous=FULL" else tell(connection, what)
        if what == said:
            raise KeyboardInterrupt
        return told

    with monkeypatch.context() as patch:
        patch.setattr(sqlite_waiting, "_pragma", interrupted)
        with pytest.raises(KeyboardInterrupt), store.write(waits=False) as connection:
            connection.execute(text("UPDATE counter SET value = 7"))
    with store.write() as connection:
        assert waiting(connection) == WAITS["sqlite"]
    store.close()


def test_a_recording_need_not_wait_and_nothing_is_sent_of_it_before_a_claim_has(durable: Database) -> None:
    committed: list[object] = []
    recorded: list[object] = []

    def commit(connection: Connection) -> None:
        committed.append(waiting(connection))
        if not recorded and connection.exec_driver_sql("SELECT 1 FROM snapshot").first() is not None:
            recorded.append(waiting(connection))

    event.listen(durable.engine, "commit", commit)
    record(durable, audience(), ["ann", "bob", "cid"])
    assert recorded == [HURRIES[durable.dialect]]
    for claimed in (
        lambda: slots.claim(durable, PUSH, 1, LEASE),
        lambda: bulk_claims.claim(durable, PUSH, Wanted(2, 2, LEASE, 900.0), most_alone=0)[0],
    ):
        committed.clear()
        assert len(claimed()) == 1
        assert committed == [WAITS[durable.dialect]]
    durable.close()


@pytest.mark.parametrize(("kind", "forced"), [(RunKind.BACKFILL, False), (RunKind.DELTA, True)])
def test_a_recording_that_somebody_asked_for_and_no_run_would_make_again_waits(
    durable: Database, kind: RunKind, forced: bool
) -> None:
    record(durable, audience(), ["ann"])
    committed: list[object] = []

    def commit(connection: Connection) -> None:
        if connection.exec_driver_sql("SELECT 1 FROM snapshot WHERE user_id = 'bob'").first() is not None:
            committed.append(waiting(connection))

    event.listen(durable.engine, "commit", commit)
    record(durable, audience(), ["ann", "bob"], kind=kind, forced=forced)
    assert committed[:1] == [WAITS[durable.dialect]]
    durable.close()


def test_a_file_that_is_not_in_wal_mode_always_waits(tmp_path: Path) -> None:
    store = connect(f"sqlite:///{tmp_path}/rollback.db")
    migrate(store)
    with store.engine.connect() as connection:
        driver = connection.connection.cursor()
        driver.execute("PRAGMA journal_mode = DELETE")
        driver.close()
    with store.write(waits=False) as connection:
        assert waiting(connection) == WAITS["sqlite"]
    store.close()
