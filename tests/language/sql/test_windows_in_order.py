"""SQLite: windows on texts that an index has in order hold whatever means an instant in them, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from sqlalchemy import Connection, NullPool, create_engine

from sync.language.sql import compile_query
from sync.language.sql.changes import compile_changes
from sync.language.sql.sqlite import Sqlite
from sync.model.feed import EventsTable, Tables
from sync.source import tables
from tests.language.compiled import query
from tests.language.reference.values import instant

_TABLES = Tables((EventsTable("orders", "user_id", "at", event="A", cursor="id"),))
_AS_OF = datetime(2026, 3, 1, 23, 30, 0, 500_000, tzinfo=UTC)
_BETWEEN_DAYS = (
    *(
        "2026-02-29 10:00:00",
        "2026-02-30 10:00:01",
        "2026-02-28 24:00:00",
        "2026-02-28 24:00:01",
        "2026-02-27T10:00:00",
    ),
    *(
        "2026-02-28",
        "2026-02-28 ",
        "2026-02-28 0",
        "2026-02-28 24",
        "2026-02-28  10:00:01",
        "2026-02-28x",
        "2026-02-28TT10:00",
    ),
)
_IN_A_DAY = (
    *("2026-02-28 10:00", "2026-02-28 10:00   ", "2026-02-28 10:00  Z", "2026-02-28 10:00+02", "2026-02-28 10:00:00 "),
    *(
        "2026-02-28 10:00:01 ",
        "2026-02-28 10:00:01z",
        "2026-02-28 10:00:01 +02:00",
        "2026-02-28 10:00:60",
        "2026-02-28 1",
    ),
    *(
        "2026-02-28 10:00:0x",
        "2026-02-28 1x:00:01",
        "2026-02-28 10:60:01",
        "2026-02-28 10:00:01.",
        "2026-02-28 10:00:010",
    ),
    *(
        "2026-02-28 23:59:59",
        "2026-02-28 00:00:00",
        "2026-02-28 23:59:60",
        "2026-02-28 10:00:01-0300",
        "2026-02-28 10:00:0é",
    ),
)
_FORMS = ("%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%d")
_ZONES = ("", "", "Z", "+02:00", "-0330", "+14", "-14:59", "+14:59", " ", "z")


@pytest.fixture
def orders() -> Iterator[Connection]:
    """Orders, found by their time."""
    with create_engine("sqlite://", poolclass=NullPool).connect() as connection:
        connection.exec_driver_sql("CREATE TABLE orders (id INTEGER PRIMARY KEY, user_id TEXT, at DATETIME)")
        connection.exec_driver_sql("CREATE INDEX in_time ON orders (at, user_id)")
        yield connection


def _random(random: Random) -> Iterator[str]:
    """Around the edges of windows of some days, where zones and fractions matter, and between them."""
    for _ in range(3_000):
        near = timedelta(
            days=random.choice((0, 1, 3, 30)), seconds=random.choice((0, 0, 1, random.randint(-90_000, 90_000)))
        )
        at = _AS_OF.replace(microsecond=0) - near
        form = random.choice(_FORMS)
        fraction = random.choice(("", "", ".5", ".500000", ".500001", ".4999999")) if form.endswith("%S") else ""
        yield at.strftime(form) + fraction + random.choice(_ZONES)


def _members(connection: Connection, asked: str, as_of: datetime = _AS_OF, *, in_order: bool = True) -> set[str]:
    engine = Sqlite()
    found = compile_query(query(asked, {}), tables.layout(connection, _TABLES), engine)
    assert ("_stretches" in str(found.statement)) == in_order
    return {row[0] for row in connection.execute(found.statement, {"as_of": engine.bound(as_of)})}


@pytest.mark.parametrize(
    ("window", "far", "near"),
    [
        ("within(1 hours)", timedelta(hours=1), timedelta(0)),
        ("within(3 days)", timedelta(days=3), timedelta(0)),
        ("between(1 days, 30 days)", timedelta(days=30), timedelta(days=1)),
    ],
)
def test_a_window_holds_what_means_an_instant_in_it(
    orders: Connection, window: str, far: timedelta, near: timedelta
) -> None:
    texts = {*_BETWEEN_DAYS, *_IN_A_DAY, *_random(Random(window))}
    orders.exec_driver_sql("INSERT INTO orders (user_id, at) VALUES (?, ?)", [(each, each) for each in texts])

    found = _members(orders, f"event('A').{window}.count() >= 1")

    meant = {each: instant(each) for each in texts}
    assert found == {each for each, at in meant.items() if at is not None and _AS_OF - far < at <= _AS_OF - near}


def test_without_a_window_all_dates_up_to_now_count_and_nothing_that_is_none(orders: Connection) -> None:
    later = [
        f"2026-03-{day:02} {hour}" for day in range(1, 5) for hour in ("23:30:00", "23:30:01", "23:30:00.6", "23:31")
    ]
    none: list[object] = [b"2026-02-28 10:00:00", b"2026-02-28", 20260228, 2460000.5, float("inf"), None, "now", ""]
    texts = {*_BETWEEN_DAYS, *_IN_A_DAY, *_random(Random("all")), *later}
    orders.exec_driver_sql("INSERT INTO orders (user_id, at) VALUES (?, ?)", [(each, each) for each in texts])
    orders.exec_driver_sql("INSERT INTO orders (user_id, at) VALUES (?, ?)", [(f"{each!r}", each) for each in none])

    found = _members(orders, "event('A').count() >= 1", in_order=False)

    meant = {each: instant(each) for each in texts}
    assert found == {each for each, at in meant.items() if at is not None and at <= _AS_OF}


@pytest.mark.parametrize("hours", [1, 24, 100])
@pytest.mark.parametrize("fraction", [0, 500_000])
def test_who_has_left_a_window_since_the_last_run_is_found_by_what_their_events_mean(
    orders: Connection, hours: int, fraction: int
) -> None:
    texts = sorted({*_BETWEEN_DAYS, *_IN_A_DAY, *_random(Random(hours))})
    orders.exec_driver_sql("INSERT INTO orders (user_id, at) VALUES (?, ?)", [(each, each) for each in texts])
    engine, until = Sqlite(), _AS_OF.replace(microsecond=fraction)
    since = until - timedelta(hours=hours)

    found = compile_changes(query("event('A').within(3 days).count() >= 1", {}), tables.layout(orders, _TABLES), engine)
    bound = {"as_of": engine.bound(until), "since": engine.bound(since), "mark_0": len(texts)}
    rows = [(user, bool(present)) for user, present in orders.execute(found.statement, bound)]

    meant = {each: at for each in texts if (at := instant(each)) is not None}
    edges = [until - far for far in (timedelta(0), timedelta(days=3))]
    passed = {each for each, at in meant.items() if any(edge - (until - since) < at <= edge for edge in edges)}
    assert dict(rows) == {each: edges[1] < meant[each] <= until for each in passed}


@pytest.mark.parametrize("as_of", [datetime(9999, 12, 31, 12, tzinfo=UTC), datetime(9999, 12, 31, 2, tzinfo=UTC)])
def test_a_window_at_the_end_of_all_dates_is_as_good(orders: Connection, as_of: datetime) -> None:
    texts = ["9999-12-31 01:00:01", "9999-12-31T01:30:00", "9999-12-31 01:00:00", "9999-12-29 01:00:00", "9999-12-31"]
    orders.exec_driver_sql("INSERT INTO orders (user_id, at) VALUES (?, ?)", [(each, each) for each in texts])

    assert _members(orders, "event('A').within(1 days).count() >= 1", as_of) == {*texts} - {"9999-12-29 01:00:00"}


def test_two_windows_on_one_stream_intersect(orders: Connection) -> None:
    texts = ["2026-03-01 10:00:01", "2026-02-27 10:00:01", "2026-02-27T10:00:01", "2026-02-20 10:00:01"]
    orders.exec_driver_sql("INSERT INTO orders (user_id, at) VALUES (?, ?)", [(each, each) for each in texts])

    found = _members(orders, "event('A').within(5 days).between(1 days, 30 days).count() >= 1")

    assert found == {"2026-02-27 10:00:01", "2026-02-27T10:00:01"}


def test_rows_are_found_by_the_index_one_stretch_after_the_other(orders: Connection) -> None:
    engine = Sqlite()
    found = compile_query(
        query("event('A').within(30 days).count() >= 2", {}), tables.layout(orders, _TABLES), engine
    ).statement.compile(dialect=engine.dialect)

    plan = orders.exec_driver_sql(f"EXPLAIN QUERY PLAN {found}", {**found.params, "as_of": engine.bound(_AS_OF)})

    read = [row[3] for row in plan if "orders" in row[3]]
    assert read == ["SEARCH orders USING COVERING INDEX in_time (at>? AND at<?)"]


def test_without_a_window_events_are_not_looked_for_by_their_time(orders: Connection) -> None:
    engine = Sqlite()
    found = compile_query(
        query("event('A').sum(property('id'))", {}), tables.layout(orders, _TABLES), engine
    ).statement.compile(dialect=engine.dialect)

    plan = orders.exec_driver_sql(f"EXPLAIN QUERY PLAN {found}", {**found.params, "as_of": engine.bound(_AS_OF)})

    read = [row[3] for row in plan if "orders" in row[3]]
    assert read[0].startswith("SCAN orders")
    assert set(read[1:]) == {"SEARCH orders USING COVERING INDEX in_time (at>? AND at<?)"}  # the days, each once


def test_without_such_an_index_a_table_is_looked_through_once(orders: Connection) -> None:
    orders.exec_driver_sql("DROP INDEX in_time")
    orders.exec_driver_sql("CREATE INDEX of_users ON orders (user_id, at)")
    orders.exec_driver_sql("CREATE INDEX of_some ON orders (at) WHERE user_id > 'x'")
    found = compile_query(
        query("event('A').within(30 days).count() >= 2", {}), tables.layout(orders, _TABLES), Sqlite()
    )

    assert "_stretches" not in str(found.statement)
