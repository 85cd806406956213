"""Who may look, where it listens, and that it gives the address back."""

from __future__ import annotations

import asyncio
import socket

import httpx
import pytest
from pydantic import SecretStr

from sync.config import Address, Settings
from sync.errors import UsageError
from sync.store.engine import Database
from sync.web import WebService, WebState
from sync.web.metrics import MetricsPage
from tests.web.conftest import Watching

TOKEN = "correct horse battery staple"


@pytest.fixture
def state(sqlite_database: Database, settings: Settings) -> WebState:
    """One engine is enough here."""
    return WebState(sqlite_database, settings)


def bearing(text: str) -> dict[str, str]:
    return {"Authorization": text}


async def test_health_is_for_anybody(state: WebState, watching: Watching) -> None:
    async with watching(state, TOKEN) as client:
        for headers in ({}, bearing("Bearer wrong"), bearing(f"Bearer {TOKEN}")):
            answer = await client.get("/healthz", headers=headers)
            assert (answer.status_code, answer.json()) == (200, {"healthy": True})


@pytest.mark.parametrize("path", ["/readyz", "/metrics", "/", "/nothing", "/healthz/", "//healthz"])
async def test_everything_else_wants_the_token(state: WebState, watching: Watching, path: str) -> None:
    wrong = ["", "Bearer", TOKEN, f"Basic {TOKEN}", f"Bearer {TOKEN[:-1]}", f"Bearer {TOKEN}x", "Bearer \xff"]
    async with watching(state, TOKEN) as client:
        for text in wrong:
            answer = await client.get(path, headers={"Authorization": text.encode("latin-1")} if text else {})  # type: ignore[dict-item]
            assert (answer.status_code, answer.json()) == (401, {"error": "Unauthorized"}), text
            assert answer.headers["WWW-Authenticate"] == 'Bearer realm="engage-sync"'
        assert (await client.get(path, headers=bearing(f"bearer {TOKEN}"))).status_code != 401


async def test_a_token_in_the_address_does_not_count(state: WebState, watching: Watching) -> None:
    async with watching(state, "secret") as client:
        assert (await client.get("/metrics?token=secret&access_token=secret")).status_code == 401


async def test_without_a_token_everybody_on_this_host_may_look(state: WebState, watching: Watching) -> None:
    async with watching(state) as client:
        assert [(await client.get(path)).status_code for path in ("/readyz", "/metrics")] == [200, 200]


async def test_there_is_nothing_else_and_nothing_to_write(state: WebState, watching: Watching) -> None:
    async with watching(state) as client:
        unknown = await client.get("/nothing")
        assert (unknown.status_code, unknown.json()) == (404, {"error": "Not Found"})
        written = await client.post("/metrics", content=b"x")
        assert (written.status_code, written.headers["Allow"]) == (405, "GET,HEAD")
        assert (await client.head("/healthz")).status_code == 200


async def test_no_answer_is_kept_or_names_the_software_below(state: WebState, watching: Watching) -> None:
    async with watching(state) as client:
        for path in ("/healthz", "/readyz", "/metrics", "/nothing"):
            headers = (await client.get(path)).headers
            assert (headers["Cache-Control"], headers["Server"]) == ("no-store", "engage-sync")


async def test_a_mistake_of_ours_is_told_to_the_log_only(
    state: WebState, watching: Watching, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: object) -> None:
        raise ValueError("s3cret")

    monkeypatch.setattr(MetricsPage, "_measured", fail)
    async with watching(state) as client:
        answer = await client.get("/metrics")
        assert (answer.status_code, answer.json()) == (500, {"error": "a mistake of engage-sync: see its log"})
        assert (await client.get("/healthz")).status_code == 200


async def test_port_0_becomes_a_free_one_that_is_told(state: WebState) -> None:
    service = WebService(Address("127.0.0.1", 0), None, state)
    await service.open()
    try:
        assert service.address.port > 0
        assert service.url == f"http://127.0.0.1:{service.address.port}"
        async with httpx.AsyncClient(timeout=60) as client:
            assert (await client.get(f"{service.url}/healthz")).status_code == 200
    finally:
        await service.close()


async def test_an_address_that_is_in_use_is_told_and_ends_with_2(state: WebState) -> None:
    first = WebService(Address("127.0.0.1", 0), None, state)
    await first.open()
    with pytest.raises(UsageError) as caught:
        await WebService(first.address, None, state).open()
    await first.close()
    assert str(caught.value) == (
        f"cannot listen on {first.address}: it is in use; give another address with `web.listen` or --web-listen, or `off`"
    )
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("host", ["192.0.2.1", "2001:db8::1", "host.invalid"])
async def test_an_address_that_is_not_this_hosts_is_told(state: WebState, host: str) -> None:
    with pytest.raises(UsageError, match=r"^cannot listen on .*:0: [^\[]+; give another address"):
        await WebService(Address(host, 0), None, state).open()


async def test_it_stops_when_told_gives_the_address_back_and_can_start_again(state: WebState) -> None:
    service = WebService(Address("127.0.0.1", 0), SecretStr("t"), state)
    for _ in range(2):
        stopping = asyncio.Event()
        await service.open()
        running = asyncio.create_task(service.run(stopping))
        async with httpx.AsyncClient(base_url=service.url, timeout=60) as client:
            assert (await client.get("/healthz")).status_code == 200
        stopping.set()
        await running
        with socket.socket() as other:
            other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            other.bind(("127.0.0.1", service.address.port))
    again = asyncio.Event()
    again.set()
    await service.run(again)
