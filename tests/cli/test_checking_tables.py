"""``check`` looks at the tables whose rows are events."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from sync.cli import main
from tests.shop import Shop


def check(folder: Path, user_id: str) -> int:
    """Run it on a shop with orders."""
    with closing(sqlite3.connect(folder / "shop.db")) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS orders (id integer primary key, customer text, at text)")
    (folder / "sync.yaml").write_text(
        f"version: 1\nstore: sqlite:///{folder}/store.db\nsources:\n  shop:\n    url: sqlite:///{folder}/shop.db\n"
        f"    events: [{{table: orders, event: Ordered, user_id: {user_id}, timestamp: at, cursor: id, forward: true}}]\n"
    )
    return main(["check", "--config", str(folder / "sync.yaml")])


def test_a_table_that_fits_is_right(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check(tmp_path, "customer") == 0
    assert "ok     events of table orders: it has its columns\n" in capsys.readouterr().out


def test_a_column_that_is_not_there_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check(tmp_path, "custmer") == 2
    said = capsys.readouterr().err
    assert said == (
        "error: events of table 'orders': source 'shop': there is no column 'custmer' (it has 'id', 'customer', 'at')\n"
    )


def test_an_event_that_a_warehouse_has_no_table_of_is_noted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with closing(sqlite3.connect(tmp_path / "shop.db")) as connection:
        for table in ("tracks", "order_completed"):
            connection.execute(f"CREATE TABLE {table} (id text, user_id text, timestamp text, event_text text)")
    (tmp_path / "sync.yaml").write_text(
        f"version: 1\nstore: sqlite:///{tmp_path}/store.db\nsources:\n  shop:\n    url: sqlite:///{tmp_path}/shop.db\n"
        "    layout: segment\naudiences:\n  - {name: Buyers, query: event('Orders Completed').count() >= 1}\n"
    )
    assert main(["check", "--config", str(tmp_path / "sync.yaml")]) == 0
    assert capsys.readouterr().out.endswith(
        "ok     source shop: filled by Segment or RudderStack (tracks)\n"
        "ok     audience buyers: its SQL runs\nnote   audience buyers: source shop has no table with events "
        "'Orders Completed' of known users (there is: order_completed)\n"
    )


def test_a_warehouse_without_any_of_the_tables_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with closing(sqlite3.connect(tmp_path / "shop.db")) as connection:
        connection.execute("CREATE TABLE orders (id text)")
    (tmp_path / "sync.yaml").write_text(
        f"version: 1\nstore: sqlite:///{tmp_path}/store.db\n"
        f"sources: {{shop: {{url: 'sqlite:///{tmp_path}/shop.db', layout: segment}}}}\n"
    )
    assert main(["check", "--config", str(tmp_path / "sync.yaml")]) == 2
    assert capsys.readouterr().err == (
        "error: source shop: where names are looked up, there is no table that Segment or RudderStack fills "
        "(tracks, pages, screens, users, identifies): name the schema that holds them with `schema`\n"
    )


def test_an_index_that_is_not_there_is_warned_of_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with closing(sqlite3.connect(tmp_path / "shop.db")) as connection:
        connection.execute("CREATE TABLE orders (customer text, at text)")
        connection.executemany("INSERT INTO orders VALUES (?, ?)", [("ann", "2026-11-20")] * 10_001)
        connection.commit()
    (tmp_path / "sync.yaml").write_text(
        f"version: 1\nstore: sqlite:///{tmp_path}/store.db\nsources:\n  shop:\n    url: sqlite:///{tmp_path}/shop.db\n"
        "    events: [{table: orders, event: Ordered, user_id: customer, timestamp: at}]\n"
        "audiences:\n  - {name: Weekly, query: event('Ordered').within(7 days).count() >= 1}\n"
        "  - {name: Monthly, query: event('Ordered').within(30 days).count() >= 1}\n"
    )
    assert main(["check", "--config", str(tmp_path / "sync.yaml")]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == (
        "warn   table orders of source shop has no index that begins with (at), by which audience weekly, audience monthly "
        "would look up rows: CREATE INDEX orders_at_customer ON orders (at, customer)"
    )


def test_an_index_that_does_not_hold_what_is_read_is_noted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with closing(sqlite3.connect(tmp_path / "shop.db")) as connection:
        connection.execute("CREATE TABLE orders (id integer primary key, customer text, at text, total integer)")
        connection.executemany(
            "INSERT INTO orders (customer, at, total) VALUES (?, ?, 5)", [("ann", "2026-11-20")] * 10_001
        )
        for columns in ("at", "customer, at"):
            connection.execute(f"CREATE INDEX 'by {columns}' ON orders ({columns})")
        connection.commit()
    (tmp_path / "sync.yaml").write_text(
        f"version: 1\nstore: sqlite:///{tmp_path}/store.db\nsources:\n  shop:\n    url: sqlite:///{tmp_path}/shop.db\n"
        "    events: [{table: orders, event: Ordered, user_id: customer, timestamp: at, cursor: id}]\n"
        "audiences:\n  - {name: Often, query: event('Ordered').count() >= 9}\n"
        "traits:\n  - {name: Spent, query: event('Ordered').sum(property('total'))}\n"
    )
    assert main(["check", "--config", str(tmp_path / "sync.yaml")]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == (
        "note   table orders of source shop has no index that begins with (customer) and holds all that trait spent would "
        "read of users who have changed (at, total), so that the table itself is read: CREATE INDEX "
        "orders_customer_at_total ON orders (customer, at, total)"
    )


def test_whoever_makes_an_index_is_told_what_could_not_be_stored_any_more(
    postgresql_shop: Shop, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    postgresql_shop.run(
        "CREATE TABLE orders AS SELECT n AS id, 'ann' AS customer, timestamptz '2026-11-20' AS at, 5 AS total, "
        "'paid' AS status FROM generate_series(1, 10001) AS n"
    )
    for columns in ("at", "id"):
        postgresql_shop.run(f"CREATE INDEX ON orders ({columns})")
    (tmp_path / "sync.yaml").write_text(
        f"version: 1\nstore: sqlite:///{tmp_path}/store.db\nsources:\n  shop:\n    url: {postgresql_shop.url}\n"
        "    events: [{table: orders, event: Ordered, user_id: customer, timestamp: at, cursor: id}]\n"
        "traits:\n  - {name: Spent, query: event('Ordered').where(property('status') = 'paid').sum(property('total'))}\n"
    )
    assert main(["check", "--config", str(tmp_path / "sync.yaml")]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == (
        "warn   table orders of source shop has no index that begins with (customer), by which trait spent would look up rows "
        "(nothing keeps `status` short: with this index, PostgreSQL would refuse a row in which it takes more than 2,700 "
        "bytes): CREATE INDEX CONCURRENTLY orders_customer_at_status_total ON orders (customer, at) INCLUDE (status, total)"
    )
