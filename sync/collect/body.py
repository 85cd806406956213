"""What was posted: read piece by piece and never more than is allowed, inflated likewise, and understood as JSON.

Nothing is inflated by the server below: a kilobyte that becomes a gigabyte is cut off here, at the first byte too many.
"""

from __future__ import annotations

import asyncio
import json
import zlib

import orjson
from aiohttp import ClientError, web
from aiohttp.http_exceptions import HttpProcessingError

from sync.collect.answers import Refused
from sync.collect.room import Share

LARGEST_BODY = 500 * 1024
"""Bytes, inflated, as Segment has it."""

PATIENCE = 30.0
"""Seconds in which a body must arrive."""

_GZIP_OR_ZLIB = 32 + zlib.MAX_WBITS
_PLAIN = frozenset({"", "identity"})
_DEFLATED = frozenset({"gzip", "x-gzip", "deflate"})
_CERTAINLY_64_BITS = 18
"""Digits."""


async def received(request: web.BaseRequest, share: Share, patience: float = PATIENCE) -> bytes:
    """The whole body as it was sent, inflated. Raises `Refused`."""
    if (request.content_length or 0) > LARGEST_BODY:
        raise _too_large()
    body = bytearray()
    try:
        async with asyncio.timeout(patience):
            async for chunk in request.content.iter_any():
                if len(body) + len(chunk) > LARGEST_BODY:
                    raise _too_large()
                share.hold(len(body) + len(chunk))
                body += chunk
    except TimeoutError:
        raise Refused(408, "timeout", f"the body did not arrive within {patience:g} seconds") from None
    except (web.RequestPayloadError, HttpProcessingError, ClientError, ConnectionError, ValueError):
        raise Refused(400, "invalid_body", "the body broke off, or is not encoded as the headers say") from None
    return _inflated(bytes(body), request.headers.get("Content-Encoding", "").strip().lower())


def document(body: bytes) -> object:
    """The body as JSON. What is odd in it and can be understood all the same is. Raises `Refused`."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return _leniently(body)


def _inflated(body: bytes, encoding: str) -> bytes:
    if encoding in _PLAIN:
        return body
    if encoding not in _DEFLATED:
        raise Refused(415, "unsupported_encoding", "`Content-Encoding` must be gzip, deflate or nothing")
    for bits in (_GZIP_OR_ZLIB, -zlib.MAX_WBITS) if encoding == "deflate" else (_GZIP_OR_ZLIB,):
        reader = zlib.decompressobj(bits)
        try:
            found = reader.decompress(body, LARGEST_BODY + 1)
        except zlib.error:
            continue
        if len(found) > LARGEST_BODY:
            raise _too_large()
        if reader.eof and not reader.unused_data:
            return found
    raise Refused(400, "invalid_body", "the body is not encoded as `Content-Encoding` says")


def _leniently(body: bytes) -> object:
    """What JavaScript and Python write although JSON has it not: NaN, halves of surrogate pairs, huge integers."""
    try:
        text = body.decode("utf-8-sig", "replace")
        return _READER.decode(text)
    except (ValueError, RecursionError):
        raise Refused(400, "invalid_json", "the body is not JSON") from None


def _integer(text: str) -> int | float:
    return int(text) if len(text) <= _CERTAINLY_64_BITS else float(text)


_READER = json.JSONDecoder(parse_int=_integer, parse_constant=lambda _: None, strict=False)


def _too_large() -> Refused:
    return Refused(400, "too_large", f"the body is larger than {LARGEST_BODY // 1024} KB, inflated")
