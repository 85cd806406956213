"""Pushwoosh's endpoints that the sandbox has, by their paths; each leads through the door of its API."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from sync.destinations.sandbox import public
from sync.destinations.sandbox.events import check_events, events_in
from sync.destinations.sandbox.meaning import Meaning, Profile
from sync.destinations.sandbox.profiles import check_deletion, check_ping, check_profile, profile_users
from sync.destinations.sandbox.validation import JsonObject

BULK_SET_TAGS = "/api/v2/audience/bulkSetTags"


class Door(StrEnum):
    """How a request gets in, and how its answers look.

    ``INTEGRATION``  the endpoint for Segment: token and application code in headers
    ``DEVICE``       ``json/1.3``, with a device token in the header, or a server token as ``auth``
    ``ACCOUNT``      ``json/1.3``, with a server token as ``auth``
    ``AUDIENCE``     ``api/v2``, not wrapped, with a server token as ``auth``
    ``PEOPLE``       ``api/v2``, not wrapped, with a token of either kind in the header
    """

    INTEGRATION = "integration"
    DEVICE = "device"
    ACCOUNT = "account"
    AUDIENCE = "audience"
    PEOPLE = "people"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One endpoint. ``action`` is what it is called in error answers.

    ``check`` raises ``InvalidRequest`` for a body; it is told the application code, and of the documented API it gets the
    request without its envelope. ``means`` says what a valid one means.
    """

    door: Door
    action: str
    check: Callable[[JsonObject, str], None]
    means: Callable[[JsonObject], Meaning]


def _alone(check: Callable[[JsonObject], None]) -> Callable[[JsonObject, str], None]:
    return lambda body, _: check(body)


def _profile(body: JsonObject) -> Meaning:
    users = profile_users(body)
    return Meaning(profiles=(Profile(users[0] if users else None, body),))


def _events(body: JsonObject) -> Meaning:
    return Meaning(events=tuple(events_in(body)))


def _asks(_: JsonObject) -> Meaning:
    return Meaning(asks=True)


ENDPOINTS: Mapping[str, Endpoint] = {
    "/integration-segment/v1/track-user": Endpoint(Door.INTEGRATION, "track user", check_profile, _profile),
    "/integration-segment/v1/post-events": Endpoint(Door.INTEGRATION, "post event", check_events, _events),
    "/integration-segment/v1/ping": Endpoint(Door.INTEGRATION, "ping", check_ping, _asks),
    "/integration-segment/v1/delete-user": Endpoint(
        Door.INTEGRATION, "delete user", check_deletion, lambda body: Meaning(deleted=(str(body["external_id"]),))
    ),
    "/json/1.3/registerUser": Endpoint(Door.DEVICE, "registerUser", _alone(public.check_link), public.link),
    "/json/1.3/setTags": Endpoint(Door.DEVICE, "setTags", _alone(public.check_tags), public.tags),
    "/json/1.3/getTags": Endpoint(Door.DEVICE, "getTags", _alone(public.check_question), _asks),
    "/json/1.3/postEvent": Endpoint(Door.DEVICE, "postEvent", _alone(public.check_event), public.event),
    "/json/1.3/listTags": Endpoint(Door.ACCOUNT, "listTags", _alone(public.check_nothing), _asks),
    BULK_SET_TAGS: Endpoint(Door.AUDIENCE, "bulkSetTags", _alone(public.check_bulk), public.bulk),
    "/api/v2/device-api/deleteUser": Endpoint(
        Door.PEOPLE, "deleteUser", _alone(public.check_deletion), public.deletion
    ),
}
"""Each endpoint by its path. What asks for a bulk request's state has the request's id in its path, and stands apart."""
