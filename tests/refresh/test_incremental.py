"""A query is asked about those only for whom something can have changed, and comes to what a full refresh would."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from sqlalchemy import text

from sync.model.definition import Definition, Kind, Question
from sync.model.feed import EventsTable, ProfilesTable, Tables, Warehouse
from sync.model.guard import Hold
from sync.model.run import RunKind, RunStatus
from sync.model.watermark import BACK, BROKEN, DUE, EDITED, HELD, NEVER, SHRUNK, YOUNG
from sync.refresh import reading
from sync.refresh.plan import plan
from sync.refresh.reading import ASKED, JOINS
from sync.refresh.removal import absent, remove
from sync.refresh.run import Refreshed, refresh
from sync.source.connection import Source
from sync.store import enrolments, suppressions, watermarks
from sync.store.engine import Database
from sync.store.forgetting import forget, sweep
from tests.moving_clock import MovingClock
from tests.recorder import PUSH, drain, owed
from tests.shop import Shop

RECENT = Definition(
    Kind.AUDIENCE, "recent", "Recent", "shop", (PUSH,), Question("event('Bought').within(7 days).count() >= 1")
)
SPEND = Definition(Kind.TRAIT, "spend", "Spend", "shop", (PUSH,), Question("event('Bought').sum(property('price'))"))
LAPSED = Definition(
    Kind.AUDIENCE, "lapsed", "Lapsed", "shop", (PUSH,), Question("event('Bought').within(7 days).count() = 0")
)
START = datetime.fromisoformat("2026-11-01 12:00:00+00:00")
DAY = timedelta(days=1)
TABLES = Tables(
    (EventsTable("bought", "user_id", "bought_at", event="Bought", cursor="id", lateness=0),),
    ProfilesTable("people", "user_id", cursor="version", lateness=0),
)


def instant(day: float = 0) -> str:
    """A day as the shop writes it: in UTC, without saying so."""
    return (START + day * DAY).replace(tzinfo=None).isoformat(" ")


class Till:
    """A shop whose purchases come in one after the other, and a store. Days are counted from ``START``."""

    def __init__(self, database: Database, shop: Shop, ids: str = "text") -> None:
        assert isinstance(database.clock, MovingClock)
        self.database, self.clock = database, database.clock
        self.shop, self.tables, self.rows = shop, TABLES, 0
        stamp = "text" if shop.dialect == "sqlite" else "timestamp"
        shop.run(f"CREATE TABLE bought (id integer, user_id {ids}, bought_at {stamp}, price numeric)")
        shop.run(f"CREATE TABLE people (user_id {ids}, version integer, town text)")

    def buy(self, *user_ids: object, day: float = 0, price: float = 1) -> None:
        """One purchase of each."""
        at = instant(day)
        self.shop.run(
            "INSERT INTO bought VALUES (?, ?, ?, ?)",
            [(self.rows + place, user_id, at, price) for place, user_id in enumerate(user_ids, 1)],
        )
        self.rows += len(user_ids)

    def refresh(self, definition: Definition = RECENT, day: float = 0, **more: object) -> Refreshed:
        """As of a day, by way of a source of its own."""
        kind = more.pop("kind", RunKind.DELTA)
        self.clock.advance(1)
        return refresh(self.database, self.source, definition, kind=kind, as_of=START + day * DAY, **more)  # type: ignore[arg-type]

    @property
    def source(self) -> Source:
        return Source("shop", self.shop.url, 60.0, tables=self.tables)

    def sent(self) -> dict[str, dict[str, object]]:
        return drain(self.database)


@pytest.fixture
def till(database: Database, sqlite_shop: Shop) -> Till:
    """A store on each engine in turn, and a shop on SQLite."""
    return Till(database, sqlite_shop)


@pytest.fixture
def small_till(sqlite_database: Database, sqlite_shop: Shop) -> Till:
    """Both on SQLite: for what is decided before any statement is run."""
    return Till(sqlite_database, sqlite_shop)


def changed(done: Refreshed) -> tuple[int, int, int, int]:
    return done.counts.members, done.counts.entered, done.counts.exited, done.counts.changed


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


def test_an_edited_question_is_asked_about_everybody_once(small_till: Till) -> None:
    small_till.buy("ann")
    small_till.refresh()
    edited = replace(RECENT, query=Question("event('Bought').within(7 days).count() >= 2"))
    done = small_till.refresh(edited)
    assert (done.full, done.candidates, done.missed, done.counts.exited) == (EDITED, None, None, 1)
    assert small_till.refresh(edited).full is None


def test_a_table_with_another_column_is_read_whole_once(small_till: Till) -> None:
    small_till.buy("ann")
    small_till.refresh()
    small_till.shop.run("ALTER TABLE bought ADD COLUMN colour text")
    assert [small_till.refresh().full, small_till.refresh().full] == [EDITED, None]


def test_another_database_is_read_whole(small_till: Till, tmp_path: object) -> None:
    small_till.buy("ann")
    small_till.refresh()
    moved = Shop(f"sqlite:///{tmp_path}/moved.db", Source("shop", f"sqlite:///{tmp_path}/moved.db", 60.0))
    other = Till(small_till.database, moved)
    other.buy("bob")
    done = other.refresh()
    assert (done.full, changed(done)) == (EDITED, (1, 1, 1, 0))


CROWD = [f"u{number:02d}" for number in range(40)]


def test_held_exits_are_counted_against_all_members_and_looked_at_again_in_full(till: Till) -> None:
    till.buy(*CROWD)
    till.buy(*CROWD[:18], day=5)
    till.refresh()
    till.sent()
    done = till.refresh(day=8)
    assert (done.full, done.status, done.hold) == (None, RunStatus.HELD, Hold.TOO_MANY)
    assert (done.counts.held, done.counts.members, done.counts.unchanged) == (22, 40, 18)
    again = till.refresh(day=8)
    assert (again.full, again.status, again.counts, again.missed) == (HELD, RunStatus.HELD, done.counts, None)
    assert till.refresh(day=8, forced=True).counts.exited == 22
    assert till.refresh(day=8).full is None


def test_fewer_exits_than_the_share_allowed_are_recorded(small_till: Till) -> None:
    small_till.buy(*CROWD)
    small_till.buy(*CROWD[:28], day=5)
    small_till.refresh()
    done = small_till.refresh(day=8)
    assert (done.full, done.status, done.counts.exited) == (None, RunStatus.SUCCEEDED, 12)


def test_an_earlier_instant_is_evaluated_for_everybody(small_till: Till) -> None:
    small_till.buy("ann", day=2)
    small_till.refresh(day=3)
    done = small_till.refresh(day=1, forced=True)
    assert (done.full, done.counts.exited) == (BACK, 1)
    done = small_till.refresh(day=3)
    assert (done.full, done.counts.entered) == (None, 1)


def test_a_backfill_and_whoever_asks_evaluate_everybody(small_till: Till) -> None:
    small_till.buy("ann", "bob")
    small_till.refresh()
    assert small_till.refresh(full=True).full == ASKED
    assert small_till.refresh(forced=True).full == ASKED
    small_till.sent()
    with small_till.database.write() as connection:
        enrolments.finish_backfills(connection, PUSH, small_till.clock.now())
    assert small_till.refresh(kind=RunKind.BACKFILL).full == ASKED
    assert small_till.sent().keys() == {"ann", "bob"}


def test_a_new_destination_gets_everybody(till: Till) -> None:
    till.buy("ann")
    till.refresh()
    till.buy("bob")
    done = till.refresh(replace(RECENT, destinations=(PUSH, "other")))
    assert (done.full, done.joined) == (JOINS, ("other",))
    assert owed(till.database, "other") == {"ann": {"recent": True}, "bob": {"recent": True}}


def test_after_the_interval_a_run_is_full_and_finds_nothing_that_was_missed(till: Till) -> None:
    till.buy("ann")
    till.refresh()
    till.clock.advance(RECENT.full_refresh)
    till.buy("bob")
    done = till.refresh()
    assert (done.full, done.candidates, done.missed, done.counts.entered) == (DUE, 1, 0, 1)
    assert till.refresh().full is None


def test_an_old_row_that_was_deleted_breaks_the_promise_until_it_is_acknowledged(till: Till) -> None:
    till.buy("ann", "bob", "cid")
    till.refresh()
    till.sent()
    till.shop.run("DELETE FROM bought WHERE user_id IN ('ann', 'bob')")
    till.buy("dan")
    assert till.refresh().counts.exited == 0
    done = till.refresh(full=True)
    assert (done.missed, done.counts.exited) == (2, 2)
    assert till.sent() == {"ann": {"recent": False}, "bob": {"recent": False}, "dan": {"recent": True}}
    assert (till.refresh().full, till.refresh().missed) == (BROKEN, 0)
    assert watermarks.acknowledge(till.database, "recent") == 2
    assert watermarks.acknowledge(till.database, "recent") is None
    assert till.refresh().full is None


def test_an_old_row_that_was_changed_is_found_by_the_next_full_run(small_till: Till) -> None:
    small_till.buy("ann", "bob")
    small_till.refresh(SPEND)
    small_till.sent()
    small_till.shop.run("UPDATE bought SET price = 7 WHERE user_id = 'ann'")
    assert small_till.refresh(SPEND).counts.changed == 0
    small_till.clock.advance(SPEND.full_refresh)
    assert (small_till.refresh(SPEND).missed, small_till.sent()) == (1, {"ann": {"spend": 7}})


def test_a_cursor_that_goes_back_is_noticed_at_once(small_till: Till) -> None:
    small_till.buy("ann", "bob")
    small_till.refresh()
    small_till.shop.run("DELETE FROM bought")
    small_till.shop.run("INSERT INTO bought VALUES (1, 'cid', ?, 1)", [(instant(),)])
    done = small_till.refresh()
    assert (done.full, done.missed, changed(done)) == (SHRUNK, 3, (1, 1, 2, 0))


def test_a_definition_that_returns_is_read_whole(till: Till) -> None:
    till.buy("ann")
    till.refresh()
    for known in absent(till.database, []):
        remove(till.database, known)
    assert till.refresh().full == NEVER


def test_who_was_forgotten_is_no_member_and_no_change_that_was_missed(till: Till) -> None:
    till.buy("ann", "bob")
    till.refresh()
    forget(till.database, "ann", [], by="test")
    till.buy("ann", "cid")
    done = till.refresh()
    assert (done.full, changed(done)) == (None, (2, 1, 0, 0))
    done = till.refresh(full=True)
    assert (done.missed, changed(done)) == (0, (2, 0, 0, 0))


def test_who_is_taken_in_again_after_being_forgotten_is_found_by_a_full_run(till: Till) -> None:
    till.buy("ann", "bob")
    till.refresh()
    number = forget(till.database, "ann", [], by="test")
    assert number is not None
    sweep(till.database, number)
    suppressions.unsuppress(till.database, "ann")
    done = till.refresh()
    assert (done.full, done.missed, changed(done)) == (EDITED, None, (2, 1, 0, 0))


def test_a_run_that_fails_moves_no_watermark(small_till: Till, monkeypatch: pytest.MonkeyPatch) -> None:
    small_till.buy("ann")
    small_till.refresh()
    small_till.buy("bob")
    with monkeypatch.context() as broken:
        broken.setattr("sync.store.watermarks.record", _failing)
        with pytest.raises(RuntimeError):
            small_till.refresh()
    done = small_till.refresh()
    assert (done.full, done.counts.entered) == (None, 1)


def _failing(*_: object) -> None:
    raise RuntimeError("just before the commit")


def test_what_has_no_cursor_is_read_whole_each_time_and_says_why(small_till: Till) -> None:
    (bought,) = TABLES.events
    small_till.tables = replace(TABLES, events=(replace(bought, cursor=None),))
    small_till.buy("ann")
    small_till.refresh()
    done = small_till.refresh()
    assert done.full is not None
    assert "no `cursor`" in done.full
    assert done.candidates is None


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


def test_a_cursor_that_is_infinite_is_no_mark(sqlite_database: Database, postgresql_shop: Shop) -> None:
    till = Till(sqlite_database, postgresql_shop)
    till.shop.run("ALTER TABLE bought ALTER id TYPE double precision")
    till.buy("ann")
    till.shop.run("INSERT INTO bought VALUES ('infinity', 'bob', ?, 1)", [(instant(),)])
    assert till.refresh().counts.members == 2
    till.buy("cid")
    done = till.refresh()
    assert (done.full, done.counts.entered) == (None, 1)


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


@pytest.mark.parametrize("before", ["_stage", "candidates"])
def test_a_row_that_appears_while_a_run_reads_is_neither_lost_nor_one_that_was_missed(
    small_till: Till, monkeypatch: pytest.MonkeyPatch, before: str
) -> None:
    small_till.buy("ann")
    small_till.refresh()
    read = getattr(reading, before)

    def read_late(*arguments: object) -> object:
        small_till.buy(f"u{small_till.rows}")
        return read(*arguments)

    with monkeypatch.context() as busy:
        busy.setattr(reading, before, read_late)
        done = small_till.refresh(full=True)
    assert (done.missed, done.candidates) == (0, 1)
    done = small_till.refresh()
    assert (done.full, done.counts.members) == (None, 2)
