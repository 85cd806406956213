"""What tables are like is looked up before anything is read of them."""

from __future__ import annotations

import pytest
from sqlalchemy import Connection, event

from sync.errors import QueryError
from sync.language.sql.layout import Type
from sync.model.feed import EventsTable, ProfilesTable, Tables
from sync.source.tables import layout
from tests.shop import Shop

BOUGHT = EventsTable("bought", "who", "at", event="Bought", cursor="id")
SENT = EventsTable("own.sent", "who", "at", name="event", properties="more", cursor="id")
PEOPLE = ProfilesTable("people", "who")


@pytest.fixture
def three_tables(postgresql_shop: Shop) -> Shop:
    """Of which one is in a schema of its own, and one has lost a column."""
    for statement in (
        "CREATE TABLE bought (id bigint, gone text, who text, at timestamptz, total numeric(12, 2))",
        "ALTER TABLE bought DROP COLUMN gone",
        "CREATE SCHEMA own",
        "CREATE TABLE own.sent (id bigint, who uuid, at timestamptz, event text, more jsonb)",
        "CREATE TABLE people (who text PRIMARY KEY, born date)",
    ):
        postgresql_shop.run(statement)
    return postgresql_shop


def test_a_server_is_asked_once_for_the_columns_of_all_tables(three_tables: Shop) -> None:
    asked: list[str] = []
    with three_tables.source.read() as connection:

        def note(_: Connection, __: object, statement: str, *___: object) -> None:
            asked.append(statement)

        event.listen(connection, "before_cursor_execute", note)
        found = layout(connection, Tables((BOUGHT, SENT, BOUGHT), PEOPLE))
    assert sum("pg_attribute" in each and "collname" in each for each in asked) == 1
    bought, sent, again = found.events
    assert [(name, kind.type) for name, kind in bought.columns.items()] == [
        ("id", Type.INTEGER),
        ("who", Type.TEXT),
        ("at", Type.INSTANT),
        ("total", Type.NUMERIC),
    ]
    assert list(sent.columns) == ["id", "who", "at", "event", "more"]
    assert again == bought
    assert found.profiles is not None
    assert list(found.profiles.columns) == ["who", "born"]


@pytest.mark.parametrize(
    ("there", "told"),
    [
        (Tables((BOUGHT, EventsTable("lost", "who", "at", event="Lost"), SENT)), "there is no table 'lost'"),
        (Tables((BOUGHT,), ProfilesTable("persons", "who")), "there is no table 'persons'"),
        (Tables((EventsTable("own.sent", "whom", "at", event="Sent"),)), "table 'own.sent' has no column 'whom'"),
    ],
)
def test_what_is_missing_is_named(three_tables: Shop, there: Tables, told: str) -> None:
    with three_tables.source.read() as connection, pytest.raises(QueryError, match=told):
        layout(connection, there)
