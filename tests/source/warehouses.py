"""Warehouses as Segment and RudderStack fill them."""

from __future__ import annotations

from functools import partial
from typing import Any

from sync.model.feed import Tables, Warehouse
from tests.shop import Shop

TABLES = Tables(warehouse=Warehouse())
STANDARD = "id text, anonymous_id text, user_id text, timestamp {instant}, received_at {instant}, uuid_ts {instant}"
TRACK = f"{STANDARD}, event text, event_text text, context_page_url text, context_library_name text"


def create(shop: Shop, name: str, columns: str, *rows: dict[str, Any], capitals: bool = False) -> None:
    """A table with rows, each of which is whole but for what it leaves out."""
    instant = "text" if shop.dialect == "sqlite" else "timestamptz"
    columns = columns.format(instant=instant)
    named = f"{name} ({columns})"
    shop.run(f"CREATE TABLE {named.upper() if capitals else named}")
    keys = list(dict.fromkeys(["id", *(key for row in rows for key in row), "received_at", "uuid_ts"]))
    at = [dict.fromkeys(("received_at", "uuid_ts"), row.get("timestamp")) for row in rows]
    whole = [{"id": f"{name}-{number}", **at[number], **row} for number, row in enumerate(rows)]
    if rows:
        places = ", ".join("?" * len(keys))
        values = [tuple(map(row.get, keys)) for row in whole]
        shop.run(f"INSERT INTO {name} ({', '.join(keys)}) VALUES ({places})", values)


def happened(who: str | None, day: int, event: str, **more: object) -> dict[str, Any]:
    """A track call at ten o'clock."""
    return {"user_id": who, "timestamp": f"2026-11-{day:02} 10:00:00Z", "event_text": event, **more}


def as_segment_fills_it(shop: Shop, *, capitals: bool = False) -> Shop:
    """A warehouse as Segment fills it; in ``capitals`` as others carry it away."""
    put = partial(create, capitals=capitals)
    bought = [
        happened("ann", 20, "Order Completed", order_id="o1", total=30, product_info_sku="A", context_page_url="/a"),
        happened("ann", 1, "Order Completed", order_id="o2", total=5),
        happened("bob", 19, "Order Completed", order_id="o3", total=7, product_info_sku="B"),
        happened(None, 20, "Order Completed", order_id="o4", total=99, anonymous_id="x"),
        happened("cyd", 20, "order_completed", order_id="o5", total=8),
    ]
    put(shop, "order_completed", f"{TRACK}, order_id text, total numeric, product_info_sku text", *bought)
    common = ("user_id", "timestamp", "event_text", "anonymous_id")
    tracked = [{key: row[key] for key in common if key in row} for row in bought]
    put(shop, "tracks", TRACK, *tracked, happened("dan", 3, "Signed Up"))
    put(shop, "signed_up", f"{TRACK}, plan text", happened("dan", 3, "Signed Up", plan="free"))
    viewed = {"user_id": "ann", "timestamp": "2026-11-21 10:00:00Z", "name": "Checkout", "title": "Your order"}
    put(shop, "pages", f"{STANDARD}, name text, title text, context_page_url text", viewed)
    put(
        shop,
        "screens",
        f"{STANDARD}, name text",
        {"user_id": "bob", "timestamp": "2026-11-21 10:00:00Z", "name": "Cart"},
    )
    users = [
        {"id": "ann", "email": "ann@example.com", "address_postal_code": "0150", "is_vip": True},
        {"id": "eve", "email": "eve@example.com", "is_vip": False},
    ]
    columns = "id text, received_at {instant}, uuid_ts {instant}, email text, address_postal_code text, is_vip boolean"
    put(shop, "users", columns, *users)
    put(shop, "identifies", f"{STANDARD}, email text")
    return shop


MEMBERS = {
    "event('Order Completed').count() >= 1": ["ann", "bob"],
    "event('order_completed').count() >= 1": ["cyd"],
    "event('Order Completed').within(7 days).count() >= 1 AND trait('isVip') = true": ["ann"],
    "event('Order Completed').where(property('orderId') = 'o3').count() >= 1": ["bob"],
    "event('Order Completed').where(property('productInfo.sku') = 'A').count() >= 1": ["ann"],
    "event('Order Completed').where(context('page.url') = '/a').count() >= 1": ["ann"],
    "event('Order Completed').where(property('id').is_set()).count() >= 1": [],
    "event('Page Viewed').where(property('page_name') = 'Checkout').count() >= 1": ["ann"],
    "event('Page Viewed').where(property('title') = 'Your order').count() >= 1": ["ann"],
    "event('Screen Viewed').where(property('screen_name') = 'Cart').count() >= 1": ["bob"],
    "event('Never Happened').count() >= 1": [],
    "event('Order Completed').count() = 0": ["cyd", "dan", "eve"],
    "trait('address.postalCode') = '0150'": ["ann"],
    "trait('id').is_set()": [],
}
"""What `as_segment_fills_it` says to queries, at noon of 2026-11-21."""
