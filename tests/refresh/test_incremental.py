"""A query is asked about those only for whom something can have changed, and comes to what a full refresh would."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from sync.model.definition import Definition, Kind, Question
from sync.model.feed import EventsTable, ProfilesTable, Tables
from sync.model.run import RunKind
from sync.model.watermark import NEVER
from sync.refresh.run import Refreshed, refresh
from sync.source.connection import Source
from sync.store.engine import Database
from tests.moving_clock import MovingClock, TimedDatabase
from tests.recorder import PUSH, drain
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
    (EventsTable("bought", "user_id", "at", event="Bought", cursor="id", lateness=0),),
    ProfilesTable("people", "user_id", cursor="version", lateness=0),
)


class Till:
    """A shop whose purchases come in one after the other, and a store. Days are counted from ``START``."""

    def __init__(self, database: Database, shop: Shop) -> None:
        self.clock = MovingClock()
        self.database = TimedDatabase(database.engine, self.clock, database.schema)
        self.shop, self.tables, self.rows = shop, TABLES, 0
        instant = "text" if shop.dialect == "sqlite" else "timestamptz"
        shop.run(f"CREATE TABLE bought (id integer PRIMARY KEY, user_id text, at {instant}, price numeric)")
        shop.run("CREATE TABLE people (user_id text, version integer, town text)")

    def buy(self, *user_ids: str, day: float = 0, price: float = 1) -> None:
        """One purchase of each."""
        at = (START + day * DAY).isoformat(" ")
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
