"""What is said to a client: JSON that SDKs read, for pages of any origin. A refusal has a ``code`` and a ``message``."""

from __future__ import annotations

import orjson
from aiohttp import web

LATER = 2
"""Seconds after which a client is to try again when there is no room."""

MUCH_LATER = 5
"""The same when the store is away."""

_DONE = orjson.dumps({"success": True})
_JSON = {"Content-Type": "application/json"}
_PREFLIGHT_KEPT = "86400"
_USUAL_HEADERS = "authorization, content-type, content-encoding, x-retry-count, anonymousid"


class Refused(Exception):
    """The request is answered with this ``status``; the ``message`` is for people, without values and secrets."""

    def __init__(self, status: int, code: str, message: str, *, retry_after: int | None = None) -> None:
        self.status = status
        self.code = code
        self.message = message
        self.retry_after = retry_after
        super().__init__(message)


def done() -> web.Response:
    """Everything that could be taken is durable."""
    return web.Response(body=_DONE, headers=_JSON)


def shown(document: object) -> web.Response:
    """Some other answer."""
    return web.Response(body=orjson.dumps(document), headers=_JSON)


def refusal(refused: Refused) -> web.Response:
    """Why not, and when to try again if that helps."""
    headers = dict(_JSON)
    if refused.retry_after is not None:
        headers["Retry-After"] = str(refused.retry_after)
    body = orjson.dumps({"code": refused.code, "message": refused.message})
    return web.Response(status=refused.status, body=body, headers=headers)


def preflight(request: web.Request) -> web.Response:
    """A browser asks whether a page may post here: it may, with whatever headers it wants."""
    response = web.Response(status=204)
    if "Origin" in request.headers:
        wanted = request.headers.get("Access-Control-Request-Headers", _USUAL_HEADERS)
        response.headers["Access-Control-Allow-Methods"] = "GET, POST, PUT, PATCH, OPTIONS"
        response.headers["Access-Control-Allow-Headers"] = wanted
        response.headers["Access-Control-Max-Age"] = _PREFLIGHT_KEPT
    return response


def for_any_origin(request: web.BaseRequest, response: web.StreamResponse) -> None:
    """Let the page that asked read the answer."""
    origin = request.headers.get("Origin")
    if origin is not None:
        response.headers["Access-Control-Allow-Origin"] = origin
        # Browsers send what a page leaves behind (a beacon) as if it had credentials; there are none here.
        response.headers["Access-Control-Allow-Credentials"] = "true"
        response.headers["Vary"] = "Origin"
