"""DuckDB as a source: read-only, whatever the SQL; and all three ways to define an audience."""

from __future__ import annotations

import importlib.util
from datetime import timedelta
from pathlib import Path
from threading import Timer

import duckdb
import pytest
from sqlalchemy import text

from sync.errors import ConfigurationError, QueryError, SourceUnavailable
from sync.model.definition import Definition, Kind, Question, Table
from sync.model.feed import EventsTable, ProfilesTable, Tables
from sync.model.watermark import Since
from sync.source import extras
from sync.source.connection import Source
from sync.source.inquiry import inquire
from sync.source.inspection import readable_sql
from sync.source.reader import answer
from tests.shop import Shop
from tests.source.conftest import NOON, Asked
from tests.source.warehouses import MEMBERS, TABLES, as_segment_fills_it

WRITES = [
    "INSERT INTO answer VALUES ('bob', 'x', 'y')",
    "DELETE FROM answer RETURNING user_id",
    "DROP TABLE answer",
    "CREATE TEMP TABLE other (x integer)",
    "WITH gone AS (DELETE FROM answer RETURNING *) SELECT user_id FROM gone",
    "SELECT user_id FROM answer; DELETE FROM answer",
    "SELECT 1 AS user_id) AS a; COPY answer TO '{file}'; SELECT * FROM (SELECT 1 AS user_id",
    "COPY answer TO '{file}'",
    "WITH gone AS (COPY (SELECT 1 AS user_id) TO '{file}') SELECT 1 AS user_id",
    "ATTACH '{file}' AS other",
    "EXPORT DATABASE '{file}'",
    "SET threads = 1",
    "PRAGMA version",
    "CALL pragma_version()",
    "SELECT 'x' AS user_id FROM enable_logging(storage = 'file', storage_path = '{file}')",
]
ENDLESS = "SELECT count(*) AS user_id FROM range(1000000) a, range(1000000) b WHERE a.range * b.range % 7 = 3"


def test_nothing_but_one_query_is_taken(duckdb_shop: Shop, ask: Asked, tmp_path: Path) -> None:
    duckdb_shop.answers([("ann", "kept", None)])
    before = {each.name for each in tmp_path.iterdir()}
    for statement in WRITES:
        with pytest.raises(QueryError):
            ask(duckdb_shop.source, statement.format(file=tmp_path / "stolen"))
    assert {each.name for each in tmp_path.iterdir()} == before
    assert ask(duckdb_shop.source, "SELECT user_id, value AS email FROM answer", enrichment=("email",)) == [
        ("ann", None, '{"email":"kept"}')
    ]


def test_it_is_proven_read_only(duckdb_shop: Shop) -> None:
    duckdb_shop.source.prove_read_only()


def test_a_url_cannot_have_it_opened_for_writing(duckdb_shop: Shop) -> None:
    Source("shop", f"{duckdb_shop.url}?access_mode=read_write", statement_timeout=5).prove_read_only()


def test_two_readers_of_one_file_both_read_in_utc(duckdb_shop: Shop) -> None:
    asked = text("SELECT current_setting('TimeZone')")
    with duckdb_shop.source.read() as one, duckdb_shop.source.read() as other:
        assert [one.execute(asked).scalar(), other.execute(asked).scalar()] == ["UTC", "UTC"]


def test_a_missing_file_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(SourceUnavailable, match="source 'shop' cannot be reached"):
        Source("shop", f"duckdb:///{tmp_path / 'none.duckdb'}", statement_timeout=5).prove_read_only()
    assert not (tmp_path / "none.duckdb").exists()


def test_a_file_that_somebody_writes_is_unavailable(duckdb_shop: Shop, ask: Asked) -> None:
    with (
        duckdb.connect(duckdb_shop.url.removeprefix("duckdb:///")),
        pytest.raises(SourceUnavailable, match="cannot be reached"),
    ):
        ask(duckdb_shop.source, "SELECT 1 AS user_id")


def test_as_of_is_a_timestamptz_and_other_colons_stay(duckdb_shop: Shop, ask: Asked) -> None:
    sql = "SELECT ':as_of' AS user_id, typeof(:as_of) || (:as_of - INTERVAL 1 DAY)::text AS value -- it's over;"
    assert ask(duckdb_shop.source, sql, Kind.TRAIT) == [
        (":as_of", '"TIMESTAMP WITH TIME ZONE2026-11-20 12:00:00+00"', None)
    ]


CANONICAL = {
    "12.00::decimal(9, 2)": "12",
    "0.1::double": "0.1",
    "true": "true",
    "date '2026-11-01'": '"2026-11-01"',
    "timestamptz '2026-11-01 12:00:00+02'": '"2026-11-01T10:00:00Z"',
    "uuid '6f9619ff-8b86-d011-b42d-00c04fc964f1'": '"6f9619ff-8b86-d011-b42d-00c04fc964f1"',
    "['b', 'a']": '["b","a"]',
}


def test_values_have_the_canonical_text(duckdb_shop: Shop, ask: Asked) -> None:
    for literal, value in CANONICAL.items():
        sql = f"SELECT 1 AS user_id, {literal} AS value;"
        assert ask(duckdb_shop.source, sql, Kind.TRAIT) == [("1", value, None)]


def test_a_membership_table_is_read(duckdb_shop: Shop, ask: Asked) -> None:
    duckdb_shop.run("CREATE TABLE own.members AS SELECT 'ann' AS id")
    assert ask(duckdb_shop.source, None, table=Table("own.members", "id")) == [("ann", None, None)]


def test_queries_are_answered_with_what_comes_along(duckdb_shop: Shop) -> None:
    duckdb_shop.run("CREATE TABLE bought (who text, ts timestamptz, price decimal(9, 2), id integer)")
    duckdb_shop.run("CREATE TABLE people (id text, plan text)")
    rows = [
        ("ann", "2026-11-20 10:00:00Z", 5, 1),
        ("ann", "2026-11-01 10:00:00Z", 7, 2),
        ("bob", "2026-11-01 10:00:00Z", 9, 3),
    ]
    duckdb_shop.run("INSERT INTO bought VALUES (?, ?, ?, ?)", rows)
    duckdb_shop.run("INSERT INTO people VALUES (?, ?)", [("ann", "it's :pro"), ("bob", "free")])
    tables = Tables((EventsTable("bought", "who", "ts", event="Bought", cursor="id"),), ProfilesTable("people", "id"))
    source = Source("shop", duckdb_shop.url, 30, tables=tables)
    query = "event('Bought').within(7 days).count() >= 1 AND trait('plan') = 'it\\'s :pro'"
    asked = Definition(Kind.AUDIENCE, "key", "Name", "shop", (), query=Question(query), enrichment=("plan",))
    with answer(source, asked, NOON) as opened:
        found = [(chunk.user_ids, chunk.extras) for chunk in opened.chunks]
    assert found == [(["ann"], ['{"plan":"it\'s :pro"}'])]
    assert ":as_of" in readable_sql(source, asked)


@pytest.mark.parametrize("reducer", ["sum", "avg"])
def test_what_numbers_come_to_does_not_depend_on_where_they_stand(duckdb_shop: Shop, reducer: str) -> None:
    duckdb_shop.run("CREATE TABLE bought (who text, ts timestamptz, price double)")
    orders = {"ann": (1e16, -1e16, 1), "bob": (1, 1e16, -1e16), "cid": (1, -1e16, 1e16)}
    rows = [(who, "2026-11-01 10:00:00Z", price) for who, prices in orders.items() for price in prices]
    duckdb_shop.run("INSERT INTO bought VALUES (?, ?, ?)", rows)
    tables = Tables((EventsTable("bought", "who", "ts", event="Bought"),))
    asked = Definition(
        Kind.TRAIT, "k", "N", "shop", (), query=Question(f"event('Bought').{reducer}(property('price'))")
    )
    with answer(Source("shop", duckdb_shop.url, 30, tables=tables), asked, NOON) as opened:
        (chunk,) = opened.chunks
    assert len(set(chunk.values or ())) == 1


@pytest.mark.parametrize("capitals", [False, True], ids=["small", "capitals"])
def test_a_warehouse_of_segments_is_read(duckdb_shop: Shop, capitals: bool) -> None:
    source = Source("shop", as_segment_fills_it(duckdb_shop, capitals=capitals).url, 30, tables=TABLES)

    def members(query: str) -> list[str]:
        with answer(source, Definition(Kind.AUDIENCE, "k", "N", "shop", (), query=Question(query)), NOON) as opened:
            return sorted(user_id for chunk in opened.chunks for user_id in chunk.user_ids)

    assert {query: members(query) for query in MEMBERS} == MEMBERS


def test_who_can_have_changed_is_told_by_new_rows(duckdb_shop: Shop) -> None:
    duckdb_shop.run("CREATE TABLE bought (who text, ts timestamptz, loaded timestamptz)")
    duckdb_shop.run("INSERT INTO bought VALUES (?, ?, ?)", [("ann", "2026-11-01 10:00:00Z", "2026-11-01 10:00:00Z")])
    tables = Tables((EventsTable("bought", "who", "ts", event="Bought", cursor="loaded"),))
    source = Source("shop", duckdb_shop.url, 30, tables=tables)
    asked = Definition(Kind.TRAIT, "key", "Name", "shop", (), query=Question("event('Bought').count()"))
    with inquire(source, asked) as inquiry:
        marks = {name: each.newest for name, each in inquiry.survey.followed.items()}
    duckdb_shop.run("INSERT INTO bought VALUES (?, ?, ?)", [("bob", "2026-11-01 10:00:00Z", "2026-11-20 10:00:00Z")])
    since = Since(NOON - timedelta(hours=1), marks)
    with inquire(source, asked) as inquiry, inquiry.candidates(NOON, since) as opened:
        assert [(chunk.user_ids, chunk.values) for chunk in opened.chunks] == [(["bob"], ["1"])]


def test_a_query_that_takes_too_long_is_stopped(duckdb_shop: Shop, ask: Asked) -> None:
    impatient = Source("shop", duckdb_shop.url, statement_timeout=0.1)
    with pytest.raises(SourceUnavailable, match=r"took longer than statement_timeout \(0.1 s\)"):
        ask(impatient, ENDLESS)


def test_a_reading_can_be_given_up(duckdb_shop: Shop, ask: Asked) -> None:
    timer = Timer(0.2, duckdb_shop.source.give_up)
    timer.start()
    with pytest.raises(SourceUnavailable):
        ask(duckdb_shop.source, ENDLESS)
    timer.join()


def test_a_missing_driver_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing(name: str) -> importlib.machinery.ModuleSpec | None:
        return None

    monkeypatch.setattr(extras, "find_spec", nothing)
    with pytest.raises(ConfigurationError, match=r"sources.shop.url: .* run `pip install 'engage-sync\[duckdb\]'`"):
        Source("shop", "duckdb:///shop.duckdb", 30)


def test_it_must_be_a_file() -> None:
    with pytest.raises(ConfigurationError, match=r"sources.shop.url: must name a file"):
        Source("shop", "duckdb:///:memory:", 30)
