"""How much may be on its way at once, from the first byte of a body to the commit: what is more is put off.

So the memory that posting takes is bounded, however many post and however long the store takes.
"""

from __future__ import annotations

from types import TracebackType

from sync.collect.answers import LATER, Refused

MOST_BYTES = 64 * 1024 * 1024
MOST_EVENTS = 50_000


class Room:
    """Bytes and events of all requests together."""

    def __init__(self, most_bytes: int = MOST_BYTES, most_events: int = MOST_EVENTS) -> None:
        self.most_bytes = most_bytes
        self.most_events = most_events
        self.size = 0
        self.events = 0

    def share(self) -> Share:
        """One request's part, given back when its block ends."""
        return Share(self)


class Share:
    """What one request takes; `hold` says it anew."""

    __slots__ = ("_events", "_room", "_size")

    def __init__(self, room: Room) -> None:
        self._room = room
        self._size = 0
        self._events = 0

    def hold(self, size: int, events: int = 0) -> None:
        """Take so many bytes and events instead of what it has. Raises `Refused` when there is no room for more."""
        room = self._room
        bytes_after, events_after = room.size + size - self._size, room.events + events - self._events
        if (size > self._size and bytes_after > room.most_bytes) or (
            events > self._events and events_after > room.most_events
        ):
            raise Refused(429, "too_many_requests", "more is arriving than can be stored: try again", retry_after=LATER)
        room.size, room.events = bytes_after, events_after
        self._size, self._events = size, events

    def __enter__(self) -> Share:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._room.size -= self._size
        self._room.events -= self._events
        self._size = self._events = 0
