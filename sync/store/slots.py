"""The outbox: one row per (destination, user). Claim what is due, settle what became of it.

Every transition is one statement that names the state and the token it expects. What a settle does not find (its holder
was frozen past its lease, and somebody else has taken the slot) is owed anew from the snapshot: rule R6.

A turn may have had some of a slot's keys accepted and not the others. The accepted ones are then dropped, with the
versions that were sent, and the slot goes where the others go. While it is in doubt nothing may be dropped: all of it
waits for the quiet period, by whose end whatever was on its way has arrived, and is sent once more (R4).
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from operator import itemgetter
from types import ModuleType
from typing import Any

import orjson
from sqlalchemy import ColumnElement, Connection, CursorResult, case, func, or_, select, text, true, update
from sqlalchemy.engine import Dialect

from sync.model.outcome import MAY_HAVE_ARRIVED
from sync.model.slot import ClaimedSlot, SlotState
from sync.store import barrier, deletions, suppressions
from sync.store.counter import next_version
from sync.store.engine import Database
from sync.store.instants import Instant, stamp
from sync.store.postgresql import slots as postgresql_slots
from sync.store.schema import PARKED, SENDABLE, SENDING, slot
from sync.store.sqlite import slots as sqlite_slots
from sync.store.texts import storable


class Transition(StrEnum):
    """Where a claimed slot goes."""

    ACCEPT = "accept"
    DEFER = "defer"
    PARK = "park"
    RELEASE = "release"


@dataclass(frozen=True, slots=True)
class Attempt:
    """One exchange about a user, or why there was none, for the history; ``traits`` are what the event carried."""

    verdict: str
    status: int | None
    detail: str
    traits: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Settlement:
    """What became of one claimed slot.

    ``seconds`` is the wait before one that is deferred or given back is due again; ``unknown`` says that bytes may have left. ``accepted``
    are the keys, with their versions, that need not be sent again although the slot as a whole is not accepted. Without
    ``attempts`` nothing was sent.
    """

    slot: ClaimedSlot
    transition: Transition
    seconds: float = 0.0
    unknown: bool = False
    reason: str | None = None
    accepted: Mapping[str, int] | None = None
    attempts: Sequence[Attempt] = ()

    @property
    def confirms(self) -> bool:
        """Whether something was accepted that is sent once more because it was in doubt (R4)."""
        return self.slot.doubt and (self.transition is Transition.ACCEPT or bool(self.accepted))


@dataclass(frozen=True, slots=True)
class Backlog:
    """A destination's slots by what they wait for."""

    due: int
    waiting: int
    confirm: int
    sending: int
    parked: int
    oldest: datetime | None

    @property
    def owed(self) -> int:
        """Users who still get something without anybody's help."""
        return self.due + self.waiting + self.confirm + self.sending


def claim(database: Database, destination: str, most: int, lease: float) -> list[ClaimedSlot]:
    """Take up to ``most`` due slots for ``lease`` seconds, deltas before backfills, oldest first."""
    token = uuid.uuid4().hex
    with database.write() as connection:
        now = database.now(connection)
        values: dict[str, object] = {"destination": destination, "token": token}
        instants = times(database, {"now": now, "until": now + timedelta(seconds=lease)})
        rows = _claimed(connection, _sql(database), {**values, **instants, "most": most})
    dialect = database.engine.dialect
    return [parsed(row[:-1], token, dialect) for row in sorted(rows, key=_PRIORITY)]


def parsed(row: Sequence[Any], token: str, dialect: Dialect) -> ClaimedSlot:
    """A claimed slot from the columns of a claim, which are the same for both engines."""
    user_id, owed, enrichment, version, doubt, attempts, failing_since, owed_since = row
    read = _INSTANT.process_result_value
    return ClaimedSlot.parse(
        user_id=user_id,
        token=token,
        version=version,
        owed=owed,
        enrichment=enrichment,
        doubt=bool(doubt),
        attempts=attempts,
        failing_since=read(failing_since, dialect),
        owed_since=read(owed_since, dialect),  # type: ignore[arg-type] # never null
    )


_PRIORITY = itemgetter(-1)
_INSTANT = Instant()


def _claimed(connection: Connection, sql: ModuleType, values: dict[str, object]) -> Sequence[Sequence[Any]]:
    """Claim; the rows have the columns that PostgreSQL's ``CLAIM`` returns."""
    if sql.CLAIMED is None:
        return connection.execute(text(sql.CLAIM), values).all()
    connection.execute(text(sql.CLAIM), values)
    named = {name: values[name] for name in ("destination", "token", "until")}
    rows: list[list[Any]] = orjson.loads(connection.execute(text(sql.CLAIMED), named).scalar_one())
    return rows


def rescue(database: Database, destination: str, *, all_of_them: bool = False) -> int:
    """Put slots whose lease ran out (or all that are being sent) back to due; their outcome counts as unknown (R4).

    Not those of a bulk whose request has an id: whoever delivers next hears what became of it (`sync.store.bulks`)."""
    sql = _sql(database)
    with database.write() as connection:
        now: dict[str, object] = {"destination": destination, "now": database.now(connection)}
        values = {**times(database, now), "all_of_them": all_of_them}
        lost = connection.execute(text(LOST_BULKS), values).mappings().all()
        rescued = sum(_rescue_bulk(connection, sql, row, times(database, now)) for row in lost)
        statement = text(sql.RESCUE_ALL if all_of_them else sql.RESCUE)
        rescued += connection.execute(statement, times(database, now)).rowcount
        for row in lost:
            given_up = _INSTANT.process_result_value(row["give_up_at"], connection.dialect)
            if given_up is not None:
                deletions.bulk_ended(connection, destination, given_up, database.now(connection), doubtful=True)
    return rescued


LOST_BULKS = """
DELETE FROM bulk
WHERE destination = :destination AND request_id IS NULL AND (lease_until < :now OR CAST(:all_of_them AS boolean))
RETURNING token, members, give_up_at"""
"""Those of which nobody will ever hear: they have no id, and their holder is gone."""


def _rescue_bulk(connection: Connection, sql: ModuleType, lost: Any, now: Mapping[str, object]) -> int:
    values = {**now, "token": lost["token"], "members": lost["members"]}
    rescued: int = connection.execute(text(sql.RESCUE_BULK), values).rowcount
    return rescued


def settle(database: Database, destination: str, settlements: Sequence[Settlement], quiet: float) -> int:
    """Record what became of claimed slots; gives how many had to be owed anew (R6).

    What is no longer ours is owed anew first, in a transaction of its own: a token that is lost stays lost, so a death
    between the two only leaves the others to the end of their lease.
    """
    sql = _sql(database)
    with database.write() as connection:
        now = database.now(connection)
        values = times(
            database,
            {"destination": destination, "now": now, "quiet": now + timedelta(seconds=quiet)},
        )
        batch = Batch([_row(settlement, now) for settlement in settlements])
        ours = set(orjson.loads(_run(connection, sql.OURS, batch, values).scalar_one()))
        lost = [each for each in settlements if each.slot.user_id not in ours and each.attempts]
        if not lost:
            _settle_ours(connection, sql, settlements, batch, values)
            return 0
    _owe_anew(database, lost, values, quiet)
    rest = [settlement for settlement in settlements if settlement.slot.user_id in ours]
    return len(lost) + (settle(database, destination, rest, quiet) if rest else 0)


class Batch:
    """Rows for the settle statements, and the JSON of them, written once for all that take the same."""

    def __init__(self, rows: list[dict[str, object]]) -> None:
        self.rows = rows
        self.document = orjson.dumps(rows).decode()


def _owe_anew(database: Database, lost: Sequence[Settlement], values: dict[str, object], quiet: float) -> None:
    """R6: whoever was sent something by a holder that had lost the slot is owed the snapshot's current values.

    A suppressed user is owed nothing; of one who was forgotten nothing is written down, and the deletion is owed anew.

    The definitions are locked first and the snapshot is read by a later statement, so that a recording under way is
    waited for and its values are the ones that are owed.
    """
    sql = _sql(database)
    users = {each.slot.user_id for each in lost}
    with database.write() as connection:
        barrier.shared(connection)
        suppressed, forgotten = suppressions.kept_out(connection, users)
        if sql.LOCK_DEFINITIONS is not None:
            keys = sorted({key for each in lost for key in each.slot.versions})
            connection.execute(text(sql.LOCK_DEFINITIONS), {"keys": keys})
        rows: list[dict[str, object]] = [
            {"user_id": each.slot.user_id, "sent": each.slot.versions, "unknown": each.unknown}
            for each in lost
            if each.slot.user_id not in suppressed
        ]
        _run(connection, sql.REOWE, Batch(rows), {**values, "confirm": next_version(connection)})
        remembered = [each for each in lost if each.slot.user_id not in forgotten]
        _record_attempts(connection, sql, remembered, values)
        sent = {each.slot.user_id for each in lost if any(one.verdict in MAY_HAVE_ARRIVED for one in each.attempts)}
        if forgotten & sent:
            now = database.now(connection)
            due_at = now + timedelta(seconds=quiet)
            deletions.owe_anew(connection, str(values["destination"]), forgotten & sent, now, due_at)


def _settle_ours(
    connection: Connection,
    sql: ModuleType,
    settlements: Sequence[Settlement],
    batch: Batch,
    values: dict[str, object],
) -> None:
    by_transition: dict[Transition, list[dict[str, object]]] = {}
    certain: list[dict[str, object]] = []
    doubtful: list[dict[str, object]] = []
    for settlement, row in zip(settlements, batch.rows, strict=True):
        by_transition.setdefault(settlement.transition, []).append(row)
        if "accepted" in row:
            (doubtful if settlement.slot.doubt else certain).append(row)
    if certain:
        _run(connection, sql.DROP_ACCEPTED, Batch(certain), values)
    if doubtful:
        # What this puts to `confirm` is no longer ours for the statements that follow.
        _run(connection, sql.CONFIRM_WHOLE, Batch(doubtful), {**values, "confirm": next_version(connection)})
    for transition, rows in by_transition.items():
        alike = batch if len(by_transition) == 1 else Batch(rows)
        _settle_alike(connection, sql, transition, alike, values)
    _record_attempts(connection, sql, settlements, values)


def _record_attempts(
    connection: Connection, sql: ModuleType, settlements: Sequence[Settlement], values: dict[str, object]
) -> None:
    rows: list[dict[str, object]] = [
        {
            "user_id": settlement.slot.user_id,
            "verdict": attempt.verdict,
            "status": attempt.status,
            "detail": attempt.detail and storable(attempt.detail),
            "traits": attempt.traits,
        }
        for settlement in settlements
        for attempt in settlement.attempts
    ]
    if rows:
        _run(connection, sql.RECORD_ATTEMPTS, Batch(rows), values)


def _settle_alike(
    connection: Connection,
    sql: ModuleType,
    transition: Transition,
    rows: Batch,
    values: dict[str, object],
) -> None:
    """Settle rows that go the same way; all of them are ours, or were given back unsent by somebody who had lost them."""
    if transition is not Transition.ACCEPT:
        statement = {Transition.DEFER: sql.DEFER, Transition.PARK: sql.PARK, Transition.RELEASE: sql.RELEASE}
        _run(connection, statement[transition], rows, values)
        return
    # What was sent whole is deleted; nearly always that is all of them.
    if _run(connection, sql.ACCEPT_ALL, rows, values).rowcount < len(rows.rows):
        _run(connection, sql.ACCEPT_SOME, rows, {**values, "confirm": next_version(connection)})
        drop_empty(connection, str(values["destination"]))


def drop_empty(connection: Connection, destination: str) -> None:
    """Delete the slots in which nothing is owed any more."""
    statement = (
        "DELETE FROM slot WHERE destination = :destination AND owed = '{}' AND state = 'due' AND bulk_token IS NULL"
    )
    connection.execute(text(statement), {"destination": destination})


def _run(connection: Connection, statement: str, batch: Batch, values: dict[str, object]) -> CursorResult[Any]:
    """Run one settle statement on a batch."""
    bound = {name: value for name, value in values.items() if f":{name}" in statement}
    return connection.execute(text(statement), {**bound, "batch": batch.document})


def _row(settlement: Settlement, now: datetime) -> dict[str, object]:
    """One row of ``:batch``."""
    claimed = settlement.slot
    # Who is parked is not due; who is given back is due at once, or when it makes sense to look again.
    later = settlement.transition is Transition.DEFER or bool(settlement.seconds)
    row: dict[str, object] = {
        "user_id": claimed.user_id,
        "token": claimed.token,
        "version": claimed.version,
        "sent": claimed.versions,
        # Both engines read this text as UTC: SQLite stores it so, PostgreSQL sessions are opened with that zone.
        "due_at": stamp(now + timedelta(seconds=settlement.seconds)) if later else None,
        "unknown": settlement.unknown,
        "reason": settlement.reason and storable(settlement.reason),
    }
    if settlement.accepted and settlement.transition is not Transition.ACCEPT:
        row["accepted"] = settlement.accepted
    return row


STATE = case((slot.c.bulk_token.is_not(None), SlotState.SENDING.value), else_=slot.c.state)
"""What a slot waits for, for people: one that a bulk holds keeps its place in the queue, and is being sent."""


def owing(destination: str) -> ColumnElement[bool]:
    """The condition that somebody is owed something at ``destination`` who is not parked.

    By the indexes of those: after a backfill PostgreSQL's table is long, and all that is in it is gone.
    """
    here = select(slot.c.user_id).where(slot.c.destination == destination)
    return or_(here.where(text(SENDABLE)).exists(), here.where(text(SENDING)).exists())


def owed(connection: Connection, destination: str) -> int:
    """To how many something is owed at ``destination`` who are not parked."""
    query = select(func.count()).where(slot.c.destination == destination, slot.c.state != SlotState.PARKED.value)
    number: int = connection.execute(query).scalar_one()
    return number


def backlog(connection: Connection, destination: str) -> Backlog:
    """How much is owed at ``destination``, by state."""
    owes = connection.execute(select(owing(destination))).scalar_one()
    rows = connection.execute(
        select(STATE, func.count(), func.min(slot.c.owed_since))
        .where(slot.c.destination == destination, true() if owes else text(PARKED))
        .group_by(STATE)
    ).all()
    counts = {row[0]: row[1] for row in rows}
    oldest = min((row[2] for row in rows if row[0] != "parked"), default=None)
    due, waiting, confirm, sending, parked = (
        counts.get(state, 0) for state in ("due", "waiting", "confirm", "sending", "parked")
    )
    return Backlog(due, waiting, confirm, sending, parked, oldest)


def unpark(database: Database, destination: str, user_ids: Sequence[str] | None = None) -> int:
    """Send parked slots again, with the *current* values: all of the destination's, or these users'."""
    with database.write() as connection:
        statement = update(slot).where(slot.c.destination == destination, slot.c.state == "parked")
        if user_ids is not None:
            statement = statement.where(slot.c.user_id.in_(user_ids))
        return connection.execute(
            statement.values(state="due", due_at=database.now(connection), attempts=0, failing_since=None, reason=None)
        ).rowcount


def _sql(database: Database) -> ModuleType:
    return sqlite_slots if database.dialect == "sqlite" else postgresql_slots


def times(database: Database, values: dict[str, object]) -> dict[str, object]:
    """Instants as the engine's hand-written statements want them."""
    if database.dialect != "sqlite":
        return values
    return {name: stamp(value) if isinstance(value, datetime) else value for name, value in values.items()}
