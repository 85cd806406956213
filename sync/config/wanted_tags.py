"""The tags that definitions need at a destination, with the types that hold their values.

What a mapping makes of a key is found out by having it made: of every definition a change is mapped as it would be sent.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from sync.config.coverage import sample
from sync.config.settings import PushwooshSettings, Settings
from sync.destinations.pushwoosh.public.destination import PublicPushwoosh
from sync.destinations.pushwoosh.public.tag_types import ANY, Types, holding
from sync.model.definition import Definition, Kind

_ANYTHING = "engage-sync: some value"
"""Stands for a value that nobody knows."""

_CONTEXT = {
    "app": {"version": _ANYTHING},
    "device": {"id": "device", "model": _ANYTHING, "type": "ios"},
    "locale": _ANYTHING,
    "location": {"country": _ANYTHING, "city": _ANYTHING},
    "os": {"version": _ANYTHING},
}
"""What an app tells of itself."""


def wanted(
    settings: Settings,
    configured: PushwooshSettings,
    destination: PublicPushwoosh,
    values: Mapping[str, Sequence[object]],
) -> dict[str, Types]:
    """Tags by name, in the order of the definitions. ``values`` are some of each trait's, by key."""
    found: dict[str, Types] = {}
    for event in _events(settings, configured, values):
        for name, value in destination.tags_for(event).items():
            types = ANY if value == _ANYTHING else holding(value)
            found[name] = found.get(name, ANY) & types
    return found


def sending(settings: Settings, configured: PushwooshSettings) -> list[Definition]:
    """The definitions that are sent there."""
    return [each for each in settings.definitions if each.enabled and configured.name in each.destinations]


def _events(
    settings: Settings, configured: PushwooshSettings, values: Mapping[str, Sequence[object]]
) -> Iterator[dict[str, object]]:
    for definition in sending(settings, configured):
        enrichment = dict.fromkeys(definition.enrichment, _ANYTHING)
        for value in _values(definition, values):
            yield sample(definition, settings.project, configured, value=value, enrichment=enrichment)
    if settings.collector is not None:
        yield {"type": "identify", "userId": "user", "traits": {"email": _ANYTHING}, "context": _CONTEXT}


def _values(definition: Definition, values: Mapping[str, Sequence[object]]) -> Iterable[object]:
    if definition.kind is Kind.AUDIENCE:
        return (True, False)
    return values.get(definition.key) or (_ANYTHING,)
