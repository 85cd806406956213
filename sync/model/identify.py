"""The identify event that a user's owed values become; from here on it is an event like any other."""

from __future__ import annotations

from datetime import UTC, datetime

from sync.model.slot import ClaimedSlot


def identify(slot: ClaimedSlot, *, destination: str, at: datetime) -> dict[str, object]:
    """A Segment ``identify`` with all keys owed to the user as traits; a definition's key wins over an enrichment."""
    return {
        "type": "identify",
        "userId": slot.user_id,
        "traits": {**slot.enrichment, **slot.owed},
        "messageId": slot.idempotency_key(destination),
        "timestamp": at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z",
        "context": {},
    }
