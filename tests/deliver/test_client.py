from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable

import httpx
import pytest

from sync.deliver.client import Client
from sync.deliver.transport import AiohttpTransport
from sync.destinations.mapped import ACCEPTED
from sync.model.outcome import Outcome, Verdict
from tests.deliver.wire import OK, Connection, answering, serving
from tests.ports import unused_port


def read_answer(status: int, headers: httpx.Headers, body: bytes) -> Outcome:
    return Outcome(Verdict.ACCEPTED, status, detail=f"{headers.get('x-note', '')}{body.decode()}")


DEADLINE = 1.0
"""Seconds, for what is to take longer; long enough that a busy machine has connected by then."""


@pytest.fixture
async def transport() -> AsyncIterator[AiohttpTransport]:
    async with AiohttpTransport(4, connect_timeout=60.0) as opened:
        yield opened


@pytest.fixture
def client(transport: AiohttpTransport) -> Client:
    """One whose deadline no answer that is given misses."""
    return Client(transport, read_answer, deadline=60.0)


@pytest.fixture
def impatient(transport: AiohttpTransport) -> Client:
    return Client(transport, read_answer, deadline=DEADLINE)


def mocked(handler: Callable[[httpx.Request], httpx.Response]) -> Client:
    return Client(httpx.MockTransport(handler), read_answer, deadline=5.0)


def post() -> httpx.Request:
    return httpx.Request("POST", "http://x.y/", content=b"{}")


async def test_an_answer_is_judged_by_the_destination(client: Client) -> None:
    async with serving(answering) as server:
        assert await client.exchange(server.post()) == Outcome(Verdict.ACCEPTED, 200, "ok")


async def test_headers_reach_the_judge_in_any_case() -> None:
    client = mocked(lambda _: httpx.Response(201, headers={"X-Note": "n:"}, content=b"b"))
    assert await client.exchange(post()) == Outcome(Verdict.ACCEPTED, 201, "n:b")


async def test_who_wants_to_know_is_told_when_a_request_was_accepted_and_only_then() -> None:
    told: list[str] = []
    for verdict in (Verdict.ACCEPTED, Verdict.REFUSED):
        transport = httpx.MockTransport(lambda _: httpx.Response(200))
        client = Client(transport, lambda status, *_, said=verdict: Outcome(said, status), deadline=60.0)
        request = post()
        request.extensions[ACCEPTED] = lambda said=verdict: told.append(said)
        await client.exchange(request)
    assert told == [Verdict.ACCEPTED]


async def test_no_connection_is_not_sent(client: Client) -> None:
    outcome = await client.exchange(httpx.Request("POST", f"http://127.0.0.1:{unused_port()}/", content=b"{}"))
    assert (outcome.verdict, outcome.status) == (Verdict.NOT_SENT, None)
    assert outcome.detail.startswith("ConnectError")
    assert len(outcome.detail) <= 200


async def test_the_deadline_before_a_connection_is_not_sent(impatient: Client) -> None:
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen()
        outcome = await impatient.exchange(httpx.Request("POST", f"https://127.0.0.1:{deaf.getsockname()[1]}/"))
    assert outcome == Outcome(Verdict.NOT_SENT, detail="no connection within 1 s")


async def test_the_deadline_is_total_so_a_slow_drip_does_not_renew_it(impatient: Client) -> None:
    async def drip(connection: Connection) -> None:
        await connection.request()
        await connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        while True:
            await connection.send(b"x")
            await asyncio.sleep(0.02)

    async with serving(drip) as server:
        loop = asyncio.get_running_loop()
        start = loop.time()
        assert await impatient.exchange(server.post()) == Outcome(Verdict.UNKNOWN, detail="no whole answer within 1 s")
        assert loop.time() - start < 10.0  # a thousand drips take twenty


async def test_a_request_may_be_exchanged_again_and_its_phase_starts_anew(impatient: Client) -> None:
    async def silent(connection: Connection) -> None:
        await connection.request()
        await connection.reader.read()

    async with serving(silent) as server:
        request = server.post()
        assert (await impatient.exchange(request)).verdict is Verdict.UNKNOWN
    assert (await impatient.exchange(request)).verdict is Verdict.NOT_SENT


async def test_a_deadline_that_cannot_prove_anything_is_unknown() -> None:
    async def stuck(request: httpx.Request) -> httpx.Response:
        await asyncio.Event().wait()
        raise AssertionError

    outcome = await Client(httpx.MockTransport(stuck), read_answer, deadline=0.05).exchange(post())
    assert outcome.verdict is Verdict.UNKNOWN


@pytest.mark.parametrize(
    "answer", [b"", b"garbage\r\n\r\n", OK[:-1], b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nz\r\n"]
)
async def test_no_whole_answer_is_unknown_and_nothing_of_ours_is_told(client: Client, answer: bytes) -> None:
    async def talk(connection: Connection) -> None:
        await connection.request()
        await connection.send(answer)

    async with serving(talk) as server:
        outcome = await client.exchange(server.post(b'{"email":"x@y"}'))
        assert (outcome.verdict, outcome.status) == (Verdict.UNKNOWN, None)
        assert "s3cret" not in outcome.detail
        assert "x@y" not in outcome.detail
        assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("error", "verdict"),
    [
        (httpx.ConnectError, Verdict.NOT_SENT),
        (httpx.ConnectTimeout, Verdict.NOT_SENT),
        (httpx.PoolTimeout, Verdict.NOT_SENT),
        (httpx.ReadError, Verdict.UNKNOWN),
        (httpx.WriteError, Verdict.UNKNOWN),
        (httpx.CloseError, Verdict.UNKNOWN),
        (httpx.ReadTimeout, Verdict.UNKNOWN),
        (httpx.WriteTimeout, Verdict.UNKNOWN),
        (httpx.RemoteProtocolError, Verdict.UNKNOWN),
        (httpx.LocalProtocolError, Verdict.UNKNOWN),
        (httpx.DecodingError, Verdict.UNKNOWN),
    ],
)
async def test_every_network_error_is_a_verdict(error: type[httpx.RequestError], verdict: Verdict) -> None:
    def fail(request: httpx.Request) -> httpx.Response:
        raise error("x" * 1000, request=request)

    outcome = await mocked(fail).exchange(post())
    assert outcome.verdict is verdict
    assert error.__name__ in outcome.detail
    assert len(outcome.detail) <= 200


@pytest.mark.parametrize("error", [ZeroDivisionError, TimeoutError, httpx.UnsupportedProtocol, httpx.InvalidURL])
async def test_our_own_mistakes_propagate(error: type[Exception]) -> None:
    def fail(_: httpx.Request) -> httpx.Response:
        raise error("mistake")

    with pytest.raises(error):
        await mocked(fail).exchange(post())


async def test_cancellation_propagates_and_frees_the_connection() -> None:
    asked = asyncio.Event()

    async def silent(connection: Connection) -> None:
        await connection.request()
        asked.set()
        await connection.reader.read()

    async with serving(silent) as server, AiohttpTransport(1, connect_timeout=60.0) as transport:
        client = Client(transport, read_answer, deadline=60.0)
        for _ in range(3):
            asked.clear()
            task = asyncio.create_task(client.exchange(server.post()))
            await asked.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        assert len(server.connections) == 3
