"""What the value of an attribute may be: scalars and lists of scalars. Whatever else there is becomes text."""

from __future__ import annotations

from collections.abc import Mapping

from sync.destinations.pushwoosh.encoding import encoded

Scalar = str | int | float


def scalar(value: object) -> Scalar:
    """A text, number or boolean as it is, else its JSON text; raises `InvalidEvent` when it is nested too deeply."""
    return value if isinstance(value, (str, int, float)) else json_text(value)


def json_text(value: object) -> str:
    """``value`` as compact JSON; raises `InvalidEvent` when it is nested too deeply."""
    return encoded(value).decode("utf-8")


def event_attributes(properties: object) -> dict[str, object]:
    """The attributes of an event; a null is no attribute, for there is nothing that it could take away."""
    if not isinstance(properties, Mapping):
        return {}
    return {name: _attribute(value) for name, value in properties.items() if value is not None}


def _attribute(value: object) -> object:
    if isinstance(value, list):
        return [scalar(item) for item in value if item is not None]
    return scalar(value)
