"""A query is asked about those only for whom something can have changed, and comes to what a full refresh would."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import text

from sync.model.definition import Question
from sync.model.feed import Tables, Warehouse
from sync.model.watermark import EDITED, NEVER, YOUNG
from sync.refresh.plan import plan
from sync.store.engine import Database
from tests.recorder import PUSH
from tests.refresh.till import DAY, LAPSED, RECENT, SPEND, START, TABLES, Till, changed, instant
from tests.shop import Shop


def story(till: Till) -> None:
    till.buy("ann", "bob")
    assert (till.refresh().full, till.sent().keys()) == (NEVER, {"ann", "bob"})
    till.buy("cid", day=2)
    done = till.refresh(day=2)
    assert (done.full, done.candidates, changed(done)) == (None, 1, (3, 1, 0, 0))
    assert done.counts.unchanged == 2
    assert till.sent() == {"cid": {"recent": True}}
    till.buy("bob", day=5)
    done = till.refresh(day=8)  # the first purchases are too long ago now
    assert (done.full, changed(done)) == (None, (2, 0, 1, 0))
    assert till.sent() == {"ann": {"recent": False}}
    done = till.refresh(day=8)
    assert (done.full, changed(done)) == (None, (2, 0, 0, 0))
    till.refresh(SPEND, day=8)
    assert till.sent() == {"ann": {"spend": 1}, "bob": {"spend": 2}, "cid": {"spend": 1}}
    till.buy("ann", "dan", day=9, price=2.5)
    done = till.refresh(SPEND, day=9)
    assert (done.full, done.candidates, changed(done)) == (None, 2, (4, 1, 0, 1))
    assert till.sent() == {"ann": {"spend": 3.5}, "dan": {"spend": 2.5}}


def test_only_who_can_have_changed_is_asked_about(till: Till) -> None:
    story(till)


def test_only_who_can_have_changed_is_asked_about_at_a_postgresql_source(
    database: Database, postgresql_shop: Shop
) -> None:
    story(Till(database, postgresql_shop))


@pytest.mark.parametrize("engine", ["postgresql", "duckdb"])
def test_users_may_be_numbers(sqlite_database: Database, engine: str, request: pytest.FixtureRequest) -> None:
    till = Till(sqlite_database, request.getfixturevalue(f"{engine}_shop"), ids="integer")
    till.shop.run("INSERT INTO people VALUES (9, 1, 'Oslo')")
    till.buy(1, 2)
    assert [till.refresh(each).counts.members for each in (RECENT, LAPSED)] == [2, 1]
    till.buy(3, day=8)
    done = [till.refresh(each, day=8) for each in (RECENT, LAPSED)]
    assert [each.full for each in done] == [None, None]
    assert [changed(each) for each in done] == [(1, 1, 2, 0), (3, 2, 0, 0)]


def test_a_plan_says_what_the_delta_after_it_does(till: Till) -> None:
    till.buy("ann", "bob")
    till.refresh()
    till.buy("cid", day=1)
    (planned,) = plan(
        till.database, {"shop": till.source}, [RECENT], [PUSH], as_of=START + DAY, kept=[RECENT]
    ).definitions
    done = till.refresh(day=1)
    assert (planned.full, planned.counts) == (done.full, done.counts) == (None, done.counts)
    assert [sample.user_id for sample in planned.samples] == ["cid"]


def test_who_is_in_no_table_any_more_is_asked_about_by_their_profile(small_till: Till) -> None:
    small_till.buy("ann", day=0)
    small_till.shop.run("INSERT INTO people VALUES ('bob', 1, 'Oslo')")
    small_till.refresh(LAPSED, day=0)
    assert small_till.sent() == {"bob": {"lapsed": True}}
    small_till.shop.run("INSERT INTO people VALUES ('cid', 2, 'Oslo')")
    done = small_till.refresh(LAPSED, day=8)
    assert (done.full, changed(done)) == (None, (3, 2, 0, 0))
    assert small_till.sent() == {"ann": {"lapsed": True}, "cid": {"lapsed": True}}


def test_a_late_row_is_found_as_long_as_it_comes_within_lateness(small_till: Till) -> None:
    (bought,) = TABLES.events
    small_till.tables = replace(TABLES, events=(replace(bought, lateness=3600),))
    small_till.buy("ann")
    assert small_till.refresh().full == NEVER
    small_till.clock.advance(3600)
    assert small_till.refresh().full == YOUNG
    small_till.shop.run("INSERT INTO bought VALUES (3, 'bob', ?, 1)", [(instant(),)])
    assert small_till.refresh().full is None
    small_till.shop.run("INSERT INTO bought VALUES (2, 'late', ?, 1)", [(instant(),)])
    done = small_till.refresh()
    assert (done.full, done.counts.entered) == (None, 1)


def test_with_lateness_a_table_is_read_on_from_where_it_was_that_long_before(small_till: Till) -> None:
    (bought,) = TABLES.events
    small_till.tables = replace(TABLES, events=(replace(bought, lateness=3600),))
    for user_id in ("ann", "bob", "cid", "dan", "eve"):
        small_till.buy(user_id)
        small_till.refresh()
        small_till.clock.advance(1800)
    small_till.buy("fay")
    done = small_till.refresh()
    assert (done.full, done.counts.entered) == (None, 1)
    assert 1 < (done.candidates or 0) < 6


def test_all_rows_of_a_table_that_was_empty_are_new(till: Till) -> None:
    assert till.refresh().counts.members == 0
    till.buy("ann")
    done = till.refresh()
    assert (done.full, done.counts.entered) == (None, 1)


def test_what_comes_along_is_that_of_who_changed(till: Till) -> None:
    with_town = replace(RECENT, enrichment=("town",))
    till.shop.run("INSERT INTO people VALUES ('ann', 1, 'Oslo'), ('bob', 2, 'Voss')")
    till.buy("ann")
    till.refresh(with_town)
    till.sent()
    till.buy("bob")
    assert till.refresh(with_town).full is None
    with till.database.read() as connection:
        assert "Voss" in str(connection.execute(text("SELECT enrichment FROM slot")).scalar_one())


def test_no_candidate_ends_a_run_that_a_full_one_would_get_through(small_till: Till) -> None:
    big = replace(RECENT, query=Question("event('Bought').within(7 days).count() >= 2"))
    small_till.buy("ann")
    small_till.refresh(big)
    small_till.buy("x" * 1001)  # longer than any user id may be, and no member
    assert small_till.refresh(big).full is None


def test_a_blob_for_a_cursor_is_no_mark(small_till: Till) -> None:
    small_till.buy("ann")
    small_till.shop.run("INSERT INTO bought VALUES (x'31', 'bob', '2026-11-01 12:00:00', 1)")
    assert small_till.refresh().counts.members == 2
    small_till.buy("cid", day=1)
    done = small_till.refresh(day=1)
    assert (done.full, changed(done)) == (None, (3, 1, 0, 0))


def test_a_warehouse_is_read_on_from_what_was_loaded_last(sqlite_database: Database, sqlite_shop: Shop) -> None:
    till = Till(sqlite_database, sqlite_shop)
    till.tables = Tables(warehouse=Warehouse(lateness=0))
    sqlite_shop.run("CREATE TABLE tracks (id text, user_id text, event text, timestamp text, received_at text)")
    sqlite_shop.run("CREATE TABLE users (id text, plan text, received_at text)")
    sqlite_shop.run("INSERT INTO users VALUES ('ann', 'free', '2026-11-01 12:00:00')")
    lapsed = replace(LAPSED, query=Question("event('Bought It').count() = 0 AND trait('plan') = 'pro'"))
    assert till.refresh(lapsed).counts.members == 0
    sqlite_shop.run("CREATE TABLE bought_it (id text, user_id text, timestamp text, received_at text)")
    sqlite_shop.run("INSERT INTO bought_it VALUES ('1', 'bob', '2026-11-01', '2026-11-01 12:00:01')")
    assert till.refresh(lapsed, day=1).full == EDITED  # now there is a table
    sqlite_shop.run("UPDATE users SET plan = 'pro', received_at = '2026-11-02 12:00:00'")
    sqlite_shop.run("INSERT INTO users VALUES ('bob', 'pro', '2026-11-02 12:00:00')")
    done = till.refresh(lapsed, day=2)
    assert (done.full, done.candidates, done.counts.entered) == (None, 2, 1)
    assert till.sent() == {"ann": {"lapsed": True}}
