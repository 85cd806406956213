"""What was collected is a source like any other, that needs no configuration and cannot be written."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import orjson
import pytest

from sync.daemon.app import App
from sync.errors import QueryError
from sync.model.event import LoggedEvent
from sync.source.connection import Source
from sync.store import engine, events
from sync.store.engine import Database
from tests.command import API_KEY, Project, serving
from tests.conftest import Place

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)

ORDERS = """
select user_id from collected_events where event = 'Order Completed' and timestamp <= :as_of
group by user_id having sum(cast(properties ->> 'total' as numeric)) > 100"""


def received(message_id: str, user_id: str, **more: object) -> LoggedEvent:
    fields = {"name": "Order Completed", "type": "track", "collected": True, **more}
    body = {"type": fields["type"], "userId": user_id, "context": {"ip": "192.0.2.1"}}
    content = {name: fields.pop(name) for name in ("properties", "traits") if name in fields}
    if "title" in fields:
        content["name"] = fields.pop("title")
    return LoggedEvent(
        source="web",
        message_id=message_id,
        user_id=user_id,
        anonymous_id=None,
        timestamp=NOON,
        received_at=NOON,
        body=orjson.dumps({**body, **content}).decode(),
        **fields,  # type: ignore[arg-type]
    )


def collect(place: Place, *batch: LoggedEvent) -> None:
    database = engine.connect(place.url, place.schema)
    assert events.record(database, batch).new == len(batch)
    database.close()


@pytest.fixture
def project(store_place: Place, tmp_path: Path) -> Iterator[Project]:
    """A project that knows no source but the collector."""
    store = {"url": store_place.url} | ({"schema": store_place.schema} if store_place.schema else {})
    audiences = [
        {"name": "Big Spenders", "sql": ORDERS},
        {"name": "Known", "table": {"name": "collected_profiles", "user_id": "user_id"}},
    ]
    traits = [{"name": "Plan", "sql": "select user_id, traits ->> 'plan' as value from collected_profiles"}]
    with serving(tmp_path, store, "sqlite:///nothing.db", audiences=audiences, traits=traits) as made:
        made.write(sources=None, defaults={"source": "collector", "destinations": ["pushwoosh"]})
        yield made


def attributes(project: Project, user_id: str) -> dict[str, object]:
    found = project.sandbox.user(user_id) or {}
    known: dict[str, object] = found["attributes"]
    return known


def test_who_did_something_gets_into_the_audience_with_the_next_delta(project: Project, store_place: Place) -> None:
    project.done("check")
    project.done("delta", "--as-of", "2026-11-22")
    assert project.sandbox.user("ann") is None
    collect(
        store_place,
        received("1", "ann", properties={"total": 70}),
        received("2", "ann", properties={"total": 60.5}),
        received("3", "bob", properties={"total": 99}),
        received("4", "cid", properties={"total": 999}, collected=False),
        received("5", "ann", type="identify", name=None, traits={"plan": "pro"}),
    )
    project.done("delta", "--as-of", "2026-11-23")
    assert attributes(project, "ann") == {"big_spenders": True, "known": True, "plan": "pro"}
    assert project.sandbox.user("bob") is None
    assert project.sandbox.user("cid") is None
    project.done("check")


@pytest.fixture
def source(project: Project) -> Source:
    return App.load(project.config, {}).source("collector")


def test_everything_that_was_collected_can_be_asked_for(source: Source, store_place: Place) -> None:
    collect(store_place, received("1", "ann", properties={"a": {"b": 1}}, traits={"x": None}))
    wanted = (
        "user_id, anonymous_id, event, type, timestamp, received_at, message_id, source, properties, traits, context"
    )
    with source.read() as connection, source.translated():
        row = connection.exec_driver_sql(f"SELECT {wanted} FROM collected_events").one()
    assert row[:4] == ("ann", None, "Order Completed", "track")
    assert row[6:8] == ("1", "web")
    assert [each if isinstance(each, dict) else orjson.loads(each) for each in row[8:]] == [
        {"a": {"b": 1}},
        {"x": None},
        {"ip": "192.0.2.1"},
    ]
    assert str(row[4]).startswith("2026-11-21 12:00:00")


def test_the_store_cannot_be_written_through_it(source: Source) -> None:
    source.prove_read_only()
    with pytest.raises(QueryError, match="opened read-only"), source.read() as connection, source.translated():
        connection.exec_driver_sql("DELETE FROM event")


def test_its_query_may_take_a_while_while_the_store_is_written(source: Source, store_place: Place) -> None:
    collect(store_place, received("1", "ann"))
    counted = "SELECT count(*) FROM collected_events"
    with source.read() as connection:
        assert connection.exec_driver_sql(counted).scalar() == 1
        collect(store_place, received("2", "bob"))
    with source.read() as connection:
        assert connection.exec_driver_sql(counted).scalar() == 2


@pytest.mark.parametrize(
    ("asked", "index"),
    [
        ("event = 'Order Completed' AND timestamp > '2026-11-21'", "event_by_name (name=? AND timestamp>?)"),
        ("user_id = 'ann' AND event = 'Order Completed'", "event_by_user (user_id=? AND name=?)"),
        ("message_id = '1'", "sqlite_autoindex_event_1 (message_id=?)"),
    ],
)
def test_who_did_what_and_when_is_found_by_an_index(sqlite_database: Database, asked: str, index: str) -> None:
    with sqlite_database.read() as connection:
        plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN SELECT user_id FROM collected_events WHERE {asked}")
        assert [row.detail for row in plan] == [f"SEARCH event USING INDEX {index}"]


def test_a_check_without_a_store_finds_nothing_wrong_with_its_definitions(tmp_path: Path) -> None:
    store = f"sqlite:///{tmp_path / 'not-there-yet.db'}"
    audiences = [{"name": "Known", "sql": "select user_id from collected_profiles", "source": "collector"}]
    with serving(tmp_path, store, "sqlite:///nothing.db", audiences=audiences) as project:
        project.write(sources=None, defaults={"destinations": ["pushwoosh"]})
        said = project.done("check")
        assert "the first backfill or delta makes it" in said.out
        assert not (tmp_path / "not-there-yet.db").exists()
        assert API_KEY not in said.out
