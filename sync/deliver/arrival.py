"""An event on its way through the forwarder, and what it became by the destination's mappings."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto

import orjson

from sync.deliver.destination import Destination
from sync.destinations.mapped import Part, Prepared
from sync.model.outcome import FILTERED, INVALID
from sync.store.lanes import HoldState, Line, Said, Settlement

SUPPRESSED = "suppressed"
"""The outcome of an event whose user is suppressed: nothing is sent."""


_SIZE = 600
"""Bytes that an event takes up besides what is sent of it."""


class Kind(Enum):
    """``NOTHING`` is to be sent; a request is ``SHARED`` with other events; or it has requests of its ``OWN``."""

    NOTHING = auto()
    SHARED = auto()
    OWN = auto()


@dataclass(slots=True, eq=False)
class Arrival:
    """One event. ``at``: the monotonic instant at which it was read. ``size``: what it takes up, about, in bytes.
    ``profile``: the user whose profile it changes, if it does and the user is known.

    ``attempts`` and ``failing_since`` are of its hold, if it ``was_held``. ``settled`` is what became of it, once known.
    """

    id: int
    lane: int
    user_id: str | None
    user_key: str
    kind: Kind
    parts: tuple[Part, ...]
    refusals: tuple[str, ...]
    suppressed: bool
    at: float
    profile: str | None = None
    size: int = _SIZE
    was_held: bool = False
    attempts: int = 0
    failing_since: datetime | None = None
    settled: Settlement | None = None

    @property
    def invalid(self) -> str:
        """Why mappings that want it can make no request of it. As with Segment it is discarded there: it will never be
        right, and most events of people who are not known yet are of this kind."""
        return "; ".join(dict.fromkeys(self.refusals))

    def done(self, said: Said) -> None:
        """Nothing more happens to it."""
        self.settled = Settlement(self.id, self.user_key, self.was_held, said)

    def hold(
        self, state: HoldState, said: Said | None, reason: str | None, *, tried: bool = True, seconds: float = 0.0
    ) -> None:
        """It waits, or is parked; ``tried`` counts as an attempt."""
        self.settled = Settlement(
            self.id,
            self.user_key,
            self.was_held,
            said,
            state,
            seconds,
            self.attempts + tried,
            self.failing_since,
            reason,
        )

    def settle_without_request(self) -> None:
        """What becomes of it where nothing is to be sent."""
        if self.suppressed:
            self.done(Said(SUPPRESSED, detail="its user is suppressed"))
        elif self.refusals:
            self.done(Said(INVALID, detail=self.invalid))
        else:
            self.done(Said(FILTERED, detail="no mapping wants it"))


def arrivals(
    destination: Destination, lines: Iterable[Line], suppressed: Collection[str | None], at: float
) -> list[Arrival]:
    """What events of the log become."""
    return [_arrival(destination, line, at, keep_off=line.user_id in suppressed) for line in lines]


def _arrival(destination: Destination, line: Line, at: float, *, keep_off: bool) -> Arrival:
    prepared = Prepared() if keep_off else _prepared(destination, line)
    arrival = Arrival(
        line.id, line.lane, line.user_id, line.user_key, _kind(prepared), (), prepared.refusals, keep_off, at
    )
    if arrival.kind is not Kind.NOTHING:
        arrival.parts = prepared.parts
        for part in prepared.parts:
            arrival.size += len(part.text)
            if not part.once:
                arrival.profile = line.user_id
    return arrival


def _prepared(destination: Destination, line: Line) -> Prepared:
    try:
        return destination.prepare(orjson.loads(line.body))
    except Exception as error:  # noqa: BLE001 - a mistake of ours, about this event: it must not stop the others
        return Prepared(refusals=(f"no request can be made of it ({type(error).__name__})",))


def _kind(prepared: Prepared) -> Kind:
    parts = prepared.parts
    if not parts:
        return Kind.NOTHING
    if prepared.refusals:
        return Kind.OWN
    first = parts[0]
    if len(parts) > 1 and not all(part.join and part.to == first.to for part in parts):
        return Kind.OWN
    return Kind.SHARED if first.join else Kind.OWN
