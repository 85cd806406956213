"""A shop whose purchases come in one after the other, and definitions that ask about them."""

from __future__ import annotations

from datetime import datetime, timedelta

from sync.model.definition import Definition, Kind, Question
from sync.model.feed import EventsTable, ProfilesTable, Tables
from sync.model.run import RunKind
from sync.refresh.run import Refreshed, refresh
from sync.source.connection import Source
from sync.store.engine import Database
from tests.moving_clock import MovingClock
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


def changed(done: Refreshed) -> tuple[int, int, int, int]:
    """Members now, entered, exited, changed."""
    return done.counts.members, done.counts.entered, done.counts.exited, done.counts.changed
