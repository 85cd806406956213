"""A profile as tags: its attributes by their own names, its system fields by the names of Pushwoosh's default tags.

Some tags belong to a device: they are set there when it is known, so that they do not spread over a user's other ones.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import islice

from sync.destinations.pushwoosh.actions.update_user_profile import RESERVED
from sync.destinations.pushwoosh.public.attributes import json_text

Tags = dict[str, object]

USER_TAGS: Mapping[str, str] = {
    "email": "Email",
    "language": "Language",
    "country": "Country",
    "city": "City",
}
"""Fields of a profile that say something of the user, and their tags."""

DEVICE_TAGS: Mapping[str, str] = {
    "app_version": "Application Version",
    "device_model": "Device Model",
    "device_os_version": "OS Version",
}
"""Fields of a profile that say something of the device, and their tags."""

MOST_TAGS = 50
"""In one request, as the documentation advises."""

_LANGUAGE = re.compile(r"([A-Za-z]{2,3})(?:[-_].*)?", re.DOTALL)


def user_tags(payload: Mapping[str, object]) -> Tags:
    """What a profile says of its user. An attribute goes before a system field whose tag has the same name."""
    found = _system(payload, USER_TAGS)
    if isinstance(found.get("Language"), str):
        found["Language"] = language(str(found["Language"]))
    attributes = payload.get("custom_attributes")
    if isinstance(attributes, Mapping):
        found.update((name, tag(value)) for name, value in attributes.items() if name not in RESERVED)
    return found


def portions(tags: Tags) -> Iterator[Tags]:
    """The tags in portions that one request may carry; none when there are no tags."""
    named = iter(tags.items())
    while portion := dict(islice(named, MOST_TAGS)):
        yield portion


def device_tags(payload: Mapping[str, object]) -> Tags:
    """What a profile says of its device."""
    return _system(payload, DEVICE_TAGS)


def _system(payload: Mapping[str, object], names: Mapping[str, str]) -> Tags:
    return {name: payload[field] for field, name in names.items() if field in payload}


def tag(value: object) -> object:
    """The value of a tag: null takes it away, a list is one of texts, an object becomes its JSON text.

    Raises `InvalidEvent` when it is nested too deeply.
    """
    if value is None or isinstance(value, (str, int, float)):
        return value
    if isinstance(value, list):
        return [item if isinstance(item, str) else json_text(item) for item in value if item is not None]
    return json_text(value)


def language(locale: str) -> str:
    """The language of a locale as ISO 639 writes it (``en-US`` is ``en``); anything else as it is."""
    found = _LANGUAGE.fullmatch(locale)
    return found[1].lower() if found else locale
