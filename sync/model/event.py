"""An event as the log keeps it: who, what, when, and the whole of it as Segment would deliver it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from zlib import crc32

LANES = 64
"""Lanes of the log: kept with every event, so the number never changes."""


@dataclass(frozen=True, slots=True)
class LoggedEvent:
    """One event. ``body`` is the JSON text of the normalised Segment event.

    ``source`` is the name of the write key, webhook, file or feed it came by; ``message_id`` is unique within it.
    ``name`` is a track's event, ``Page Viewed`` for a page, ``Screen Viewed`` for a screen, else nothing. ``collected``
    is false for events read from a customer's database, which are only forwarded. ``id`` is 0 until it is recorded.
    """

    source: str
    message_id: str
    type: str
    name: str | None
    user_id: str | None
    anonymous_id: str | None
    timestamp: datetime
    received_at: datetime
    body: str
    collected: bool = True
    id: int = 0

    @property
    def user_key(self) -> str:
        """Events of one key keep their order. Somebody without any id is somebody else each time."""
        return self.user_id or f"anonymous {self.anonymous_id or self.message_id}"

    @property
    def lane(self) -> int:
        """Where its order is kept."""
        return lane_of(self.user_key)


def lane_of(user_key: str) -> int:
    """The lane of a user: the same in every process and version."""
    return crc32(user_key.encode("utf-8", "surrogatepass")) % LANES
