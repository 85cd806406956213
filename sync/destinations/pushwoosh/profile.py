"""An identify event as the body of Pushwoosh's ``track-user``, by the mapping Segment's destination starts with.

Pure. Keys stand in the order of Segment's own request. A field that is missing is left out, ``""`` is left out, and
``null`` is sent where the field can be cleared (all but the user id and the location).
"""

from __future__ import annotations

import math

from sync.model.naming import RESERVED_KEYS

Fields = tuple[tuple[str, tuple[str, ...]], ...]

_MISSING = object()

_FROM_EVENT: Fields = (("email", ("traits", "email")),)

_BEFORE_LOCATION: Fields = (
    ("app_version", ("app", "version")),
    ("device_id", ("device", "id")),
    ("device_model", ("device", "model")),
    ("device_platform", ("device", "type")),
    ("device_token", ("device", "token")),
    ("language", ("locale",)),
    ("country", ("location", "country")),
    ("city", ("location", "city")),
)
_AFTER_LOCATION: Fields = (
    ("device_os_version", ("os", "version")),
    ("timezone", ("timezone",)),
    ("user_agent", ("userAgent",)),
)


def profile(event: dict[str, object]) -> dict[str, object]:
    """The ``track-user`` body for an identify ``event`` (Segment's shape: userId, traits, context)."""
    body: dict[str, object] = {"attributes": _attributes(event.get("traits"))}
    user_id = _text(event.get("userId", _MISSING))
    if isinstance(user_id, str):
        body["user_id"] = user_id
    _add_texts(body, event, _FROM_EVENT)
    context = event.get("context")
    if isinstance(context, dict) and context:
        _add_texts(body, context, _BEFORE_LOCATION)
        if location := _location(context):
            body["current_location"] = location
        _add_texts(body, context, _AFTER_LOCATION)
    return body


def _attributes(traits: object) -> dict[str, object]:
    """The traits as they are, without the names that are fields of the body."""
    if not isinstance(traits, dict):
        return {}
    if RESERVED_KEYS.isdisjoint(traits):
        return dict(traits)
    return {key: value for key, value in traits.items() if key not in RESERVED_KEYS}


def _add_texts(body: dict[str, object], source: dict[str, object], fields: Fields) -> None:
    for name, path in fields:
        value = _text(_at(source, path))
        if value is not _MISSING:
            body[name] = value


def _location(context: dict[str, object]) -> dict[str, object]:
    found = {name: _at(context, ("location", name)) for name in ("latitude", "longitude")}
    return {name: value for name, value in found.items() if _is_number(value)}


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _at(source: dict[str, object], path: tuple[str, ...]) -> object:
    """The value at ``path``. A null on the way is the result, as in Segment."""
    value: object = source
    for name in path:
        if not isinstance(value, dict):
            return None if value is None else _MISSING
        value = value.get(name, _MISSING)
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
