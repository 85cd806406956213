"""(b) A backfill to a sink that takes 50 ms, over 200 connections, against bare aiohttp with the same bodies.

Ours is `sync.deliver.foreground.deliver`: claims, leases, breaker, one settled and durable row for each user. The
ceiling posts requests that were built before, and forgets the answers.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import aiohttp

from bench.measure import alternate
from bench.people import audience, fill, members
from bench.places import Place, Places
from bench.sink import sink
from bench.table import Row, heading, line
from sync.clock import SystemClock
from sync.deliver.foreground import deliver
from sync.deliver.outlet import Outlet
from sync.destinations.pushwoosh.destination import Pushwoosh
from sync.model.delivery import DeliverySettings
from sync.model.identify import identify
from sync.model.run import RunKind
from sync.model.slot import ClaimedSlot
from sync.refresh.run import refresh

CONNECTIONS = 200
SECONDS = 0.05
AT_LEAST = 0.7

Prepared = tuple[str, bytes, dict[str, str]]


def run(places: Places, users: int, times: int) -> None:
    """Print the table for both engines."""
    heading(f"(b) backfill to {users:,} users, a sink of {SECONDS * 1000:.0f} ms, {CONNECTIONS} connections: users/s")
    with sink(SECONDS) as url:
        for place in places.fresh():
            line(_one_engine(place, url, users, times))


def _one_engine(place: Place, url: str, users: int, times: int) -> Row:
    fill(place, users, days=(0,))
    destination = Pushwoosh(name="sink", api_key="key", app_code="AAAAA-BBBBB", base_url=url)
    prepared = list(_prepared(destination, users))
    with place.database() as database:

        def owe(_: int) -> None:
            now = SystemClock().now()
            refresh(database, place.source(), audience(0), kind=RunKind.BACKFILL, as_of=now)

        def ours(_: int) -> None:
            outlet = Outlet(destination, DeliverySettings(concurrency=CONNECTIONS))
            (done,) = deliver(database, [outlet], SystemClock(), patience=30)
            assert done.accepted == users, done
            assert done.backlog is not None
            assert not done.backlog.owed, done

        pair = alternate(times, ours, lambda _: asyncio.run(post_all(prepared, CONNECTIONS)), before=owe)
    return Row(
        f"backfill, {CONNECTIONS} connections",
        place.engine,
        f"{users / pair.ours:,.0f}/s",
        f"{users / pair.ceiling:,.0f}/s",
        pair.ceiling / pair.ours,
        at_least=AT_LEAST,
        note=f"{CONNECTIONS / SECONDS:,.0f}/s would be ideal",
    )


def _prepared(destination: Pushwoosh, users: int) -> Iterator[Prepared]:
    """The same requests as ours, ready to be posted."""
    now = SystemClock().now()
    for user_id in members(users):
        slot = ClaimedSlot(
            user_id,
            "",
            1,
            {"member": True},
            {"member": 1},
            {},
            doubt=False,
            attempts=0,
            failing_since=None,
            owed_since=now,
        )
        event = identify(slot, destination=destination.name)
        for request in destination.requests_for(event).requests:
            yield str(request.url), request.read(), dict(request.headers)


async def post_all(prepared: list[Prepared], connections: int) -> None:
    """Post everything over so many connections, as one does with aiohttp."""
    left = iter(prepared)
    connector = aiohttp.TCPConnector(limit=connections)
    async with aiohttp.ClientSession(connector=connector) as session:

        async def work() -> None:
            for url, body, headers in left:
                async with session.post(url, data=body, headers=headers) as answer:
                    await answer.read()
                    assert answer.ok

        async with asyncio.TaskGroup() as group:
            for _ in range(connections):
                group.create_task(work())
