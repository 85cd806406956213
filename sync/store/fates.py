"""What was received and what became of it, for people: events of the log, each with its fate at every destination.

A fate is put together from the lane's cursor, a hold and an outcome. They are read in this order: who settles writes
them in one transaction, so that an event may look less far than it is, and never further.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, Row, select

from sync.model.event import LoggedEvent
from sync.model.outcome import FILTERED, INVALID, Verdict
from sync.store.event_schema import event, event_outcome, forwarding, hold, lane

MOST = 500
"""Events whose fates are asked for in one statement."""


class Standing(StrEnum):
    """How an event stands with one destination.

    ``RECEIVED``  in the log; its lane has not come to it.
    ``FILTERED``  no mapping wants it: nothing is sent.
    ``SENT``      the destination has accepted it.
    ``REFUSED``   a mapping wants it and can make no request of it: that mapping sends nothing.
    ``WAITING``   held back: for another try, or for an earlier event of its user.
    ``PARKED``    given up until somebody decides; its reason says why.
    ``DROPPED``   done with and not sent: dropped by hand, or its user is suppressed; the detail says which.
    ``EARLIER``   received before anything was forwarded to the destination.
    ``PAST``      done with; how is no longer known (see ``retention.attempts``).
    """

    RECEIVED = "received"
    FILTERED = "filtered"
    SENT = "sent"
    REFUSED = "refused"
    WAITING = "waiting"
    PARKED = "parked"
    DROPPED = "dropped"
    EARLIER = "earlier"
    PAST = "past"


LASTING = frozenset(
    {Standing.FILTERED, Standing.SENT, Standing.REFUSED, Standing.DROPPED, Standing.EARLIER, Standing.PAST}
)
"""Nothing more happens by itself."""

_AGAIN = frozenset({Verdict.NOT_SENT, Verdict.NOT_APPLIED, Verdict.UNKNOWN, Verdict.FAULT})
_STANDINGS = {Verdict.ACCEPTED.value: Standing.SENT, FILTERED: Standing.FILTERED, INVALID: Standing.REFUSED}


@dataclass(frozen=True, slots=True)
class Fate:
    """One event at one destination.

    ``at``, ``verdict``, ``status``, ``detail``: the last thing that happened. ``attempts`` to ``reason``: of a hold.
    ``filtered_by``: the mappings that do not want it, by name, for whoever knows them to fill in.
    """

    destination: str
    state: Standing
    at: datetime | None = None
    verdict: str | None = None
    status: int | None = None
    detail: str | None = None
    attempts: int = 0
    due_at: datetime | None = None
    held_since: datetime | None = None
    failing_since: datetime | None = None
    reason: str | None = None
    filtered_by: Sequence[str] = ()


def ids_of(connection: Connection, message_id: str) -> list[int]:
    """The events with this message id: one for each source that has one."""
    query = select(event.c.id).where(event.c.message_id == message_id)
    return list(connection.execute(query.order_by(event.c.id)).scalars())


def fates(
    connection: Connection, events: Iterable[LoggedEvent], destinations: Collection[str] | None = None
) -> dict[int, list[Fate]]:
    """What became of these events, by id: at each destination that events are forwarded to, or at these only."""
    listed = {each.id: each for each in events}
    began = {
        row.destination: row
        for row in connection.execute(select(forwarding).order_by(forwarding.c.destination))
        if destinations is None or row.destination in destinations
    }
    if not (listed and began):
        return {number: [] for number in listed}
    cursors = {
        (row.destination, row.number): row.cursor
        for row in connection.execute(select(lane).where(lane.c.destination.in_(began)))
    }
    held, outcomes = _held(connection, list(listed), began), _outcomes(connection, list(listed))
    return {
        number: [
            _fate(
                name,
                held.get((name, number)),
                outcomes.get((name, number)),
                _without_outcome(each, row, max(row.floor, cursors.get((name, each.lane), 0))),
            )
            for name, row in began.items()
        ]
        for number, each in listed.items()
    }


def _held(connection: Connection, ids: Sequence[int], names: Iterable[str]) -> dict[tuple[str, int], Row[Any]]:
    query = select(hold).where(hold.c.destination.in_(names))
    return {
        (row.destination, row.event_id): row
        for some in _portions(ids)
        for row in connection.execute(query.where(hold.c.event_id.in_(some)))
    }


def _outcomes(connection: Connection, ids: Sequence[int]) -> dict[tuple[str, int], Row[Any]]:
    return {
        (row.destination, row.event_id): row
        for some in _portions(ids)
        for row in connection.execute(select(event_outcome).where(event_outcome.c.event_id.in_(some)))
    }


def _without_outcome(event: LoggedEvent, began: Row[Any], cursor: int) -> Standing:
    if event.id > cursor:
        return Standing.RECEIVED
    return Standing.EARLIER if event.received_at < began.began_at else Standing.PAST


def _fate(destination: str, held: Row[Any] | None, outcome: Row[Any] | None, otherwise: Standing) -> Fate:
    told: dict[str, Any] = {}
    state = otherwise
    if outcome is not None:
        told = {
            "at": outcome.at,
            "verdict": outcome.verdict,
            "status": outcome.status,
            "detail": outcome.detail or None,
        }
        state = otherwise if outcome.verdict in _AGAIN else _STANDINGS.get(outcome.verdict, Standing.DROPPED)
    if held is not None:
        state = Standing(held.state)
        told |= {
            "attempts": held.attempts,
            "due_at": held.due_at if state is Standing.WAITING else None,
            "held_since": held.held_since,
            "failing_since": held.failing_since,
            "reason": held.reason,
        }
    return Fate(destination, state, **told)


def parked(connection: Connection, destination: str | None, limit: int) -> list[dict[str, Any]]:
    """Parked events, those that have been failing longest first, without their bodies."""
    told = ("type", "name", "user_id", "anonymous_id", "source", "message_id", "received_at")
    own = ("destination", "event_id", "attempts", "failing_since", "held_since", "reason")
    query = (
        select(*(hold.c[name] for name in own), *(event.c[name] for name in told))
        .join(event, event.c.id == hold.c.event_id)
        .where(hold.c.state == "parked")
        .order_by(hold.c.failing_since, hold.c.event_id)
        .limit(limit)
    )
    if destination is not None:
        query = query.where(hold.c.destination == destination)
    return [dict(row) for row in connection.execute(query).mappings()]


def _portions(ids: Sequence[int]) -> list[Sequence[int]]:
    return [ids[start : start + MOST] for start in range(0, len(ids), MOST)]
