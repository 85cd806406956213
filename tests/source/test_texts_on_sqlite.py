"""Texts on SQLite that are none: whoever has one as a value has no value, and every other row is read, once."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime
from random import Random

import pytest

from sync.model.definition import Definition, Kind, Question
from sync.model.feed import ProfilesTable, Tables
from sync.source.connection import Source
from sync.source.lenient import Unread, fetching, make_lenient
from sync.source.reader import ROWS_PER_CHUNK, answer
from tests.shop import Shop

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
_ENDLESS = "WITH RECURSIVE n (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM n) SELECT n FROM n WHERE n < 1"
_TABLES = Tables((), ProfilesTable("people", "id"))


def _holding(shop: Shop, people: int, broken: set[int]) -> None:
    shop.run("CREATE TABLE people (id text PRIMARY KEY, city text)")
    shop.run("INSERT INTO people VALUES (?, ?)", [(f"u{number}", f"in {number}") for number in range(people)])
    odd = [(f"u{number}",) for number in broken]
    shop.run("UPDATE people SET city = CAST(city || x'ff' AS text) WHERE id = ?", odd)


def _values(shop: Shop) -> list[tuple[str, str]]:
    asked = Definition(Kind.TRAIT, "key", "Name", "shop", (), query=Question("trait('city')"))
    with answer(Source("shop", shop.url, 30, tables=_TABLES), asked, NOON) as opened:
        return [each for chunk in opened.chunks for each in zip(chunk.user_ids, chunk.values or (), strict=True)]


@pytest.mark.parametrize(
    "broken",
    [
        {0},
        {ROWS_PER_CHUNK - 1},
        {ROWS_PER_CHUNK},
        {5, 6, 7, 4_000, ROWS_PER_CHUNK - 1, ROWS_PER_CHUNK, ROWS_PER_CHUNK + 999},
        {ROWS_PER_CHUNK + 999},
        set(Random(7).sample(range(ROWS_PER_CHUNK + 1_000), 3_000)),
        set(range(ROWS_PER_CHUNK + 1_000)),
    ],
    ids=["first", "last of a chunk", "first of the next", "several", "last", "many", "all"],
)
def test_who_has_one_has_no_value_and_all_others_have_theirs(sqlite_shop: Shop, broken: set[int]) -> None:
    people = ROWS_PER_CHUNK + 1_000
    _holding(sqlite_shop, people, broken)

    found = _values(sqlite_shop)

    assert sorted(found) == sorted((f"u{each}", f'"in {each}"') for each in range(people) if each not in broken)


def test_after_a_batch_whatever_is_read_on_the_connection_is_read_leniently(sqlite_shop: Shop) -> None:
    _holding(sqlite_shop, 10, {4})
    with Source("shop", sqlite_shop.url, 30).read() as connection:
        make_lenient(connection)
        driver = connection.connection.driver_connection
        assert driver is not None
        fetch = fetching(connection, driver.execute("SELECT city FROM people"))
        assert [type(row[0]) for row in fetch(5)] == [str, str, str, str, Unread]
        assert len(fetch(10)) == 5
        assert fetch(10) == []
        rows = driver.execute("SELECT city FROM people WHERE id = 'u4'").fetchall()
        assert type(rows[0][0]) is Unread


def test_reading_that_takes_too_long_ends_as_ever(sqlite_shop: Shop) -> None:
    _holding(sqlite_shop, 10, {4})
    with Source("shop", sqlite_shop.url, 30).read() as connection:
        driver = connection.connection.driver_connection
        assert driver is not None
        fetch = fetching(connection, driver.execute(_ENDLESS))
        driver.set_progress_handler(lambda: True, 10_000)
        with pytest.raises(sqlite3.OperationalError, match="interrupted"):
            fetch(10)
