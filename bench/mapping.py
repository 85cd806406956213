"""(d) An event through the presets: triggers, mapping, validation; against orjson reading and writing the same event.

Ours is what delivery does with every event but the request's JSON: both triggers are asked, and the one that takes the
event makes its payload.
"""

from __future__ import annotations

from collections.abc import Sequence

import orjson

from bench.measure import alternate
from bench.table import Row, heading, line
from sync.destinations.pushwoosh.actions import presets
from sync.mapping.mapping import Mapping

AT_MOST = 8.0

_CONTEXT = {
    "app": {"name": "Shop", "version": "7.4.1", "build": "1841"},
    "device": {"id": "6B9C1C4E-6E3C-4F0A", "model": "iPhone15,2", "type": "ios", "token": "a91f0c52e7"},
    "ip": "203.0.113.9",
    "library": {"name": "analytics-ios", "version": "4.1.8"},
    "locale": "nb-NO",
    "location": {"country": "NO", "city": "Oslo", "latitude": 59.9139, "longitude": 10.7522},
    "os": {"name": "iOS", "version": "17.5"},
    "timezone": "Europe/Oslo",
    "userAgent": "Shop/7.4.1 (iPhone; iOS 17.5; Scale/3.00)",
}
_COMMON = {"messageId": "ajs-8c1f", "timestamp": "2026-11-21T10:11:12.345Z", "userId": "u-1007", "context": _CONTEXT}
_ORDER = {"order_id": "A-1841", "total": 129.5, "currency": "NOK", "coupon": None, "products": ["tea", "pot"]}

EVENTS: dict[str, dict[str, object]] = {
    "an identify of one audience": {
        "type": "identify",
        "userId": "u-1007",
        "traits": {"big_spenders": True},
        "messageId": "sync_8c1f0e",
        "timestamp": "2026-11-21T10:11:12.345Z",
        "context": {},
    },
    "an identify from an app": {
        **_COMMON,
        "type": "identify",
        "traits": {"email": "ann@example.com", "plan": "premium", "age": 34, "newsletter": True, "total_spend": 1290.5},
    },
    "a track event from an app": {**_COMMON, "type": "track", "event": "Order Completed", "properties": _ORDER},
}


def run(events: int, times: int) -> None:
    """Print the table."""
    heading(f"(d) mapping with the presets, {events:,} events: microseconds an event")
    for what, event in EVENTS.items():
        line(_one(what, event, events, times))


def _one(what: str, event: dict[str, object], events: int, times: int) -> Row:
    mappings = presets()
    text = orjson.dumps(event)
    pair = alternate(
        times, lambda _: _map(mappings, event, events), lambda _: _copy(text, events), before=lambda _: None
    )
    ours, ceiling = (f"{seconds / events * 1e6:.2f} us" for seconds in (pair.ours, pair.ceiling))
    return Row(what, "", ours, ceiling, pair.ratio, at_most=AT_MOST)


def _map(mappings: Sequence[Mapping], event: dict[str, object], events: int) -> None:
    for _ in range(events):
        for mapping in mappings:
            if mapping.matches(event):
                mapping.payload(event)


def _copy(text: bytes, events: int) -> None:
    for _ in range(events):
        orjson.dumps(orjson.loads(text))
