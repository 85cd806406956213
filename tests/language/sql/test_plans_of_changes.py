"""Whose answer can have changed is found by indexes, and asked about by indexes: no table is looked through as a whole."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Connection, NullPool, create_engine

from sync.language.sql import compile_changes
from sync.language.sql.layout import Column, Type
from sync.model.feed import EventsTable, ProfilesTable, Tables
from sync.source import tables
from tests.language.compiled import query

_NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
_TABLES = Tables(
    (
        EventsTable("events", "user_id", "at", name="name", properties="properties", cursor="id"),
        EventsTable("events_of_b", "user_id", "at", event="B", properties="properties", cursor="id"),
    ),
    ProfilesTable("people", "id", cursor="changed", traits="traits"),
)
_TYPES = {"sqlite": ("TEXT", "TEXT"), "postgresql": ("TIMESTAMPTZ", "JSONB")}
_INDEXES = (
    *("events (name, at, user_id)", "events (user_id, name, at)", "events (at, user_id)"),
    *("events_of_b (at, user_id)", "events_of_b (user_id, at)"),
    "people (changed)",
)
_EVENTS = """INSERT INTO events SELECT n, CAST(mod(n, 4000) AS TEXT), CASE mod(n, 3) WHEN 0 THEN 'A' WHEN 1 THEN 'B' ELSE 'C' END,
    timestamptz '2026-11-21 12:00:00Z' - n * interval '10 minutes', '{"x": 5}' FROM generate_series(1, 40000) AS n"""
_PEOPLE = """INSERT INTO people SELECT CAST(n AS TEXT), '{"x": 5}', n FROM generate_series(1, 40000) AS n"""
QUERIES = (
    "event('A').within(30 days).count() >= 1",
    "event('A').where(property('x') > 4).sum(property('x')) > 100",
    "event('A').last(property('x')) = 1 or event('B').between(1 days, 7 days).mode(property('x'), 2) = 2",
    "event('A').where(event('B').within(parent: 5 days).count() >= 1).within(30 days).count() >= 1",
    "event('A').where(event('A').within(parent: 5 days).count() >= 1).within(30 days).count() >= 1",
    "event('A').where(property('x') > event('B').within(7 days).avg(property('x'))).count() = 2",
    "event('A').where(property('x') > trait('x')).unique(property('x')).count() > 1",
    "trait('x') = 5 and event('A').count() = 0",
    "event('A').count() = 0",
)


@pytest.fixture
def sqlite() -> Iterator[Connection]:
    """Without statistics, as most are: then its plans are the same for any number of rows."""
    with create_engine("sqlite://", poolclass=NullPool).connect() as connection:
        yield _made(connection)


@pytest.fixture(scope="module")
def postgresql(postgresql_url: str) -> Iterator[Connection]:
    """With some rows, and statistics of them."""
    url = postgresql_url.replace("postgresql:", "postgresql+psycopg:")
    with create_engine(url, poolclass=NullPool).connect() as connection:
        _made(connection)
        of_b = _EVENTS.replace("events", "events_of_b")
        for statement in (_EVENTS, of_b, _PEOPLE, "ANALYZE events", "ANALYZE events_of_b", "ANALYZE people"):
            connection.exec_driver_sql(statement)
        connection.exec_driver_sql("SET random_page_cost = 1.1")  # tables as small as these are read as fast as indexes
        yield connection


def _made(connection: Connection) -> Connection:
    instant, document = _TYPES[connection.dialect.name]
    columns = f"id INTEGER PRIMARY KEY, user_id TEXT, name TEXT, at {instant}, properties {document}"
    for name in ("events", "events_of_b"):
        connection.exec_driver_sql(f"CREATE TEMPORARY TABLE {name} ({columns})")
    connection.exec_driver_sql(
        f"CREATE TEMPORARY TABLE people (id TEXT PRIMARY KEY, traits {document}, changed INTEGER)"
    )
    for place, each in enumerate(_INDEXES):
        connection.exec_driver_sql(f"CREATE INDEX by_{place} ON {each}")
    return connection


def _explained(connection: Connection, explain: str, asked: str) -> tuple[str, list[str]]:
    """The statement, and the database's plan for it."""
    engine, layout = tables.engine(connection.dialect.name), tables.layout(connection, _TABLES)
    if connection.dialect.name == "sqlite":  # in the store's form, so that its plans tell which of the readers it is
        stamp = Column(Type.STAMP, "text")
        exact = [replace(events, columns={**events.columns, "at": stamp}) for events in layout.events]
        layout = replace(layout, events=tuple(exact))
    found = compile_changes(query(asked, {}), layout, engine, profiles_cursor="changed")
    compiled = found.statement.compile(dialect=engine.dialect)
    times = {"as_of": engine.bound(_NOON), "since": engine.bound(_NOON - timedelta(hours=1))}
    parameters = {**compiled.params, **times, **{each.bind: 39_990 for each in found.watched}}
    rows = connection.exec_driver_sql(f"{explain} {compiled}", parameters)
    return str(compiled), [str(row[-1]) for row in rows]


@pytest.mark.parametrize("asked", QUERIES)
def test_sqlite_looks_through_no_table(sqlite: Connection, asked: str) -> None:
    statement, steps = _explained(sqlite, "EXPLAIN QUERY PLAN", asked)

    scanned = [each.split()[1] for each in steps if each.startswith("SCAN")]
    assert "can_have_changed" in scanned
    assert not [each for each in scanned if re.search(rf"\b(events|people)\w* AS {re.escape(each)}\b", statement)], (
        steps
    )


@pytest.mark.parametrize("asked", QUERIES)
def test_sqlite_asks_about_users_by_the_index_of_users(sqlite: Connection, asked: str) -> None:
    _, steps = _explained(sqlite, "EXPLAIN QUERY PLAN", asked)

    searched = [each for each in steps if re.match(r"SEARCH (?!rows_|passing_|changed_)", each)]
    assert searched
    assert not [each for each in searched if not re.search(r"\b(user_id|id)=\?", each)], steps


@pytest.mark.parametrize("asked", QUERIES)
def test_sqlite_makes_an_index_of_answers_that_are_joined(sqlite: Connection, asked: str) -> None:
    _, steps = _explained(sqlite, "EXPLAIN QUERY PLAN", asked)

    assert not [each for each in steps if each.startswith("SCAN") and each.endswith("LEFT-JOIN")], steps


@pytest.mark.parametrize("asked", QUERIES)
def test_postgresql_looks_through_no_table(postgresql: Connection, asked: str) -> None:
    _, steps = _explained(postgresql, "EXPLAIN", asked)

    assert any("can_have_changed" in each for each in steps)
    assert not [each for each in steps if "Seq Scan on events" in each or "Seq Scan on people" in each], "\n".join(
        steps
    )
