"""What the bodies of ``track-user``, ``ping`` and ``delete-user`` must look like, field by field."""

from __future__ import annotations

from sync.destinations.sandbox.validation import (
    InvalidRequest,
    JsonObject,
    check_attributes,
    expect,
    kind,
)

TEXT_FIELDS = frozenset(
    {
        "email",
        "app_version",
        "device_id",
        "device_model",
        "device_platform",
        "device_token",
        "language",
        "country",
        "city",
        "device_os_version",
        "timezone",
        "user_agent",
    }
)
"""Profile fields that hold a text or null."""

PROFILE_FIELDS = TEXT_FIELDS | {"attributes", "user_id", "current_location"}
"""Every field that ``track-user`` knows."""


def check_profile(body: JsonObject, _app_code: str) -> None:
    """The body of ``track-user``: raises ``InvalidRequest``."""
    for name, value in body.items():
        if name in TEXT_FIELDS:
            expect(value is None or isinstance(value, str), name, "a string or null", value)
        elif name not in PROFILE_FIELDS:
            raise InvalidRequest(f'unknown field "{name}"')
    _check_identity(body)
    if "attributes" not in body:
        raise InvalidRequest("attributes is missing")
    check_attributes(body["attributes"])
    if "current_location" in body:
        _check_location(body["current_location"])


def profile_users(body: JsonObject) -> tuple[str, ...]:
    """The user of a valid profile; none when it is about a device only."""
    user_id = body.get("user_id")
    return (user_id,) if isinstance(user_id, str) else ()


def check_ping(body: JsonObject, _app_code: str) -> None:
    """The body of ``ping``, ``{"body": {"name": text}}``; raises ``InvalidRequest``."""
    inner = body.get("body")
    if set(body) != {"body"} or not isinstance(inner, dict) or set(inner) != {"name"}:
        raise InvalidRequest('the body must be {"body": {"name": ...}}')
    expect(isinstance(inner["name"], str), "body.name", "a string", inner["name"])


def check_deletion(body: JsonObject, _app_code: str) -> None:
    """The body of ``delete-user``, ``{"external_id": text}``; raises ``InvalidRequest``."""
    if set(body) != {"external_id"}:
        raise InvalidRequest('the body must be {"external_id": ...}')
    expect(isinstance(body["external_id"], str), "external_id", "a string", body["external_id"])
    if not body["external_id"]:
        raise InvalidRequest("external_id must not be empty")


def _check_identity(body: JsonObject) -> None:
    if "user_id" in body:
        user_id = body["user_id"]
        expect(isinstance(user_id, str), "user_id", "a string", user_id)
        if not user_id:
            raise InvalidRequest("user_id must not be empty")
    elif not body.get("device_id"):
        raise InvalidRequest("user_id is missing, and there is no device_id in its place")


def _check_location(location: object) -> None:
    if not isinstance(location, dict):
        raise InvalidRequest(f"current_location must be an object, but it was {kind(location)}")
    if not location:
        raise InvalidRequest("current_location must have latitude or longitude, but it was empty")
    for name, value in location.items():
        if name not in {"latitude", "longitude"}:
            raise InvalidRequest(f'unknown field "current_location.{name}"')
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        expect(is_number, f"current_location.{name}", "a number", value)
