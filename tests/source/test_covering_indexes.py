"""Indexes that hold all that is read of users who have changed: told where they pay, one for all queries of a table."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from sync.model.definition import Definition, Kind, Question
from sync.model.feed import EventsTable, Tables
from sync.model.watermark import Since
from sync.source import indexed, indexes
from sync.source.changes import question_of_changes
from sync.source.connection import Source
from sync.source.indexes import Lacking
from sync.source.inspection import lacking_indexes
from sync.source.questions import posed
from tests.shop import Shop

ORDERS = EventsTable("orders", "who", "at", event="Ordered", cursor="id")
SPENT = "event('Ordered').where(property('status') = 'paid').sum(property('total')) > 100"
LARGE = "event('Ordered').where(property('total') > 100).count() >= 1"
COUNT = "event('Ordered').count() >= 5"
LAST = "event('Ordered').last(property('status')) = 'paid'"
NOTE = "event('Ordered').where(property('note') = 'gift').count() >= 1"
NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two rows are few, and three are many."""
    monkeypatch.setattr(indexed, "WORTH_AN_INDEX", 2)


def filled(shop: Shop, note: str = "a gift") -> Shop:
    """With all indexes that are wanted of it but those of users."""
    instant, document = ("text", "text") if shop.dialect == "sqlite" else ("timestamptz", "jsonb")
    columns = f"id integer PRIMARY KEY, who text, at {instant}, total numeric, status text, note text, props {document}"
    shop.run(f"CREATE TABLE orders ({columns})")
    rows = [(n, f"u{n % 100}", f"2026-11-20 {n % 24:02}:00:00", n, "paid", note, "{}") for n in range(3_000)]
    shop.run("INSERT INTO orders VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
    made(shop, "CREATE INDEX in_time ON orders (at, who)")
    return shop


def made(shop: Shop, *statements: str) -> None:
    for statement in statements:
        if shop.dialect == "sqlite":
            shop.run(statement)
        else:
            with psycopg.connect(shop.url, autocommit=True) as connection:
                connection.execute(statement)  # type: ignore[arg-type]


def audience(query: str) -> Definition:
    return Definition(Kind.AUDIENCE, query, query, "shop", (), query=Question(query))


def source_of(shop: Shop, table: EventsTable = ORDERS) -> Source:
    return Source("shop", shop.url, 30, tables=Tables((table,)))


def lacking(shop: Shop, *queries: str, table: EventsTable = ORDERS) -> Sequence[Lacking]:
    return lacking_indexes(source_of(shop, table), [audience(each) for each in queries])


def columns(found: Lacking) -> str:
    """All that the index holds."""
    return found.statement.partition(" ON orders ")[2].replace(") INCLUDE (", ", ")


def test_an_index_of_users_holds_what_is_read_of_them(shop: Shop) -> None:
    (found,) = lacking(filled(shop), SPENT)
    beside = "(who, at, status, total)" if shop.dialect == "sqlite" else "(who, at) INCLUDE (status, total)"
    assert found.statement.endswith(f" orders_who_at_status_total ON orders {beside}")
    assert found.read == ()  # nothing is there that begins with a user


def test_one_index_serves_all_queries_of_a_table(shop: Shop) -> None:
    (found,) = lacking(filled(shop), LARGE, COUNT, SPENT)
    assert columns(found) == "(who, at, status, total)"
    assert [each.key for each in found.wanted_by] == [LARGE, COUNT, SPENT]


def test_who_has_a_plain_index_is_told_what_it_does_not_hold(shop: Shop) -> None:
    made(filled(shop), "CREATE INDEX of_users ON orders (who, at)")
    (found,) = lacking(shop, COUNT, SPENT)
    assert (found.read, columns(found)) == (("at", "status", "total"), "(who, at, status, total)")
    assert [each.key for each in found.wanted_by] == [SPENT]  # for a count, the plain one holds all


def test_nothing_is_told_once_it_is_made(shop: Shop) -> None:
    made(filled(shop), "CREATE INDEX of_users ON orders (who, at)")
    made(shop, *(each.statement for each in lacking(shop, COUNT, SPENT)))
    assert lacking(shop, COUNT, SPENT) == ()
    assert [columns(each) for each in lacking(shop, COUNT, SPENT, NOTE)] == ["(who, at, note, status, total)"]


def test_an_index_that_holds_all_will_do_whatever_its_order(shop: Shop) -> None:
    made(filled(shop), "CREATE INDEX of_users ON orders (who, status, total, note, at)")
    assert lacking(shop, COUNT, SPENT) == ()


def test_what_postgresql_includes_is_held(postgresql_shop: Shop) -> None:
    made(filled(postgresql_shop), "CREATE INDEX of_users ON orders (who, at) INCLUDE (note, total, status)")
    assert lacking(postgresql_shop, SPENT) == ()


def test_a_key_that_sqlite_has_in_each_index_is_not_added(sqlite_shop: Shop) -> None:
    made(filled(sqlite_shop), "CREATE INDEX of_users ON orders (who, at, status)")
    assert lacking(sqlite_shop, LAST) == ()
    made(sqlite_shop, "DROP INDEX of_users")
    assert [columns(each) for each in lacking(sqlite_shop, LAST)] == ["(who, at, status)"]


def test_an_index_holds_the_cursor_where_it_settles_the_order(postgresql_shop: Shop) -> None:
    assert [columns(each) for each in lacking(filled(postgresql_shop), LAST)] == ["(who, at, id, status)"]


def on_sqlite(shop: Shop, own: str, user: str = "text") -> Shop:
    """Orders whose key and whose user are declared otherwise, with an index by time."""
    columns = f"id {own}, who {user}, at text, total numeric, status text"
    made(shop, f"CREATE TABLE orders ({columns})", "CREATE INDEX in_time ON orders (at, who)")
    shop.run("INSERT INTO orders VALUES (?, ?, '2026-11-20', 1, 'paid')", [(n, f"u{n}") for n in range(3)])
    return shop


@pytest.mark.parametrize("own", ["integer PRIMARY KEY DESC", "int PRIMARY KEY"])
def test_a_key_that_sqlite_has_in_no_other_index_is_added(sqlite_shop: Shop, own: str) -> None:
    made(on_sqlite(sqlite_shop, own), "CREATE INDEX of_users ON orders (who, at, status)")
    assert [columns(each) for each in lacking(sqlite_shop, LAST)] == ["(who, at, id, status)"]
    made(sqlite_shop, *(each.statement for each in lacking(sqlite_shop, LAST)))
    assert lacking(sqlite_shop, LAST) == ()


@pytest.mark.parametrize(
    ("user", "index"), [("text", "who COLLATE NOCASE"), ("text COLLATE NOCASE", "who COLLATE RTRIM")]
)
def test_an_index_in_another_order_than_users_are_compared_by_does_not_serve(
    sqlite_shop: Shop, user: str, index: str
) -> None:
    made(
        on_sqlite(sqlite_shop, "integer PRIMARY KEY", user),
        f"CREATE INDEX other ON orders ({index}, at, status, total)",
    )
    assert [(each.read, columns(each)) for each in lacking(sqlite_shop, SPENT)] == [((), "(who, at, status, total)")]


@pytest.mark.parametrize("user", ["text COLLATE NOCASE", "text COLLATE RTRIM"])
def test_an_index_in_the_order_of_its_users_serves(sqlite_shop: Shop, user: str) -> None:
    made(on_sqlite(sqlite_shop, "integer PRIMARY KEY", user), "CREATE INDEX own ON orders (who, at, status, total)")
    assert lacking(sqlite_shop, SPENT) == ()


def test_sqlite_takes_names_of_columns_in_any_letters(sqlite_shop: Shop) -> None:
    made(sqlite_shop, "CREATE TABLE ORDERS (ID integer PRIMARY KEY, WHO text, AT text, STATUS text)")
    sqlite_shop.run("INSERT INTO orders VALUES (?, 'u', '2026-11-20', 'paid')", [(n,) for n in range(3)])
    made(sqlite_shop, "CREATE INDEX in_time ON orders (AT, WHO)", "CREATE INDEX of_users ON orders (WHO, AT, STATUS)")
    table = EventsTable("orders", "who", "at", event="Ordered", cursor="id", warehouse=True)
    assert lacking(sqlite_shop, LAST, table=table) == ()


def test_to_postgresql_capital_letters_are_others(postgresql_shop: Shop) -> None:
    made(
        filled(postgresql_shop),
        'ALTER TABLE orders ADD COLUMN "Status" integer',
        'CREATE INDEX of_users ON orders (who, at, "Status", total)',
    )
    assert [columns(each) for each in lacking(postgresql_shop, SPENT)] == ["(who, at, status, total)"]


def test_a_statement_says_each_name_as_it_is(shop: Shop) -> None:
    instant = "text" if shop.dialect == "sqlite" else "timestamptz"
    columns = f'id integer PRIMARY KEY, "Wh""o%" text, "at" {instant}, "To:tal" numeric, "sta tus%%" varchar(9)'
    made(shop, f'CREATE TABLE "Or%ders x" ({columns})', 'CREATE INDEX in_time ON "Or%ders x" (at, "Wh""o%")')
    made(shop, *(f"""INSERT INTO "Or%ders x" VALUES ({n}, 'u', '2026-11-20', 1, 'paid')""" for n in range(3)))
    table = EventsTable("Or%ders x", 'Wh"o%', "at", event="Ordered", cursor="id")
    query = "event('Ordered').where(property('sta tus%%') = 'paid').sum(property('To:tal')) > 100"
    (found,) = lacking(shop, query, table=table)
    held = ', "To:tal", "sta tus%%")' if shop.dialect == "sqlite" else ') INCLUDE ("To:tal", "sta tus%%")'
    assert found.statement.endswith(f'"Or%ders x_Wh""o%_at_To:tal_sta tus%%" ON "Or%ders x" ("Wh""o%", at{held}')
    made(shop, found.statement)
    assert lacking(shop, query, table=table) == ()


@pytest.mark.parametrize("table", ["orders", "main.orders"])
def test_a_table_that_is_its_key_holds_everything(sqlite_shop: Shop, table: str) -> None:
    made(
        sqlite_shop,
        "CREATE TABLE orders (who text, at text, id, total, status, PRIMARY KEY (who, at, id)) WITHOUT ROWID",
        "CREATE INDEX in_time ON orders (at, who)",
        "CREATE INDEX by_id ON orders (id)",
    )
    sqlite_shop.run("INSERT INTO orders VALUES ('ann', '2026-11-20', ?, 1, 'paid')", [(n,) for n in range(3)])
    assert lacking(sqlite_shop, SPENT, table=EventsTable(table, "who", "at", event="Ordered", cursor="id")) == ()


def test_documents_are_not_held(shop: Shop) -> None:
    table = EventsTable("orders", "who", "at", event="Ordered", properties="props", cursor="id")
    (found,) = lacking(filled(shop), SPENT, COUNT, table=table)
    assert columns(found) == "(who, at)"
    made(shop, found.statement)
    assert lacking(shop, SPENT, COUNT, table=table) == ()


def test_long_texts_are_not_held(shop: Shop) -> None:
    (found,) = lacking(filled(shop, note=" ".join(map(str, range(1_000)))), NOTE, SPENT)
    assert columns(found) == "(who, at, status, total)"


def with_column(shop: Shop, declared: str, value: str) -> list[str]:
    """What the index holds for a query that reads a column of orders, with the same value in each row."""
    made(filled(shop), f"ALTER TABLE orders ADD COLUMN own {declared}")
    if "GENERATED" not in declared:
        made(shop, f"UPDATE orders SET own = {value}")
    (found,) = lacking(shop, "event('Ordered').where(property('own').is_set()).count() >= 1", SPENT)
    return columns(found).strip("()").split(", ")[2:]


@pytest.mark.parametrize(
    ("declared", "value"),
    [
        ("bigint", "7"),
        ("numeric", "7"),
        ("double precision", "7"),
        ("boolean", "true"),
        ("date", "'2026-11-20'"),
        ("timestamptz", "'2026-11-20'"),
        ("uuid", "gen_random_uuid()"),
        ("shade", "'red'"),
        ("varchar(100)", "repeat('é', 100)"),
        ("char(100)", "'x'"),
        ("code", "repeat('é', 100)"),
    ],
)
def test_what_a_type_keeps_short_is_held(postgresql_shop: Shop, declared: str, value: str) -> None:
    made(postgresql_shop, "CREATE TYPE shade AS ENUM ('red', 'blue')", "CREATE DOMAIN code AS varchar(100)")
    assert "own" in with_column(postgresql_shop, declared, value)


@pytest.mark.parametrize(
    ("declared", "value"),
    [
        ("varchar(101)", "repeat('x', 101)"),
        ("text", "repeat('x', 101)"),
        ("text", "repeat('é', 51)"),
        ("text", "repeat('x', 33)"),
        ("text[]", "ARRAY['x']"),
        ("bytea", "'x'"),
        ("numeric GENERATED ALWAYS AS (total * 2) VIRTUAL", ""),
    ],
)
def test_what_may_be_long_is_not_held(postgresql_shop: Shop, declared: str, value: str) -> None:
    assert with_column(postgresql_shop, declared, value) == ["status", "total"]


def test_what_is_kept_of_what_is_worked_out_is_held(postgresql_shop: Shop) -> None:
    assert "own" in with_column(postgresql_shop, "numeric GENERATED ALWAYS AS (total * 2) STORED", "")


def test_texts_that_are_long_further_down_the_table_are_not_held(postgresql_shop: Shop) -> None:
    """As the database's own statistics have it."""
    longer = "SELECT n, 'u', '2026-11-20', repeat('x', 100) FROM generate_series(3000, 20000) AS n"
    made(filled(postgresql_shop), f"INSERT INTO orders (id, who, at, note) {longer}", "ANALYZE orders")
    assert [columns(each) for each in lacking(postgresql_shop, NOTE, SPENT)] == ["(who, at, status, total)"]


def test_texts_of_no_length_are_told(postgresql_shop: Shop) -> None:
    made(filled(postgresql_shop), "ALTER TABLE orders ALTER COLUMN note TYPE varchar(20)", "ANALYZE orders")
    (found,) = lacking(postgresql_shop, NOTE, SPENT)
    assert (columns(found), found.unlimited) == ("(who, at, note, status, total)", ("status",))


def test_a_file_takes_texts_of_any_length(sqlite_shop: Shop) -> None:
    assert [each.unlimited for each in lacking(filled(sqlite_shop), NOTE, SPENT)] == [()]


def test_no_index_begins_with_what_postgresql_takes_into_none(postgresql_shop: Shop) -> None:
    made(filled(postgresql_shop), "ALTER TABLE orders ADD COLUMN buyer text GENERATED ALWAYS AS (lower(who)) VIRTUAL")
    assert (
        lacking(postgresql_shop, SPENT, table=EventsTable("orders", "buyer", "at", event="Ordered", cursor="id")) == ()
    )


def test_who_reads_more_than_an_index_should_hold_does_without(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(indexes, "MOST_HELD", 2)
    (found,) = lacking(filled(shop), NOTE, SPENT, LARGE)  # who reads least comes first
    assert columns(found) == "(who, at, note, total)"
    made(shop, found.statement)
    assert lacking(shop, NOTE, SPENT, LARGE) == ()


def test_nothing_is_held_for_what_is_read_in_full_each_time(shop: Shop) -> None:
    table = EventsTable("orders", "who", "at", event="Ordered")
    assert lacking(filled(shop), SPENT, table=table) == ()


@pytest.mark.parametrize("query", [COUNT, SPENT, LARGE, LAST, NOTE, f"{SPENT} AND {LARGE} AND {LAST}"])
def test_what_has_changed_is_read_from_the_index_alone(shop: Shop, query: str) -> None:
    made(filled(shop), *(each.statement for each in lacking(shop, query)), "DROP INDEX in_time")
    steps = [each for each in plan(shop, query) if re.search(r"\(who=\?| on orders ordered_", each)]
    assert steps
    assert not [each for each in steps if "USING COVERING INDEX" not in each and "Index Only Scan" not in each], steps


def plan(shop: Shop, query: str) -> list[str]:
    """How the database finds what has changed."""
    source = source_of(shop)
    with source.read() as connection:
        found = posed(source, connection, audience(query))
    asked = question_of_changes(found, NOON, Since(NOON - timedelta(hours=1), {"orders by id": 2_990}))
    if shop.dialect == "sqlite":
        with closing(sqlite3.connect(shop.path)) as connection:
            return [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {asked.sql}", asked.parameters)]
    with psycopg.connect(shop.url) as connection:
        for other_way in ("seqscan", "bitmapscan"):  # what is better for so few rows
            connection.execute(f"SET enable_{other_way} = off")  # type: ignore[arg-type]
        return [row[0] for row in connection.execute(f"EXPLAIN {asked.sql}", asked.parameters)]  # type: ignore[arg-type]
