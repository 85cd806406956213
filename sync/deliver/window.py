"""The part of the log that is in memory: lanes side by side, each a queue in the log's order.

A lane that is full takes no more; what it left is read again for it alone, once there is room. So one user who sends all
day long keeps nobody else waiting, and memory is bounded.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from sync.deliver.arrival import Arrival
from sync.model.event import LANES, lane_of
from sync.store.forwarding import Taken

MOST_EVENTS = 6_000
MOST_BYTES = 16 * 1024 * 1024
"""In all lanes together: above, nothing more is read."""

LANE_EVENTS = 500
LANE_BYTES = 1024 * 1024
"""In one lane: above, it is full."""


@dataclass(slots=True, eq=False)
class Lane:
    """One lane. ``cursor``: everything up to here is done with or held. ``left_at``: where it was full, else nothing.

    ``busy``: some of its events are on their way, and those behind them wait.
    """

    number: int
    cursor: int
    queue: deque[Arrival] = field(default_factory=deque)
    size: int = 0
    left_at: int | None = None
    busy: bool = False

    @property
    def is_full(self) -> bool:
        return len(self.queue) >= LANE_EVENTS or self.size >= LANE_BYTES

    @property
    def has_room(self) -> bool:
        return len(self.queue) <= LANE_EVENTS // 3 and self.size <= LANE_BYTES // 3

    def push(self, arrival: Arrival) -> None:
        self.queue.append(arrival)
        self.size += arrival.size

    def pop(self) -> Arrival:
        first = self.queue.popleft()
        self.size -= first.size
        return first

    def give_back(self, unsent: list[Arrival]) -> None:
        """Put events at the front again, in their order."""
        self.queue.extendleft(reversed(unsent))
        self.size += sum(each.size for each in unsent)


class Window:
    """All lanes. ``position``: the number up to which the log has been read."""

    def __init__(self, taken: Taken) -> None:
        self.lanes = [Lane(number, taken.cursor(number)) for number in range(LANES)]
        self.position = min(lane.cursor for lane in self.lanes)

    @property
    def is_full(self) -> bool:
        """Nothing more is to be read."""
        if sum(len(lane.queue) for lane in self.lanes) >= MOST_EVENTS:
            return True
        return sum(lane.size for lane in self.lanes) >= MOST_BYTES

    @property
    def is_empty(self) -> bool:
        """Everything up to the position is done with or held."""
        return not any(lane.queue or lane.busy or lane.left_at is not None for lane in self.lanes)

    def take(self, found: Iterable[Arrival], position: int) -> list[Arrival]:
        """Let in what was read after the position, in order; gives what found room."""
        taken = []
        for arrival in found:
            lane = self.lanes[arrival.lane]
            if arrival.id <= lane.cursor or lane.left_at is not None:
                continue
            if lane.is_full:
                lane.left_at = arrival.id - 1
                continue
            lane.push(arrival)
            taken.append(arrival)
        self.position = max(self.position, position)
        return taken

    def left(self) -> Lane | None:
        """A lane that was full, and has room for more."""
        return next((lane for lane in self.lanes if lane.left_at is not None and lane.has_room), None)

    def take_of(self, lane: Lane, found: list[Arrival], upto: int) -> list[Arrival]:
        """Let in what one lane had left, in order; everything ``upto`` a number was ``found``."""
        for place, arrival in enumerate(found):
            if lane.is_full:
                lane.left_at = arrival.id - 1
                return found[:place]
            lane.push(arrival)
        lane.left_at = None if upto >= self.position else upto
        return found

    def read_to(self, user_id: str) -> int:
        """The number up to which a user's events have been read."""
        lane = self.lanes[lane_of(user_id)]
        return max(self.position, lane.cursor) if lane.left_at is None else lane.left_at

    def floor(self) -> int:
        """The number up to which everything in all lanes is done with or held."""
        return min(
            lane.cursor if lane.queue or lane.busy else lane.left_at if lane.left_at is not None else self.position
            for lane in self.lanes
        )
