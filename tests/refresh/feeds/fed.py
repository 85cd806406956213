"""Tables of a customer that are read as events, and what a store has of them."""

from __future__ import annotations

from sync.model.event import LoggedEvent
from sync.model.feed import BEGINNING, EventsTable, Forward
from sync.refresh.feed import Feed
from sync.store import events, feeds
from sync.store.engine import Database
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
