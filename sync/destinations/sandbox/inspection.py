"""``/_sandbox/…``: what the sandbox got, for people and tests outside its process. Not part of Pushwoosh."""

from __future__ import annotations

from dataclasses import asdict

import orjson
from aiohttp import web

from sync.destinations.sandbox.faults import Faults
from sync.destinations.sandbox.sandbox import Sandbox

DEFAULT_LIMIT = 100


def inspection_routes(sandbox: Sandbox) -> list[web.RouteDef]:
    """The routes under ``/_sandbox``."""
    inspection = Inspection(sandbox)
    return [
        web.get("/_sandbox/requests", inspection.requests),
        web.get("/_sandbox/users", inspection.users),
        web.get("/_sandbox/users/{user_id:.+}", inspection.user),
        web.get("/_sandbox/events", inspection.events),
        web.get("/_sandbox/complaints", inspection.complaints),
        web.get("/_sandbox/stats", inspection.stats),
        web.post("/_sandbox/reset", inspection.reset),
        web.get("/_sandbox/faults", inspection.faults),
        web.put("/_sandbox/faults", inspection.replace_faults),
    ]


class Inspection:
    """One handler for each route; every answer is a JSON object."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox

    async def requests(self, request: web.Request) -> web.Response:
        """The newest ``limit`` requests, oldest first, of one user if ``user_id`` is given."""
        limit = _limit(request)
        if limit is None:
            return _bad_limit()
        user_id = request.query.get("user_id")
        found = [entry for entry in self._sandbox.log if user_id is None or entry.user_id == user_id]
        newest = found[len(found) - limit :] if limit < len(found) else found
        return _json({"total": self._sandbox.requests, "requests": [asdict(entry) for entry in newest]})

    async def users(self, request: web.Request) -> web.Response:
        """How many users there are, and what the first ``limit`` have."""
        limit = _limit(request)
        if limit is None:
            return _bad_limit()
        return _json({"count": self._sandbox.user_count, "users": self._sandbox.users(limit)})

    async def user(self, request: web.Request) -> web.Response:
        """What one user has and did, how many profiles of theirs were accepted, and the newest of those that came."""
        user_id = request.match_info["user_id"]
        properties = self._sandbox.user(user_id)
        history = self._sandbox.history(user_id)
        events = self._sandbox.events(user_id)
        if properties is None and not history and not events:
            return _json({"message": "no such user"}, status=404)
        return _json(
            {
                "user_id": user_id,
                "accepted": self._sandbox.accepted_count(user_id),
                "properties": properties,
                "history": [asdict(entry) for entry in history],
                "events": events,
            }
        )

    async def events(self, request: web.Request) -> web.Response:
        """The newest ``limit`` accepted events, oldest first, of one user if ``user_id`` is given."""
        limit = _limit(request)
        if limit is None:
            return _bad_limit()
        found = self._sandbox.events(request.query.get("user_id"))
        return _json({"count": self._sandbox.stats()["events"], "events": found[max(0, len(found) - limit) :]})

    async def complaints(self, _request: web.Request) -> web.Response:
        """What was wrong with requests, oldest first."""
        complaints = [asdict(complaint) for complaint in self._sandbox.complaints]
        return _json({"count": self._sandbox.stats()["complaints"], "complaints": complaints})

    async def stats(self, _request: web.Request) -> web.Response:
        """The counters."""
        return _json(self._sandbox.stats())

    async def reset(self, _request: web.Request) -> web.Response:
        """Forget everything received."""
        self._sandbox.reset()
        return _json({})

    async def faults(self, _request: web.Request) -> web.Response:
        """The faults as they stand."""
        return _json(self._sandbox.faults.to_json())

    async def replace_faults(self, request: web.Request) -> web.Response:
        """Have exactly the faults in the body."""
        try:
            self._sandbox.replace_faults(Faults.from_json(orjson.loads(await request.read())))
        except ValueError as error:
            return _json({"message": str(error)}, status=400)
        return _json(self._sandbox.faults.to_json())


def _json(value: object, status: int = 200) -> web.Response:
    return web.Response(status=status, body=orjson.dumps(value), content_type="application/json")


def _limit(request: web.Request) -> int | None:
    text = request.query.get("limit", str(DEFAULT_LIMIT))
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None


def _bad_limit() -> web.Response:
    return _json({"message": "limit must be a whole number from 0"}, status=400)
