"""What Pushwoosh's documented API is sent for one event, by the presets or by one mapping."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sync.destinations.pushwoosh.public.destination import PublicPushwoosh
from sync.destinations.pushwoosh.public.tokens import TokenKind
from sync.mapping.mapping import Mapping
from tests.destinations.pushwoosh.mapped_alone import APP_CODE, body

BASE = "https://api.pushwoosh.com"


class Standing:
    """A clock that stands in summer until it is told otherwise."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def now(self) -> datetime:
        return datetime(2024, 7, 1, 12, tzinfo=UTC)

    def monotonic(self) -> float:
        return self.seconds


def public(*mappings: Mapping, clock: Standing | None = None, **settings: Any) -> PublicPushwoosh:
    """The destination with these mappings, with the presets when there is none, and a token of each kind."""
    given = {"server_token": "server-t0ken", "base_url": BASE, **settings}
    if given.get("token") is TokenKind.SERVER:
        given["server_token"] = None
    return PublicPushwoosh(
        name="push",
        api_key="device-t0ken",
        app_code=APP_CODE,
        mappings=mappings or None,
        clock=clock or Standing(),
        **given,
    )


def calls(event: dict[str, Any], *mappings: Mapping, **settings: Any) -> list[tuple[str, dict[str, Any]]]:
    """The methods' names, and the requests inside the envelopes."""
    mapped = public(*mappings, **settings).requests_for(event)
    assert mapped.refusals == []
    return [(each.url.path.rpartition("/")[2], body(each)["request"]) for each in mapped.requests]
