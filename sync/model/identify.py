"""The identify events that a user's owed values become; from here on they are events like any other.

All of a user's keys in one event, or each key in one of its own with its ``context.personas``, as Segment does it. A
definition's key wins over an enrichment of that name.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from functools import lru_cache

from sync.model.definition import Kind
from sync.model.slot import ClaimedSlot

Event = dict[str, object]

Personas = Mapping[str, Mapping[str, object]]
"""The ``context.personas`` of every definition, by key."""


class IdentifyPer(StrEnum):
    """What one event carries: all that is owed to a ``USER``, or the answer of one ``COMPUTATION``."""

    USER = "user"
    COMPUTATION = "computation"


def identify(slot: ClaimedSlot, *, destination: str, carried: Mapping[str, int] | None = None) -> Event:
    """One ``identify`` with all keys owed to the user as traits, or with those ``carried`` alone (with their versions)."""
    if carried is None or len(carried) == len(slot.owed):
        return _event(slot, {**slot.enrichment, **slot.owed}, slot.versions, destination, {})
    traits = {name: value for name, value in slot.enrichment.items() if name not in slot.owed}
    traits.update((key, slot.owed[key]) for key in carried)
    return _event(slot, traits, carried, destination, {})


def identify_computation(slot: ClaimedSlot, key: str, *, destination: str, personas: Personas) -> Event:
    """One ``identify`` with one key owed to the user; `KeyError` when nobody knows the definition."""
    traits = {name: value for name, value in slot.enrichment.items() if name not in slot.owed}
    traits[key] = slot.owed[key]
    return _event(slot, traits, {key: slot.versions[key]}, destination, {"personas": personas[key]})


def portions(slot: ClaimedSlot, per: IdentifyPer, due: dict[str, int] | None = None) -> list[dict[str, int]]:
    """What each event of a slot carries: keys with their versions, of all that is owed or of what is ``due`` of it.

    What has been owed longest goes first. After a failure another key is the first one, so that one which always fails
    keeps no other from being sent.
    """
    due = slot.versions if due is None else due
    if per is IdentifyPer.USER:
        return [due] if due else []
    keys = sorted(due, key=lambda key: (slot.versions[key], key))
    first = slot.attempts % max(len(keys), 1)
    return [{key: slot.versions[key]} for key in (*keys[first:], *keys[:first])]


def persona(project: str, kind: Kind, key: str, computation_id: str) -> dict[str, object]:
    """What ``context.personas`` says of a definition; a project is Segment's space."""
    return {
        "computation_class": kind.value,
        "computation_key": key,
        "computation_id": computation_id,
        "namespace": project,
        "space_id": project,
    }


@lru_cache(maxsize=1024)
def _written(instant: datetime) -> str:
    return instant.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


def _event(
    slot: ClaimedSlot,
    traits: dict[str, object],
    versions: Mapping[str, int],
    destination: str,
    context: dict[str, object],
) -> Event:
    return {
        "type": "identify",
        "userId": slot.user_id,
        "traits": traits,
        "messageId": slot.idempotency_key(destination, versions),
        "timestamp": _written(slot.owed_since),
        "context": context,
    }
