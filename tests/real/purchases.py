"""The purchase log as a customer's database, and the definitions in SQL that are computed from it."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from tests.shop import Shop

CSV = Path(__file__).parents[1] / "data" / "cdnow.csv"
RECENT, SPENDERS, SPEND, LAST_ORDER = "ordered_in_the_last_30_days", "big_spenders", "total_spend", "last_order_date"

_SINCE = {"sqlite": "date(:as_of, '-30 days')", "postgresql": "cast(:as_of as date) - 30"}
_UNTIL = {"sqlite": "date(:as_of)", "postgresql": "cast(:as_of as date)"}
_DAY = {"sqlite": "text", "postgresql": "date"}
_DOLLARS = {"sqlite": "real", "postgresql": "numeric(10, 2)"}

Sections = dict[str, Any]


@dataclass(frozen=True)
class Order:
    """A line of the file."""

    customer: str
    day: date
    cds: int
    dollars: Decimal


def read() -> list[Order]:
    """The whole log."""
    with CSV.open(encoding="utf-8", newline="") as file:
        return [
            Order(row["customer_id"], date.fromisoformat(row["ordered_on"]), int(row["cds"]), Decimal(row["dollars"]))
            for row in csv.DictReader(file)
        ]


def fill(shop: Shop, orders: Sequence[Order]) -> None:
    """Let the customer have the table ``orders``; the row's number is its ``id``."""
    day, dollars = _DAY[shop.dialect], _DOLLARS[shop.dialect]
    shop.run(f"CREATE TABLE orders (id integer, customer_id text, day {day}, cds integer, dollars {dollars})")
    number = float if shop.dialect == "sqlite" else Decimal
    rows = [
        (place, order.customer, order.day.isoformat(), order.cds, number(order.dollars))
        for place, order in enumerate(orders)
    ]
    shop.run("INSERT INTO orders VALUES (?, ?, ?, ?, ?)", rows)


def in_sql(dialect: str) -> Sections:
    """Two audiences and two traits.

    A customer's spend is rounded to cents: SQLite sums binary floats and needs it, PostgreSQL's ``numeric`` is exact and
    does not.
    """
    known = f"from orders where day <= {_UNTIL[dialect]}"
    return {
        "audiences": [
            {
                "name": "Ordered in the Last 30 Days",
                "sql": f"select distinct customer_id as user_id {known} and day > {_SINCE[dialect]}",
            },
            {
                "name": "Big Spenders",
                "sql": f"select customer_id as user_id {known} group by 1 having round(sum(dollars), 2) > 100",
            },
        ],
        "traits": [
            {
                "name": "Total Spend",
                "sql": f"select customer_id as user_id, round(sum(dollars), 2) as value {known} group by 1",
            },
            {
                "name": "Last Order Date",
                "sql": f"select customer_id as user_id, max(day) as value {known} group by 1",
            },
        ],
    }
