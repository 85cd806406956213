"""(f) Events taken in for good, from 8 connections that post an SDK's batches of 100, against the same rows inserted by hand.

Ours is a daemon of its own, asked over HTTP: each batch is answered when it is durable. The ceiling is a program with
nothing else to do: rows that were made before go into the same tables, with the same indexes, so many to a commit as
ours had, and as durable. One event in ten is an identify, and makes a profile.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import aiohttp
from sqlalchemy import text

from bench import by_hand
from bench.measure import alternate
from bench.places import Place, Places
from bench.table import Row, heading, line
from sync.model.event import LoggedEvent
from sync.model.received import read_event
from sync.store.engine import Database

CONNECTIONS = 8
PER_REQUEST = 100
AT_LEAST = 0.3

_KEY = "write-key-of-the-benchmark"
_IDENTIFY_EVERY = 10
_WARM_UP = 40
"""Requests before the first turn: of these, too, one learns how many events ours commits at once."""

_LISTENING = "events on "


def run(places: Places, events: int, times: int) -> None:
    """Print the table for both engines."""
    heading(f"(f) {events:,} events from {CONNECTIONS} connections in batches of {PER_REQUEST}, durable: events/s")
    for place, other in zip(places.fresh(), places.fresh(), strict=True):
        line(_one_engine(place, other, events, times))


@dataclass(slots=True)
class _Turn:
    """What one turn posts, the events that it comes to, and their rows for the hand."""

    bodies: list[bytes] = field(default_factory=list)
    events: list[LoggedEvent] = field(default_factory=list)
    commits: by_hand.Commits = field(default_factory=list)


def _one_engine(place: Place, other: Place, events: int, times: int) -> Row:
    """``other`` is for the hand."""
    requests = events // PER_REQUEST
    turn = _Turn()
    with place.database() as database, other.database(), _daemon(place) as url:
        asyncio.run(_post_all(url, _prepared(_WARM_UP).bodies))
        known = _commits(database)
        at_once = PER_REQUEST * _WARM_UP // known

        def prepare(number: int) -> None:
            made = _prepared(requests)
            turn.bodies = made.bodies
            turn.commits = by_hand.prepared(made.events, at_once, 1 + number * events)

        pair = alternate(
            times,
            lambda _: asyncio.run(_post_all(url, turn.bodies)),
            lambda _: by_hand.insert(other, turn.commits),
            before=prepare,
        )
        per_commit = times * events // (_commits(database) - known)
        with database.read() as connection:
            arrived = connection.execute(text("SELECT count(*) FROM event")).scalar_one()
        assert arrived == _WARM_UP * PER_REQUEST + times * events, arrived
    return Row(
        f"ingest, {CONNECTIONS} connections",
        place.engine,
        f"{events / pair.ours:,.0f}/s",
        f"{events / pair.ceiling:,.0f}/s",
        pair.ceiling / pair.ours,
        at_least=AT_LEAST,
        note=f"{per_commit} events a commit, by hand {at_once}",
    )


def _prepared(requests: int) -> _Turn:
    """Batches as an SDK posts them, with events that nobody has seen."""
    made = _Turn()
    now = datetime.now(UTC)
    for _ in range(requests):
        batch = [_event(number, now) for number in range(PER_REQUEST)]
        document = {"batch": batch, "sentAt": now.isoformat(), "writeKey": _KEY}
        made.bodies.append(json.dumps(document).encode())
        made.events += [read_event(each, source="bench", received_at=now, sent_at=now) for each in batch]
    return made


def _event(number: int, now: datetime) -> dict[str, object]:
    identifies = number % _IDENTIFY_EVERY == 0
    user = uuid.uuid4()
    common: dict[str, object] = {
        "type": "identify" if identifies else "track",
        # Each identify is of somebody new, so that each commit makes profiles.
        "userId": f"user-{user}" if identifies else f"user-{user.int % 10_000:09d}",
        "messageId": str(uuid.uuid4()),
        "timestamp": now.isoformat(timespec="milliseconds"),
        "integrations": {},
        "context": {"library": {"name": "analytics-python", "version": "2.3.4"}},
    }
    if identifies:
        return {**common, "traits": {"email": f"{user}@example.com", "plan": "pro", "age": number}}
    return {**common, "event": "Order Completed", "properties": _ORDER}


_ORDER = {
    "order_id": "50314b8e9bcf000000000000",
    "total": 27.5,
    "currency": "EUR",
    "coupon": "hasbros",
    "products": [
        {"product_id": "507f1f77bcf86cd799439011", "name": "Monopoly: 3rd Edition", "price": 19, "quantity": 1}
    ],
}


async def _post_all(url: str, bodies: list[bytes]) -> None:
    """Post everything over ``CONNECTIONS`` connections; each waits for its answer."""
    left = iter(bodies)
    connector = aiohttp.TCPConnector(limit=CONNECTIONS)
    headers = {"Content-Type": "application/json"}
    async with aiohttp.ClientSession(connector=connector) as session:

        async def work() -> None:
            for body in left:
                async with session.post(f"{url}/v1/batch", data=body, headers=headers) as answer:
                    assert answer.status == 200, await answer.text()
                    await answer.read()

        async with asyncio.TaskGroup() as group:
            for _ in range(CONNECTIONS):
                group.create_task(work())


def _commits(database: Database) -> int:
    """How many commits there were: each has made profiles, dated alike."""
    with database.read() as connection:
        found: int = connection.execute(text("SELECT count(DISTINCT created_at) FROM profile")).scalar_one()
    return found


@contextmanager
def _daemon(place: Place) -> Iterator[str]:
    """The URL of the collector of a daemon that has nothing else to do."""
    store = {"url": place.store_url} | ({"schema": place.store_schema} if place.store_schema else {})
    collector = {"listen": "127.0.0.1:0", "keys": {"bench": _KEY}}
    with tempfile.TemporaryDirectory(prefix="engage-sync-bench-") as folder:
        config = Path(folder) / "sync.yaml"
        config.write_text(json.dumps({"version": 1, "store": store, "collector": collector}))  # JSON is YAML
        command = [sys.executable, "-m", "sync", "daemon", "--web-listen", "off", "--config", str(config)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        try:
            assert process.stdout is not None
            said = next(each for each in process.stdout if each.startswith(_LISTENING))
            yield said.removeprefix(_LISTENING).strip()
        finally:
            process.terminate()
            process.communicate()
    assert process.returncode == 0, process.returncode
