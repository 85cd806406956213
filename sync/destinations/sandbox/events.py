"""What the body of ``post-events`` must look like, event by event.

One bad event refuses the whole batch, and as with the real service the client is not told which one it was; the
complaint says it.
"""

from __future__ import annotations

from sync.destinations.sandbox.validation import (
    InvalidRequest,
    JsonObject,
    check_attributes,
    expect,
    kind,
)
from sync.mapping.dates import rfc3339

EVENT_FIELDS = frozenset({"user_id", "device_id", "device_platform", "app_code", "name", "timestamp", "attributes"})
"""Every field that an event of ``post-events`` has."""

MOST_EVENTS = 100

_ANSWER = "an event cannot be decoded"


def check_events(body: JsonObject, app_code: str) -> None:
    """The body of ``post-events``: raises ``InvalidRequest``. ``app_code`` is the one of the header."""
    events = body.get("events")
    if set(body) != {"events"} or not isinstance(events, list):
        raise InvalidRequest('the body must be {"events": [...]}')
    if not 1 <= len(events) <= MOST_EVENTS:
        raise InvalidRequest(f"events must be 1 to {MOST_EVENTS}, but they were {len(events)}")
    for place, event in enumerate(events):
        try:
            _check_event(event, app_code)
        except InvalidRequest as error:
            raise InvalidRequest(f"events[{place}]: {error}", _ANSWER) from None


def events_in(body: JsonObject) -> list[JsonObject]:
    """The events of a valid body."""
    events = body["events"]
    return events if isinstance(events, list) else []


def _check_event(event: object, app_code: str) -> None:
    if not isinstance(event, dict):
        raise InvalidRequest(f"must be an object, but it was {kind(event)}")
    for name in event:
        if name not in EVENT_FIELDS:
            raise InvalidRequest(f'unknown field "{name}"')
    for name in ("device_id", "device_platform"):
        value = event.get(name)
        expect(value is None or isinstance(value, str), name, "a string or null", value)
    if "user_id" in event:
        _check_text(event, "user_id")
    elif not event.get("device_id"):
        raise InvalidRequest("user_id is missing, and there is no device_id in its place")
    if event.get("app_code", app_code) != app_code:
        raise InvalidRequest("app_code is not the one in the header X-PW-Appcode")
    _check_text(event, "name")
    timestamp = event.get("timestamp")
    is_written_well = isinstance(timestamp, str) and rfc3339(timestamp) == timestamp
    expect(is_written_well, "timestamp", "a string in the form of RFC 3339", timestamp)
    if "attributes" in event:
        check_attributes(event["attributes"])


def _check_text(event: JsonObject, name: str) -> None:
    if name not in event:
        raise InvalidRequest(f"{name} is missing")
    value = event[name]
    expect(isinstance(value, str), name, "a string", value)
    if not value:
        raise InvalidRequest(f"{name} must not be empty")
