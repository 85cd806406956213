"""What a forwarder asks the store, with what each event becomes at its destination. Everything here runs in a thread."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from sync.clock import Clock
from sync.deliver.arrival import Arrival, arrivals
from sync.deliver.destination import Destination
from sync.store import lanes, suppressions
from sync.store.engine import Database
from sync.store.lanes import Held, LaneBacklog, Line

PAGE = 500
"""Events read at once."""

_MOST_UNREAD = 1_000
"""Events that are looked at for whether they change a profile, when slots are compared with a log that is far ahead."""


class Reader:
    """Reads for one destination."""

    def __init__(self, database: Database, destination: Destination, clock: Clock) -> None:
        self._database = database
        self._destination = destination
        self._name = destination.name
        self._clock = clock

    def page(self, after: int) -> tuple[list[Arrival], int]:
        """The events after a number, and the number up to which there are no others."""
        with self._database.read() as connection:
            lines, position = lanes.read(connection, after, PAGE)
            suppressed = suppressions.suppressed(connection, _users(lines))
        return self._arrivals(lines, suppressed), position

    def of_lane(self, number: int, after: int, upto: int, most: int) -> tuple[list[Arrival], int]:
        """The same for one lane."""
        with self._database.read() as connection:
            lines = lanes.read_lane(connection, number, after, upto, most)
            suppressed = suppressions.suppressed(connection, _users(lines))
        return self._arrivals(lines, suppressed), lines[-1].id if len(lines) == most else upto

    def again(self, ids: Sequence[int]) -> dict[int, Arrival]:
        """These events, as far as they are in the log, by number."""
        with self._database.read() as connection:
            lines = lanes.look_up(connection, ids)
            suppressed = suppressions.suppressed(connection, _users(lines))
        return {each.id: each for each in self._arrivals(lines, suppressed)}

    def unread(self, users: Mapping[str, tuple[int, int]]) -> dict[str, int]:
        """The lowest event between two numbers, for each user, that changes the profile. Where there are too many to look
        at, any from there on may be one."""
        with self._database.read() as connection:
            ids = lanes.unread_of(connection, users)
            lines = lanes.look_up(connection, ids[:_MOST_UNREAD])
        lowest: dict[str, int] = {}
        for each in self._arrivals(lines, set()):
            if each.profile is not None:
                lowest.setdefault(each.profile, each.id)
        if len(ids) > _MOST_UNREAD:
            for user_id in users:
                lowest.setdefault(user_id, ids[_MOST_UNREAD])
        return lowest

    def before(self, users: set[str], newest: Mapping[str, int]) -> tuple[set[str], dict[str, int]]:
        """The last look before a run: which of its users are suppressed, and whose slot owes something older than the
        events (their highest numbers by user) that change profiles."""
        with self._database.read() as connection:
            suppressed = suppressions.suppressed(connection, users)
        return suppressed, lanes.slots_before(self._database, self._name, newest) if newest else {}

    def waiting(self, known: tuple[int, int]) -> list[Held] | None:
        """Everything that waits; ``None`` where the ``known`` number and sum say that nothing has changed."""
        with self._database.read() as connection:
            if lanes.waiting_sum(connection, self._name) == known:
                return None
        return lanes.waiting(self._database, self._name)

    def left(self) -> LaneBacklog:
        """What the destination has yet to get."""
        with self._database.read() as connection:
            return lanes.backlog(connection, self._name)

    def _arrivals(self, lines: Sequence[Line], suppressed: set[str]) -> list[Arrival]:
        return arrivals(self._destination, lines, suppressed, self._clock.monotonic())


def _users(lines: Iterable[Line]) -> set[str]:
    return {line.user_id for line in lines if line.user_id is not None}
