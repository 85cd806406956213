"""A web service on a real socket, over a real store."""

from __future__ import annotations

import asyncio
import pathlib
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress

import httpx
import pytest
from pydantic import SecretStr

from sync import telemetry
from sync.config import Address, Settings, load
from sync.store.engine import Database
from sync.web import WebService, WebState, metrics, readiness
from tests.moving_clock import MovingClock

Watching = Callable[..., AbstractAsyncContextManager[httpx.AsyncClient]]

CONFIGURATION = """\
version: 1
sources:
  shop:
    url: sqlite:///shop.db
    events: [{table: orders, event: Ordered, user_id: customer, timestamp: at, cursor: id, forward: true}]
destinations: {push: {type: pushwoosh, api_key: k, app_code: c}}
audiences:
  - {name: Vip, sql: select 1}
  - {name: Quiet, sql: select 1, enabled: false}
traits: [{name: Spend, sql: select 1}]
collector: {listen: "off", keys: {web: key-of-the-web, ios: key-of-the-phones}}
"""


@pytest.fixture(autouse=True)
def _by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing was counted before, and a busy machine has time to answer."""
    monkeypatch.setattr(telemetry, "_counters", {})
    monkeypatch.setattr(readiness, "PATIENCE", 20.0)
    monkeypatch.setattr(metrics, "PATIENCE", 20.0)


@pytest.fixture
def settings(tmp_path: pathlib.Path) -> Settings:
    """A configuration with an audience `vip`, a trait `spend`, a destination `push`, and one that is switched off."""
    path = tmp_path / "sync.yaml"
    path.write_text(CONFIGURATION)
    return load(path, {})


@pytest.fixture
def state(database: Database, settings: Settings, clock: MovingClock) -> WebState:
    """What a daemon hands over, with a store on each engine in turn."""
    return WebState(database, settings, clock=clock)


@pytest.fixture
def watching() -> Watching:
    """``async with watching(state) as client``: the service listens, and the client asks it."""

    @asynccontextmanager
    async def serve(state: WebState, token: str | None = None) -> AsyncIterator[httpx.AsyncClient]:
        service = WebService(Address("127.0.0.1", 0), None if token is None else SecretStr(token), state)
        await service.open()
        stopping = asyncio.Event()
        running = asyncio.create_task(service.run(stopping))
        try:
            async with httpx.AsyncClient(base_url=service.url, timeout=60) as client:
                yield client
        finally:
            stopping.set()
            with suppress(asyncio.CancelledError):
                await running

    return serve
