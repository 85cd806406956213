"""``sources``: tables whose rows are events, tables of people, and the source that is always there."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from sync.config import Settings, SourceSettings
from sync.model.feed import BEGINNING, Forward, ProfilesTable, Tables, Warehouse

Load = Callable[..., Settings]
Problems = Callable[..., list[str]]

ONE = "table: orders, user_id: customer_id, timestamp: at"
EVENT = f"{ONE}, event: Order Completed"


def shop(settings_of: Load, keys: str) -> SourceSettings:
    """The source `shop` with such keys."""
    return settings_of(f"version: 1\nsources: {{shop: {{url: 'sqlite:///s', {keys}}}}}\n").sources["shop"]


def test_left_out_there_are_none(settings_of: Load) -> None:
    assert (shop(settings_of, "").events, shop(settings_of, "").profiles) == ((), None)


def test_one_table_one_event_and_one_table_many_events(settings_of: Load) -> None:
    many = f"{ONE}, name: event_name, properties: props, cursor: id, lateness: 0s"
    first, second = shop(settings_of, f"events: [{{{EVENT}}}, {{{many}}}]").events
    assert (first.event, first.name, first.cursor, first.lateness, first.forward) == (
        "Order Completed",
        None,
        None,
        600.0,
        None,
    )
    assert (second.event, second.name, second.properties, second.lateness) == (None, "event_name", "props", 0.0)


def test_people(settings_of: Load) -> None:
    table = "table: customers, user_id: id, cursor: updated_at"
    assert shop(settings_of, f"profiles: {{{table}}}").profiles == ProfilesTable("customers", "id", "updated_at")
    for traits in ("{column: json}", "json"):
        found = shop(settings_of, f"profiles: {{{table}, traits: {traits}}}").profiles
        assert found == ProfilesTable("customers", "id", "updated_at", "json")


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("true", Forward()),
        ("'true'", Forward()),
        ("false", None),
        ("", None),
        ("{}", Forward()),
        ("{from: beginning, every: 30 seconds}", Forward(BEGINNING, 30.0)),
        ("{from: 1000}", Forward(1000)),
        ("{from: '1000'}", Forward(1000)),
        ("{from: 2026-05-17}", Forward("2026-05-17")),
        ("{from: 2026-05-17 14:00:00+02:00}", Forward("2026-05-17 12:00:00+00:00")),
        ("{from: 2026-05-17T12:00:00Z}", Forward("2026-05-17 12:00:00+00:00")),
        ("{from: '2026-05-17 12:00'}", Forward("2026-05-17 12:00")),
    ],
)
def test_where_a_feed_begins(settings_of: Load, written: str, expected: Forward | None) -> None:
    (found,) = shop(settings_of, f"events: [{{{EVENT}, cursor: id, forward: {written}}}]").events
    assert found.forward == expected


@pytest.mark.parametrize(
    ("events", "path", "sentence"),
    [
        (f"{{{ONE}}}", "[0]", "needs exactly one of `event`, what its events are called, and `name`, the column that says so"),
        (f"{{{EVENT}, name: n}}", "[0]", "needs exactly one of `event`"),
        (f"{{{ONE}, event: {'é' * 501}}}", "[0]", "has an `event` that is longer than 1000 bytes"),
        (f"{{{EVENT}, forward: true}}", "[0]", "has a `forward` without a `cursor`: name the column that grows with every row"),
        (f"{{{EVENT}, cursor: id, forward: maybe}}", "[0].forward", "must be true, false, or a mapping like `{from: beginning}`"),
        (f"{{{EVENT}, cursor: id, forward: {{from: []}}}}", "[0].forward.from", "must be `beginning`, or the cursor of the first row"),
        (f"{{{EVENT}, cursor: id, forward: {{every: 500ms}}}}", "[0].forward.every", "must be a whole number of seconds, at least one"),
        (f"{{{EVENT}, lateness: 13 hours}}", "[0].lateness", "must be at most `12 hours`"),
        ("{event: A}", "[0].table", "is missing: add it"),
        (f"{{{EVENT}, cursor: id, forward: true}}, {{{EVENT}, cursor: n, forward: {{}}}}", "[1]", "sends on the same events as sources.shop.events[0]"),
        (f"{{{EVENT}, cursor: id, forward: true}}, {{{EVENT}, cursor: n, forward: {{from: 1}}}}", "[1]", "sends on the same events as sources.shop.events[0]"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said(problems_of: Problems, events: str, path: str, sentence: str) -> None:
    found = problems_of(f"version: 1\nsources: {{shop: {{url: 'sqlite:///s', events: [{events}]}}}}\n")
    assert any(each.startswith(f"sync.yaml:2: sources.shop.events{path}: {sentence}") for each in found), found


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ("layout: segment", Warehouse(None, 3 * 3600.0)),
        ("layout: segment, schema: analytics, lateness: 30 minutes", Warehouse("analytics", 1800.0)),
    ],
)
def test_a_warehouse_needs_no_tables_named(settings_of: Load, keys: str, expected: Warehouse) -> None:
    found = shop(settings_of, keys)
    assert found.warehouse == expected
    assert found.tables == Tables(warehouse=expected)


@pytest.mark.parametrize(
    ("keys", "sentence"),
    [
        ("layout: segmant", ".layout: must be 'segment'"),
        (f"layout: segment, events: [{{{EVENT}}}]", ": has `layout` beside `events`: keep one of the two"),
        ("layout: segment, profiles: {table: t, user_id: u}", ": has `layout` beside `profiles`: keep one of the two"),
        ("schema: analytics", ": has `schema` without `layout: segment`, which alone reads it: add that, or remove it"),
        ("lateness: 1 hour", ": has `lateness` without `layout: segment`"),
        ("layout: segment, lateness: 13 hours", ".lateness: must be at most `12 hours`"),
    ],
)
def test_a_layout_that_does_not_fit_is_told(problems_of: Problems, keys: str, sentence: str) -> None:
    (problem,) = problems_of(f"version: 1\nsources: {{shop: {{url: 'sqlite:///s', {keys}}}}}\n")
    assert problem.startswith(f"sync.yaml:2: sources.shop{sentence}")


@pytest.mark.parametrize(
    "url",
    ["duckdb:///w.duckdb", "mysql://r:pw@h:3306/shop", "mysql+pymysql://h/shop", "mariadb://h/shop", "mariadb+pymysql://h/shop"],
)  # fmt: skip
def test_a_source_may_be_of_another_database(settings_of: Load, url: str) -> None:
    found = settings_of(f"version: 1\nsources: {{shop: '{url}'}}\n").sources["shop"]
    assert found.url.get_secret_value() == url


@pytest.mark.parametrize(
    ("source", "path", "sentence"),
    [
        ("{url: 'duckdb://'}", ".url", "must name a file, like `duckdb:///warehouse.duckdb`"),
        ("{url: 'duckdb:///:memory:'}", ".url", "must name a file"),
        ("{url: 'mysql://r:p@ss@h/shop'}", ".url", "has more than one `@`: write %40"),
        ("{url: 'mysql://h:x/shop'}", ".url", "has a port that is no number up to 65535"),
        ("{url: 'mssql://h/shop'}", ".url", "must be sqlite, postgresql (with psycopg), duckdb, mysql or mariadb (with pymysql)"),
        (f"{{url: 'duckdb:///w', events: [{{{EVENT}, cursor: id, forward: true}}]}}", "", "has a `forward`, which SQLite and PostgreSQL alone can do: remove it"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_told(problems_of: Problems, source: str, path: str, sentence: str) -> None:
    (problem,) = problems_of(f"version: 1\nsources: {{shop: {source}}}\n")
    assert problem.startswith(f"sync.yaml:2: sources.shop{path}: {sentence}")


def test_definitions_may_ask_what_the_collector_received(settings_of: Load, problems_of: Problems) -> None:
    audience = "audiences: [{name: A, sql: x, source: collector}]\n"
    assert settings_of("version: 1\n" + audience).definitions[0].source == "collector"
    default = "version: 1\ndefaults: {source: collector}\naudiences: [{name: A, sql: x}]\n"
    assert settings_of(default).definitions[0].source == "collector"
    (problem,) = problems_of("version: 1\nsources: {collector: 'sqlite:///s'}\n")
    assert problem == "sync.yaml:2: sources.collector: is the name of the built-in source: choose another"


def test_events_are_kept_for_a_day_at_least(settings_of: Load, problems_of: Problems) -> None:
    assert settings_of("version: 1\nretention: {events: 24h}\n").retention.events == 86_400.0
    (problem,) = problems_of("version: 1\nretention: {events: 23h}\n")
    assert problem.startswith("sync.yaml:2: retention.events: must be at least `1 day`")


@pytest.mark.parametrize(("batch", "expected"), [("", (100, 1.0)), ("batch: {events: 5, linger: 0s}", (5, 0.0))])
def test_events_share_requests(settings_of: Load, batch: str, expected: tuple[int, float]) -> None:
    pushwoosh = f"{{type: pushwoosh, api_key: k, app_code: c, {batch}}}"
    delivery = settings_of(f"version: 1\ndestinations: {{p: {pushwoosh}}}\n").destinations["p"].delivery
    assert (delivery.batch_events, delivery.linger) == expected


@pytest.mark.parametrize(
    ("batch", "sentence"),
    [
        ("{events: 101}", "events: must be at most 100"),
        ("{events: 0}", "events: must be at least 1"),
        ("{linger: 61s}", "linger: must be at most `60s`"),
    ],
)
def test_how_events_share_requests_has_bounds(problems_of: Problems, batch: str, sentence: str) -> None:
    pushwoosh = f"{{type: pushwoosh, api_key: k, app_code: c, batch: {batch}}}"
    assert problems_of(f"version: 1\ndestinations: {{p: {pushwoosh}}}\n") == [
        f"sync.yaml:2: destinations.p.batch.{sentence}"
    ]
