"""A collector that listens, on a store of each engine in turn, or on one that a test makes up."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import orjson
import pytest
from pydantic import SecretStr

from sync.clock import SystemClock
from sync.collect import CollectService, Committer, Entrance, Senders
from sync.collect.room import Room
from sync.config import Address
from sync.model.event import LoggedEvent
from sync.store import events
from sync.store.engine import Database
from sync.store.events import Recorded

KEY = "write-key-of-the-web"
OTHER_KEY = "write-key-of-the-ios"
SECRET = "s3cret-of-the-hook"


@dataclass
class Shelf:
    """A store in memory: what is recorded can be looked at, and it can be away."""

    events: list[LoggedEvent] = field(default_factory=list)
    commits: list[int] = field(default_factory=list)
    before: Callable[[], None] = lambda: None

    def record(self, batch: Sequence[LoggedEvent]) -> Recorded:
        self.before()
        self.events += batch
        self.commits.append(len(batch))
        return Recorded(ids=tuple(range(1, len(batch) + 1)))

    @property
    def bodies(self) -> list[dict[str, Any]]:
        return [orjson.loads(event.body) for event in self.events]


def logged(database: Database) -> Callable[[Sequence[LoggedEvent]], Recorded]:
    """How a real store records."""
    return lambda batch: events.record(database, batch)


def senders() -> Senders:
    keys = {"web": SecretStr(KEY), "ios": SecretStr(OTHER_KEY)}
    return Senders(keys, {"hook": SecretStr(SECRET), "open": None})


Collecting = Callable[..., AbstractAsyncContextManager[httpx.AsyncClient]]
Record = Callable[[Sequence[LoggedEvent]], Recorded]


@asynccontextmanager
async def service(record: Record, room: Room | None = None) -> AsyncIterator[CollectService]:
    """A collector that listens."""
    committer = Committer(record)
    found = CollectService(Address("127.0.0.1", 0), Entrance(senders(), committer, SystemClock(), room))
    await found.open()
    try:
        yield found
    finally:
        await found.close()
        await committer.drained()
        committer.close()


@pytest.fixture
def collecting() -> Collecting:
    """``async with collecting(record) as client``: it listens, and the client posts as ``web``."""

    @asynccontextmanager
    async def serve(record: Record, *, room: Room | None = None, auth: bool = True) -> AsyncIterator[httpx.AsyncClient]:
        async with (
            service(record, room) as found,
            httpx.AsyncClient(base_url=found.url, auth=(KEY, "") if auth else None, timeout=60) as client,
        ):
            yield client

    return serve


@pytest.fixture
def shelf() -> Shelf:
    """A store in memory."""
    return Shelf()


def track(number: int = 1, **more: object) -> dict[str, object]:
    """A valid event."""
    return {"type": "track", "event": "Tested", "userId": f"u{number}", "messageId": f"m{number}", **more}
