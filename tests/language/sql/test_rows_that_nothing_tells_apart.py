"""Of events at one instant with one cursor, or of two rows about one person, nobody knows which came first: whichever is
taken, it is the same each time."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import permutations
from typing import Any

import pytest
from sqlalchemy import NullPool, create_engine

from sync.language.sql import compile_query
from sync.model.feed import EventsTable, ProfilesTable, Tables
from sync.source import tables
from tests.language.compiled import query
from tests.shop import Shop

_VALUES = ("lamp", "12", "sofa")
_CITIES = (("Bergen", '{"no": 2}'), ("Oslo", '{"no": 1}'), ("Tromsø", '{"no": 2}'))
_SAME_CITY = (("Oslo", '{"no": 2}'), ("Oslo", '{"no": 1}'))
_AS_OF = datetime(2026, 3, 1, tzinfo=UTC)
_INSIDE = "event('A').{}(property('sku'))"
_AFTER_ANOTHER = "event('Cart').where(event('A').within(parent: 7 days).{}(property('sku')) = 'lamp').count()"


def _answer(shop: Shop, asked: str, there: Tables) -> list[tuple[Any, ...]]:
    engine = tables.engine(shop.dialect)
    url = shop.url.replace("postgresql:", "postgresql+psycopg:")
    with create_engine(url, poolclass=NullPool).connect() as connection:
        found = compile_query(query(asked, {}), tables.layout(connection, there), engine)
        rows = connection.execute(found.statement, {"as_of": engine.bound(_AS_OF)})
        return [
            (user, *(decoded(value) for decoded, value in zip(found.decoded, values, strict=True)))
            for user, *values in rows
        ]


@pytest.mark.parametrize("names", [("orders",), ("orders", "sales")], ids=["one table", "two tables"])
@pytest.mark.parametrize("cursor", ["seen", None], ids=["one cursor", "no cursor"])
@pytest.mark.parametrize("engine", ["sqlite", "postgresql", "duckdb"])
def test_of_events_at_one_instant_however_they_lie_the_answer_is_the_same(
    engine: str, cursor: str | None, names: tuple[str, ...], request: pytest.FixtureRequest
) -> None:
    shop: Shop = request.getfixturevalue(f"{engine}_shop")
    there = Tables(
        (
            *(EventsTable(each, "user_id", "ordered_on", event="A", cursor=cursor) for each in names),
            EventsTable("carts", "user_id", "ordered_on", event="Cart"),
        )
    )
    for each in ("orders", "sales", "carts"):
        shop.run(f"CREATE TABLE {each} (user_id text, ordered_on timestamp, seen integer, sku text)")
    shop.run("INSERT INTO carts VALUES ('ann', '2026-02-01 09:00:00', 7, NULL)")
    for asked in (each.format(reducer) for each in (_INSIDE, _AFTER_ANOTHER) for reducer in ("first", "last")):
        found = set()
        for values in permutations(_VALUES):
            shop.run("DELETE FROM orders")
            shop.run("INSERT INTO orders VALUES ('ann', '2026-02-01 10:00:00', 7, ?)", [(each,) for each in values])
            found.add(tuple(_answer(shop, asked, there)))
        assert len(found) == 1, (asked, found)
        assert all(found)


@pytest.mark.parametrize("cursor", ["seen", None], ids=["one cursor", "no cursor"])
@pytest.mark.parametrize("engine", ["sqlite", "postgresql", "duckdb"])
def test_of_rows_about_one_person_however_they_lie_the_same_one_counts(
    engine: str, cursor: str | None, request: pytest.FixtureRequest
) -> None:
    shop: Shop = request.getfixturevalue(f"{engine}_shop")
    shop.run("CREATE TABLE customers (id text, seen integer, city text, address json)")
    there = Tables((), ProfilesTable("customers", "id", cursor))
    for rows in (_SAME_CITY, _CITIES):
        found = set()
        for customers in permutations(rows):
            shop.run("DELETE FROM customers")
            shop.run("INSERT INTO customers VALUES ('ann', 7, ?, ?)", customers)
            oslo, street = (
                _answer(shop, asked, there) for asked in ("trait('city') = 'Oslo'", "trait('address.no') = 2")
            )
            found.add((tuple(oslo), tuple(street)))
        assert len(found) == 1, found
