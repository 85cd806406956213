"""The tags that an account has, and what they lack for those that are needed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import orjson

from sync.destinations.pushwoosh.public.tag_types import TagType, Types
from sync.destinations.pushwoosh.public.tags import DEVICE_TAGS, USER_TAGS

MOST_BYTES = 8 * 1024 * 1024
"""Of an answer that lists tags: more than a hundred thousand of them."""

DEFAULT_TAGS = frozenset({*USER_TAGS.values(), *DEVICE_TAGS.values()} - {"Email"})
"""Pushwoosh's own, with types of its own choice."""

Listing = Mapping[str, TagType | None]
"""Tags by name; of some the type is not one that we know."""


@dataclass(frozen=True, slots=True)
class Lacking:
    """What an account has not: ``missing`` tags with the types that would do, and tags of ``another_type`` with the one they
    have and those that would do."""

    missing: Mapping[str, Types]
    another_type: Mapping[str, tuple[TagType, Types]]


def read_listing(body: bytes) -> Listing | None:
    """What an accepted answer to ``listTags`` lists; ``None`` when it lists nothing that can be read."""
    try:
        answer = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    response = answer.get("response") if isinstance(answer, dict) else None
    tags = response.get("tags") if isinstance(response, dict) else None
    if not isinstance(tags, list):
        return None
    named = [each for each in tags if isinstance(each, dict) and isinstance(each.get("name"), str)]
    return {each["name"]: _type(each.get("type")) for each in named}


def lacking(needed: Mapping[str, Types], listing: Listing) -> Lacking:
    """What ``listing`` lacks for ``needed`` tags with the types that hold their values."""
    missing = {name: types for name, types in needed.items() if name not in listing}
    others = {}
    for name, types in needed.items():
        found = listing.get(name)
        if found is not None and types and found not in types and name not in DEFAULT_TAGS:
            others[name] = (found, types)
    return Lacking(missing, others)


def _type(told: object) -> TagType | None:
    """A type by its number or its name."""
    text = str(told).strip()
    if text.isdecimal():
        return next((each for each in TagType if each == int(text[:9])), None)
    return next((each for each in TagType if each.name == text.upper()), None)
