"""From a definition's name to its key, and the keys that may not be used.

The rule is that of Segment's published snake-case library. Segment does not say that Engage uses it, but the one worked
example in its documentation agrees. A key is an identity: once audiences are out there, this rule may never change.
"""

from __future__ import annotations

import re

LONGEST_KEY = 255
"""Characters in a key; the limit Segment states for journeys, the only one it states."""

RESERVED_KEYS = frozenset(
    {
        "external_id",
        "email",
        "app_version",
        "device_id",
        "device_model",
        "device_platform",
        "device_token",
        "language",
        "country",
        "city",
        "current_location",
        "device_os_version",
        "timezone",
        "user_agent",
        "custom_attributes",
    }
)
"""Fields of Pushwoosh's profile action: a trait of such a name is taken for the field, and the audience is lost."""

FIELDS_FROM_TRAITS = frozenset({"email"})
"""Reserved names that still arrive when they are a trait: the default mapping reads them into the field."""

# A run of capitals and digits, then a run of small letters and digits. Everything else only separates.
_WORD = re.compile(r"[A-Z0-9]+[a-z0-9]*|[a-z0-9]+")


def snake_case(name: str) -> str:
    """The key for ``name``: its words in small letters, joined by ``_``; empty when there is no Latin letter or digit."""
    return "_".join(_WORD.findall(name)).lower()
