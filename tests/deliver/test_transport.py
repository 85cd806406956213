from __future__ import annotations

import asyncio
import gzip
import socket
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from sync.deliver.transport import ANSWER_LIMIT, PHASE, TRUNCATED, AiohttpTransport, Phase
from sync.destinations.mapped import ANSWER_BYTES
from tests.deliver.wire import OK, Connection, answering, serving
from tests.ports import unused_port

CERTIFICATE = Path(__file__).with_name("self_signed.pem")


@pytest.fixture
async def transport() -> AsyncIterator[AiohttpTransport]:
    async with AiohttpTransport(4, connect_timeout=60.0) as opened:
        yield opened


def server_tls() -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(CERTIFICATE)
    return context


async def test_the_request_goes_out_as_it_was_made(transport: AiohttpTransport) -> None:
    async with serving(answering) as server:
        request = server.post(b'{"a":1}', path="/a%2Fb?c=%20d")
        answer = await transport.handle_async_request(request)
        assert (answer.status_code, await answer.aread()) == (200, b"ok")
        [sent] = server.requests
        head, body = sent.split(b"\r\n\r\n")
        line, *headers = head.split(b"\r\n")
        assert line == b"POST /a%2Fb?c=%20d HTTP/1.1"
        assert sorted(headers) == sorted(
            [b"Host: 127.0.0.1:%d" % server.port, b"Authorization: Token s3cret", b"Content-Length: 7"]
        )
        assert body == b'{"a":1}'


async def test_a_connection_is_used_again(transport: AiohttpTransport) -> None:
    async with serving(answering) as server:
        for _ in range(3):
            await transport.handle_async_request(server.post())
        assert len(server.connections) == 1


async def test_a_refused_connection_is_a_connect_error(transport: AiohttpTransport) -> None:
    request = httpx.Request("POST", f"http://127.0.0.1:{unused_port()}/", content=b"{}")
    with pytest.raises(httpx.ConnectError):
        await transport.handle_async_request(request)
    assert request.extensions[PHASE] is Phase.CONNECTING


async def test_an_unknown_host_is_a_connect_error(transport: AiohttpTransport) -> None:
    with pytest.raises(httpx.ConnectError):
        await transport.handle_async_request(httpx.Request("POST", "http://nowhere.invalid/", content=b"{}"))


async def test_an_untrusted_certificate_is_a_connect_error_and_nothing_is_sent(transport: AiohttpTransport) -> None:
    async with serving(answering, server_tls()) as server:
        with pytest.raises(httpx.ConnectError, match="certificate"):
            await transport.handle_async_request(server.post())
        assert server.requests == []


async def test_a_trusted_certificate_is_served() -> None:
    trusting = ssl.create_default_context(cafile=str(CERTIFICATE))
    async with serving(answering, server_tls()) as server, AiohttpTransport(1, tls=trusting) as transport:
        assert (await transport.handle_async_request(server.post())).status_code == 200


async def test_a_peer_that_speaks_no_tls_is_a_connect_error(transport: AiohttpTransport) -> None:
    async with serving(lambda connection: connection.send(b"SSH-2.0-x\r\n")) as server:
        server.scheme = "https"
        with pytest.raises(httpx.ConnectError):
            await transport.handle_async_request(server.post())


async def test_no_free_connection_in_time_is_a_pool_timeout() -> None:
    asked = asyncio.Event()

    async def silent(connection: Connection) -> None:
        await connection.request()
        asked.set()
        await connection.reader.read()

    async with serving(silent) as server, AiohttpTransport(1, connect_timeout=1.0) as transport:
        busy = asyncio.create_task(transport.handle_async_request(server.post()))
        await asked.wait()
        request = server.post()
        with pytest.raises(httpx.PoolTimeout):
            await transport.handle_async_request(request)
        assert request.extensions[PHASE] is Phase.QUEUED
        assert len(server.requests) == 1
        busy.cancel()
        await asyncio.wait([busy])


async def test_a_handshake_that_takes_too_long_is_a_connect_timeout() -> None:
    with socket.socket() as deaf:  # accepts in the kernel, and never says a word of TLS
        deaf.bind(("127.0.0.1", 0))
        deaf.listen()
        async with AiohttpTransport(1, connect_timeout=0.1) as transport:
            request = httpx.Request("POST", f"https://127.0.0.1:{deaf.getsockname()[1]}/", content=b"{}")
            with pytest.raises(httpx.ConnectTimeout):
                await transport.handle_async_request(request)


async def test_a_closed_connection_after_the_request_is_a_protocol_error_and_sent_once(
    transport: AiohttpTransport,
) -> None:
    async def close(connection: Connection) -> None:
        await connection.request()

    async with serving(close) as server:
        request = server.post()
        with pytest.raises(httpx.RemoteProtocolError):
            await transport.handle_async_request(request)
        assert request.extensions[PHASE] is Phase.CONNECTED
        assert len(server.requests) == 1


async def test_a_reset_after_the_request_is_a_read_error(transport: AiohttpTransport) -> None:
    async def reset(connection: Connection) -> None:
        await connection.request()
        connection.reset()

    async with serving(reset) as server:
        with pytest.raises(httpx.ReadError):
            await transport.handle_async_request(server.post())


async def test_a_kept_connection_that_the_server_closes_on_the_second_request_is_not_tried_again(
    transport: AiohttpTransport,
) -> None:
    async def once(connection: Connection) -> None:
        await connection.request()
        await connection.send(OK)
        await connection.request()
        connection.reset()

    async with serving(once) as server:
        await transport.handle_async_request(server.post())
        with pytest.raises(httpx.ReadError):
            await transport.handle_async_request(server.post())
        assert len(server.requests) == 2
        assert len(server.connections) == 1


async def test_a_kept_connection_that_is_known_to_be_closed_is_replaced(transport: AiohttpTransport) -> None:
    async def once(connection: Connection) -> None:
        await connection.request()
        await connection.send(OK.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))

    async with serving(once) as server:
        for _ in range(3):
            assert (await transport.handle_async_request(server.post())).status_code == 200
        assert len(server.connections) == 3


@pytest.mark.parametrize(
    "answer",
    [
        b"garbage\r\n\r\n",
        b"HTTP/1.1 2x0 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n",
        b"",
    ],
)
async def test_garbage_and_incomplete_answers_are_protocol_errors(transport: AiohttpTransport, answer: bytes) -> None:
    async def talk(connection: Connection) -> None:
        await connection.request()
        await connection.send(answer)

    async with serving(talk) as server:
        with pytest.raises(httpx.RemoteProtocolError) as error:
            await transport.handle_async_request(server.post())
        assert "s3cret" not in str(error.value)


async def test_a_long_answer_is_cut_off_and_its_connection_dropped(transport: AiohttpTransport) -> None:
    sent = 0

    async def flood(connection: Connection) -> None:
        nonlocal sent
        await connection.request()
        await connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
        while True:
            await connection.send(b"x" * 10_000)
            sent += 10_000

    async with serving(flood) as server:
        answer = await transport.handle_async_request(server.post())
        assert len(await answer.aread()) == ANSWER_LIMIT
        assert answer.extensions[TRUNCATED] is True
        await transport.handle_async_request(server.post())
        assert len(server.connections) == 2
    assert sent < 50_000_000


async def test_more_of_an_answer_is_read_when_the_request_says_so(transport: AiohttpTransport) -> None:
    async def much(connection: Connection) -> None:
        await connection.request()
        await connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 300000\r\n\r\n" + b"x" * 300_000)

    async with serving(much) as server:
        request = server.post()
        request.extensions[ANSWER_BYTES] = 1_000_000
        answer = await transport.handle_async_request(request)
    assert (len(await answer.aread()), answer.extensions[TRUNCATED]) == (300_000, False)


@pytest.mark.parametrize("encoding", ["gzip", "GZIP", "deflate"])
async def test_a_gzip_bomb_stays_small(transport: AiohttpTransport, encoding: str) -> None:
    bomb = gzip.compress(b"\0" * 50_000_000)
    assert len(bomb) < ANSWER_LIMIT

    async def explode(connection: Connection) -> None:
        await connection.request()
        head = f"HTTP/1.1 200 OK\r\nContent-Encoding: {encoding}\r\nContent-Length: {len(bomb)}\r\n\r\n"
        await connection.send(head.encode() + bomb)

    async with serving(explode) as server:
        answer = await transport.handle_async_request(server.post())
        assert len(await answer.aread()) == ANSWER_LIMIT
        assert answer.extensions[TRUNCATED] is True


@pytest.mark.parametrize(
    ("body", "read"), [(gzip.compress(b'{"a":1}', mtime=0), b'{"a":1}'), (b"not gzip", b"not gzip")]
)
async def test_a_compressed_answer_is_read(transport: AiohttpTransport, body: bytes, read: bytes) -> None:
    async def compressed(connection: Connection) -> None:
        await connection.request()
        head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(body)
        await connection.send(head + body)

    async with serving(compressed) as server:
        answer = await transport.handle_async_request(server.post())
        assert await answer.aread() == read
        assert answer.extensions[TRUNCATED] is False


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_redirects_are_answers_and_not_followed(transport: AiohttpTransport, status: int) -> None:
    async def redirect(connection: Connection) -> None:
        await connection.request()
        await connection.send(b"HTTP/1.1 %d X\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n" % status)
        await connection.request()

    async with serving(redirect) as server:
        assert (await transport.handle_async_request(server.post())).status_code == status
        assert len(server.requests) == 1


async def test_cookies_are_not_returned(transport: AiohttpTransport) -> None:
    async def bake(connection: Connection) -> None:
        while True:
            await connection.request()
            await connection.send(OK.replace(b"\r\n\r\n", b"\r\nSet-Cookie: a=b; Path=/\r\n\r\n"))

    async with serving(bake) as server:
        for _ in range(2):
            await transport.handle_async_request(server.post())
        assert not any(b"cookie" in request.lower() for request in server.requests)


async def test_proxy_variables_are_ignored(transport: AiohttpTransport, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{unused_port()}")
    async with serving(answering) as server:
        assert (await transport.handle_async_request(server.post())).status_code == 200


@pytest.mark.parametrize("address", ["ftp://127.0.0.1/", "mailto:x@y"])
async def test_other_schemes_are_our_mistake(transport: AiohttpTransport, address: str) -> None:
    with pytest.raises(httpx.UnsupportedProtocol):
        await transport.handle_async_request(httpx.Request("POST", address, content=b"{}"))


async def test_a_closed_transport_opens_again(transport: AiohttpTransport) -> None:
    await transport.aclose()
    async with serving(answering) as server:
        await transport.handle_async_request(server.post())
        await transport.aclose()
        await transport.aclose()
        assert (await transport.handle_async_request(server.post())).status_code == 200
