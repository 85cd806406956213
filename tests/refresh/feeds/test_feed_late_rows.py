"""Rows that appear late, readers that die and others that take over: each row is in the log once, whatever the order."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from random import Random

import pytest

from sync import telemetry
from sync.model.feed import BEGINNING, EventsTable, Forward
from sync.refresh import feed as feeding
from sync.refresh.feed import Feed
from sync.store import events
from sync.store.engine import Database
from tests.moving_clock import MovingClock
from tests.shop import Shop
from tests.soak import FULL, SEED

LATENESS = 600.0
TABLE = EventsTable(
    "rows", "user_id", "at", event="Row", cursor="id", lateness=LATENESS, forward=Forward(BEGINNING, every=10.0)
)
STEPS = 4000 if FULL else 250


class Death(BaseException):
    """Ends a reader where it stands."""


@contextmanager
def dying(step: str, occurrence: int) -> Iterator[None]:
    """Die at a step's given occurrence."""
    left = occurrence

    def listener(name: str, _: dict[str, object]) -> None:
        nonlocal left
        left -= name == step
        if left == 0:
            raise Death

    silent = telemetry.listen(listener)
    try:
        yield
    except Death:
        pass
    finally:
        silent()


def in_log(database: Database) -> list[int]:
    """The rows in the log, by their number, in its order."""
    with database.read() as connection:
        return [int(str(each.user_id)) for each in events.find(connection, newest_first=False, most=1_000_000)]


def rows(shop: Shop, numbers: list[int]) -> None:
    """Let rows appear."""
    shop.run("INSERT INTO rows VALUES (?, ?, '2026-05-17')", [(number, str(number)) for number in numbers])


class Customer:
    """Transactions that take numbers when they begin, and whose rows appear when they end, in any order."""

    def __init__(self, shop: Shop, clock: MovingClock, random: Random) -> None:
        self._shop = shop
        self._clock = clock
        self._random = random
        self._number = 0
        self._open: list[tuple[float, list[int]]] = []
        self.appeared: list[int] = []

    def begin(self) -> None:
        """Take some numbers."""
        numbers = list(range(self._number + 1, self._number + self._random.randint(2, 6)))
        self._number = numbers[-1]
        self._open.append((self._clock.monotonic(), numbers))

    def commit(self) -> None:
        """End one transaction, not the oldest by rule."""
        if self._open:
            self._end(self._random.randrange(len(self._open)))

    def keep_the_promise(self, seconds: float) -> None:
        """End those that are open for so long: none is open for longer than rows may be late."""
        while self._open and self._clock.monotonic() - self._open[0][0] >= seconds:
            self._end(0)

    def _end(self, which: int) -> None:
        _, numbers = self._open.pop(which)
        rows(self._shop, numbers)
        self.appeared += numbers


DEEDS = ("begin", "begin", "commit", "wait", "wait", "poll", "poll", "poll", "cut", "die", "restart")


def test_whatever_the_order_each_row_comes_once(
    sqlite_database: Database, sqlite_shop: Shop, clock: MovingClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feeding, "BATCH", 7)
    monkeypatch.setattr(feeding, "MOST_REMEMBERED", 40)
    sqlite_shop.run("CREATE TABLE rows (id integer primary key, user_id text, at text)")
    random = Random(SEED)
    customer = Customer(sqlite_shop, clock, random)
    feed = Feed(sqlite_database, sqlite_shop.source, TABLE)
    for _ in range(STEPS):
        deed = random.choice(DEEDS)
        if deed in ("begin", "commit"):
            getattr(customer, deed)()
        elif deed == "wait":
            seconds = random.choice([1, 10, 60, 300, 580])
            customer.keep_the_promise(LATENESS - seconds - 10)
            clock.advance(seconds)
        elif deed in ("poll", "cut"):
            feed.poll(go_on=lambda deed=deed: deed == "poll")  # type: ignore[misc]
        else:
            with dying(random.choice(["feed.recorded", "feed.marked"]), random.randint(1, 2)):
                feed.poll()
            feed = Feed(sqlite_database, sqlite_shop.source, TABLE)
    customer.keep_the_promise(0)
    for _ in range(3):
        feed.poll()
    assert len(customer.appeared) > STEPS / 5
    assert sorted(in_log(sqlite_database)) == sorted(customer.appeared)


@pytest.mark.parametrize("step", ["feed.recorded", "feed.marked"])
def test_a_death_loses_nothing_and_doubles_nothing(
    database: Database, sqlite_shop: Shop, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feeding, "BATCH", 10)
    monkeypatch.setattr(feeding, "_WRITTEN_EVERY", 0.0)
    sqlite_shop.run("CREATE TABLE rows (id integer primary key, user_id text, at text)")
    rows(sqlite_shop, list(range(1, 101)))
    for occurrence in (1, 2, 3):
        with dying(step, occurrence):
            Feed(database, sqlite_shop.source, TABLE).poll()
    feed = Feed(database, sqlite_shop.source, TABLE)
    feed.poll()
    feed.poll()
    assert in_log(database) == list(range(1, 101))
