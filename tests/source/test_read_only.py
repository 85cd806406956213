from __future__ import annotations

from pathlib import Path

import pytest

from sync.errors import QueryError, SourceError, SourceUnavailable
from sync.source.connection import Source
from tests.shop import Shop
from tests.source.conftest import Asked

WRITES = [
    "INSERT INTO answer VALUES ('bob', 'x', 'y')",
    "UPDATE answer SET value = 'stolen'",
    "DELETE FROM answer",
    "DROP TABLE answer",
    "CREATE TABLE other (x integer)",
    "CREATE TEMP TABLE other (x integer)",
    "CREATE INDEX other ON answer (user_id)",
    "ALTER TABLE answer ADD COLUMN other integer",
    "INSERT INTO answer VALUES ('bob', 'x', 'y') RETURNING user_id",
    "WITH gone AS (SELECT 1) DELETE FROM answer RETURNING user_id",
    "SELECT user_id FROM answer; DELETE FROM answer",
    "COMMIT",
    "BEGIN",
    "VACUUM",
]
ONLY_SQLITE = [
    "ATTACH DATABASE 'other.db' AS other",
    "PRAGMA user_version = 7",
    "PRAGMA journal_mode = delete",
    "PRAGMA query_only = 0",
    "UPDATE sqlite_master SET sql = ''",
    "REINDEX",
    "SAVEPOINT here",
]
ONLY_POSTGRESQL = [
    "COPY answer TO '/tmp/stolen'",
    "COPY answer FROM PROGRAM 'echo bob'",
    "DO $$ BEGIN DELETE FROM answer; END $$",
    "CALL something()",
    "WITH gone AS (DELETE FROM answer RETURNING user_id) SELECT user_id FROM gone",
    "SELECT user_id FROM answer FOR UPDATE",
    "SELECT nextval('numbers') AS user_id",
    "SELECT dirty() AS user_id",
    "SELECT set_config('transaction_read_only', 'off', false) AS user_id",
    "SET TRANSACTION READ WRITE",
    "SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE",
    "TRUNCATE answer",
    "SELECT user_id INTO other FROM answer",
    "EXPLAIN ANALYZE DELETE FROM answer",
]


def refuse(shop: Shop, ask: Asked, statement: str) -> None:
    shop.answers([("ann", "kept", None)])
    with pytest.raises(QueryError):
        ask(shop.source, statement)
    assert ask(shop.source, "SELECT user_id, value AS email FROM answer", enrichment=("email",)) == [
        ("ann", None, '{"email":"kept"}')
    ]


@pytest.mark.parametrize("statement", WRITES)
def test_the_source_is_never_written(shop: Shop, ask: Asked, statement: str) -> None:
    refuse(shop, ask, statement)


@pytest.mark.parametrize("statement", ONLY_SQLITE)
def test_a_sqlite_source_takes_nothing_but_reading(sqlite_shop: Shop, ask: Asked, statement: str) -> None:
    sqlite_shop.answers([("ann", "kept", None)])
    before = sqlite_shop.path.read_bytes()
    refuse_only = pytest.raises(QueryError)
    with refuse_only:
        ask(sqlite_shop.source, statement)
    assert sqlite_shop.path.read_bytes() == before
    assert not Path("other.db").exists()


@pytest.mark.parametrize("statement", ONLY_POSTGRESQL)
def test_a_postgresql_source_takes_nothing_but_a_query(postgresql_shop: Shop, ask: Asked, statement: str) -> None:
    postgresql_shop.run("CREATE SEQUENCE numbers")
    postgresql_shop.run(
        "CREATE FUNCTION dirty() RETURNS integer LANGUAGE sql VOLATILE AS "
        "$$ CREATE TABLE made_by_a_function (x integer); SELECT 1 $$"
    )
    refuse(postgresql_shop, ask, statement)


def test_a_table_valued_function_is_no_write(sqlite_shop: Shop, ask: Asked) -> None:
    assert ask(sqlite_shop.source, "SELECT value AS user_id FROM json_each('[7]')") == [("7", None, None)]


def test_a_write_is_refused_with_a_sentence(shop: Shop, ask: Asked) -> None:
    shop.members("ann")
    with pytest.raises(QueryError, match=r"source 'shop'"):
        ask(shop.source, "DELETE FROM answer")


def test_a_source_that_refuses_writes_is_proven_read_only_without_a_trace(shop: Shop, ask: Asked) -> None:
    shop.source.prove_read_only()
    with pytest.raises(QueryError):
        ask(shop.source, "SELECT x AS user_id FROM engage_sync_proof")


def test_a_source_that_could_be_written_is_not_proven(postgresql_shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    writable = Source("shop", postgresql_shop.url, statement_timeout=5)
    opened = writable.read

    def loosened():  # type: ignore[no-untyped-def]
        context = opened()

        class Loose:
            def __enter__(self) -> object:
                connection = context.__enter__()
                connection.exec_driver_sql("SET TRANSACTION READ WRITE")
                return connection

            def __exit__(self, *error: object) -> object:
                return context.__exit__(*error)

        return Loose()

    monkeypatch.setattr(writable, "read", loosened)
    with pytest.raises(SourceError, match="could be written"):
        writable.prove_read_only()


def test_a_missing_file_is_not_proven_and_not_made(tmp_path: Path) -> None:
    with pytest.raises(SourceUnavailable):
        Source("shop", f"sqlite:///{tmp_path / 'none.db'}", statement_timeout=5).prove_read_only()
    assert not (tmp_path / "none.db").exists()
