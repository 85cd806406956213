"""MySQL and MariaDB: every golden query compiles; there is no server here to run it."""

from __future__ import annotations

from sync.errors import InvalidQuery
from sync.language.sql import compile_query
from sync.language.sql.layout import Column, Events, Layout, Profiles, Type
from sync.language.sql.mysql import Mysql
from tests.language.compiled import query
from tests.language.golden import golden_cases

TEXT, JSON = Column(Type.TEXT, "text"), Column(Type.JSON, "json")
EVENTS = {
    "id": Column(Type.INTEGER, "integer"),
    "user_id": TEXT,
    "name": TEXT,
    "ts": Column(Type.TIMESTAMP, "timestamp"),
}
LAYOUT = Layout(
    (
        Events("tracked", {**EVENTS, "props": JSON}, "user_id", "ts", name="name", properties="props", cursor="id"),
        Events(
            "bought", {**EVENTS, "price": TEXT, "v": Column(Type.BOOLEAN, "b")}, "user_id", "ts", event="Shoes Bought"
        ),
    ),
    Profiles("people", {"user_id": TEXT, "traits": JSON}, "user_id", "traits"),
)


def test_every_golden_query_compiles() -> None:
    engine, compiled = Mysql(), 0
    for golden in golden_cases():
        try:
            asked = query(str(golden.input["query"]), golden.input.get("definitions", {}))  # type: ignore[arg-type]
        except InvalidQuery:
            continue
        sql = str(compile_query(asked, LAYOUT, engine).statement.compile(dialect=engine.dialect))
        compiled += sql.startswith(("WITH", "SELECT"))
    assert compiled > 80


def test_a_window_is_compared_with_the_bare_column() -> None:
    engine = Mysql(readable=True)
    asked = query("event('A').within(7 days).count() >= 1", {})
    sql = str(compile_query(asked, LAYOUT, engine).statement.compile(dialect=engine.dialect))
    assert "a_2.ts > date_add(CAST(:as_of AS DATETIME(6)), INTERVAL -168 HOUR)" in sql
