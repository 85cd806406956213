from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from sync.errors import ConfigurationError, DataError, QueryError, SourceError, SourceUnavailable
from sync.model.definition import Kind, Table
from sync.source.connection import Source
from tests.ports import unused_port
from tests.shop import Shop
from tests.source.conftest import Asked


@pytest.mark.parametrize(
    ("columns", "why"),
    [
        ("NULL AS user_id, 1 AS value", "in row 1 of its answer, user_id is NULL"),
        ("'' AS user_id, 1 AS value", "in row 1 of its answer, user_id is empty"),
    ],
)
def test_a_row_without_a_user_id_is_refused(source: Source, ask: Asked, columns: str, why: str) -> None:
    with pytest.raises(DataError, match=why):
        ask(source, f"SELECT {columns}", Kind.TRAIT)


def test_the_offending_row_is_counted_in_the_answer_as_the_source_gives_it(shop: Shop, ask: Asked) -> None:
    shop.answers([("ann", None), ("bob", "1"), ("", "2")])
    order = "CASE user_id WHEN 'ann' THEN 1 WHEN 'bob' THEN 2 ELSE 3 END"
    with pytest.raises(DataError, match="in row 3 of its answer, user_id is empty"):
        ask(shop.source, f"SELECT user_id, value FROM answer ORDER BY {order}", Kind.TRAIT)


@pytest.mark.parametrize(
    ("columns", "why"),
    [
        ("'a' || char(0) || 'b' AS user_id, 1 AS value", "user_id contains a NUL character"),
        ("1 AS user_id, 'a' || char(0) AS value", "value contains a NUL character"),
        ("x'00ff' AS user_id, 1 AS value", "user_id has type bytes"),
        ("1 AS user_id, x'00ff' AS value", "value has type bytes"),
        ("1 AS user_id, 9e999 AS value", "value is inf"),
    ],
)
def test_sqlite_values_that_nobody_could_send_are_refused(
    sqlite_shop: Shop, ask: Asked, columns: str, why: str
) -> None:
    with pytest.raises(DataError, match=why):
        ask(sqlite_shop.source, f"SELECT {columns}", Kind.TRAIT)


@pytest.mark.parametrize(
    ("columns", "why"),
    [
        ("'\\x00ff'::bytea AS user_id, 1 AS value", "user_id has type bytes"),
        ("1 AS user_id, 'NaN'::float8 AS value", "value is nan"),
        ("1 AS user_id, 'NaN'::numeric AS value", "value is NaN"),
        ("1 AS user_id, '{}'::jsonb AS value", "value has type dict"),
        ("1 AS user_id, interval '1 day' AS value", "value has type timedelta"),
    ],
)
def test_postgresql_values_that_nobody_could_send_are_refused(
    postgresql_shop: Shop, ask: Asked, columns: str, why: str
) -> None:
    with pytest.raises(DataError, match=why):
        ask(postgresql_shop.source, f"SELECT {columns}", Kind.TRAIT)


def test_text_that_is_not_utf_8_is_refused_and_not_quoted(sqlite_shop: Shop, ask: Asked) -> None:
    with pytest.raises(DataError, match="not valid UTF-8") as caught:
        ask(sqlite_shop.source, "SELECT 1 AS user_id, CAST(x'7365637265740aff' AS text) AS value", Kind.TRAIT)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "sql",
    [
        "SELEC 1",
        "",
        "SELECT user_id FROM missing",
        "SELECT missing FROM answer",
        "SELECT connection_id FROM answer",
        "SELECT :other AS user_id",
        "SELECT ? AS user_id",
        "SELECT user_id FROM answer WHERE value = %s",
    ],
)
def test_sql_that_does_not_run_is_a_query_error(shop: Shop, ask: Asked, sql: str) -> None:
    shop.members("ann")
    with pytest.raises(QueryError):
        ask(shop.source, sql)


def test_an_answer_without_the_wanted_column_says_which_it_has(shop: Shop, ask: Asked) -> None:
    with pytest.raises(QueryError, match=r"audience 'Name': its answer has no column 'user_id' \(it has 'id', 'x'\)"):
        ask(shop.source, "SELECT 1 AS id, 2 AS x")
    with pytest.raises(QueryError, match="trait 'Name': its answer has no column 'value' or 'key'"):
        ask(shop.source, "SELECT 1 AS user_id", Kind.TRAIT)
    with pytest.raises(QueryError, match="no column 'email'"):
        ask(shop.source, "SELECT 1 AS user_id", enrichment=("email",))


def test_a_missing_membership_table_is_a_query_error(source: Source, ask: Asked) -> None:
    with pytest.raises(QueryError):
        ask(source, None, table=Table("nobody", "id"))


def test_trouble_in_the_middle_of_an_answer_is_a_query_error(postgresql_shop: Shop, ask: Asked) -> None:
    with pytest.raises(QueryError, match="division by zero"):
        ask(postgresql_shop.source, "SELECT 1 / (30000 - i) AS user_id FROM generate_series(1, 40000) i")


ENDLESS = {
    "sqlite": "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) AS user_id FROM n",
    "postgresql": "SELECT 1 AS user_id FROM pg_sleep(60)",
}


def test_a_query_that_takes_too_long_is_stopped(shop: Shop, ask: Asked) -> None:
    impatient = Source("shop", shop.url, statement_timeout=0.1)
    with pytest.raises(SourceUnavailable, match=r"took longer than statement_timeout \(0.1 s\)"):
        ask(impatient, ENDLESS[shop.dialect])


def test_a_missing_file_is_unavailable(tmp_path: Path, ask: Asked) -> None:
    with pytest.raises(SourceUnavailable, match="source 'shop' cannot be reached"):
        ask(Source("shop", f"sqlite:///{tmp_path / 'none.db'}", statement_timeout=5), "SELECT 1 AS user_id")


def test_a_file_that_is_no_database_is_unavailable(tmp_path: Path, ask: Asked) -> None:
    (tmp_path / "text.db").write_text("this is a text, and long enough to be looked at as a database header " * 9)
    with pytest.raises(SourceUnavailable, match="source 'shop' cannot be reached"):
        ask(Source("shop", f"sqlite:///{tmp_path / 'text.db'}", statement_timeout=5), "SELECT x AS user_id FROM t")


def test_a_refused_connection_is_unavailable_and_tells_no_password(ask: Asked) -> None:
    refusing = f"postgresql://u:hunter2@127.0.0.1:{unused_port()}/x"
    with pytest.raises(SourceUnavailable) as caught:
        ask(Source("shop", refusing, statement_timeout=5), "SELECT 1 AS user_id")
    assert "hunter2" not in str(caught.value)


def test_a_missing_database_is_unavailable(postgresql_url: str, ask: Asked) -> None:
    nowhere = postgresql_url.replace("@/postgres", "@/nowhere")
    with pytest.raises(SourceUnavailable, match="nowhere"):
        ask(Source("shop", nowhere, statement_timeout=5), "SELECT 1 AS user_id")


@pytest.mark.parametrize("url", ["mysql://u:hunter2@host/x", "hunter2"])
def test_a_url_we_cannot_read_is_a_configuration_error_without_the_url(url: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Source("shop", url, statement_timeout=5)
    assert "hunter2" not in str(caught.value)


def test_trouble_elsewhere_while_reading_is_not_blamed_on_the_source(source: Source) -> None:
    import sqlite3

    def fail() -> None:
        with source.read():
            raise sqlite3.OperationalError("database or disk is full")

    with pytest.raises(sqlite3.OperationalError):
        fail()
    assert not issubclass(sqlite3.OperationalError, SourceError)


@pytest.mark.parametrize(
    ("asked", "state"),
    [
        ("CAST('alice@example.com' AS integer)", "22P02"),
        ("pg_temp.refuse('08000')", "08000"),
        ("pg_temp.refuse('53100')", "53100"),
    ],
)
def test_what_a_database_says_of_its_rows_is_for_whoever_asked_and_not_for_the_log(
    postgresql_shop: Shop, asked: str, state: str
) -> None:
    source = postgresql_shop.source
    with source.read() as connection:
        connection.exec_driver_sql("SET TRANSACTION READ WRITE")
        connection.exec_driver_sql(
            "CREATE FUNCTION pg_temp.refuse(state text) RETURNS integer LANGUAGE plpgsql AS"
            " $$ BEGIN RAISE EXCEPTION 'not alice@example.com' USING ERRCODE = state; END $$"
        )
        with pytest.raises(SourceError) as refused, source.translated():
            connection.exec_driver_sql(f"SELECT {asked} AS user_id")
    assert "alice" in str(refused.value)
    assert "alice" not in refused.value.for_log
    assert state in refused.value.for_log


def test_users_are_named_to_whoever_asked_and_not_in_the_log(sqlite_shop: Shop, ask: Asked) -> None:
    with pytest.raises(SourceError) as refused:
        ask(sqlite_shop.source, 'SELECT 1 AS "alice@example.com"', Kind.TRAIT)
    assert "alice" in str(refused.value)
    assert "alice" not in refused.value.for_log


ENDLESS = {
    "sqlite": "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT count(*) AS user_id FROM n",
    "postgresql": "SELECT pg_sleep(600)::text AS user_id",
}


def test_a_reading_that_nobody_wants_any_more_is_given_up(shop: Shop, ask: Asked) -> None:
    ended: list[SourceError] = []

    def read() -> None:
        with pytest.raises(SourceUnavailable) as given_up:
            ask(shop.source, ENDLESS[shop.source.dialect])
        ended.append(given_up.value)

    reading = threading.Thread(target=read, daemon=True)
    reading.start()
    end = time.monotonic() + 20
    while reading.is_alive() and time.monotonic() < end:
        shop.source.give_up()  # again and again: it may not have come to its statement yet
        reading.join(0.05)
    assert ended
