"""What becomes of one row: a track event with all that it holds, or a reason why it is none."""

from __future__ import annotations

from dataclasses import replace

import orjson
import pytest

from sync.errors import SourceError
from sync.model.feed import BEGINNING, EventsTable, Forward
from sync.refresh.feed import Polled
from sync.source.feed import inspect
from sync.store.engine import Database
from tests.refresh.feeds.fed import CLICKS, NOON, ORDERS, click, feed_of, logged, order, users, with_tables
from tests.shop import Shop


def test_a_row_is_a_track_event_with_its_other_columns_as_properties(sqlite_database: Database, shop: Shop) -> None:
    order(shop, (7, "ann"))
    assert feed_of(sqlite_database, shop).poll() == Polled(new=1)
    (found,) = logged(sqlite_database)
    assert (found.source, found.type, found.name, found.user_id) == (
        "sql:shop.orders",
        "track",
        "Order Completed",
        "ann",
    )
    assert found.timestamp.isoformat() == "2026-05-17T12:00:00+00:00"
    assert not found.collected
    body = orjson.loads(found.body)
    assert body["properties"] == {"id": 7, "total": 12.5}
    assert body["timestamp"] == "2026-05-17T12:00:00.000Z"
    assert body["messageId"] == found.message_id


def test_each_row_may_name_its_event_and_hold_its_properties(sqlite_database: Database, shop: Shop) -> None:
    click(shop, ("ann", "01", '{"page": {"path": "/"}}'), ("bob", "02", None))
    feed_of(sqlite_database, shop, CLICKS).poll()
    found = [(each.name, each.user_id, orjson.loads(each.body)["properties"]) for each in logged(sqlite_database)]
    assert found == [("Clicked", "ann", {"page": {"path": "/"}}), ("Clicked", "bob", {})]


@pytest.mark.parametrize("odd", ["infinity", "-infinity", "0044-03-15 00:00:00+00 BC", "12000-01-01 00:00:00+00"])
def test_an_instant_beyond_all_others_costs_at_most_its_own_row(
    sqlite_database: Database, postgresql_shop: Shop, odd: str
) -> None:
    shop = with_tables(postgresql_shop)
    order(shop, (1, "ann"), (2, "bob"), (3, "eve"))
    shop.run("ALTER TABLE orders ADD COLUMN paid_at timestamptz, ADD COLUMN day date, ADD COLUMN at timestamp")
    shop.run(
        "UPDATE orders SET paid_at = ?, day = ?::timestamp::date, at = ? WHERE id = 1",
        [(odd, odd.split("+")[0] + (" BC" if "BC" in odd else ""), odd)],
    )
    shop.run("UPDATE orders SET ordered_at = ? WHERE id = 2", [(odd,)])
    polled = feed_of(sqlite_database, shop).poll()
    assert polled == Polled(new=2, skipped={"its timestamp is empty, or cannot be read as an instant": 1})
    assert users(sqlite_database) == ["ann", "eve"]
    assert orjson.loads(logged(sqlite_database)[0].body)["properties"]["paid_at"] == odd


@pytest.mark.parametrize("odd", ["infinity", "-infinity"])
def test_an_infinite_cursor_is_no_place_to_go_on_from(
    sqlite_database: Database, postgresql_shop: Shop, odd: str
) -> None:
    shop = with_tables(postgresql_shop)
    shop.run("INSERT INTO clicks VALUES ('odd', ?, 'Clicked', '{}')", [(odd,)])
    click(shop, ("ann", "01", None))
    feed = feed_of(sqlite_database, shop, replace(CLICKS, forward=Forward()))
    assert feed.poll().new == 0
    for second in ("02", "03"):
        click(shop, ("ann", second, None))
        assert feed.poll().new == 1
    assert users(sqlite_database) == ["ann", "ann"]


def test_text_that_is_none_costs_at_most_its_own_row(sqlite_database: Database, one_shop: Shop) -> None:
    order(one_shop, (1, "ann"), (2, "bob"), (3, "eve"))
    one_shop.run("UPDATE orders SET note = CAST(x'61ff62' AS text) WHERE id = 1")
    one_shop.run("UPDATE orders SET customer_id = CAST(x'ff' AS text) WHERE id = 2")
    assert feed_of(sqlite_database, one_shop).poll() == Polled(new=2, skipped={"its user id is not valid text": 1})
    assert orjson.loads(logged(sqlite_database)[0].body)["properties"]["note"] == "a\ufffdb"


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ((1, None, NOON), "its user id is NULL"),
        ((1, "", NOON), "its user id is empty"),
        ((1, "ann", None), "its timestamp is empty, or cannot be read as an instant"),
    ],
)
def test_a_row_that_cannot_be_an_event_is_skipped_and_counted_once(
    sqlite_database: Database, one_shop: Shop, row: tuple[object, ...], reason: str
) -> None:
    one_shop.run("INSERT INTO orders VALUES (?, ?, ?, 1, NULL)", [row])
    order(one_shop, (2, "bob"))
    feed = feed_of(sqlite_database, one_shop)
    assert feed.poll() == Polled(new=1, skipped={reason: 1})
    assert feed.poll() == Polled()


@pytest.mark.parametrize(
    ("props", "reason"),
    [("[1]", "its column with the properties holds JSON that is no object"), ("{", "does not hold JSON")],
)
def test_properties_must_be_an_object(sqlite_database: Database, sqlite_shop: Shop, props: str, reason: str) -> None:
    sqlite_shop.run("CREATE TABLE clicks (user_id text, at text, event_name text, props text)")
    click(sqlite_shop, ("ann", "01", props), ("bob", "02", "{}"))
    polled = feed_of(sqlite_database, sqlite_shop, CLICKS).poll()
    assert polled.new == 1
    ((said, times),) = polled.skipped.items()
    assert said.endswith(reason)
    assert times == 1


def test_odd_values_become_what_json_has(sqlite_database: Database, postgresql_shop: Shop) -> None:
    postgresql_shop.run("DROP TABLE IF EXISTS odd")
    postgresql_shop.run(
        """CREATE TABLE odd AS SELECT 1::bigint AS id, 12.00::numeric AS user_id, date '2026-05-17' AS day,
        10.50::numeric AS total, 'NaN'::float8 AS nothing, '\\x00'::bytea AS bytes, ARRAY[1.5::numeric, NULL] AS list,
        '{"a": [123456789012345678901234567890]}'::json AS big, timestamptz '2026-05-17 14:00:00+02' AS at,
        '6F9619FF-8B86-D011-B42D-00C04FC964FF'::uuid AS ticket, true AS yes, time '12:30' AS clock, NULL::text AS void"""
    )
    table = EventsTable("odd", "user_id", "day", event="Odd", cursor="id", forward=Forward(BEGINNING))
    assert feed_of(sqlite_database, postgresql_shop, table).poll() == Polled(new=1)
    (found,) = logged(sqlite_database)
    assert (found.user_id, found.timestamp.isoformat()) == ("12", "2026-05-17T00:00:00+00:00")
    assert orjson.loads(found.body)["properties"] == {
        "id": 1,
        "total": 10.5,
        "nothing": None,
        "bytes": None,
        "list": [1.5, None],
        "big": {"a": [123456789012345678901234567890.0]},
        "at": "2026-05-17T12:00:00Z",
        "ticket": "6f9619ff-8b86-d011-b42d-00c04fc964ff",
        "yes": True,
        "clock": "12:30:00",
    }


@pytest.mark.parametrize("kind", ["numeric(20,3)", "double precision", "date", "timestamp", "text", "uuid"])
def test_every_kind_of_cursor_goes_on_where_it_was(sqlite_database: Database, postgresql_shop: Shop, kind: str) -> None:
    first, second = {
        "numeric(20,3)": ("1.5", "2.5"),
        "double precision": ("0.1", "0.30000000000000004"),
        "date": ("2026-05-17", "2026-05-18"),
        "timestamp": ("2026-05-17 12:00:00.000001", "2026-05-17 12:00:00.000002"),
        "text": ("a", "b"),
        "uuid": ("00000000-0000-0000-0000-000000000001", "10000000-0000-0000-0000-000000000000"),
    }[kind]
    postgresql_shop.run("DROP TABLE IF EXISTS kinds")
    postgresql_shop.run(f"CREATE TABLE kinds (at {kind}, user_id text, happened timestamptz)")
    insert = f"INSERT INTO kinds VALUES (?::text::{kind}, ?, now())"
    postgresql_shop.run(insert, [(first, "ann")])
    table = EventsTable("kinds", "user_id", "happened", event="Kind", cursor="at", forward=Forward())
    feed = feed_of(sqlite_database, postgresql_shop, table)
    assert feed.poll().new == 0
    postgresql_shop.run(insert, [(second, "bob")])
    assert feed.poll().new == 1
    assert feed_of(sqlite_database, postgresql_shop, table).poll().new == 0


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"table": "nothing"}, "nothing"),
        ({"cursor": "nothing"}, "nothing"),
        ({"user_id": "Nothing"}, "there is no column 'Nothing' (it has 'id', 'customer_id', 'ordered_at'"),
        ({"name": "Nothing", "event": None}, "there is no column 'Nothing'"),
    ],
)
def test_a_table_that_does_not_fit_is_refused_by_its_name(
    sqlite_database: Database, shop: Shop, change: dict[str, object], said: str
) -> None:
    table = replace(ORDERS, **change)  # type: ignore[arg-type]
    with pytest.raises(SourceError, match="events of table") as caught:
        feed_of(sqlite_database, shop, table).poll()
    assert said in str(caught.value)
    inspect(shop.source, ORDERS)
    inspect(shop.source, replace(ORDERS, cursor=None, forward=None))
    with pytest.raises(SourceError, match="events of table"):
        inspect(shop.source, table)
