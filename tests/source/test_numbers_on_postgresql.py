"""Columns of numbers against a number of a query, on PostgreSQL: what is none meets no comparison, and plans are good ones."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import psycopg
import pytest

from sync.model.definition import Definition, Kind, Question
from sync.model.feed import EventsTable, ProfilesTable, Tables
from sync.source.connection import Source
from sync.source.inspection import readable_sql
from sync.source.reader import answer
from tests.language.comparators import COMPARED
from tests.shop import Shop

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
_TABLES = Tables((EventsTable("bought", "id", "ts", event="Bought"),), ProfilesTable("people", "id"))
_ORDINARY = ["-100.5", "0", "99.75", "100", "100.5", "250"]
_OTHERS = {
    "numeric(12, 2)": ["NaN"],
    "numeric": ["NaN", "Infinity", "-Infinity", "9e308", "-9e308", "1.7976931348623157e308"],
    "float8": ["NaN", "Infinity", "-Infinity", "1.7976931348623157e308", "-1.7976931348623157e308"],
    "float4": ["NaN", "Infinity", "-Infinity", "3e38"],
    "integer": [],
}
"""By declared type, what may stand there besides."""
_ESTIMATED = {
    "property('price') >= 100": 0.9,
    "property('price') < 100": 0.1,
    "property('price') = 100": 0.001,
    "property('price') != 100": 0.999,
    "not (property('price') > 100)": 0.1,
    "property('price') > 100.5 and property('price') <= 600": 0.5,
}


def _asked(query: str) -> Definition:
    return Definition(Kind.AUDIENCE, "key", "Name", "shop", (), query=Question(query))


def _source(shop: Shop) -> Source:
    return Source("shop", shop.url, 30, tables=_TABLES)


def _members(shop: Shop, query: str) -> set[str]:
    with answer(_source(shop), _asked(query), NOON) as opened:
        return {user_id for chunk in opened.chunks for user_id in chunk.user_ids}


def _values(shop: Shop, query: str) -> dict[str, str]:
    asked = Definition(Kind.TRAIT, "key", "Name", "shop", (), query=Question(query))
    with answer(_source(shop), asked, NOON) as opened:
        return {
            user_id: value
            for chunk in opened.chunks
            for user_id, value in zip(chunk.user_ids, chunk.values or (), strict=True)
        }


def _holding(shop: Shop, declared: str) -> dict[str, str | None]:
    """A table of events and one of profiles with every value; gives them by their user."""
    shop.run(f"CREATE TABLE bought (id text, ts timestamptz, price {declared})")
    shop.run(f"CREATE TABLE people (id text, price {declared})")
    ordinary = ["-100", "0", "99", "100", "250"] if declared == "integer" else _ORDINARY
    rows = {each: each for each in ordinary + _OTHERS[declared]} | {"nothing": None}
    shop.run("INSERT INTO bought VALUES (?, ?, ?)", [(user, NOON, each) for user, each in rows.items()])
    shop.run("INSERT INTO people VALUES (?, ?)", list(rows.items()))
    return rows


def _is_number(written: str | None) -> bool:
    return written is not None and Decimal(written).is_finite() and math.isfinite(float(written))


@pytest.mark.parametrize("declared", _OTHERS)
def test_what_is_no_number_is_neither_more_nor_less_nor_the_same(postgresql_shop: Shop, declared: str) -> None:
    rows = _holding(postgresql_shop, declared)
    for number in ("100", "99.75"):
        for sign, compare in COMPARED.items():
            met = {user for user, each in rows.items() if _is_number(each) and compare(Decimal(user), Decimal(number))}
            holds, fails = (rows.keys() - met, met) if sign == "!=" else (met, rows.keys() - met)
            asked = f"property('price') {sign} {number}"
            assert _members(postgresql_shop, f"event('Bought').where({asked}).count() >= 1") == holds, asked
            assert _members(postgresql_shop, f"event('Bought').where(not ({asked})).count() >= 1") == fails, asked
            assert _members(postgresql_shop, f"trait('price') {sign} {number}") == holds, asked


@pytest.mark.parametrize("declared", _OTHERS)
def test_what_is_no_number_is_not_added_up_whatever_the_events_were_chosen_by(
    postgresql_shop: Shop, declared: str
) -> None:
    rows = _holding(postgresql_shop, declared)
    numbers = {user for user, each in rows.items() if _is_number(each)}
    small = {each for each in numbers if abs(float(each)) < 1e6}  # sums of doubles at the end of all can be beyond it
    for sign, compare in COMPARED.items():
        met = {each for each in small if compare(Decimal(each), 100)}
        for reducer in ("sum", "avg", "min", "max"):
            asked = f"event('Bought').where(property('price') {sign} 100).{reducer}(property('price'))"
            found = _values(postgresql_shop, asked).keys()
            assert found & small == (small - met if sign == "!=" else met), asked
            assert found <= numbers, asked


@pytest.mark.parametrize("declared", _OTHERS)
def test_many_numbers_are_looked_for_as_each_of_them(postgresql_shop: Shop, declared: str) -> None:
    rows = _holding(postgresql_shop, declared)
    many = ", ".join(str(each) for each in range(100, 251))
    assert _members(postgresql_shop, f"trait('price').one_of([{many}])") == {"100", "250"}
    assert _members(postgresql_shop, f"not trait('price').one_of([{many}])") == rows.keys() - {"100", "250"}


@pytest.mark.parametrize("declared", ["numeric(12, 2)", "numeric", "float8", "float4"])
def test_the_database_knows_beforehand_how_many_rows_meet_a_comparison(postgresql_shop: Shop, declared: str) -> None:
    shop = postgresql_shop
    shop.run(f"CREATE TABLE bought (id text, ts timestamptz, price {declared})")
    shop.run("CREATE TABLE people (id text)")
    shop.run("INSERT INTO bought SELECT n, '2026-11-20Z', n % 1000 + 1 FROM generate_series(1, 10000) AS n")
    shop.run("ANALYZE bought")
    found = {each: _estimate(shop, f"event('Bought').where({each}).count() >= 1") for each in _ESTIMATED}
    assert found == {each: pytest.approx(10_000 * part, rel=0.2) for each, part in _ESTIMATED.items()}


def _estimate(shop: Shop, query: str) -> float:
    """How many rows of the events the database expects."""
    asked = readable_sql(_source(shop), _asked(query)).replace(":as_of", repr("2026-11-21 12:00:00Z"))
    with psycopg.connect(shop.url) as connection:
        row = connection.execute(f"EXPLAIN (FORMAT JSON) {asked}").fetchone()  # type: ignore[arg-type]
    assert row is not None
    [rows] = [each["Plan Rows"] for each in _steps(row[0][0]["Plan"]) if each.get("Relation Name") == "bought"]
    return float(rows)


def _steps(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for each in plan.get("Plans", ()):
        yield from _steps(each)
