"""``layout: segment``: what Segment and RudderStack fill answers queries, whatever tables are there."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import orjson
import pytest

from sync.errors import QueryError
from sync.language import parse
from sync.model.definition import Definition, Kind, Question
from sync.model.feed import Tables, Warehouse
from sync.model.watermark import Since
from sync.source import warehouse
from sync.source.connection import Source
from sync.source.inquiry import inquire
from sync.source.reader import answer
from tests.shop import Shop
from tests.source.warehouses import MEMBERS, STANDARD, TABLES, TRACK, as_segment_fills_it, create, happened

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


@pytest.fixture
def segment(shop: Shop) -> Shop:
    """A warehouse as Segment fills it."""
    return as_segment_fills_it(shop)


def source(shop: Shop, tables: Tables = TABLES) -> Source:
    return Source("shop", shop.url, 30, tables=tables)


def members(shop: Shop, query: str, tables: Tables = TABLES) -> list[str]:
    """The members of an audience, sorted."""
    asked = Definition(Kind.AUDIENCE, "key", "Name", "shop", (), query=Question(query))
    with answer(source(shop, tables), asked, NOON) as opened:
        return sorted(user_id for chunk in opened.chunks for user_id in chunk.user_ids)


def values(shop: Shop, query: str) -> dict[str, object]:
    """The values of a trait, by user."""
    asked = Definition(Kind.TRAIT, "key", "Name", "shop", (), query=Question(query))
    found: dict[str, object] = {}
    with answer(source(shop), asked, NOON) as opened:
        for chunk in opened.chunks:
            found |= zip(chunk.user_ids, map(orjson.loads, chunk.values or ()), strict=True)
    return found


def test_what_segment_has_filled_answers(segment: Shop) -> None:
    assert {query: members(segment, query) for query in MEMBERS} == MEMBERS


def test_values_come_from_the_columns_of_an_events_table(segment: Shop) -> None:
    assert values(segment, "event('Order Completed').sum(property('total'))") == {"ann": 35, "bob": 7}
    assert values(segment, "trait('email')") == {"ann": "ann@example.com", "eve": "eve@example.com"}


def test_of_two_events_at_one_instant_the_one_that_was_loaded_later_is_the_last(shop: Shop) -> None:
    later = {"uuid_ts": "2026-11-20 12:00:00Z"}
    rows = [happened("ann", 20, "Bought", brand="new", **later), happened("ann", 20, "Bought", brand="old")]
    create(shop, "bought", f"{TRACK}, brand text", *rows)
    create(shop, "tracks", TRACK)
    assert values(shop, "event('Bought').last(property('brand'))") == {"ann": "new"}


def test_of_two_that_were_loaded_together_the_message_id_decides(shop: Shop) -> None:
    rows = [happened("ann", 20, "Bought", brand="new", id="b"), happened("ann", 20, "Bought", brand="old", id="a")]
    create(shop, "bought", f"{TRACK}, brand text", *rows)
    create(shop, "tracks", TRACK)
    assert values(shop, "event('Bought').last(property('brand'))") == {"ann": "new"}


def test_rudderstack_without_users_and_tracks_has_what_was_said_last(shop: Shop) -> None:
    create(
        shop,
        "trial_2_started",
        f"{TRACK}, _order text, plan_2_id text",
        happened("ann", 20, "Trial2Started", _order="o1", plan_2_id="p"),
    )
    create(shop, "cart_viewed", TRACK, happened("dan", 20, "Cart Viewed"))
    said = [
        {"user_id": "ann", "timestamp": "2026-11-01 10:00:00Z", "plan": "free", "vip": True},
        {"user_id": "ann", "timestamp": "2026-11-03 10:00:00Z", "plan": "pro"},
        {"user_id": "ann", "timestamp": "2026-11-02 10:00:00Z", "plan": "team", "vip": False},
        {"user_id": "bob", "timestamp": "2026-11-02 10:00:00Z", "plan": "free"},
        {"user_id": None, "timestamp": "2026-11-02 10:00:00Z", "plan": "pro"},
    ]
    create(shop, "identifies", f"{STANDARD}, plan text, vip boolean", *said)
    assert values(shop, "trait('plan')") == {"ann": "pro", "bob": "free"}
    assert members(shop, "trait('vip') = false") == ["ann"]
    trial = "event('Trial2Started').where(property('order') = 'o1' AND property('plan2Id') = 'p').count()"
    assert members(shop, f"{trial} >= 1") == ["ann"]
    assert members(shop, f"{trial} = 0") == ["bob", "dan"]


def test_sources_are_told_apart_where_rudderstack_says_so(shop: Shop) -> None:
    rows = [
        happened("ann", 20, "Bought", context_source_id="web"),
        happened("bob", 20, "Bought", context_source_id="ios"),
    ]
    create(shop, "bought", f"{TRACK}, context_source_id text", *rows)
    create(shop, "tracks", TRACK)
    assert members(shop, "event('Bought').sources(exclude: ['web']).count() >= 1") == ["bob"]


def test_the_schema_that_is_named_is_read(postgresql_shop: Shop) -> None:
    shop = postgresql_shop
    shop.run("CREATE SCHEMA analytics")
    create(shop, "analytics.tracks", TRACK)
    create(shop, "analytics.bought", TRACK, happened("ann", 20, "Bought"))
    create(shop, "bought", TRACK, happened("bob", 20, "Bought"))
    tables = Tables(warehouse=Warehouse("analytics"))
    assert members(shop, "event('Bought').count() >= 1", tables) == ["ann"]
    with pytest.raises(
        QueryError, match="where names are looked up, there is no table that Segment or RudderStack fills"
    ):
        members(shop, "event('Bought').count() >= 1")


def test_a_schema_without_any_of_the_tables_is_refused(shop: Shop) -> None:
    tables = Tables(warehouse=Warehouse("analytic"))
    if shop.dialect == "sqlite":
        tables = TABLES
    with pytest.raises(QueryError, match=r"no table that Segment or RudderStack fills .* name the schema"):
        members(shop, "event('Bought').count() >= 1", tables)


def test_rows_are_told_to_be_new_by_when_they_were_loaded(segment: Shop) -> None:
    with source(segment).read() as connection:
        found = warehouse.resolved(connection, TABLES, parse("event('Signed Up').count() >= 1", Kind.AUDIENCE))
    cursors = {each.table: (each.cursor, each.lateness, each.summary) for each in found.events}
    assert cursors["signed_up"] == ("uuid_ts", 3 * 3600.0, False)
    assert cursors["tracks"] == ("uuid_ts", 3 * 3600.0, True)
    assert found.profiles is not None
    assert (found.profiles.table, found.profiles.cursor) == ("users", "uuid_ts")


def test_who_can_have_changed_is_known_by_what_was_loaded_since(segment: Shop) -> None:
    asked = Definition(Kind.AUDIENCE, "key", "Name", "shop", (), query=Question("event('Signed Up').count() >= 1"))
    with inquire(source(segment), asked) as inquiry:
        before = inquiry.survey
    late = ("late", "bob", "2026-01-01 10:00:00Z", "2026-11-21 11:30:00Z", "Signed Up")
    segment.run("INSERT INTO signed_up (id, user_id, timestamp, uuid_ts, event_text) VALUES (?, ?, ?, ?, ?)", [late])
    marks = {name: each.newest for name, each in before.followed.items()}
    since = Since(NOON - timedelta(hours=1), marks)
    with inquire(source(segment), asked) as inquiry, inquiry.candidates(NOON, since) as opened:
        assert [(chunk.user_ids, chunk.values) for chunk in opened.chunks] == [(["bob"], ["true"])]


def test_an_event_without_a_table_is_known_with_what_comes_close(segment: Shop) -> None:
    query = parse("event('Orders Completed').count() >= 1 AND event('Signed Up').count() >= 1", Kind.AUDIENCE)
    with source(segment).read() as connection:
        assert warehouse.unknown(connection, TABLES, query) == {"Orders Completed": ["order_completed"]}


def test_somebody_elses_table_with_a_dot_in_its_name_ends_no_run(shop: Shop) -> None:
    create(shop, "bought", TRACK, happened("ann", 20, "Bought"))
    create(shop, "users", "id text, received_at {instant}, uuid_ts {instant}", {"id": "eve"})
    shop.run('CREATE TABLE "odd.one" (user_id text, timestamp text)')
    assert members(shop, "event('Bought').count() >= 0") == ["ann", "eve"]
