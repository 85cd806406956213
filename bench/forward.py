"""(f) Forwarding a backlog to a sink that takes 50 ms, in batches of 100, against bare aiohttp posting the same bodies.

Ours is `sync.deliver.foreground.forward`: read from the log, trigger, mapping, order for every user, one durable outcome
for each event. The ceiling posts requests that were built before, and forgets the answers.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import count

import orjson

from bench.delivery import Prepared, post_all
from bench.measure import alternate
from bench.places import Place, Places
from bench.sink import sink
from bench.table import Row, heading, line
from sync.clock import SystemClock
from sync.deliver.foreground import forward
from sync.deliver.outlet import Outlet
from sync.destinations.pushwoosh.actions.track_event import ACTION
from sync.destinations.pushwoosh.destination import Pushwoosh
from sync.mapping.mapping import compile_subscription
from sync.model.delivery import DeliverySettings
from sync.model.event import LoggedEvent
from sync.store import events, forwarding

CONNECTIONS = 10
TOGETHER = 100
SECONDS = 0.05
AT_LEAST = 0.6

_USERS = 5_000
_numbers = count(1)


def run(places: Places, many: int, times: int) -> None:
    """Print the table for both engines."""
    title = f"(f) forwarding {many:,} events, {TOGETHER} in a request, a sink of {SECONDS * 1000:.0f} ms"
    heading(f"{title}, {CONNECTIONS} connections: events/s")
    with sink(SECONDS) as url:
        for place in places.fresh():
            line(_one_engine(place, url, many, times))


def _one_engine(place: Place, url: str, many: int, times: int) -> Row:
    mapping = compile_subscription("events", ACTION, 'type = "track"', _mapping())
    destination = Pushwoosh(name="sink", api_key="key", app_code="AAAAA-BBBBB", base_url=url, mappings=[mapping])
    prepared = list(_prepared(destination, many))
    settings = DeliverySettings(concurrency=CONNECTIONS, batch_events=TOGETHER)
    with place.database() as database:
        forwarding.begin(database, [destination.name])

        def record(_: int) -> None:
            for start in range(0, many, 1_000):
                events.record(database, _events(min(1_000, many - start)))

        def ours(_: int) -> None:
            (done,) = forward(database, [Outlet(destination, settings)], SystemClock(), patience=30)
            assert (done.accepted, done.complete) == (many, True), done

        pair = alternate(times, ours, lambda _: asyncio.run(post_all(prepared, CONNECTIONS)), before=record)
    return Row(
        f"forwarding, {CONNECTIONS} connections",
        place.engine,
        f"{many / pair.ours:,.0f}/s",
        f"{many / pair.ceiling:,.0f}/s",
        pair.ceiling / pair.ours,
        at_least=AT_LEAST,
        note=f"{CONNECTIONS * TOGETHER / SECONDS:,.0f}/s would be ideal",
    )


def _mapping() -> dict[str, object]:
    """The action's own defaults, and events may travel together."""
    return {each.key: each.default for each in ACTION.fields if each.default is not None} | {"enable_batching": True}


def _events(many: int) -> list[LoggedEvent]:
    """Track events as a shop sends them, of several thousand users."""
    return [_event(next(_numbers)) for _ in range(many)]


def _event(number: int) -> LoggedEvent:
    now = datetime.now(UTC)
    body = {
        "type": "track",
        "event": "Order Completed",
        "userId": f"user-{number % _USERS:09d}",
        "messageId": f"message-{number:012d}",
        "timestamp": now.replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z",
        "properties": {"order_id": number, "total": number % 1000 / 10, "currency": "EUR", "products": ["a", "b"]},
        "context": {"library": {"name": "bench", "version": "1"}, "locale": "en-US", "ip": "192.0.2.1"},
    }
    return LoggedEvent(
        source="bench",
        message_id=f"message-{number:012d}",
        type="track",
        name="Order Completed",
        user_id=f"user-{number % _USERS:09d}",
        anonymous_id=None,
        timestamp=now,
        received_at=now,
        body=orjson.dumps(body).decode(),
    )


def _prepared(destination: Pushwoosh, many: int) -> Iterator[Prepared]:
    """Requests like ours, ready to be posted."""
    for start in range(0, many, TOGETHER):
        found = [destination.prepare(orjson.loads(each.body)) for each in _events(min(TOGETHER, many - start))]
        request = destination.request_of([part for each in found for part in each.parts])
        yield str(request.url), request.read(), dict(request.headers)
