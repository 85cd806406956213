"""Indexes that a query would use and that are not there: told where they matter, with what makes them."""

from __future__ import annotations

import psycopg
import pytest

from sync.model.definition import Definition, Kind, Question
from sync.model.feed import EventsTable, ProfilesTable, Tables
from sync.source import indexed
from sync.source.connection import Source
from sync.source.inspection import lacking_indexes
from tests.shop import Shop

ONE = EventsTable("bought", "who", "at", event="Bought")
MANY = EventsTable("tracked", "who", "at", name="name", properties="props")
WINDOW = "event('Bought').within(7 days).count() >= 1"
FUNNEL = "event('Bought').where(event('Bought').within(parent: 1 days).count() >= 1).count() >= 1"


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two rows are few, and three are many."""
    monkeypatch.setattr(indexed, "WORTH_AN_INDEX", 2)


def filled(shop: Shop, rows: int = 3) -> Shop:
    instant, document = ("text", "text") if shop.dialect == "sqlite" else ("timestamptz", "jsonb")
    columns = f"id integer, who text, at {instant}, name text, props {document}"
    for table in ("bought", "tracked"):
        shop.run(f"CREATE TABLE {table} ({columns})")
        shop.run(f"INSERT INTO {table} (id, who, at) VALUES (?, ?, ?)", [(n, "ann", "2026-11-20") for n in range(rows)])
    shop.run("CREATE TABLE people (id text PRIMARY KEY, since integer)")
    shop.run("INSERT INTO people VALUES (?, ?)", [(f"u{n}", n) for n in range(rows)])
    return shop


def lacking(shop: Shop, tables: Tables, query: str) -> list[str]:
    """The statements that would make what is lacking."""
    asked = Definition(Kind.AUDIENCE, "key", "Name", "shop", (), query=Question(query))
    source = Source("shop", shop.url, 30, tables=tables)
    return [each.statement.replace("CONCURRENTLY ", "") for each in lacking_indexes(source, [asked])]


def made(shop: Shop, statement: str) -> None:
    if shop.dialect == "sqlite":
        shop.run(statement)
    else:
        with psycopg.connect(shop.url, autocommit=True) as connection:
            connection.execute(statement)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("table", "query", "columns"),
    [
        (ONE, WINDOW, "(at, who)"),
        (MANY, WINDOW, "(name, at, who)"),
        (ONE, FUNNEL, "(who, at)"),
        (MANY, FUNNEL, "(who, name, at)"),
        (ONE, "event('Bought').between(1 days, 7 days).count() = 0", "(at, who)"),
    ],
)
def test_an_index_that_windows_and_funnels_need_is_told(
    shop: Shop, table: EventsTable, query: str, columns: str
) -> None:
    (statement,) = lacking(filled(shop), Tables((table,)), query)
    assert statement.endswith(f" ON {table.table} {columns}")


def test_what_is_told_is_what_was_lacking(shop: Shop) -> None:
    tables = Tables(
        (EventsTable("bought", "who", "at", event="Bought", cursor="id"),), ProfilesTable("people", "id", "since")
    )
    query = f"{WINDOW} AND {FUNNEL} AND event('Bought').count() = 0 AND trait('since') > 3"
    statements = lacking(filled(shop), tables, query)
    assert [each.partition(" ON ")[2] for each in statements] == [
        "bought (id)",
        "people (since)",
        "bought (at, who)",
        "bought (who, at)",
    ]
    for each in statements:
        made(shop, each)
    assert lacking(shop, tables, query) == []


def test_on_postgresql_it_is_made_without_a_lock(postgresql_shop: Shop) -> None:
    asked = Definition(Kind.AUDIENCE, "key", "Name", "shop", (), query=Question(WINDOW))
    source = Source("shop", filled(postgresql_shop).url, 30, tables=Tables((ONE,)))
    (found,) = lacking_indexes(source, [asked])
    assert found.statement == "CREATE INDEX CONCURRENTLY bought_at_who ON bought (at, who)"


def test_nothing_is_told_of_a_query_without_windows_and_cursors(shop: Shop) -> None:
    assert lacking(filled(shop), Tables((ONE, MANY)), "event('Bought').count() >= 1") == []


def test_nothing_is_told_of_profiles_that_are_not_read(shop: Shop) -> None:
    filled(shop).run("CREATE TABLE others (id text, since integer)")
    shop.run("INSERT INTO others VALUES (?, ?)", [("u", 1)] * 3)
    tables = Tables(
        (EventsTable("bought", "who", "at", event="Bought", cursor="id"),), ProfilesTable("others", "id", "since")
    )
    assert [each for each in lacking(shop, tables, WINDOW) if "others" in each] == []


def test_nothing_is_told_of_small_tables(shop: Shop) -> None:
    assert lacking(filled(shop, rows=2), Tables((ONE,)), WINDOW) == []


def test_nothing_is_told_of_views(shop: Shop) -> None:
    filled(shop).run("CREATE VIEW shown AS SELECT * FROM bought")
    assert lacking(shop, Tables((EventsTable("shown", "who", "at", event="Bought"),)), WINDOW) == []


def test_an_index_of_some_rows_is_none(shop: Shop) -> None:
    filled(shop).run("CREATE INDEX of_some ON bought (at) WHERE id > 1")
    assert len(lacking(shop, Tables((ONE,)), WINDOW)) == 1


def test_an_index_that_begins_with_what_is_needed_will_do(shop: Shop) -> None:
    filled(shop).run("CREATE INDEX enough ON bought (at, id)")
    shop.run("CREATE INDEX by_user ON tracked (name, who)")
    assert lacking(shop, Tables((ONE,)), WINDOW) == []
    assert lacking(shop, Tables((MANY,)), FUNNEL) == []


def test_the_primary_key_of_a_table_is_an_index(shop: Shop) -> None:
    instant = "text" if shop.dialect == "sqlite" else "timestamptz"
    shop.run(f"CREATE TABLE bought (id integer PRIMARY KEY, who text, at {instant})")
    shop.run("INSERT INTO bought VALUES (?, ?, ?)", [(n, "ann", "2026-11-20") for n in range(3)])
    tables = Tables((EventsTable("bought", "who", "at", event="Bought", cursor="id"),))
    assert all("(id)" not in each for each in lacking(shop, tables, WINDOW))


def test_nothing_is_told_where_postgresql_would_not_use_it(postgresql_shop: Shop) -> None:
    postgresql_shop.run("CREATE TABLE bought (who text, at text)")
    postgresql_shop.run("INSERT INTO bought VALUES (?, ?)", [("ann", "2026-11-20")] * 3)
    assert lacking(postgresql_shop, Tables((ONE,)), WINDOW) == []


def test_a_table_of_another_schema_is_told_with_it(postgresql_shop: Shop) -> None:
    postgresql_shop.run("CREATE SCHEMA own")
    postgresql_shop.run('CREATE TABLE own."Bought" (who text, at date)')
    postgresql_shop.run('INSERT INTO own."Bought" VALUES (?, ?)', [("ann", "2026-11-20")] * 3)
    table = EventsTable("own.Bought", "who", "at", event="Bought")
    assert lacking(postgresql_shop, Tables((table,)), WINDOW) == [
        'CREATE INDEX "Bought_at_who" ON own."Bought" (at, who)'
    ]


def test_indexes_of_a_table_with_a_long_name_have_names_of_their_own(shop: Shop) -> None:
    filled(shop)
    long = "é" * 31
    shop.run(f"ALTER TABLE bought RENAME TO {long}")
    table = EventsTable(long, "who", "at", event="Bought", cursor="id")
    statements = lacking(shop, Tables((table,)), f"{WINDOW} AND {FUNNEL}")
    assert len(statements) == 3
    for statement in statements:
        made(shop, statement)
    assert lacking(shop, Tables((table,)), f"{WINDOW} AND {FUNNEL}") == []
