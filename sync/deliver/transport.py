"""An httpx transport over one aiohttp session: httpx's interface, without its pool, which is slow with many sockets.

It keeps one invariant: **a failure before a connection was obtained is told apart from one after it**. The phase an
exchange reached, not the class of aiohttp's exception, decides between "no byte left" and "nobody knows". It also
stands in the request's extensions, so that who cancels an exchange (a deadline) can tell the two apart as well.

A POST is sent at most once per exchange (aiohttp repeats only idempotent methods on a stale connection), redirects are
not followed, cookies and proxy variables are ignored, and an answer is read up to :data:`ANSWER_LIMIT` bytes, or as many
as the request says.
"""

from __future__ import annotations

import os
import ssl
import zlib
from contextvars import ContextVar
from enum import StrEnum
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import aiohttp
import httpx
from aiohttp import hdrs
from multidict import CIMultiDict
from yarl import URL

from sync.destinations.mapped import ANSWER_BYTES, BODY

if TYPE_CHECKING:
    from aiohttp.client_proto import ResponseHandler
    from aiohttp.connector import Connection
    from aiohttp.tracing import Trace

ANSWER_LIMIT = 64 * 1024
"""Bytes of an answer that are read, and bytes it may decompress to; what follows is cut off."""

PHASE = "engage_sync.phase"
"""Key in ``request.extensions``: the :class:`Phase` the exchange reached."""

TRUNCATED = "engage_sync.truncated"
"""Key in ``response.extensions``: true when the answer was longer than what is read of it."""

_KEEPALIVE = 15.0
"""Seconds an idle connection is kept: well below what servers keep, since a stale one makes an *unknown* outcome."""

_DNS_LIFETIME = 60
_GZIP_OR_ZLIB = 32 + zlib.MAX_WBITS
_NO_DEFAULTS = (hdrs.ACCEPT, hdrs.ACCEPT_ENCODING, hdrs.USER_AGENT, hdrs.CONTENT_TYPE)

_progress: ContextVar[dict[str, Any]] = ContextVar("engage_sync.progress")


class Phase(StrEnum):
    """How far an exchange came. Before ``CONNECTED`` no byte of the request has left."""

    QUEUED = "queued"
    CONNECTING = "connecting"
    CONNECTED = "connected"


class _Connector(aiohttp.TCPConnector):
    """Notes the phase of the exchange it serves; aiohttp documents both methods as its extension points."""

    async def connect(
        self,
        req: aiohttp.ClientRequest,
        traces: list[Trace],
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109 - aiohttp's
    ) -> Connection:
        connection = await super().connect(req, traces, timeout)
        _progress.get()[PHASE] = Phase.CONNECTED
        return connection

    async def _create_connection(
        self,
        req: aiohttp.ClientRequest,
        traces: list[Trace],
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109 - aiohttp's
    ) -> ResponseHandler:
        _progress.get()[PHASE] = Phase.CONNECTING
        return await super()._create_connection(req, traces, timeout)


class AiohttpTransport(httpx.AsyncBaseTransport):
    """At most ``concurrency`` connections; TLS is always verified, with ``tls`` or the default context.

    ``connect_timeout`` (seconds) bounds the wait for a connection, in the pool's queue and in the handshake together.
    There is no other timeout here: the total deadline is the client's. Opens its session on first use; ``aclose`` it.

    Raises httpx's exceptions: ``ConnectError``, ``ConnectTimeout`` and ``PoolTimeout`` when nothing was sent;
    ``ReadError``, ``WriteError`` and ``RemoteProtocolError`` when something may have been.
    """

    def __init__(self, concurrency: int, *, connect_timeout: float = 5.0, tls: ssl.SSLContext | None = None) -> None:
        self._concurrency = concurrency
        self._connect_timeout = connect_timeout
        self._tls = tls
        self._session: aiohttp.ClientSession | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send ``request`` once and read its answer; see the class for what it raises."""
        session = self._session or self._open()
        progress = request.extensions
        progress[PHASE] = Phase.QUEUED
        token = _progress.set(progress)
        try:
            answer = await session.request(
                request.method,
                _address(str(request.url)),
                data=progress.get(BODY) or await request.aread() or None,
                headers=_headers(tuple(request.headers.raw)),
                allow_redirects=False,
            )
            return await _read(answer, progress.get(ANSWER_BYTES, ANSWER_LIMIT))
        except (aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError) as error:
            raise httpx.UnsupportedProtocol("not an http or https address", request=request) from error
        except (aiohttp.ClientError, OSError) as error:
            raise _translated(error, progress[PHASE], request) from error
        finally:
            _progress.reset(token)

    async def aclose(self) -> None:
        """Close all connections; a later request opens new ones."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    def _open(self) -> aiohttp.ClientSession:
        connector = _Connector(
            limit=self._concurrency,
            ssl=self._tls or True,
            keepalive_timeout=_KEEPALIVE,
            ttl_dns_cache=_DNS_LIFETIME,
            force_close=False,
        )
        self._session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
            auto_decompress=False,
            skip_auto_headers=_NO_DEFAULTS,
            timeout=aiohttp.ClientTimeout(total=None, connect=self._connect_timeout),
            read_bufsize=ANSWER_LIMIT,
        )
        return self._session


@lru_cache(maxsize=64)
def _address(url: str) -> URL:
    """aiohttp's form of an address; a destination has few, and reading one anew for every user costs as much as the user."""
    return URL(url, encoded=True)


@lru_cache(maxsize=64)
def _headers(raw: tuple[tuple[bytes, bytes], ...]) -> CIMultiDict[str]:
    """aiohttp's form of a request's headers, which it copies; those of one destination are nearly always the same."""
    return CIMultiDict((name.decode("ascii"), value.decode("latin-1")) for name, value in raw)


async def _read(answer: aiohttp.ClientResponse, limit: int) -> httpx.Response:
    """The answer with at most ``limit`` bytes of body; a longer one costs the connection, not our memory."""
    pieces: list[bytes] = []
    size = 0
    try:
        while size <= limit and not answer.content.at_eof():
            piece = await answer.content.readany()
            pieces.append(piece)
            size += len(piece)
    except BaseException:
        answer.close()
        raise
    truncated = size > limit
    if truncated:
        answer.close()
    body, cut = _decompressed(b"".join(pieces)[:limit], answer.headers.get(hdrs.CONTENT_ENCODING), limit)
    # Content-Encoding goes: the body is decompressed here, with a limit, and httpx would do it again without one.
    return httpx.Response(
        answer.status,
        headers=[header for header in answer.raw_headers if header[0].lower() != b"content-encoding"],
        stream=httpx.ByteStream(body),
        extensions={TRUNCATED: truncated or cut, BODY: body},
    )


def _decompressed(body: bytes, encoding: str | None, limit: int) -> tuple[bytes, bool]:
    """The body, decompressed up to the limit where we can, and whether some of it was left."""
    if encoding is None or encoding.lower() not in {"gzip", "x-gzip", "deflate"}:
        return body, False
    inflater = zlib.decompressobj(_GZIP_OR_ZLIB)
    try:
        return inflater.decompress(body, limit), bool(inflater.unconsumed_tail)
    except zlib.error:
        return body, False


def _unreachable(error: Exception, request: httpx.Request) -> str:
    """Why there is no connection, in a line for people."""
    system = getattr(error, "os_error", None)
    plain = isinstance(system, OSError) and not isinstance(system, ssl.SSLError) and system.errno
    why = os.strerror(plain) if plain else str(system or error)
    return f"{request.url.netloc.decode()}: {why.splitlines()[0]}"


def _translated(error: Exception, phase: Phase, request: httpx.Request) -> httpx.TransportError:
    """httpx's exception for aiohttp's. The texts are ours, or about a connection that was never there."""
    if phase is not Phase.CONNECTED:
        if not isinstance(error, TimeoutError):
            return httpx.ConnectError(_unreachable(error, request), request=request)
        if phase is Phase.QUEUED:
            return httpx.PoolTimeout("no connection became free in time", request=request)
        return httpx.ConnectTimeout("the connection was not made in time", request=request)
    if isinstance(error, aiohttp.ClientConnectionResetError):
        return httpx.WriteError("the connection was closed while the request was written", request=request)
    if isinstance(error, aiohttp.ServerDisconnectedError):
        return httpx.RemoteProtocolError("the server closed the connection without an answer", request=request)
    if isinstance(error, (aiohttp.ClientResponseError, aiohttp.ClientPayloadError)):
        return httpx.RemoteProtocolError("the answer is not valid HTTP, or is incomplete", request=request)
    return httpx.ReadError("the connection broke before the answer was complete", request=request)
