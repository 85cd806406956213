"""Pushwoosh's endpoints that the sandbox has, and what their requests are about."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from sync.destinations.sandbox.events import event_users, parse_events
from sync.destinations.sandbox.profiles import parse_ping, parse_profile, profile_users
from sync.destinations.sandbox.validation import JsonObject


class About(StrEnum):
    """What a request to an endpoint brings."""

    PROFILE = "profile"
    EVENTS = "events"
    CREDENTIALS = "credentials"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One endpoint. ``action`` is what it is called in error answers.

    ``parse`` checks a body against the application code of its header; ``users`` are those a valid body is about.
    """

    about: About
    action: str
    parse: Callable[[bytes, str], JsonObject]
    users: Callable[[JsonObject], tuple[str, ...]]


ENDPOINTS: Mapping[str, Endpoint] = {
    "/integration-segment/v1/track-user": Endpoint(About.PROFILE, "track user", parse_profile, profile_users),
    "/integration-segment/v1/post-events": Endpoint(About.EVENTS, "post event", parse_events, event_users),
    "/integration-segment/v1/ping": Endpoint(About.CREDENTIALS, "ping", parse_ping, lambda _: ()),
}
"""Each endpoint by its path."""
