"""What Pushwoosh is sent for one event, by its presets or by one mapping."""

from __future__ import annotations

from typing import Any

import httpx
import orjson

from sync.destinations.pushwoosh.actions import ACTIONS
from sync.destinations.pushwoosh.destination import Pushwoosh
from sync.mapping.mapping import Mapping, compile_subscription

APP_CODE = "ABCDE-12345"
BASE = "https://integration-segment.svc-nue.pushwoosh.com"


def pushwoosh(*mappings: Mapping) -> Pushwoosh:
    """The destination with these mappings; with the presets when there is none."""
    return Pushwoosh(name="push", api_key="test-api-key", app_code=APP_CODE, base_url=BASE, mappings=mappings or None)


def mapping(slug: str, raw: object = None, subscribe: str | None = None, name: str = "mine") -> Mapping:
    """A mapping of one action; what is left out is its preset's."""
    action = ACTIONS[slug]
    raw = action.default_mapping() if raw is None else raw
    return compile_subscription(name, action, action.subscribe if subscribe is None else subscribe, raw)


def body(request: httpx.Request) -> dict[str, Any]:
    """The request's body as JSON."""
    found: dict[str, Any] = orjson.loads(request.read())
    return found


def sent(event: object, *mappings: Mapping) -> dict[str, Any]:
    """The body of the one request that the event becomes."""
    mapped = pushwoosh(*mappings).requests_for(event)  # type: ignore[arg-type]
    assert mapped.refusals == []
    [request] = mapped.requests
    return body(request)


def refused(event: object, *mappings: Mapping) -> str:
    """The one reason why the event becomes no request."""
    mapped = pushwoosh(*mappings).requests_for(event)  # type: ignore[arg-type]
    assert mapped.requests == []
    [reason] = mapped.refusals
    return reason
