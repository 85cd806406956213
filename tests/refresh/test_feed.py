"""New rows of a customer's table become events: none is missed, none is there twice, none is changed on the way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import orjson
import pytest

from sync.errors import SourceError
from sync.model.event import LoggedEvent
from sync.model.feed import BEGINNING, EventsTable, Forward
from sync.refresh import feed as feeding
from sync.refresh.feed import Feed, Polled
from sync.source.feed import inspect
from sync.store import events, feeds
from sync.store.engine import Database
from tests.moving_clock import MovingClock
from tests.shop import Shop

ORDERS = EventsTable(
    "orders", "customer_id", "ordered_at", event="Order Completed", cursor="id", forward=Forward(BEGINNING)
)
CLICKS = EventsTable(
    "clicks", "user_id", "at", name="event_name", properties="props", cursor="at", forward=Forward(BEGINNING)
)
MADE = {
    "sqlite": {"instant": "text", "money": "numeric", "json": "text"},
    "postgresql": {"instant": "timestamptz", "money": "numeric(12,2)", "json": "jsonb"},
}
NOON = "2026-05-17 12:00:00+00:00"


@pytest.fixture(params=["sqlite", "postgresql"])
def shop(request: pytest.FixtureRequest) -> Shop:
    """A shop with orders and clicks, on each engine in turn."""
    return with_tables(request.getfixturevalue(f"{request.param}_shop"))


@pytest.fixture
def one_shop(sqlite_shop: Shop) -> Shop:
    """The same on SQLite only."""
    return with_tables(sqlite_shop)


def with_tables(found: Shop) -> Shop:
    """A shop with empty tables of orders and clicks."""
    types = MADE[found.dialect]
    for table in ("orders", "clicks"):
        found.run(f"DROP TABLE IF EXISTS {table}")
    found.run(
        "CREATE TABLE orders (id integer primary key, customer_id text, ordered_at {instant}, total {money}, note text)".format(
            **types
        )
    )
    found.run("CREATE TABLE clicks (user_id text, at {instant}, event_name text, props {json})".format(**types))
    return found


def order(shop: Shop, *rows: tuple[int, str | None]) -> None:
    """Orders by id and customer, each of twelve fifty."""
    shop.run("INSERT INTO orders VALUES (?, ?, ?, ?, NULL)", [(number, who, NOON, 12.5) for number, who in rows])


def click(shop: Shop, *rows: tuple[str, str, str | None]) -> None:
    """Clicks by user, second past noon, and properties."""
    at = "2026-05-17 12:00:{}+00:00".format
    shop.run(
        "INSERT INTO clicks VALUES (?, ?, 'Clicked', ?)", [(who, at(second), props) for who, second, props in rows]
    )


def logged(database: Database) -> list[LoggedEvent]:
    """The log, oldest first."""
    with database.read() as connection:
        return events.find(connection, newest_first=False, most=100_000)


def users(database: Database) -> list[str | None]:
    """Whose events the log holds, in its order."""
    return [each.user_id for each in logged(database)]


def marks(database: Database) -> list[object]:
    """The cursors that the one feed remembers."""
    with database.read() as connection:
        (found,) = feeds.progress(connection)
    return [each.cursor for each in found.marks]


def feed_of(database: Database, shop: Shop, table: EventsTable = ORDERS) -> Feed:
    """A feed as a daemon has it that was just started."""
    return Feed(database, shop.source, table)


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


def test_it_begins_with_what_comes_from_now_on(database: Database, shop: Shop) -> None:
    order(shop, (1, "before"), (2, "before"))
    feed = feed_of(database, shop, replace(ORDERS, forward=Forward()))
    assert feed.poll() == Polled()
    order(shop, (3, "after"))
    feed.poll()
    assert users(database) == ["after"]


def test_of_an_empty_table_everything_is_new(sqlite_database: Database, one_shop: Shop) -> None:
    feed = feed_of(sqlite_database, one_shop, replace(ORDERS, forward=Forward()))
    feed.poll()
    order(one_shop, (1, "ann"))
    assert feed.poll().new == 1


@pytest.mark.parametrize(("start", "expected"), [(2, ["bob", "cid"]), (BEGINNING, ["ann", "bob", "cid"]), (9, [])])
def test_it_begins_with_a_given_row(
    sqlite_database: Database, one_shop: Shop, start: int | str, expected: list[str]
) -> None:
    order(one_shop, (1, "ann"), (2, "bob"), (3, "cid"))
    feed_of(sqlite_database, one_shop, replace(ORDERS, forward=Forward(start))).poll()
    assert users(sqlite_database) == expected


def test_it_begins_at_a_given_instant(sqlite_database: Database, shop: Shop) -> None:
    click(shop, ("ann", "01", None), ("bob", "02", None), ("cid", "03", None))
    start = "2026-05-17 12:00:02+00:00"
    feed_of(sqlite_database, shop, replace(CLICKS, forward=Forward(start))).poll()
    assert users(sqlite_database) == ["bob", "cid"]


def test_a_row_that_appears_late_is_not_missed_and_others_do_not_come_again(
    database: Database, shop: Shop, clock: MovingClock
) -> None:
    feed = feed_of(database, shop)
    order(shop, (1, "ann"), (4, "dan"))
    feed.poll()
    clock.advance(300)
    order(shop, (2, "late"), (5, "eve"))
    assert feed.poll().new == 2
    clock.advance(299)
    order(shop, (3, "later"))
    assert feed.poll().new == 1
    assert sorted(filter(None, users(database))) == ["ann", "dan", "eve", "late", "later"]


def test_what_is_too_late_was_promised_not_to_be(sqlite_database: Database, one_shop: Shop, clock: MovingClock) -> None:
    feed = feed_of(sqlite_database, one_shop)
    order(one_shop, (5, "ann"))
    feed.poll()
    clock.advance(700)
    feed.poll()
    order(one_shop, (4, "late"))
    assert feed.poll().new == 0


def test_a_row_that_became_late_while_nobody_looked_is_not_missed(
    sqlite_database: Database, one_shop: Shop, clock: MovingClock
) -> None:
    order(one_shop, (1, "ann"), (5, "eve"))
    feed_of(sqlite_database, one_shop).poll()
    order(one_shop, (3, "late"))
    clock.advance(2 * 86_400)
    restarted = feed_of(sqlite_database, one_shop)
    restarted.poll()
    restarted.poll()
    assert sorted(filter(None, users(sqlite_database))) == ["ann", "eve", "late"]


def test_whoever_takes_over_reads_again_and_records_nothing_twice(database: Database, shop: Shop) -> None:
    order(shop, (1, "ann"), (2, "bob"))
    click(shop, ("ann", "01", None))
    for table, new in ((ORDERS, 2), (CLICKS, 1)):
        assert feed_of(database, shop, table).poll().new == new
        successor = feed_of(database, shop, table)
        assert [successor.poll().new, successor.poll().new] == [0, 0]


def test_marks_are_few_and_go_on(sqlite_database: Database, one_shop: Shop, clock: MovingClock) -> None:
    feed = feed_of(sqlite_database, one_shop)
    for number in range(1, 100):
        order(one_shop, (number, "ann"))
        feed.poll()
        clock.advance(20)
    found = marks(sqlite_database)
    assert len(found) <= 25
    assert found[-1] == 99
    assert 99 - 30 - 4 <= int(str(found[0])) <= 99 - 30  # ten minutes of rows are read again


def test_rows_of_one_instant_are_all_events_and_equal_ones_are_counted(
    database: Database, shop: Shop, clock: MovingClock
) -> None:
    feed = feed_of(database, shop, CLICKS)
    click(shop, ("ann", "01", '{"n": 1}'), ("ann", "01", '{"n": 2}'), ("ann", "01", '{"n": 2}'))
    assert feed.poll().new == 3
    click(shop, ("ann", "01", '{"n": 2}'), ("bob", "01", '{"n": 2}'))
    assert feed.poll().new == 2
    successor = feed_of(database, shop, CLICKS)
    assert [successor.poll().new, successor.poll().new] == [0, 0]


def test_a_row_that_is_changed_after_all_is_no_other_event(sqlite_database: Database, one_shop: Shop) -> None:
    order(one_shop, (1, "ann"))
    feed_of(sqlite_database, one_shop).poll()
    one_shop.run("UPDATE orders SET total = 99")
    assert feed_of(sqlite_database, one_shop).poll().new == 0


def shared_orders(shop: Shop) -> None:
    """Let orders have a number that is nobody's own."""
    shop.run("DROP TABLE orders")
    shop.run("CREATE TABLE orders (id integer, customer_id text, ordered_at text, total int, note text)")
    shop.run("CREATE UNIQUE INDEX some_orders ON orders (id) WHERE id > 1000")
    shop.run("CREATE UNIQUE INDEX orders_by_note ON orders (id, note)")


def test_a_number_that_rows_share_tells_none_of_them_apart_and_none_comes_twice(database: Database, shop: Shop) -> None:
    shared_orders(shop)
    order(shop, (1, "ann"))
    feed = feed_of(database, shop)
    assert feed.poll().new == 1
    shop.run("INSERT INTO orders VALUES (1, 'ann', '2026-05-17', 7, 'another'), (1, 'bob', '2026-05-17', 7, NULL)")
    assert feed.poll().new == 2
    order(shop, (1, "ann"))
    assert [feed.poll().new, feed_of(database, shop).poll().new] == [1, 0]


@pytest.mark.parametrize("way", ["primary key", "unique index"])
def test_a_number_is_a_rows_own_where_the_database_says_so(database: Database, shop: Shop, way: str) -> None:
    if way == "unique index":
        shared_orders(shop)
        shop.run("CREATE UNIQUE INDEX own_orders ON orders (id)")
    order(shop, (1, "ann"))
    feed_of(database, shop).poll()
    shop.run("UPDATE orders SET total = 99")
    assert feed_of(database, shop).poll() == Polled()


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


def test_a_long_table_is_read_in_batches_and_more_than_one_look_is_not_needed(
    database: Database, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feeding, "BATCH", 20)
    monkeypatch.setattr(feeding, "MOST_REMEMBERED", 30)
    order(shop, *((number, f"user-{number}") for number in range(1, 101)))
    feed = feed_of(database, shop)
    assert feed.poll().new == 100
    assert feed.poll().new == 0
    assert users(database) == [f"user-{number}" for number in range(1, 101)]


def test_a_reading_that_is_stopped_goes_on_where_it_was(
    sqlite_database: Database, one_shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feeding, "BATCH", 20)
    order(one_shop, *((number, "ann") for number in range(1, 101)))
    assert feed_of(sqlite_database, one_shop).poll(go_on=lambda: False).new == 20
    assert marks(sqlite_database) == [None, 20]
    successor = feed_of(sqlite_database, one_shop)
    assert successor.poll().new == 80
    assert successor.poll().new == 0


def test_many_rows_of_one_instant_are_told_apart(sqlite_database: Database, sqlite_shop: Shop) -> None:
    sqlite_shop.run("CREATE TABLE clicks (user_id text, at text, event_name text, props text)")
    click(sqlite_shop, *(("ann", "01", f'{{"n": {number // 2}}}') for number in range(2500)))
    assert feed_of(sqlite_database, sqlite_shop, CLICKS).poll().new == 2500
    assert feed_of(sqlite_database, sqlite_shop, CLICKS).poll().new == 0


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


def test_what_a_user_of_two_sources_did_does_not_get_mixed_up(sqlite_database: Database, one_shop: Shop) -> None:
    order(one_shop, (1, "ann"))
    other = replace(ORDERS, event="Order Shipped")
    assert [feed_of(sqlite_database, one_shop, table).poll().new for table in (ORDERS, other)] == [1, 1]


def test_a_slow_thorough_reading_is_not_made_each_time(
    sqlite_database: Database, one_shop: Shop, clock: MovingClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    order(one_shop, (1, "ann"), (5, "eve"))
    feed = feed_of(sqlite_database, one_shop)
    feed.poll()
    record: Callable[..., object] = events.record

    def slowly(*arguments: object) -> object:
        clock.advance(6)
        return record(*arguments)

    monkeypatch.setattr(events, "record", slowly)
    order(one_shop, (6, "fay"))
    assert feed.poll().new == 1
    order(one_shop, (2, "late"), (7, "gus"))
    assert feed.poll().new == 1
    clock.advance(61)
    assert feed.poll().new == 1
    assert sorted(filter(None, users(sqlite_database))) == ["ann", "eve", "fay", "gus", "late"]
