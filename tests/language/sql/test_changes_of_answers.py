"""When a query can be refreshed by what has changed, and who is asked about then: edges to the microsecond, new rows, profiles."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Connection, NullPool, create_engine, text

from sync.errors import InvalidQuery
from sync.language.sql import compile_changes, compile_query, in_full, watched
from sync.language.sql.duckdb import Duckdb
from sync.language.sql.layout import Column, Events, Layout, Profiles, Type
from sync.language.sql.mysql import Mysql
from sync.language.sql.sqlite import Sqlite
from sync.language.tree import Query
from tests.language.compiled import query
from tests.language.golden import golden_cases

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
ONE = timedelta(microseconds=1)
TEXT, NUMBER = Column(Type.ANY, "text"), Column(Type.ANY, "numeric")
STAMP = Column(Type.STAMP, "text")
TRACKED = Events("tracked", {"n": NUMBER, "who": TEXT, "name": TEXT, "at": STAMP}, "who", "at", name="name", cursor="n")
OTHERS = Events("others", {"n": NUMBER, "who": TEXT, "at": STAMP}, "who", "at", event="Other")
PEOPLE = Profiles("people", {"id": TEXT, "vip": TEXT, "changed": NUMBER}, "id")


@pytest.mark.parametrize(
    ("asked", "layout", "cursor", "said"),
    [
        ("event('A').count() = 1", Layout((TRACKED,), PEOPLE), None, None),
        ("event('A').count() = 1", Layout((TRACKED, OTHERS)), None, None),
        ("event('Other').count() = 1", Layout((OTHERS,)), None, "events table 'others' has no `cursor`"),
        ("trait('vip') = 'x' and event('A').count() = 1", Layout((TRACKED,), PEOPLE), "changed", None),
        ("trait('vip') = 'x'", Layout((OTHERS,), PEOPLE), "changed", None),
        (
            "trait('vip') = 'x'",
            Layout((), PEOPLE),
            None,
            "it reads traits of profiles, and profiles table 'people' has no",
        ),
        ("event('A').count() = 0", Layout((TRACKED,), PEOPLE), None, "it says something of people without events too"),
        ("event('A').count() = 0", Layout((TRACKED,)), None, None),
        ("event('A').count() = 0", Layout((TRACKED, OTHERS), PEOPLE), "changed", "'others' has no `cursor`"),
        (
            "trait('vip').within_last(3 days)",
            Layout((), PEOPLE),
            "changed",
            "`within_last` counts from the time of the run",
        ),
        (
            "event('A').where(property('due').after_next(1 days)).count() = 1",
            Layout((TRACKED,)),
            None,
            "`after_next` counts from the time of the run",
        ),
    ],
)
def test_what_cannot_be_refreshed_by_what_has_changed_says_why(
    asked: str, layout: Layout, cursor: str | None, said: str | None
) -> None:
    found = in_full(query(asked, {}), layout, profiles_cursor=cursor)

    assert found is None if said is None else found is not None and said in found


def test_a_cursor_without_order_is_none() -> None:
    layout = Layout((), Profiles("people", {"id": TEXT, "flag": Column(Type.FLAG, "numeric")}, "id"))

    assert "has no order" in str(in_full(query("trait('x') = 1", {}), layout, profiles_cursor="flag"))


def test_only_tables_that_matter_are_watched() -> None:
    layout = Layout((TRACKED, OTHERS), PEOPLE)
    read = {
        asked: [each.table for each in watched(query(asked, {}), layout, profiles_cursor="changed")]
        for asked in ("event('Other').count() = 1", "trait('vip') = 'x'", "event('Other').count() = 0")
    }

    assert read == {
        "event('Other').count() = 1": ["tracked", "others"],
        "trait('vip') = 'x'": ["people"],
        "event('Other').count() = 0": ["tracked", "others", "people"],
    }


@pytest.fixture
def shop() -> Iterator[Connection]:
    """Tables without rows."""
    with create_engine("sqlite://", poolclass=NullPool).connect() as connection:
        connection.execute(text("CREATE TABLE tracked (n INTEGER, who TEXT, name TEXT, at TEXT)"))
        connection.execute(text("CREATE TABLE people (id TEXT, vip TEXT, changed INTEGER)"))
        yield connection


def track(shop: Connection, number: int, who: str, at: datetime, name: str = "A") -> None:
    given = {"n": number, "who": who, "name": name, "at": Sqlite().bound(at)}
    shop.execute(text("INSERT INTO tracked VALUES (:n, :who, :name, :at)"), given)


def told(shop: Connection, asked: str, *, mark: int = 100) -> dict[str, bool]:
    """Who is asked about an hour later, and whether there is an answer."""
    engine = Sqlite()
    found = compile_changes(query(asked, {}), Layout((TRACKED,), PEOPLE), engine, profiles_cursor="changed")
    times = {"as_of": engine.bound(NOON), "since": engine.bound(NOON - timedelta(hours=1))}
    rows = shop.execute(found.statement, {**times, **{each.bind: mark for each in found.watched}})
    return {row.user_id: bool(row.present) for row in rows}


@pytest.mark.parametrize(
    ("asked", "edge"),
    [
        ("event('A').count() >= 1", timedelta(0)),
        ("event('A').within(7 days).count() >= 1", timedelta(0)),
        ("event('A').within(7 days).count() >= 1", timedelta(days=7)),
        ("event('A').between(2 hours, 7 days).count() >= 1", timedelta(hours=2)),
        ("event('A').between(2 hours, 7 days).count() >= 1", timedelta(days=7)),
        ("event('B').where(event('A').within(3 days).count() = 0).count() >= 1", timedelta(days=3)),
    ],
)
def test_whoever_has_an_event_that_crosses_an_edge_is_asked_about_and_nobody_else(
    shop: Connection, asked: str, edge: timedelta
) -> None:
    begin, end = NOON - timedelta(hours=1) - edge, NOON - edge
    for who, at in {"early": begin, "first": begin + ONE, "last": end, "late": end + ONE}.items():
        track(shop, 1, who, at)

    assert sorted(told(shop, asked)) == ["first", "last"]


def test_a_row_that_is_new_counts_whatever_its_time_and_only_under_its_name(shop: Connection) -> None:
    track(shop, 101, "late", NOON - timedelta(days=3))
    track(shop, 101, "other", NOON - timedelta(days=3), name="C")
    track(shop, 101, "", NOON - timedelta(days=3))
    track(shop, 100, "known", NOON - timedelta(days=3))

    assert told(shop, "event('A').within(7 days).count() >= 1") == {"late": True}


def test_of_a_funnel_either_event_counts(shop: Connection) -> None:
    track(shop, 1, "returned", NOON - timedelta(days=3))
    track(shop, 101, "returned", NOON - timedelta(days=2), name="B")

    asked = "event('A').where(event('B').within(parent: 2 days).count() >= 1).count() >= 1"

    assert told(shop, asked) == {"returned": True}


def test_whoever_appears_is_asked_about_when_nothing_need_be_known_of_them(shop: Connection) -> None:
    track(shop, 1, "due", NOON - timedelta(minutes=1), name="C")
    track(shop, 101, "seen", NOON - timedelta(days=9), name="C")
    shop.execute(text("INSERT INTO people VALUES ('new', NULL, 101), ('known', NULL, 100)"))

    assert told(shop, "event('A').count() = 0") == {"due": True, "seen": True, "new": True}


def test_where_no_row_had_been_read_every_row_is_new(shop: Connection) -> None:
    track(shop, 1, "ann", NOON - timedelta(days=9))
    asked, layout, engine = query("event('A').count() >= 1", {}), Layout((TRACKED,)), Sqlite()
    empty = watched(asked, layout, profiles_cursor=None)

    found = compile_changes(asked, layout, engine, unread=empty)

    instants = {"as_of": engine.bound(NOON), "since": engine.bound(NOON - timedelta(hours=1))}
    assert [tuple(row) for row in shop.execute(found.statement, instants)] == [("ann", 1)]
    assert found.watched == ()


def _of_many_streams(definitions: int) -> Query:
    """A query that refers to others of 49 streams each."""
    one = " or ".join(f"event('A{n}').within({n} days).count() >= 1" for n in range(1, 50))
    others = {f"k{n}": one.replace("'A", f"'B{n}_") for n in range(definitions)}
    return query(" or ".join(f"trait('{key}') = true" for key in others), others)


def test_as_many_streams_as_are_asked_about_are_read(shop: Connection) -> None:
    track(shop, 101, "ann", NOON - timedelta(days=3), name="B1_49")
    asked, layout, engine = _of_many_streams(2), Layout((TRACKED,)), Sqlite()
    instants = {"as_of": engine.bound(NOON), "since": engine.bound(NOON - timedelta(hours=1))}

    rows = shop.execute(compile_changes(asked, layout, engine).statement, {**instants, "mark_0": 100}).all()

    assert in_full(asked, layout, profiles_cursor=None) is None
    assert [tuple(row) for row in rows] == [("ann", 1)]


def test_more_streams_than_that_are_refreshed_in_full() -> None:
    found = in_full(_of_many_streams(4), Layout((TRACKED,)), profiles_cursor=None)

    assert "so many streams" in str(found)


def test_everybody_may_be_in_more_tables_than_sqlite_unites_at_once() -> None:
    tables = [replace(OTHERS, table=f"t{n}", event=f"E{n}") for n in range(501)]
    engine = Sqlite()
    with create_engine("sqlite://", poolclass=NullPool).connect() as connection:
        for each in tables:
            connection.execute(text(f"CREATE TABLE {each.table} (n INTEGER, who TEXT, at TEXT)"))
        connection.execute(text("INSERT INTO t500 VALUES (1, 'ann', '2026-11-20 10:00:00.000000')"))
        found = compile_query(query("event('E1').count() = 0", {}), Layout(tuple(tables)), engine)
        rows = connection.execute(found.statement, {"as_of": engine.bound(NOON)}).all()

    assert [row.user_id for row in rows] == ["ann"]


@pytest.mark.parametrize("engine", [Mysql(), Duckdb()], ids=["mysql", "duckdb"])
def test_every_golden_query_compiles(engine: Duckdb) -> None:
    kinds = {"n": Column(Type.INTEGER, "integer"), "name": Column(Type.TEXT, "text"), "at": Column(Type.TIMESTAMP, "t")}
    events = Events("tracked", {**kinds, "who": kinds["name"]}, "who", "at", name="name", cursor="n")
    layout = Layout((events,), Profiles("people", {"who": kinds["name"], "n": kinds["n"]}, "who"))
    compiled = 0
    for golden in golden_cases():
        try:
            asked = query(str(golden.input["query"]), golden.input.get("definitions", {}))  # type: ignore[arg-type]
        except InvalidQuery:
            continue
        found = compile_changes(asked, layout, engine, profiles_cursor="n")
        compiled += str(found.statement.compile(dialect=engine.dialect)).startswith("WITH")
    assert compiled > 80
