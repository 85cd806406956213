"""The pages: ``/healthz`` for anybody, ``/readyz`` and ``/metrics`` for whoever has the token."""

from __future__ import annotations

import hmac
import logging
from hashlib import sha256

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware
from pydantic import SecretStr

from sync import telemetry
from sync.web.metrics import MetricsPage
from sync.web.readiness import Readiness

OPEN_TO_ANYBODY = "/healthz"


def build_app(readiness: Readiness, metrics: MetricsPage, token: SecretStr | None) -> web.Application:
    """The application; ``token`` is what `Authorization: Bearer` must carry."""
    app = web.Application(middlewares=[_plainly, _guard(token)])
    app.router.add_get(OPEN_TO_ANYBODY, _healthz)
    app.router.add_get("/readyz", _readyz(readiness))
    app.router.add_get("/metrics", metrics.answer)
    return app


async def _healthz(_: web.Request) -> web.Response:
    return web.json_response({"healthy": True})


def _readyz(readiness: Readiness) -> Handler:
    async def answer(_: web.Request) -> web.Response:
        reasons = await readiness.reasons()
        return web.json_response({"ready": not reasons, "reasons": reasons}, status=503 if reasons else 200)

    return answer


@web.middleware
async def _plainly(request: web.Request, handler: Handler) -> web.StreamResponse:
    """No page is kept by anybody, and no mistake of ours is shown."""
    try:
        response = await handler(request)
    except web.HTTPException as refused:
        response = web.json_response({"error": refused.reason}, status=refused.status, headers=_allowed(refused))
    except Exception as error:  # noqa: BLE001 - a page that fails must not take the daemon along
        telemetry.event("web.failed", level=logging.ERROR, path=request.path, reason=type(error).__name__)
        response = web.json_response({"error": "a mistake of engage-sync: see its log"}, status=500)
    response.headers["Cache-Control"] = "no-store"
    response.headers["Server"] = "engage-sync"
    return response


def _allowed(refused: web.HTTPException) -> dict[str, str]:
    return {name: refused.headers[name] for name in ("Allow", "WWW-Authenticate") if name in refused.headers}


def _guard(token: SecretStr | None) -> Middleware:
    wanted = None if token is None else _digest(token.get_secret_value())

    @web.middleware
    async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
        if wanted is not None and request.path != OPEN_TO_ANYBODY:
            scheme, _, given = request.headers.get("Authorization", "").partition(" ")
            # Digests, so that not even the length of the token can be told from the time this takes.
            right = hmac.compare_digest(_digest(given.strip()), wanted)
            if scheme.lower() != "bearer" or not right:
                raise web.HTTPUnauthorized(headers={"WWW-Authenticate": 'Bearer realm="engage-sync"'})
        return await handler(request)

    return guard


def _digest(text: str) -> bytes:
    return sha256(text.encode("utf-8", "surrogateescape")).digest()
