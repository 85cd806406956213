"""The addresses that SDKs and webhooks post to, and what they are answered. See docs/collector.md for each of them."""

from __future__ import annotations

import logging
from collections.abc import Callable

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from sync import telemetry
from sync.collect import answers
from sync.collect.answers import LATER, Refused
from sync.collect.entrance import Entrance

KINDS = {
    "identify": "identify",
    "track": "track",
    "page": "page",
    "screen": "screen",
    "group": "group",
    "alias": "alias",
    "i": "identify",
    "t": "track",
    "p": "page",
    "s": "screen",
    "g": "group",
    "a": "alias",
}
"""What comes after ``/v1/``, and the kind of event it means."""

BATCHES = ("/v1/batch", "/v1/b", "/v1/import", "/beacon/v1/batch")
SETTINGS = ("/v1/projects/{key}/settings", "/projects/{key}/settings")
WEBHOOK = "/v1/webhook/{key}"


Heard = Callable[[web.Request], None]
"""Told of every request as it begins."""


def build_app(entrance: Entrance, heard: Heard = lambda _: None) -> web.Application:
    """The application that answers for ``entrance``."""
    app = web.Application(middlewares=[_plainly(entrance, heard)])
    for word, kind in KINDS.items():
        app.router.add_post(f"/v1/{word}", _posting(entrance, kind))
    for path in BATCHES:
        app.router.add_post(path, _posting(entrance, None))
    for method in ("POST", "PUT", "PATCH"):
        app.router.add_route(method, WEBHOOK, entrance.webhook)
    for path in SETTINGS:
        app.router.add_get(path, _settings(entrance))
    app.router.add_post("/v1/merge", _merge)
    return app


def _posting(entrance: Entrance, kind: str | None) -> Handler:
    async def post(request: web.Request) -> web.StreamResponse:
        return await entrance.post(request, kind)

    return post


def _settings(entrance: Entrance) -> Handler:
    """What SDKs ask for before they start: where to post. They add the type's letter to it."""

    async def settings(request: web.Request) -> web.StreamResponse:
        key = request.match_info["key"]
        if entrance.senders.named(key) is None:
            raise Refused(404, "invalid_write_key", "the write key is wrong")
        if not request.host.isascii():
            raise Refused(400, "invalid_host", "the `Host` header is not a host's name")
        scheme = request.headers.get("X-Forwarded-Proto", request.scheme)
        there = {"apiKey": key, "apiHost": f"{request.host}/v1", "protocol": scheme}
        return answers.shown({"integrations": {"Segment.io": there}, "plan": {}})

    return settings


async def _merge(_: web.Request) -> web.StreamResponse:
    raise Refused(400, "unsupported", "`merge` is not taken: send `identify` or `alias`")


def _plainly(entrance: Entrance, heard: Heard) -> Middleware:
    """Every answer is JSON, for pages of any origin, kept by nobody; no mistake of ours is shown."""

    @web.middleware
    async def plainly(request: web.Request, handler: Handler) -> web.StreamResponse:
        heard(request)
        response = await _answer(entrance, request, handler)
        answers.for_any_origin(request, response)
        response.headers["Cache-Control"] = "no-store"
        response.headers["Server"] = "engage-sync"
        if entrance.closing:
            response.force_close()
        return response

    return plainly


def _pattern(request: web.Request) -> str:
    """The address as it is documented: a write key may stand in the one that was asked for."""
    resource = request.match_info.route.resource
    return "unknown" if resource is None else resource.canonical


async def _answer(entrance: Entrance, request: web.Request, handler: Handler) -> web.StreamResponse:
    if request.method == "OPTIONS":
        return answers.preflight(request)
    if entrance.closing:
        return answers.refusal(Refused(503, "stopping", "the collector is stopping: try again", retry_after=LATER))
    try:
        return await handler(request)
    except Refused as refused:
        entrance.remarks.refused("", refused.code, refused.message)
        return answers.refusal(refused)
    except web.HTTPException as error:
        response = answers.refusal(Refused(error.status, error.reason.lower().replace(" ", "_"), error.reason))
        if "Allow" in error.headers:
            response.headers["Allow"] = error.headers["Allow"]
        return response
    except Exception as error:  # noqa: BLE001 - a request that fails must not take the daemon along
        telemetry.event("collect.failed", level=logging.ERROR, path=_pattern(request), reason=type(error).__name__)
        return answers.refusal(Refused(500, "internal", "a mistake of engage-sync: see its log"))
