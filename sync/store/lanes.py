"""The log as one destination reads it, and what became of its events: done with, waiting, or parked.

Invariants, whatever dies when:

* **Nothing is lost.** An event up to its lane's cursor is done with (it has an outcome) or held; above, it is read again.
  Cursor, holds and outcomes of a settlement are one transaction.
* **Nothing is settled twice.** That transaction begins with the token of who forwards now, and keeps its row: one who
  has been replaced settles nothing. So nobody moves a cursor over an event whose fate another one has yet to write.
* **Nothing comes back.** A cursor only rises. A hold leaves ``waiting`` by a statement that names this state, so that
  what was dropped or parked meanwhile stays so.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from types import ModuleType
from typing import Any

import orjson
from sqlalchemy import Connection, delete, func, select, text, update

from sync.model.outcome import MAY_HAVE_ARRIVED
from sync.model.slot import Priority, SlotState
from sync.store import deletions, suppressions
from sync.store.engine import Database
from sync.store.event_schema import event, hold
from sync.store.instants import Instant, stamp
from sync.store.postgresql import lanes as postgresql_lanes
from sync.store.schema import counter, slot
from sync.store.sqlite import lanes as sqlite_lanes
from sync.store.texts import storable

_AT_ONCE = 500


class HoldState(StrEnum):
    """``waiting`` for another try, or for an earlier event of its user; ``parked`` until somebody decides."""

    WAITING = "waiting"
    PARKED = "parked"


DROPPED = "dropped"
"""The outcome of a parked event that somebody has given up."""


@dataclass(frozen=True, slots=True)
class Line:
    """An event of the log, as far as forwarding needs it. ``body`` is its JSON."""

    id: int
    lane: int
    user_id: str | None
    user_key: str
    body: str


@dataclass(frozen=True, slots=True)
class Held:
    """An event that waits. ``seconds`` until it is due, negative when it has been for a while."""

    event_id: int
    user_key: str
    seconds: float
    attempts: int
    failing_since: datetime | None


@dataclass(frozen=True, slots=True)
class Said:
    """What is known of an event's way: a verdict, the HTTP status if there was an answer, and a text for people."""

    verdict: str
    status: int | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Settlement:
    """What became of one event. ``was_held``: it came from a hold, not from its lane.

    Without a ``state`` it is done with. Otherwise it is held: due in ``seconds``, after so many ``attempts``.
    """

    event_id: int
    user_key: str
    was_held: bool
    said: Said | None
    state: HoldState | None = None
    seconds: float = 0.0
    attempts: int = 0
    failing_since: datetime | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class LaneBacklog:
    """What a destination has yet to get of the log. ``oldest``: when the first of it was received."""

    unread: int
    waiting: int
    parked: int
    oldest: datetime | None

    @property
    def owed(self) -> int:
        """Events that go out without anybody's help."""
        return self.unread + self.waiting


_LINE = """
SELECT id, lane, user_id, anonymous_id, message_id, CAST(body AS text) FROM event WHERE {} ORDER BY id LIMIT :most"""
_AFTER = text(_LINE.format("id > :after"))
_OF_LANE = text(_LINE.format("id > :after AND id <= :upto AND lane = :lane"))


def read(connection: Connection, after: int, most: int) -> tuple[list[Line], int]:
    """Events of the log after a number, in order; and the number up to which there are no others.

    The counter is read first: every event up to its value is there to be seen by the second statement.
    """
    recorded: int = connection.execute(select(counter.c.value).where(counter.c.name == "version")).scalar_one()
    rows = connection.execute(_AFTER, {"after": after, "most": most}).all()
    if len(rows) == most:
        return _lines(rows), rows[-1][0]
    return _lines(rows), max(recorded, rows[-1][0] if rows else 0)


def read_lane(connection: Connection, number: int, after: int, upto: int, most: int) -> list[Line]:
    """Events of one lane."""
    values = {"lane": number, "after": after, "upto": upto, "most": most}
    return _lines(connection.execute(_OF_LANE, values).all())


def look_up(connection: Connection, ids: Sequence[int]) -> list[Line]:
    """These events, in order."""
    columns = (event.c.id, event.c.lane, event.c.user_id, event.c.anonymous_id, event.c.message_id, _BODY)
    found: list[Line] = []
    for start in range(0, len(ids), _AT_ONCE):
        some = ids[start : start + _AT_ONCE]
        found += _lines(connection.execute(select(*columns).where(event.c.id.in_(some)).order_by(event.c.id)).all())
    return found


_BODY = text("CAST(event.body AS text)")


def _lines(rows: Iterable[Sequence[Any]]) -> list[Line]:
    """As `sync.model.event.LoggedEvent.user_key` has it."""
    return [
        Line(number, lane, user_id, user_id or f"anonymous {anonymous_id or message_id}", body)
        for number, lane, user_id, anonymous_id, message_id, body in rows
    ]


def unread_of(connection: Connection, users: Mapping[str, tuple[int, int]]) -> list[int]:
    """Events of users whose numbers lie between two: after the first, before the second; in order. Costs next to nothing
    when the log has no event after any of the first ones."""
    lowest = min(after for after, _ in users.values())
    if (connection.execute(select(func.max(event.c.id))).scalar_one() or 0) <= lowest:
        return []
    names = list(users)
    found: list[int] = []
    for start in range(0, len(names), _AT_ONCE):
        some = event.c.user_id.in_(names[start : start + _AT_ONCE])
        # Not sorted there: it would rather go through the whole log in its order than through these users' events.
        rows = connection.execute(select(event.c.id, event.c.user_id).where(some, event.c.id > lowest))
        found += [row.id for row in rows if users[row.user_id][0] < row.id < users[row.user_id][1]]
    return sorted(found)


def waiting(database: Database, destination: str) -> list[Held]:
    """Everything that waits, in order."""
    columns = (hold.c.event_id, hold.c.user_key, hold.c.due_at, hold.c.attempts, hold.c.failing_since)
    with database.read() as connection:
        now = database.now(connection)
        rows = connection.execute(select(*columns).where(*_is(destination, HoldState.WAITING)).order_by("event_id"))
        return [Held(row[0], row[1], (row[2] - now).total_seconds(), row[3], row[4]) for row in rows]


def waiting_sum(connection: Connection, destination: str) -> tuple[int, int]:
    """How many events wait, and the sum of their numbers: differs when somebody has changed anything."""
    query = select(func.count(), func.coalesce(func.sum(hold.c.event_id), 0))
    many, total = connection.execute(query.where(*_is(destination, HoldState.WAITING))).one()
    return many, int(total)


def settle(
    database: Database,
    destination: str,
    token: str,
    settlements: Sequence[Settlement],
    cursors: Mapping[int, int],
    floor: int,
) -> bool:
    """Record what became of events, and how far their lanes have come. False: somebody else forwards now, and nothing
    was recorded. May be said again when nobody knows whether it was heard.

    Of an event that is no longer in the log, nothing is written down: its user was forgotten, and is to be deleted there
    once more, in case it was sent.
    """
    sql = _sql(database)
    with database.write() as connection:
        now = database.now(connection)
        mine = {"destination": destination, "token": token, "floor": floor}
        if not connection.execute(text(sql.FENCE), mine).rowcount:
            return False
        gone = _gone(connection, settlements)
        if gone:
            settlements = _without(connection, destination, settlements, gone, now)
        values: dict[str, object] = {"destination": destination, "now": now}
        if database.dialect == "sqlite":
            values["now"] = stamp(now)
        done = [each.event_id for each in settlements if each.state is None and each.was_held]
        kept = [_row(each, now) for each in settlements if each.state is not None and each.was_held]
        new = [_row(each, now) for each in settlements if each.state is not None and not each.was_held]
        said = [
            (each.event_id, each.said.verdict, each.said.status, each.said.detail and storable(each.said.detail))
            for each in settlements
            if each.said is not None
        ]
        cursor = [list(pair) for pair in cursors.items()]
        for statement, batch in ((sql.DONE, done), (sql.KEEP, kept), (sql.HOLD, new), (sql.OUTCOMES, said)):
            _run(connection, statement, batch, values)
        _run(connection, sql.CURSORS, cursor, values)
    return True


def _gone(connection: Connection, settlements: Sequence[Settlement]) -> set[int]:
    """Events that were removed while they were on their way; none where nobody was ever forgotten."""
    if not settlements or suppressions.salt_in_use(connection) is None:
        return set()
    ids = {each.event_id for each in settlements}
    for start in range(0, len(settlements), _AT_ONCE):
        some = [each.event_id for each in settlements[start : start + _AT_ONCE]]
        ids.difference_update(connection.execute(select(event.c.id).where(event.c.id.in_(some))).scalars())
    return ids


def _without(
    connection: Connection, destination: str, settlements: Sequence[Settlement], gone: set[int], now: datetime
) -> list[Settlement]:
    """The settlements that may be written down."""
    sent = [
        each for each in settlements if each.event_id in gone and each.said and each.said.verdict in MAY_HAVE_ARRIVED
    ]
    users = {each.user_key for each in sent}
    _, forgotten = suppressions.kept_out(connection, users)
    if forgotten:
        deletions.owe_anew(connection, destination, forgotten, now, now + _ARRIVED)
    return [each for each in settlements if each.event_id not in gone]


_ARRIVED = timedelta(seconds=30)
"""By then, whatever was sent has arrived."""


def _run(connection: Connection, statement: str, batch: Sequence[object], values: Mapping[str, object]) -> None:
    if batch:
        bound = {name: value for name, value in values.items() if f":{name}" in statement}
        connection.execute(text(statement), {**bound, "batch": orjson.dumps(batch).decode()})


def _row(settlement: Settlement, now: datetime) -> dict[str, object]:
    """A hold. Both engines read its instants as UTC, as those of slots."""
    failing = settlement.failing_since or (now if settlement.attempts else None)
    return {
        "event_id": settlement.event_id,
        "user_key": settlement.user_key,
        "state": settlement.state,
        "due_at": stamp(now + timedelta(seconds=settlement.seconds)),
        "attempts": settlement.attempts,
        "failing_since": failing and stamp(failing),
        "reason": settlement.reason and storable(settlement.reason),
    }


def slots_before(database: Database, destination: str, events: Mapping[str, int]) -> dict[str, int]:
    """Of these users, each with the number of an event, those whose slot owes something that was recorded before it:
    with the lowest number that is owed.

    Such slots go before backfills from now on. Parked ones are waited for by nobody.
    """
    query = select(slot.c.user_id, slot.c.owed, slot.c.priority).where(
        slot.c.destination == destination, slot.c.user_id.in_(list(events)), slot.c.state != SlotState.PARKED
    )
    with database.read() as connection:
        rows = connection.execute(query).all()
    lowest = {row.user_id: _recorded(row.owed) for row in rows}
    before = {user_id: number for user_id, number in lowest.items() if number < events[user_id]}
    backfills = [row.user_id for row in rows if row.user_id in before and row.priority]
    if backfills:
        sooner = update(slot).where(slot.c.destination == destination, slot.c.user_id.in_(backfills))
        with database.write() as connection:
            connection.execute(sooner.values(priority=Priority.DELTA))
    return before


def _recorded(owed: str | dict[str, list[Any]]) -> int:
    """The lowest number in what a slot owes: of each key the version, or the one it had before it was to be confirmed."""
    pairs = orjson.loads(owed) if isinstance(owed, str) else owed
    return min((pair[-1] for pair in pairs.values()), default=sys.maxsize)


def redrive(database: Database, destination: str, event_ids: Sequence[int] | None = None) -> int:
    """Send parked events again: all of the destination's, or these."""
    changed = 0
    with database.write() as connection:
        again = {"due_at": database.now(connection), "attempts": 0, "failing_since": None, "reason": None}
        for which in _portions(destination, event_ids):
            changed += connection.execute(
                update(hold).where(*which).values(state=HoldState.WAITING.value, **again)
            ).rowcount
    return changed


def drop(database: Database, destination: str, event_ids: Sequence[int] | None = None) -> int:
    """Give parked events up: all of the destination's, or these. They stay in the log."""
    gone: list[int] = []
    with database.write() as connection:
        now: object = database.now(connection)
        for which in _portions(destination, event_ids):
            gone += connection.execute(delete(hold).where(*which).returning(hold.c.event_id)).scalars()
        said = [(each, DROPPED, None, "dropped by hand") for each in gone]
        values = {"destination": destination, "now": stamp(now) if database.dialect == "sqlite" else now}  # type: ignore[arg-type]
        _run(connection, _sql(database).OUTCOMES, said, values)
    return len(gone)


def _portions(destination: str, event_ids: Sequence[int] | None) -> list[tuple[Any, ...]]:
    parked = _is(destination, HoldState.PARKED)
    if event_ids is None:
        return [parked]
    portions = [event_ids[start : start + _AT_ONCE] for start in range(0, len(event_ids), _AT_ONCE)]
    return [(*parked, hold.c.event_id.in_(some)) for some in portions]


def backlog(connection: Connection, destination: str) -> LaneBacklog:
    """How much a destination has yet to get; nothing where nothing is forwarded to it."""
    states = select(hold.c.state, func.count(), func.min(event.c.received_at)).join(
        event, event.c.id == hold.c.event_id
    )
    held = {
        row[0]: (row[1], row[2])
        for row in connection.execute(states.where(hold.c.destination == destination).group_by(hold.c.state))
    }
    unread, since = connection.execute(_UNREAD, {"destination": destination}).one()
    many, oldest = held.get(HoldState.WAITING, (0, None))
    first = min((each for each in (since, oldest) if each is not None), default=None)
    return LaneBacklog(unread, many, held.get(HoldState.PARKED, (0, None))[0], first)


_UNREAD = text("""
SELECT count(*) AS unread, min(e.received_at) AS since FROM forwarding f
JOIN event e ON e.id > f.floor
LEFT JOIN lane l ON l.destination = f.destination AND l.number = e.lane
WHERE f.destination = :destination AND e.id > coalesce(l.cursor, 0)""").columns(since=Instant())


def _is(destination: str, state: HoldState) -> tuple[Any, ...]:
    """The state's words stand in the statement, so that SQLite sees that its partial index fits."""
    return hold.c.destination == destination, text(f"hold.state = '{state.value}'")


def _sql(database: Database) -> ModuleType:
    return sqlite_lanes if database.dialect == "sqlite" else postgresql_lanes
