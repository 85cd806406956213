"""SQLite without statistics: streams that are joined to users are looked up, and not looked through for each user."""

from __future__ import annotations

import sqlite3

import pytest

from sync.language.sql import compile_query
from sync.language.sql.layout import Column, Events, Layout, Type
from sync.language.sql.sqlite import Sqlite
from tests.language.compiled import query

_TEXT = Column(Type.ANY, "text")
_EVENTS = Events(
    "events",
    {"user_id": _TEXT, "name": _TEXT, "at": Column(Type.STAMP, "text"), "properties": _TEXT},
    "user_id",
    "at",
    name="name",
    properties="properties",
)


@pytest.mark.parametrize(
    "asked",
    [
        "event('A').within(7 days).count() >= 1 or event('B').within(7 days).sum(property('x')) > 2",
        "event('A').within(7 days).last(property('x')) = 1 and event('B').within(7 days).last(property('x')) = 2",
        "event('A').within(7 days).where(property('x') > event('B').within(7 days).avg(property('x'))).count() >= 1",
    ],
)
def test_a_stream_is_looked_up_by_its_user(asked: str) -> None:
    engine = Sqlite()
    compiled = compile_query(query(asked, {}), Layout((_EVENTS,)), engine).statement.compile(dialect=engine.dialect)
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE TABLE events (user_id TEXT, name TEXT, at TEXT, properties TEXT)")
    connection.execute("CREATE INDEX events_by_name ON events (name, at, user_id)")
    parameters = {**compiled.params, "as_of": "2026-11-21 12:00:00.000000"}

    steps = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {compiled}", parameters)]
    connection.close()

    assert any("USING AUTOMATIC" in each for each in steps), steps
    assert not [each for each in steps if each.startswith("SCAN") and each.endswith("LEFT-JOIN")]
