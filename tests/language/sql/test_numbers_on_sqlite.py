"""SQLite: whatever stands in a column, its numbers are compared and added up, and nothing else is taken for one."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import Connection, NullPool, create_engine

from sync.language.sql import compile_query
from sync.language.sql.sqlite import Sqlite
from sync.model.feed import EventsTable, Tables
from sync.source import tables
from tests.language.comparators import COMPARED
from tests.language.compiled import query

_TABLES = Tables((EventsTable("orders", "user_id", "at", event="A"),))
_DECLARED = ("NUMERIC", "REAL", "INTEGER", "TEXT", "BLOB", "")
_GIVEN: tuple[Any, ...] = (
    -7,
    0,
    99.75,
    100,
    100.0,
    250.5,
    2**62,
    "5",
    "100",
    "250.5",
    "x",
    "",
    " 100",
    b"100",
    b"",
    None,
)
_REDUCED = {"sum": sum, "avg": lambda numbers: sum(numbers) / len(numbers), "min": min, "max": max}


@pytest.fixture
def connection() -> Iterator[Connection]:
    """A database without tables."""
    with create_engine("sqlite://", poolclass=NullPool).connect() as opened:
        yield opened


def _holding(connection: Connection, declared: str) -> dict[str, Any]:
    """Orders of one user each, with every value; gives what stands there by user, as SQLite keeps it."""
    connection.exec_driver_sql(f"CREATE TABLE orders (user_id TEXT, at TEXT, price {declared})")
    rows = [(f"{each!r}", "2026-02-28 10:00:00", each) for each in _GIVEN]
    connection.exec_driver_sql("INSERT INTO orders VALUES (?, ?, ?)", rows)
    return {row[0]: row[1] for row in connection.exec_driver_sql("SELECT user_id, price FROM orders")}


def _answer(connection: Connection, asked: str) -> dict[str, Any]:
    engine = Sqlite()
    found = compile_query(query(asked, {}), tables.layout(connection, _TABLES), engine)
    rows = connection.execute(found.statement, {"as_of": engine.bound(datetime(2026, 3, 1, tzinfo=UTC))})
    return {row[0]: row[-1] for row in rows}


def _is_number(value: object) -> bool:
    return isinstance(value, int | float)


@pytest.mark.parametrize("declared", _DECLARED)
def test_what_is_no_number_is_neither_more_nor_less_nor_the_same(connection: Connection, declared: str) -> None:
    there = _holding(connection, declared)
    for number in (100, 99.75):
        for sign, compare in COMPARED.items():
            met = {user for user, each in there.items() if _is_number(each) and compare(each, number)}
            holds, fails = (there.keys() - met, met) if sign == "!=" else (met, there.keys() - met)
            asked = f"property('price') {sign} {number}"
            assert _answer(connection, f"event('A').where({asked}).count() >= 1").keys() == holds, asked
            assert _answer(connection, f"event('A').where(not ({asked})).count() >= 1").keys() == fails, asked


@pytest.mark.parametrize("declared", _DECLARED)
@pytest.mark.parametrize("reducer", _REDUCED)
@pytest.mark.parametrize(
    ("asked", "meets"),
    [
        ("property('price') >= 100", lambda each: each >= 100),
        ("property('price') = 100", lambda each: each == 100),
        ("property('price') > 0 and property('price') < 300", lambda each: 0 < each < 300),
        ("property('price') != 100", lambda each: each != 100),
        ("not (property('price') >= 100)", lambda each: each < 100),
        ("property('price') >= 100 or property('price').is_set()", _is_number),
        ("property('price') >= 100 or property('price').is_null()", lambda each: each >= 100),
        ("property('price').is_set()", _is_number),
    ],
)
def test_only_numbers_are_added_up_whatever_the_events_were_chosen_by(
    connection: Connection, declared: str, reducer: str, asked: str, meets: Any
) -> None:
    numbers = {user: each for user, each in _holding(connection, declared).items() if _is_number(each)}
    met = [each for each in numbers.values() if meets(each)]
    connection.exec_driver_sql("INSERT INTO orders SELECT 'everybody', at, price FROM orders")

    found = _answer(connection, f"event('A').where({asked}).{reducer}(property('price'))")

    everybody = {"everybody": pytest.approx(_REDUCED[reducer](met))} if met else {}
    assert found == {**{user: pytest.approx(each) for user, each in numbers.items() if each in met}, **everybody}


def test_a_sum_asks_of_no_value_whether_it_is_a_number_that_was_compared_with_one(connection: Connection) -> None:
    _holding(connection, "NUMERIC")
    compared = "event('A').where(property('price') >= 100 and property('price') < 300).sum(property('price'))"

    found = compile_query(query(compared, {}), tables.layout(connection, _TABLES), Sqlite())

    assert "total(+ a_2.price) AS value" in str(found.statement)


def test_a_sum_in_a_funnel_without_events_is_none(connection: Connection) -> None:
    _holding(connection, "NUMERIC")
    inner = "event('A').within(parent: 1 day).where(property('price') >= 0).sum(property('price'))"

    assert _answer(connection, f"event('A').where({inner} <= 0).count() >= 1") == {}


def test_an_infinite_number_is_more_than_all_others(connection: Connection) -> None:
    _holding(connection, "REAL")
    connection.exec_driver_sql("INSERT INTO orders VALUES ('inf', '2026-02-28 10:00:00', 9e999)")

    for sign, is_met in ((">=", True), (">", True), ("<", False), ("=", False)):
        assert ("inf" in _answer(connection, f"event('A').where(property('price') {sign} 1).count() >= 1")) == is_met
