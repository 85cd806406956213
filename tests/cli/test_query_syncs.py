"""Definitions with ``query:`` from the file to the destination: a customer's tables, what the collector received."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from tests.command import Project, serving
from tests.conftest import Place
from tests.shop import Shop
from tests.source.test_collector_source import attributes, collect, received

AUDIENCES = [
    {"name": "Recent", "query": "event('Order Completed').within(30 days).count() >= 1"},
    {"name": "Lost", "query": "trait('recent') = false AND trait('vip') = 'yes'", "with": ["town"]},
]
TRAITS = [{"name": "Total Spend", "query": "event('Order Completed').sum(property('total'))"}]
SOURCE = {
    "profiles": {"table": "customers", "user_id": "id"},
    "events": [
        {"table": "orders", "event": "Order Completed", "user_id": "customer", "timestamp": "at", "cursor": "id"}
    ],
}


@pytest.fixture
def project(shop: Shop, tmp_path: Path) -> Iterator[Project]:
    """A shop with customers and orders, on each engine."""
    instant = "text" if shop.dialect == "sqlite" else "timestamptz"
    shop.run(f"CREATE TABLE orders (id integer, customer text, at {instant}, total numeric)")
    shop.run("CREATE TABLE customers (id text, town text, vip text)")
    shop.run(
        "INSERT INTO customers VALUES (?, ?, ?)",
        [("ann", "Oslo", "yes"), ("bob", "Bergen", "yes"), ("", "Voss", "yes")],
    )
    rows = [(1, "ann", "2026-11-01 10:00:00", 70), (2, "ann", "2026-11-20 10:00:00", 60.5), (3, "bob", "2026-01-01", 5)]
    shop.run("INSERT INTO orders VALUES (?, ?, ?, ?)", rows)
    store = f"sqlite:///{tmp_path / 'store.db'}"
    with serving(tmp_path, store, shop.url, audiences=AUDIENCES, traits=TRAITS) as made:
        made.write(sources={"shop": {"url": shop.url, **SOURCE}})
        yield made


def test_a_query_is_planned_filled_and_followed(project: Project) -> None:
    project.done("check")
    planned = {each["key"]: each["entered"] for each in project.json("plan", "--as-of", "2026-11-21")["definitions"]}
    assert planned == {"recent": 1, "lost": 1, "total_spend": 2}
    project.done("backfill", "--as-of", "2026-11-21")
    assert attributes(project, "ann") == {"recent": True, "total_spend": 130.5}
    assert attributes(project, "bob") == {"lost": True, "town": "Bergen", "total_spend": 5}
    project.done("delta", "--as-of", "2026-12-21")
    assert attributes(project, "ann") == {"recent": False, "lost": True, "town": "Oslo", "total_spend": 130.5}


def test_its_sql_is_there_to_be_read_and_run(project: Project, shop: Shop) -> None:
    sql = project.done("audience", "sql", "recent").out
    assert ":as_of" in sql
    assert "'Order Completed'" not in sql  # a table of its own needs no name
    if shop.dialect == "sqlite":
        with closing(sqlite3.connect(shop.path)) as connection:
            assert connection.execute(sql, {"as_of": "2026-11-21 00:00:00"}).fetchall() == [("ann",)]
    else:
        with psycopg.connect(shop.url) as other:
            assert other.execute(sql.replace(":as_of", "'2026-11-21Z'")).fetchall() == [("ann",)]  # type: ignore[arg-type]


def test_a_column_that_is_not_there_is_named(project: Project) -> None:
    project.write(
        sources={"shop": {**project.document["sources"]["shop"], "profiles": {"table": "customers", "user_id": "x"}}}
    )
    said = project("delta", "recent")
    assert said.code == 2
    assert "audience 'Recent': table 'customers' has no column 'x' (it has 'id', 'town', 'vip')" in said.err


def test_what_was_collected_can_be_asked_in_the_language(store_place: Place, tmp_path: Path) -> None:
    store = {"url": store_place.url} | ({"schema": store_place.schema} if store_place.schema else {})
    audiences = [
        {"name": "Readers", "query": "event('Page Viewed').where(property('page_name') = 'Home').count() >= 1"},
        {"name": "Idle Pros", "query": "trait('plan') = 'pro' AND event('Order Completed').count() = 0"},
    ]
    with serving(tmp_path, store, "sqlite:///nothing.db", audiences=audiences, traits=TRAITS) as project:
        project.write(sources=None, defaults={"source": "collector", "destinations": ["pushwoosh"]})
        collect(
            store_place,
            received("1", "ann", properties={"total": 70}),
            received("2", "ann", properties={"total": "60"}),
            received("3", "bob", type="page", name="Page Viewed", title="Home"),
            received("4", "cid", type="identify", name=None, traits={"plan": "pro"}),
        )
        project.done("delta", "--as-of", "2026-11-22")
        assert attributes(project, "ann") == {"total_spend": 70}
        assert attributes(project, "bob") == {"readers": True}
        assert attributes(project, "cid") == {"idle_pros": True}
