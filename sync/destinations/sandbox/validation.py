"""What a profile request must look like, field by field; whatever is wrong is named.

Stricter than the real service on purpose: a request that passes here has the documented shape and nothing else.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import orjson

JsonObject = dict[str, object]
Pairs = list[tuple[str, object]]

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


class InvalidRequest(Exception):
    """The body is not what the endpoint takes; the message names the field and what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Gate:
    """Who may come in. ``None`` lets any non-empty key or application code pass."""

    api_keys: frozenset[str] | None = None
    app_codes: frozenset[str] | None = None

    def refusal(self, headers: Mapping[str, str]) -> tuple[int, str] | None:
        """The HTTP status and message the real service answers to these headers, or ``None`` when they are right."""
        scheme, _, key = headers.get("Authorization", "").partition(" ")
        if scheme != "Token" or not _known(key.strip(), self.api_keys):
            return 401, "unauthorized"
        app_code = headers.get("X-PW-Appcode", "").strip()
        if not app_code:
            return 400, "missing application code"
        if not _known(app_code, self.app_codes):
            return 400, "application not found"
        return None


def _known(value: str, accepted: frozenset[str] | None) -> bool:
    return bool(value) if accepted is None else value in accepted


def check_content_type(headers: Mapping[str, str]) -> None:
    """Raise ``InvalidRequest`` unless the headers announce JSON."""
    media_type = headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise InvalidRequest(f'header Content-Type must be application/json, but it was "{media_type[:100]}"')


def parse_profile(raw: bytes) -> JsonObject:
    """The body of ``track-user``, as sent; raises ``InvalidRequest``."""
    body = _parse_object(raw)
    for name, value in body.items():
        if name in TEXT_FIELDS:
            _expect(value is None or isinstance(value, str), name, "a string or null", value)
        elif name not in PROFILE_FIELDS:
            raise InvalidRequest(f'unknown field "{name}"')
    _check_identity(body)
    _check_attributes(body)
    if "current_location" in body:
        _check_location(body["current_location"])
    return body


def parse_ping(raw: bytes) -> JsonObject:
    """The body of ``ping``, ``{"body": {"name": text}}``; raises ``InvalidRequest``."""
    body = _parse_object(raw)
    inner = body.get("body")
    if set(body) != {"body"} or not isinstance(inner, dict) or set(inner) != {"name"}:
        raise InvalidRequest('the body must be {"body": {"name": ...}}')
    _expect(isinstance(inner["name"], str), "body.name", "a string", inner["name"])
    return body


PARSERS: Mapping[str, tuple[str, Callable[[bytes], JsonObject]]] = {
    "/integration-segment/v1/track-user": ("track user", parse_profile),
    "/integration-segment/v1/ping": ("ping", parse_ping),
}
"""Path of each endpoint → the action it is called in error answers, and the check of its body."""


def _parse_object(raw: bytes) -> JsonObject:
    try:
        body = orjson.loads(raw)
        # orjson keeps the last of two equal keys without a word; only the standard parser lets us see both.
        json.loads(raw, object_pairs_hook=_refuse_duplicates)
    except (ValueError, RecursionError) as error:
        raise InvalidRequest(f"the body is not valid JSON: {error}") from error
    if not isinstance(body, dict):
        raise InvalidRequest(f"the body must be a JSON object, but it was {_kind(body)}")
    return body


def _refuse_duplicates(pairs: Pairs) -> JsonObject:
    members = dict(pairs)
    if len(members) != len(pairs):
        seen: set[str] = set()
        twice = next(name for name, _ in pairs if name in seen or seen.add(name))  # type: ignore[func-returns-value]
        raise InvalidRequest(f'field "{twice}" is given twice')
    return members


def _check_identity(body: JsonObject) -> None:
    if "user_id" in body:
        user_id = body["user_id"]
        _expect(isinstance(user_id, str), "user_id", "a string", user_id)
        if not user_id:
            raise InvalidRequest("user_id must not be empty")
    elif not body.get("device_id"):
        raise InvalidRequest("user_id is missing, and there is no device_id in its place")


def _check_attributes(body: JsonObject) -> None:
    if "attributes" not in body:
        raise InvalidRequest("attributes is missing")
    attributes = body["attributes"]
    if not isinstance(attributes, dict):
        raise InvalidRequest(f"attributes must be an object, but it was {_kind(attributes)}")
    for name, value in attributes.items():
        if isinstance(value, list):
            for place, item in enumerate(value):
                _expect(_is_scalar(item), f"attributes.{name}[{place}]", "a string, a number or a boolean", item)
        else:
            wanted = "a string, a number, a boolean, a list of those, or null"
            _expect(value is None or _is_scalar(value), f"attributes.{name}", wanted, value)


def _check_location(location: object) -> None:
    if not isinstance(location, dict):
        raise InvalidRequest(f"current_location must be an object, but it was {_kind(location)}")
    if not location:
        raise InvalidRequest("current_location must have latitude or longitude, but it was empty")
    for name, value in location.items():
        if name not in {"latitude", "longitude"}:
            raise InvalidRequest(f'unknown field "current_location.{name}"')
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        _expect(is_number, f"current_location.{name}", "a number", value)


def _is_scalar(value: object) -> bool:
    return isinstance(value, str | int | float)


def _expect(holds: bool, field: str, wanted: str, value: object) -> None:
    if not holds:
        raise InvalidRequest(f"{field} must be {wanted}, but it was {_kind(value)}")


def _kind(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "a boolean"
    if isinstance(value, int | float):
        return "a number"
    if isinstance(value, str):
        return "a string"
    return "a list" if isinstance(value, list) else "an object"
