"""An identify event as the body of Pushwoosh's ``track-user``, by the mapping Segment's destination starts with.

Pure. Keys stand in the order of Segment's own request. A field that is missing is left out, ``""`` is left out, and
``null`` is sent where the field can be cleared (all but the user id and the location).
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from sync.model.naming import RESERVED_KEYS

_MISSING = object()

_BEFORE_LOCATION = (
    ("email", ("traits", "email")),
    ("app_version", ("context", "app", "version")),
    ("device_id", ("context", "device", "id")),
    ("device_model", ("context", "device", "model")),
    ("device_platform", ("context", "device", "type")),
    ("device_token", ("context", "device", "token")),
    ("language", ("context", "locale")),
    ("country", ("context", "location", "country")),
    ("city", ("context", "location", "city")),
)
_AFTER_LOCATION = (
    ("device_os_version", ("context", "os", "version")),
    ("timezone", ("context", "timezone")),
    ("user_agent", ("context", "userAgent")),
)


def profile(event: Mapping[str, object]) -> dict[str, object]:
    """The ``track-user`` body for an identify ``event`` (Segment's shape: userId, traits, context)."""
    body: dict[str, object] = {"attributes": _attributes(event.get("traits"))}
    user_id = _text(event.get("userId", _MISSING))
    if isinstance(user_id, str):
        body["user_id"] = user_id
    _add_texts(body, event, _BEFORE_LOCATION)
    location = _location(event)
    if location:
        body["current_location"] = location
    _add_texts(body, event, _AFTER_LOCATION)
    return body


def _attributes(traits: object) -> dict[str, object]:
    """The traits as they are, without the names that are fields of the body."""
    if not isinstance(traits, Mapping):
        return {}
    if RESERVED_KEYS.isdisjoint(traits):
        return dict(traits)
    return {key: value for key, value in traits.items() if key not in RESERVED_KEYS}


def _add_texts(
    body: dict[str, object], event: Mapping[str, object], fields: tuple[tuple[str, tuple[str, ...]], ...]
) -> None:
    for name, path in fields:
        value = _text(_at(event, path))
        if value is not _MISSING:
            body[name] = value


def _location(event: Mapping[str, object]) -> dict[str, object]:
    found = {name: _at(event, ("context", "location", name)) for name in ("latitude", "longitude")}
    return {name: value for name, value in found.items() if _is_number(value)}


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _at(event: Mapping[str, object], path: tuple[str, ...]) -> object:
    """The value at ``path``. A null on the way is the result, as in Segment; ``context`` itself null is missing."""
    value: object = event
    for name in path:
        if not isinstance(value, Mapping):
            return None if value is None else _MISSING
        value = value.get(name, _MISSING)
        if value is None and name == "context":
            return _MISSING
    return value


def _text(value: object) -> object:
    """Text as it is, numbers and booleans as text, null as null; anything else, and ``""``, is missing."""
    if isinstance(value, str):
        return value or _MISSING
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e21:
        return str(int(value))
    if isinstance(value, (int, float)):
        return str(value)
    return None if value is None else _MISSING
