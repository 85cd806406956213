"""New rows of a customer's table become events: none is missed, none is there twice, none is changed on the way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from sync.model.feed import BEGINNING, Forward
from sync.refresh import feed as feeding
from sync.refresh.feed import Polled
from sync.store import events
from sync.store.engine import Database
from tests.moving_clock import MovingClock
from tests.refresh.feeds.fed import CLICKS, ORDERS, click, feed_of, marks, order, users
from tests.shop import Shop


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
