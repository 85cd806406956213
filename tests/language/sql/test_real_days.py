"""SQLite: without a window, what stands in an index on times says that its days are real; what is no date never counts."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import product
from random import Random
from typing import Any

import pytest
from sqlalchemy import Connection, NullPool, column, create_engine, select, table

from sync.language.sql import compile_query, days
from sync.language.sql.sqlite import Sqlite
from sync.model.feed import EventsTable, Tables
from sync.source import tables
from tests.language.compiled import query
from tests.language.reference.values import instant

_ONE_KIND = Tables((EventsTable("orders", "user_id", "at", event="A"),))
_BY_NAME = Tables((EventsTable("orders", "user_id", "at", name="name"),))
_TIMES = select(table("orders", column("at")).c.at)
_AS_OF = datetime(2026, 7, 1, tzinfo=UTC)
_DECLARED = ("DATETIME", "TEXT", "BLOB", "", "TEXT COLLATE NOCASE")

_DATES = (
    *(
        "2024-02-28 23:59:59",
        "2024-02-29 00:00:00",
        "2024-03-01 10:00:00",
        "2026-06-30 23:59:59",
        "0001-01-01 00:00:00",
    ),
    *("2024-02-29", "2024-02-29 10:00", "2024-02-29T10:00:00Z", "2024-02-29 10:00:00.5", "2024-02-29 23:00:00+02:00"),
)
_IMPOSSIBLE = (
    *("2023-02-29 10:00:00", "1900-02-29 00:00:00", "2024-02-30 10:00:00", "2024-02-31 23:59:59"),
    *("2024-04-31 10:00:00", "2025-06-31 10:00:00", "2024-09-31 10:00:00", "2024-11-31 00:00:00"),
    *("2024-02-29 24:00:00", "2024-02-28 24:59:59", "2024-12-31 24:00:01", "9999-12-31 24:00:00"),
    *("0000-01-01 00:00:00", "0000-12-31 10:00:00", "-2024-02-03 10:00:00", "-0001-12-31 24:00:00"),
)
"""Texts that ``datetime`` gives back as they are."""
_HARMLESS = (
    "",
    "-",
    " ",
    "now",
    "n/a",
    "~",
    ":",
    "é",
    "0000-00-00 00:00:00",
    "2024-13-01 10:00:00",
    "2024-01-32 10:00:00",
)
_BESIDES = (
    *("2024-02-29 x", "2024-02-29 23é", "2024-02-29 24", "2024-02-29 3", "2024-02-29~", "2024-02-29é"),
    *(
        "2024-02-2",
        "2024",
        "5",
        "1700000000",
        "12:30",
        "31/12/2024 10:00",
        "2024-02-2é",
        "--",
        "/",
        "9é",
        "99999-01-01",
    ),
    *(20240229, 2460000.5, float("inf"), b"2024-02-30 10:00:00", b"2024-02-28 10:00:00", b"", None),
)


@pytest.fixture
def connection() -> Iterator[Connection]:
    """A database without tables."""
    with create_engine("sqlite://", poolclass=NullPool).connect() as opened:
        yield opened


def _orders(connection: Connection, declared: str, index: str) -> None:
    connection.exec_driver_sql(f"CREATE TABLE orders (user_id TEXT, name TEXT, at {declared})")
    connection.exec_driver_sql(f"CREATE INDEX in_time ON orders ({index.replace('at', 'at COLLATE BINARY')})")


def _hold(connection: Connection, times: Iterator[object] | list[object], name: str = "A") -> None:
    connection.exec_driver_sql("DELETE FROM orders")
    for each in times:
        connection.exec_driver_sql("INSERT INTO orders VALUES (?, ?, ?)", (f"{each!r}", name, each))


def _members(connection: Connection, there: Tables) -> set[str]:
    engine = Sqlite()
    found = compile_query(query("event('A').count() >= 1", {}), tables.layout(connection, there), engine)
    assert "_days" in str(found.statement)
    return {row[0] for row in connection.execute(found.statement, {"as_of": engine.bound(_AS_OF)})}


def _meant(times: list[object]) -> set[str]:
    """Users whose text is a date up to then."""
    found = {each: instant(each) for each in times}
    return {f"{each!r}" for each, at in found.items() if at is not None and at <= _AS_OF}


def _proven(connection: Connection) -> bool:
    return bool(connection.execute(select(days.are_real(_TIMES, "some"))).scalar_one())


@pytest.mark.parametrize("declared", _DECLARED)
@pytest.mark.parametrize(("there", "index"), [(_ONE_KIND, "at"), (_BY_NAME, "name, at")])
def test_a_day_or_an_hour_that_there_is_not_never_counts(
    connection: Connection, declared: str, there: Tables, index: str
) -> None:
    _orders(connection, declared, index)
    for impossible in _IMPOSSIBLE:
        times: list[object] = [*_DATES, impossible]
        _hold(connection, times)

        assert not _proven(connection), impossible
        assert _members(connection, there) == _meant(times), impossible


@pytest.mark.parametrize("declared", _DECLARED)
@pytest.mark.parametrize(("there", "index"), [(_ONE_KIND, "at"), (_BY_NAME, "name, at")])
def test_whatever_else_stands_there_the_dates_up_to_now_count(
    connection: Connection, declared: str, there: Tables, index: str
) -> None:
    random = Random(f"{declared} {index}")
    _orders(connection, declared, index)
    for _ in range(40):
        times: list[object] = [*_DATES[:5], *random.sample((*_DATES[5:], *_HARMLESS, *_BESIDES, *_IMPOSSIBLE), 5)]
        _hold(connection, times)

        assert _members(connection, there) == _meant(times), times


def test_days_are_proven_beside_texts_that_nobody_takes_for_dates(connection: Connection) -> None:
    _orders(connection, "TEXT", "at")
    _hold(connection, [*_DATES, *_HARMLESS, b"2024-02-30 10:00:00", None])

    assert _proven(connection)


def test_of_no_events_all_days_are_real(connection: Connection) -> None:
    _orders(connection, "TEXT", "at")

    assert _proven(connection)
    assert _members(connection, _ONE_KIND) == set()


def test_all_that_sqlite_gives_back_without_counting_is_a_date_or_found_impossible(connection: Connection) -> None:
    """Each day and hour that can be written, of years of every kind."""
    _orders(connection, "TEXT", "at")
    written = product(
        ("-2024", "-0001", "0000", "0001", "1900", "2000", "2023", "2024", "9999"),
        range(14),
        range(33),
        (0, 9, 23, 24, 25),
    )
    texts = [f"{year}-{month:02}-{day:02} {hour:02}:00:59" for year, month, day, hour in written]
    connection.exec_driver_sql("INSERT INTO orders (at) VALUES (?)", [(each,) for each in texts])
    kept = {row[0] for row in connection.exec_driver_sql("SELECT at FROM orders WHERE datetime(at) = at")}
    times = select(table("orders", column("at")).c.at)

    for each in sorted(kept):
        if instant(each) is None and each[5:7] in ("01", "02", "04", "12"):
            _hold(connection, [each])
            assert not connection.execute(select(days.are_real(times, "some"))).scalar_one(), each


def test_more_days_than_are_looked_at_are_not_proven_and_asked_one_by_one(connection: Connection) -> None:
    _orders(connection, "TEXT", "at")
    connection.exec_driver_sql(
        "INSERT INTO orders WITH RECURSIVE n (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM n WHERE n < 9999) "
        "SELECT n, 'A', date('1999-01-01', n || ' days') || ' 10:00:00' FROM n"
    )
    assert not _proven(connection)
    assert len(_members(connection, _ONE_KIND)) == 10_000

    connection.exec_driver_sql("DELETE FROM orders WHERE user_id = 5000")
    assert _proven(connection)
    assert len(_members(connection, _ONE_KIND)) == 9_999


def test_what_another_event_of_the_table_holds_disproves_nothing(connection: Connection) -> None:
    _orders(connection, "TEXT", "name, at")
    _hold(connection, [*_IMPOSSIBLE], "B")
    connection.exec_driver_sql("INSERT INTO orders VALUES ('ann', 'A', '2024-02-29 10:00:00')")

    assert _members(connection, _BY_NAME) == {"ann"}


@pytest.mark.parametrize(
    ("there", "index", "by"), [(_ONE_KIND, "at", "at>? AND at<?"), (_BY_NAME, "name, at", "name=? AND at>? AND at<?")]
)
def test_days_are_looked_for_in_the_index(connection: Connection, there: Tables, index: str, by: str) -> None:
    _orders(connection, "TEXT", index)
    connection.exec_driver_sql("CREATE INDEX by_user ON orders (user_id, name, at)")
    connection.exec_driver_sql("CREATE INDEX by_name ON orders (name)")
    engine = Sqlite()
    asked = query("event('A').count()", {})
    found = compile_query(asked, tables.layout(connection, there), engine).statement.compile(dialect=engine.dialect)

    plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {found}", {**found.params, "as_of": engine.bound(_AS_OF)})

    looked = [row[3] for row in plan if "at>?" in row[3]]
    assert looked == [f"SEARCH orders USING COVERING INDEX in_time ({by})"] * 2


def test_a_table_can_hold_events_by_one_time_and_others_by_another(connection: Connection) -> None:
    connection.exec_driver_sql("CREATE TABLE orders (user_id TEXT, at TEXT, sent TEXT)")
    connection.exec_driver_sql("INSERT INTO orders VALUES ('ann', '2026-01-01T10:00:00Z', '2030-01-01T10:00:00Z')")
    both = [EventsTable("orders", "user_id", "at", event="A"), EventsTable("orders", "user_id", "sent", event="B")]
    asked = query("event('A').count() = 1 and event('B').count() = 0", {})
    engine = Sqlite()
    found = compile_query(asked, tables.layout(connection, Tables(tuple(both))), engine)

    assert [row[0] for row in connection.execute(found.statement, {"as_of": engine.bound(_AS_OF)})] == ["ann"]


@pytest.mark.parametrize(("there", "index"), [(_ONE_KIND, "at"), (_BY_NAME, "name, at")])
def test_days_are_looked_for_once_for_all_streams_of_an_event(
    connection: Connection, there: Tables, index: str
) -> None:
    _orders(connection, "TEXT", index)
    engine = Sqlite()
    asked = query("event('A').count() >= 1 and event('A').where(property('other').is_null()).count() >= 1", {})
    found = compile_query(asked, tables.layout(connection, there), engine).statement.compile(dialect=engine.dialect)

    plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {found}", {**found.params, "as_of": engine.bound(_AS_OF)})

    assert len([row[3] for row in plan if "at>?" in row[3]]) == 2


@pytest.mark.parametrize("collation", ["NOCASE", "RTRIM"])
def test_days_cost_the_same_whatever_their_column_is_compared_by(connection: Connection, collation: str) -> None:
    plain, other = (_steps_of_a_proof(connection, declared) for declared in ("TEXT", f"TEXT COLLATE {collation}"))

    assert other < 2 * plain


def _steps_of_a_proof(connection: Connection, declared: str) -> int:
    """How much SQLite does, in hundreds of its own steps, for 300 days with ten texts each."""
    connection.exec_driver_sql("DROP TABLE IF EXISTS orders")
    _orders(connection, declared, "at")
    connection.exec_driver_sql(
        "INSERT INTO orders (at) WITH RECURSIVE n (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM n WHERE n < 2999) "
        "SELECT datetime('2024-01-01', n || ' days', n || ' seconds') FROM (SELECT n % 300 AS n FROM n)"
    )
    steps: list[None] = []
    driver: Any = connection.connection.driver_connection
    driver.set_progress_handler(lambda: steps.append(None), 100)
    assert _proven(connection)
    driver.set_progress_handler(None, 0)
    return len(steps)


def test_users_who_are_asked_about_by_themselves_cost_no_proof(connection: Connection) -> None:
    _orders(connection, "TEXT", "at")
    some = compile_query(
        query("event('A').count() >= 1", {}),
        tables.layout(connection, _ONE_KIND),
        Sqlite(),
        among=lambda user: user.in_(["ann"]),
    )

    assert "_days" not in str(some.statement)
