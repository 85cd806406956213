"""Whoever says nothing is sent away, and only so many are let in."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from sync.collect import body
from sync.collect.door import Door
from tests.collect.conftest import Collecting, Shelf, track

PATIENCE = 60.0


@asynccontextmanager
async def behind(door: Door) -> AsyncIterator[int]:
    """A server that says `done` to everybody, behind this door; gives its port."""

    async def done(request: web.BaseRequest) -> web.Response:
        door.heard(request)  # type: ignore[arg-type]  # every request has what it looks at
        return web.Response(text="done")

    server = web.Server(done)
    door.leads_to(server)
    listening = await asyncio.get_running_loop().create_server(door.enter, "127.0.0.1", 0)
    sweeping = asyncio.create_task(door.sweep())
    try:
        yield listening.sockets[0].getsockname()[1]
    finally:
        sweeping.cancel()
        listening.close()
        await server.shutdown(1)


Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def entering(port: int) -> Streams:
    return await asyncio.open_connection("127.0.0.1", port)


async def hung_up(streams: Streams) -> bool:
    """Whether the server ends it, having said nothing."""
    try:
        said = await asyncio.wait_for(streams[0].read(), PATIENCE)
    except ConnectionError:
        said = b""
    streams[1].close()
    return said == b""


async def answered(streams: Streams) -> bool:
    streams[1].write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    return (await asyncio.wait_for(streams[0].readuntil(b"done"), PATIENCE)).startswith(b"HTTP/1.1 200")


async def test_who_never_finishes_a_first_head_is_sent_away_and_who_has_asked_may_stay(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sync.collect.door._SWEEP_EVERY", 0.05)
    door = Door(silence=PATIENCE)
    async with behind(door) as port:
        asking, silent, slow = [await entering(port) for _ in range(3)]
        assert await answered(asking)
        door._silence = 0.3
        slow[1].write(b"POST /v1/batch HTTP/1.1\r\nHost:")
        assert await hung_up(silent)
        assert await hung_up(slow)
        assert await answered(asking)
        asking[1].close()


async def test_only_so_many_are_let_in_until_somebody_leaves() -> None:
    door = Door(most=2)
    async with behind(door) as port:
        inside = [await entering(port) for _ in range(2)]
        assert all([await answered(each) for each in inside])
        assert await hung_up(await entering(port))
        assert all([await answered(each) for each in inside])
        inside.pop()[1].close()
        while door.is_full:  # noqa: ASYNC110 - nobody tells when the server has noticed
            await asyncio.sleep(0)
        inside.append(await entering(port))
        assert all([await answered(each) for each in inside])
        for each in inside:
            each[1].close()


async def test_a_body_that_does_not_arrive_is_given_up(
    collecting: Collecting, shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    received: Callable[..., object] = body.received

    async with collecting(shelf.record) as client:
        streams = await entering(client.base_url.port or 0)
        with monkeypatch.context() as impatient:
            impatient.setattr(body, "received", lambda request, share: received(request, share, patience=0.2))
            streams[1].write(b"POST /v1/batch HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
            assert (await asyncio.wait_for(streams[0].readline(), PATIENCE)).startswith(b"HTTP/1.1 408")
        streams[1].close()
        assert (await client.post("/v1/track", json=track())).status_code == 200
