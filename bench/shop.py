"""A shop's database: orders as they came in, one after the other, and the returns of some of them.

The tables are made in the engine, since that is not what is measured. Numbers look drawn and are computed: every run, and
both engines, have the same rows.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg

from bench.places import Place
from sync.model.definition import Definition, Kind, Question
from sync.model.feed import EventsTable, Tables
from sync.source.connection import Source
from sync.source.inspection import lacking_indexes

NOW = datetime(2026, 6, 30, 12, tzinfo=UTC)
"""The end of the shop's time: its last event is not much earlier."""

TABLES = Tables(
    (
        EventsTable("orders", "customer_id", "ordered_at", event="Order Completed", cursor="id", lateness=0),
        EventsTable("returns", "customer_id", "returned_at", event="Order Returned", cursor="id", lateness=0),
    )
)
"""Nothing is late here: hours that follow each other within seconds would all be read again."""

_RETURNED = 9
"""Of so many orders one is sent back, within ten days."""

_ORDERED = "event('Order Completed')"
WINDOWED = f"{_ORDERED}.within(30 days).count() >= 1"
WINDOWED_COUNT = f"{_ORDERED}.within(30 days).count() >= 2"
FILTERED_SUM = f"{_ORDERED}.where(property('status') = 'paid' and property('total') >= 100).sum(property('total'))"
FUNNEL = (
    f"{_ORDERED}.where(property('total') >= 100 and event('Order Returned').within(parent: 5 days).count() >= 1)"
    ".within(90 days).count() >= 1"
)
QUERIES = (WINDOWED, WINDOWED_COUNT, FILTERED_SUM, FUNNEL)


@dataclass(frozen=True, slots=True)
class Shop:
    """How much there is: ``events`` over ``days`` up to `NOW`, of ``users``; and as many in each hour that follows."""

    events: int
    users: int
    days: int = 365

    @contextmanager
    def open(self, place: Place) -> Iterator[Source]:
        """Make it, with the indexes that ``check`` advises for what is asked here."""
        source = Source("shop", place.source_url, statement_timeout=600, tables=TABLES)
        with _connected(place) as run:
            for statement in _TABLES[place.on_sqlite]:
                run(statement, {})
            self._fill(run, place, 0, NOW - timedelta(days=self.days), NOW)
        with _connected(place) as run:
            for index in lacking_indexes(source, [definition(each, "asked") for each in QUERIES]):
                run(index.statement, {})
            run("ANALYZE" if place.on_sqlite else "VACUUM ANALYZE", {})
        yield source

    def hour(self, place: Place, number: int) -> datetime:
        """Let an hour pass, the first, the second, and so on; gives its end."""
        after, until = (NOW + timedelta(hours=each) for each in (number - 1, number))
        with _connected(place) as run:
            self._fill(run, place, self._orders(after), after, until)
        return until

    def _orders(self, until: datetime) -> int:
        """How many there are up to then."""
        seconds = (until - NOW).total_seconds() + self.days * 86_400
        return int(seconds * self._in_all // (self.days * 86_400))

    @property
    def _in_all(self) -> int:
        return self.events * _RETURNED // (_RETURNED + 1)

    def _fill(self, run: Any, place: Place, above: int, after: datetime, until: datetime) -> None:
        orders, returns = _ROWS[place.on_sqlite]
        first = int((NOW - timedelta(days=self.days)).timestamp())
        numbers = {"above": above, "up_to": self._orders(until), "users": self.users}
        run(orders, {**numbers, "first": first, "seconds": self.days * 86_400, "orders": self._in_all})
        oldest = max(0, above - self._orders(NOW - timedelta(days=self.days) + timedelta(days=11)))
        run(returns, {"oldest": oldest, "after": after.timestamp(), "until": until.timestamp()})


def definition(query: str, key: str) -> Definition:
    """What is asked: a trait, or else an audience."""
    kind = Kind.TRAIT if query == FILTERED_SUM else Kind.AUDIENCE
    return Definition(kind, key, key, "shop", ("sink",), query=Question(query))


@contextmanager
def _connected(place: Place) -> Iterator[Any]:
    if place.on_sqlite:
        with closing(sqlite3.connect(place.source_path)) as connection:
            connection.execute("PRAGMA synchronous = OFF")
            yield connection.execute
            connection.commit()
    else:
        with psycopg.connect(place.source_url, autocommit=True, cursor_factory=psycopg.ClientCursor) as server:
            yield server.execute


_TABLES = {
    True: (
        "CREATE TABLE orders (id INTEGER PRIMARY KEY, customer_id TEXT, ordered_at DATETIME, total NUMERIC, status TEXT)",
        "CREATE TABLE returns (id INTEGER PRIMARY KEY, order_id INTEGER, customer_id TEXT, returned_at DATETIME)",
        "PRAGMA journal_mode = WAL",
    ),
    False: (
        (
            "CREATE TABLE orders (id bigint PRIMARY KEY, customer_id text, ordered_at timestamptz, total numeric(12, 2), "
            "status text)"
        ),
        "CREATE TABLE returns (id bigserial PRIMARY KEY, order_id bigint, customer_id text, returned_at timestamptz)",
    ),
}

_ROWS = {
    True: (
        """INSERT INTO orders
        WITH RECURSIVE n (i) AS (SELECT :above + 1 UNION ALL SELECT i + 1 FROM n WHERE i < :up_to)
        SELECT i, printf('user-%09d', (i % 65537 * (i % 65521) * 31 + i) % :users),
          datetime(:first + i * :seconds / :orders, 'unixepoch'),
          i % 9973 * (i % 997) % 50000 / 100.0, CASE WHEN i % 10 < 8 THEN 'paid' ELSE 'open' END FROM n""",
        """INSERT INTO returns (order_id, customer_id, returned_at)
        SELECT id, customer_id, datetime(at, 'unixepoch') FROM
          (SELECT id, customer_id, unixepoch(ordered_at) + (id % 240 + 1) * 3600 AS at
           FROM orders WHERE id > :oldest AND id % 9 = 0)
        WHERE at > :after AND at <= :until ORDER BY at""",
    ),
    False: (
        """INSERT INTO orders
        SELECT i, 'user-' || lpad(((i %% 65537 * (i %% 65521) * 31 + i) %% %(users)s)::text, 9, '0'),
          to_timestamp(%(first)s + i * %(seconds)s / %(orders)s),
          i %% 9973 * (i %% 997) %% 50000 / 100.0, CASE WHEN i %% 10 < 8 THEN 'paid' ELSE 'open' END
        FROM generate_series(%(above)s::bigint + 1, %(up_to)s::bigint) AS i""",
        """INSERT INTO returns (order_id, customer_id, returned_at)
        SELECT id, customer_id, at FROM
          (SELECT id, customer_id, ordered_at + (id %% 240 + 1) * interval '1 hour' AS at
           FROM orders WHERE id > %(oldest)s AND id %% 9 = 0) AS sent_back
        WHERE at > to_timestamp(%(after)s) AND at <= to_timestamp(%(until)s) ORDER BY at""",
    ),
}
"""Orders by number, and the returns between two instants; ``True``: on SQLite."""
