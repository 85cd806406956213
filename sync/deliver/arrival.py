"""An event on its way through the forwarder, and what it became by the destination's mappings."""

from __future__ import annotations

from collections.abc import Collection
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


class Kind(Enum):
    """``NOTHING`` is to be sent; a request is ``SHARED`` with other events; or it has requests of its ``OWN``."""

    NOTHING = auto()
    SHARED = auto()
    OWN = auto()


@dataclass(slots=True, eq=False)
class Arrival:
    """One event. ``at``: the monotonic instant at which it was read. ``size``: what it takes up, about, in bytes.

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
    was_held: bool = False
    attempts: int = 0
    failing_since: datetime | None = None
    settled: Settlement | None = None

    @property
    def size(self) -> int:
        return 600 + sum(len(part.text) for part in self.parts)

    @property
    def profile(self) -> str | None:
        """The user whose profile it changes, if it does and the user is known."""
        return None if self.user_id is None or all(part.once for part in self.parts) else self.user_id

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
            reason = "; ".join(self.refusals)
            self.hold(HoldState.PARKED, Said(INVALID, detail=reason), reason)
        else:
            self.done(Said(FILTERED, detail="no mapping wants it"))


def arrivals(
    destination: Destination, lines: Collection[Line], suppressed: Collection[str], at: float
) -> list[Arrival]:
    """What events of the log become."""
    found = []
    for line in lines:
        keep_off = bool(suppressed) and line.user_id in suppressed
        prepared = Prepared() if keep_off else _prepared(destination, line)
        kind = _kind(prepared)
        parts = () if kind is Kind.NOTHING else prepared.parts
        found.append(
            Arrival(line.id, line.lane, line.user_id, line.user_key, kind, parts, prepared.refusals, keep_off, at)
        )
    return found


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
        # What cannot be taken back goes when all the rest can go as well: or it would go again with every try.
        return Kind.NOTHING if all(part.once for part in parts) else Kind.OWN
    to = parts[0].to
    return Kind.SHARED if all(part.join and part.to == to for part in parts) else Kind.OWN
