"""The daemon reads new rows by itself, one daemon at a time, and a death is made good by the next."""

from __future__ import annotations

import asyncio
import signal
import sqlite3
from collections.abc import Callable
from contextlib import closing

import orjson

from sync import telemetry
from sync.daemon.feeder import Feeder
from sync.daemon.service import pause
from sync.model.feed import BEGINNING, EventsTable, Forward
from sync.store import events
from sync.store.engine import Database
from sync.store.forwarding import take
from tests.daemon.running import running, schedule
from tests.proofs import Road
from tests.shop import Shop

TABLE = EventsTable("orders", "customer", "at", event="Ordered", cursor="id", forward=Forward(BEGINNING, every=0.01))


def orders(road: Road, first: int, last: int) -> None:
    """Let the customer have orders of these numbers."""
    with closing(sqlite3.connect(road.folder / "shop.db")) as connection, connection:
        connection.execute("CREATE TABLE IF NOT EXISTS orders (id integer primary key, customer text, at text)")
        rows = [(number, f"u{number % 50}", "2026-05-17 12:00:00") for number in range(first, last + 1)]
        connection.executemany("INSERT INTO orders VALUES (?, ?, ?)", rows)


def fed(road: Road) -> list[object]:
    """The numbers of the orders in the log, in its order."""
    with road.opened() as database, database.read() as connection:
        found = events.find(connection, newest_first=False, most=100_000)
    return [orjson.loads(each.body)["properties"]["id"] for each in found]


def run_until(feeder: Feeder, holds: Callable[[], bool]) -> None:
    """Let a feeder run until something holds."""

    async def work() -> None:
        stopping = asyncio.Event()
        running = asyncio.create_task(feeder.run(stopping))
        while not holds() and not running.done():
            await pause(stopping, 0.01)
        stopping.set()
        await running

    asyncio.run(work())


def fed_by_orders(road: Road) -> None:
    """Let the road's daemon send orders on, from the first."""
    table = {"table": "orders", "event": "Ordered", "user_id": "customer", "timestamp": "at", "cursor": "id"}
    forward = {"from": "beginning", "every": "1 second"}
    shop = {"url": f"sqlite:///{road.folder / 'shop.db'}", "events": [{**table, "forward": forward}]}
    schedule(road, "every 1 hour", sources={"shop": shop})


def test_a_daemon_that_is_killed_while_it_reads_loses_and_doubles_nothing(sqlite_road: Road) -> None:
    road = sqlite_road
    road.crowd(1)
    orders(road, 1, 5000)
    fed_by_orders(road)
    with running(road, die_at="feed.recorded", occurrence=3) as daemon:
        assert daemon.ended() == -signal.SIGKILL
    assert 0 < len(fed(road)) < 5000
    orders(road, 5001, 5010)
    with running(road) as daemon:
        daemon.until(lambda: len(fed(road)) >= 5010, "not all rows are events")
        daemon.stop()
    assert fed(road) == list(range(1, 5011))


def test_new_rows_arrive_at_the_destination(sqlite_road: Road) -> None:
    road = sqlite_road
    road.crowd(1)
    orders(road, 1, 60)
    fed_by_orders(road)
    with running(road) as daemon:
        daemon.until(lambda: len(road.sandbox.events()) >= 60, "not all rows arrive", 60)
        orders(road, 61, 70)
        daemon.until(lambda: len(road.sandbox.events()) >= 70, "new rows do not arrive", 60)
        daemon.stop()
    for user in {f"u{number % 50}" for number in range(1, 71)}:
        arrived = [each["attributes"]["id"] for each in road.sandbox.events(user)]
        assert arrived == [number for number in range(1, 71) if f"u{number % 50}" == user]


def test_what_is_read_is_told_and_is_for_the_destinations_from_the_first_row_on(
    sqlite_database: Database, sqlite_shop: Shop
) -> None:
    sqlite_shop.run("CREATE TABLE orders (id integer primary key, customer text, at text)")
    sqlite_shop.run("INSERT INTO orders VALUES (?, ?, '2026-05-17')", [(1, "ann"), (2, None), (3, None)])
    said: list[dict[str, object]] = []
    silent = telemetry.listen(lambda name, fields: said.append(fields) if name == "feed.rows_skipped" else None)
    nudges: list[None] = []
    feeder = Feeder(
        sqlite_database,
        "shop",
        lambda _: sqlite_shop.source,
        TABLE,
        ["pushwoosh"],
        asyncio.Semaphore(1),
        lambda: nudges.append(None),
    )
    run_until(feeder, lambda: bool(nudges))
    run_until(feeder, lambda: len(nudges) > 1 or bool(said))
    silent()
    assert said == [{"feed": "shop.orders: Ordered", "rows": 2, "reason": "its user id is NULL"}]
    assert len(nudges) == 1
    taken = take(sqlite_database, "pushwoosh")
    assert taken is not None
    with sqlite_database.read() as connection:
        assert [each.id > taken.floor for each in events.find(connection)] == [True]
