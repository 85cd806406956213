"""A sample shop for the demo: a SQLite database of customers and orders, the same every time."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

TODAY = datetime(2026, 3, 2, 6, 0, tzinfo=UTC)
"""When the demo begins; its history reaches back half a year."""

TOMORROW = TODAY + timedelta(days=1)
CUSTOMERS = 3000
LEAVES = "ada"
"""Her only order is just under 30 days old today, and more than 30 days old tomorrow."""

ENTERS = "grace"
"""She has never ordered; tomorrow she will have spent 620."""

_BRANDS = ("Acorn", "Birch", "Cedar", "Damson", "Elder")
_HISTORY_DAYS = 180

_SCHEMA = """
CREATE TABLE customers (id TEXT PRIMARY KEY, email TEXT, city TEXT);
CREATE TABLE orders (
    id INTEGER PRIMARY KEY, customer_id TEXT NOT NULL REFERENCES customers (id),
    ordered_at TEXT NOT NULL, brand TEXT NOT NULL, total NUMERIC NOT NULL);
CREATE INDEX orders_when ON orders (ordered_at, customer_id);
"""
_ORDER = "INSERT INTO orders (customer_id, ordered_at, brand, total) VALUES (?, ?, ?, ?)"


def create_shop(path: Path) -> tuple[int, int]:
    """Write the shop as of `TODAY`; gives (customers, orders)."""
    random = Random(20260302)  # noqa: S311 - the same shop every time
    names = [LEAVES, ENTERS, *(f"customer-{number:04d}" for number in range(CUSTOMERS - 2))]
    orders = [order for name in names[2:] for order in _history(name, random)]
    orders.append((LEAVES, _text(TODAY - timedelta(days=29, hours=12)), "Cedar", 84.5))
    with closing(sqlite3.connect(path)) as shop:
        shop.executescript(_SCHEMA)
        shop.executemany(
            "INSERT INTO customers VALUES (?, ?, ?)", [(name, f"{name}@shop.example", "Oslo") for name in names]
        )
        shop.executemany(_ORDER, orders)
        shop.commit()
    return len(names), len(orders)


def let_a_day_pass(path: Path) -> int:
    """Add the orders of the day between `TODAY` and `TOMORROW`; gives how many."""
    random = Random(20260303)  # noqa: S311 - the same day every time
    buyers = [f"customer-{random.randrange(CUSTOMERS - 2):04d}" for _ in range(40)]
    orders = [_order(name, TODAY + timedelta(hours=random.uniform(1, 23)), random) for name in buyers]
    orders.append((ENTERS, _text(TODAY + timedelta(hours=9)), "Acorn", 620))
    with closing(sqlite3.connect(path)) as shop:
        shop.executemany(_ORDER, orders)
        shop.commit()
    return len(orders)


def _history(name: str, random: Random) -> list[tuple[str, str, str, float]]:
    count = min(int(random.expovariate(1 / 3)), 20)
    ages = (random.uniform(0.1, _HISTORY_DAYS) for _ in range(count))
    return [_order(name, TODAY - timedelta(days=age), random) for age in ages]


def _order(name: str, at: datetime, random: Random) -> tuple[str, str, str, float]:
    return name, _text(at), random.choice(_BRANDS), round(random.lognormvariate(4, 0.8), 2)


def _text(instant: datetime) -> str:
    return f"{instant:%Y-%m-%d %H:%M:%S}"
