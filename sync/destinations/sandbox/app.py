"""The sandbox's web application: Pushwoosh's endpoints, and how each kind of answer goes out on the wire."""

from __future__ import annotations

import asyncio

from aiohttp import web
from aiohttp.typedefs import Handler

from sync.destinations.sandbox.endpoints import BULK_SET_TAGS, ENDPOINTS
from sync.destinations.sandbox.injector import Answer, Manner
from sync.destinations.sandbox.inspection import inspection_routes
from sync.destinations.sandbox.sandbox import Reply, Sandbox, Visit

LARGEST_BODY = 16 * 1024 * 1024
CHUNK = b" " * 65_536


def build_app(sandbox: Sandbox) -> web.Application:
    """The application that answers for ``sandbox``; run it with ``handler_cancellation`` (see ``serve``)."""
    app = web.Application(client_max_size=LARGEST_BODY)
    app.add_routes(inspection_routes(sandbox))
    handler = _endpoint(sandbox)
    for path in ENDPOINTS:
        app.router.add_post(path, handler)
    app.router.add_get(BULK_SET_TAGS + "/{request_id}", _progress(sandbox), allow_head=False)
    app.router.add_route("*", "/{anything:.*}", _unknown(sandbox))
    return app


def _endpoint(sandbox: Sandbox) -> Handler:
    async def answer(request: web.Request) -> web.StreamResponse:
        visit = sandbox.enter(request.path)
        try:
            reply = await _receive(sandbox, visit, request)
            await _wait(reply)
            return await _send(request, reply.answer)
        finally:
            sandbox.leave(visit)

    return answer


def _progress(sandbox: Sandbox) -> Handler:
    async def answer(request: web.Request) -> web.StreamResponse:
        visit = sandbox.enter(request.path)
        try:
            detailed = request.query.get("detailed") == "true"
            reply = sandbox.ask(visit, request.headers, request.match_info["request_id"], detailed=detailed)
            await _wait(reply)
            return await _send(request, reply.answer)
        finally:
            sandbox.leave(visit)

    return answer


def _unknown(sandbox: Sandbox) -> Handler:
    async def answer(request: web.Request) -> web.StreamResponse:
        if request.method in {"GET", "HEAD"} and request.path not in ENDPOINTS:
            # A browser that looks around (or asks for its icon) is not a client that does something wrong.
            return web.json_response({"message": "not found"}, status=404)
        visit = sandbox.enter(request.path)
        try:
            status, complaint = (405, "method not allowed") if request.path in ENDPOINTS else (404, "not found")
            return await _send(request, sandbox.refuse(visit, status, complaint).answer)
        finally:
            sandbox.leave(visit)

    return answer


async def _receive(sandbox: Sandbox, visit: Visit, request: web.Request) -> Reply:
    try:
        raw = await request.read()
    except web.HTTPRequestEntityTooLarge:
        return sandbox.refuse(visit, 413, f"the body is larger than {LARGEST_BODY} bytes")
    return sandbox.receive(visit, request.headers, raw)


async def _wait(reply: Reply) -> None:
    if reply.settle is not None:
        # Not in this task: it is cancelled when the client hangs up, and the request must be applied even then.
        asyncio.get_running_loop().call_later(reply.latency, reply.settle)
    if reply.latency:
        await asyncio.sleep(reply.latency)


async def _send(request: web.Request, answer: Answer) -> web.StreamResponse:
    if answer.manner in {Manner.DROPPED, Manner.MALFORMED}:
        return _hang_up(request, answer)
    if answer.manner is Manner.STREAMED:
        return await _stream(request, answer)
    if answer.manner is Manner.DRIPPED:
        return await _drip(request, answer)
    return web.Response(status=answer.status or 500, body=answer.body, headers=answer.headers)


def _hang_up(request: web.Request, answer: Answer) -> web.Response:
    if request.transport is not None:
        request.transport.write(answer.body)
        request.transport.close()
    return web.Response()


async def _stream(request: web.Request, answer: Answer) -> web.StreamResponse:
    response = web.StreamResponse(status=answer.status or 500, headers=answer.headers)
    await response.prepare(request)
    left = answer.size
    while left:
        chunk = CHUNK[:left]
        await response.write(chunk)
        left -= len(chunk)
    await response.write_eof()
    return response


async def _drip(request: web.Request, answer: Answer) -> web.StreamResponse:
    length = {"Content-Length": str(len(answer.body))}
    response = web.StreamResponse(status=answer.status or 500, headers={**answer.headers, **length})
    await response.prepare(request)
    for position in range(len(answer.body)):
        await asyncio.sleep(answer.pace)
        await response.write(answer.body[position : position + 1])
    await response.write_eof()
    return response
