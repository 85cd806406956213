"""Forget a user: remove what is known here, keep it out, and owe the destinations a deletion.

`forget` is one transaction: before its commit nothing happened, and after it nothing about the user comes in, is decided
or sent any more, and the deletions are owed. What may take long follows, and is done anew if it was cut off: `sweep` goes
through the event log and through what others' history says, `purge` overwrites the bytes.

Locks are taken in this order: barrier, slots, counter, everything else. Those who settle take them in the same order.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import orjson
from sqlalchemy import Column, Connection, Table, delete, func, insert, or_, select, text, update

from sync import telemetry
from sync.model.kept_out import user_hash
from sync.store import barrier, bulk_attempts, bulks, deletions, suppressions
from sync.store.counter import next_version
from sync.store.deletions import State, Wait
from sync.store.engine import Database, translated
from sync.store.event_schema import event, event_outcome, forwarding, hold, profile, suppression
from sync.store.privacy_schema import deletion, forgetting
from sync.store.schema import alert, attempt, bulk, bulk_attempt, definition, enrolment, run, slot, snapshot, tick
from sync.store.upkeep import checkpoint

BATCH = 1000
"""Events removed in one transaction."""

QUIET = 30.0
"""Seconds: a request's deadline, and the quiet period after it."""

_MENTIONS: tuple[Column[Any], ...] = (
    run.c.message,
    tick.c.reason,
    alert.c.detail,
    slot.c.reason,
    attempt.c.detail,
    bulk_attempt.c.detail,
    hold.c.reason,
    event_outcome.c.detail,
    deletion.c.reason,
)
"""Texts about something else in which a user may be named."""

_INSTEAD = "(forgotten)"


@dataclass(frozen=True, slots=True)
class Forgetting:
    """How one stands. ``counts``: the rows that were removed, by their kind."""

    id: int
    asked_at: datetime
    asked_by: str
    counts: Mapping[str, int]
    swept: bool
    finished: bool
    purged: bool


def forget(
    database: Database,
    user_id: str,
    destinations: Collection[str],
    by: str,
    *,
    again: bool = True,
    quiet: float = QUIET,
) -> int | None:
    """Forget a user; gives the number of the forgetting, which goes on until every destination has deleted them.

    One that is under way is taken up: what was refused is owed again, and who is no destination any more is left out.
    Unless it is to be done ``again``, nothing happens for a user who was forgotten before (then gives ``None``).
    ``quiet``: seconds by which whatever may be on its way about the user has arrived, and no deletion is overtaken by it.
    """
    with database.write() as connection:
        barrier.exclusive(connection)
        hashed = user_hash(suppressions.salt(connection), user_id)
        known = connection.execute(select(suppression.c.forgotten).where(suppression.c.user_hash == hashed))
        before = known.scalar_one_or_none()
        if before and not again:
            return None
        now = database.now(connection)
        counts, waits = _take(connection, user_id, now, timedelta(seconds=quiet))
        _keep_out(connection, hashed, before, now)
        number = _begin(connection, hashed, user_id, by, counts, now)
        deletions.owe(connection, number, _unfinished(connection, number, destinations), waits=waits, now=now)
        _leave_out(connection, number, destinations, now)
    telemetry.event("user.forgotten", user=telemetry.user_hash(user_id), by=by)
    telemetry.step("forget.recorded")
    return number


def _take(
    connection: Connection, user_id: str, now: datetime, quiet: timedelta
) -> tuple[Counter[str], dict[str, Wait]]:
    """Remove what is decided, owed and remembered; gives how much, and which destinations may be told when, if not now."""
    slots = suppressions.take_slots(connection, user_id)
    next_version(connection)
    waits = _waits(connection, user_id, slots, now, quiet)
    _leave_definitions(connection, user_id)
    counts: Counter[str] = Counter(owed=len(slots))
    of_definitions = snapshot.c.definition_id.in_(select(definition.c.id))
    for name, statement in (
        ("values", delete(snapshot).where(snapshot.c.user_id == user_id, of_definitions)),
        ("attempts", delete(attempt).where(attempt.c.user_id == user_id)),
        ("profile", delete(profile).where(profile.c.user_id == user_id)),
    ):
        counts[name] = connection.execute(statement).rowcount
    counts["attempts"] += bulk_attempts.forget(connection, user_id)
    return counts, waits


def _leave_definitions(connection: Connection, user_id: str) -> None:
    """One member less for those of which the user was one."""
    member = (
        select(snapshot.c.definition_id)
        .where(snapshot.c.definition_id == definition.c.id, snapshot.c.user_id == user_id)
        .where(
            or_(
                (definition.c.kind == "audience") & (snapshot.c.value != "false"),
                (definition.c.kind == "trait") & (snapshot.c.value != "null"),
            )
        )
        .correlate(definition)
    )
    connection.execute(update(definition).where(member.exists()).values(members=definition.c.members - 1))


def _waits(
    connection: Connection, user_id: str, slots: Collection[Any], now: datetime, quiet: timedelta
) -> dict[str, Wait]:
    """Where something about the user may be on its way: when it has arrived."""
    waits: dict[str, Wait] = {}
    tokens = [row.bulk_token for row in slots if row.bulk_token is not None]
    query = select(bulk.c.token, bulk.c.give_up_at).where(bulk.c.token.in_(tokens))
    ends: dict[str, datetime] = {row.token: row.give_up_at for row in connection.execute(query)}
    for row in slots:
        if row.bulk_token in ends:
            ends_at = ends[row.bulk_token]
            besides = now + quiet if row.doubt else now
            waits[row.destination] = Wait(max(now, ends_at) + quiet, ends_at, besides)
        elif row.state == "sending" or row.state == "confirm" or row.doubt:
            waits[row.destination] = Wait(max(now, row.lease_until or now) + quiet)
    for name in connection.execute(_EVENTS_ON_THEIR_WAY, {"user_id": user_id}).scalars():
        waits[name] = waits.get(name, Wait(now)).and_for(Wait(now + quiet))
    return waits


_EVENTS_ON_THEIR_WAY = text("""
SELECT f.destination FROM forwarding f WHERE EXISTS (
    SELECT 1 FROM event e
    LEFT JOIN event_outcome o ON o.event_id = e.id AND o.destination = f.destination
    LEFT JOIN hold h ON h.event_id = e.id AND h.destination = f.destination
    WHERE e.user_id = :user_id AND e.id > f.floor AND o.event_id IS NULL
        OR e.user_id = :user_id AND h.state = 'waiting')""")


def _keep_out(connection: Connection, hashed: str, before: bool | None, now: datetime) -> None:
    if before is None:
        connection.execute(insert(suppression).values(user_hash=hashed, since=now, forgotten=True))
    elif not before:
        which = suppression.c.user_hash == hashed
        connection.execute(update(suppression).where(which).values(forgotten=True))


def _begin(connection: Connection, hashed: str, user_id: str, by: str, counts: Counter[str], now: datetime) -> int:
    """The forgetting that is under way, to be swept once more; or a new one."""
    query = select(forgetting.c.id, forgetting.c.counts).where(
        forgetting.c.user_hash == hashed, forgetting.c.finished_at.is_(None)
    )
    row = connection.execute(query.order_by(forgetting.c.id.desc()).limit(1)).one_or_none()
    values: dict[str, Any] = {"user_id": user_id, "swept_at": None, "purged_at": None}
    if row is not None:
        values["counts"] = _document(_counts(row.counts) + counts, connection)
        connection.execute(update(forgetting).where(forgetting.c.id == row.id).values(values))
        number: int = row.id
        return number
    values |= {"user_hash": hashed, "asked_at": now, "asked_by": by, "counts": _document(counts, connection)}
    new: int = connection.execute(insert(forgetting).values(values).returning(forgetting.c.id)).scalar_one()
    return new


def _unfinished(connection: Connection, number: int, destinations: Collection[str]) -> list[str]:
    """Those of them that have not accepted the deletion."""
    done = select(deletion.c.destination).where(
        deletion.c.forgetting_id == number, deletion.c.state == State.DONE.value
    )
    return sorted(set(destinations) - set(connection.execute(done).scalars()))


def _leave_out(connection: Connection, number: int, destinations: Collection[str], now: datetime) -> None:
    """Nobody can tell a destination that is configured no more."""
    which = (
        deletion.c.forgetting_id == number,
        deletion.c.state.in_(deletions.OPEN),
        deletion.c.destination.not_in(list(destinations)),
    )
    connection.execute(update(deletion).where(*which).values(state=State.DROPPED.value, settled_at=now, reason=None))


def unknown_destinations(connection: Connection, destinations: Collection[str]) -> list[str]:
    """Destinations that have got something of this store and are configured no more."""
    known = select(enrolment.c.destination).union(select(forwarding.c.destination))
    return sorted(set(connection.execute(known).scalars()) - set(destinations))


def unswept(database: Database) -> list[int]:
    """Forgettings whose sweep was cut off, or has yet to begin."""
    with database.read() as connection:
        unpurged = (forgetting.c.purged_at.is_(None), forgetting.c.swept_at.is_(None))
        return list(connection.execute(select(forgetting.c.id).where(*unpurged).order_by(forgetting.c.id)).scalars())


def sweep(database: Database, number: int, *, batch: int = BATCH, go_on: Callable[[], bool] = lambda: True) -> bool:
    """Remove a user's events with all that became of them, and the places in which others' history names them.

    A batch at a time, while ``go_on``; true when it is done.
    """
    with database.read() as connection:
        user_id = connection.execute(select(forgetting.c.user_id).where(forgetting.c.id == number)).scalar_one_or_none()
    if user_id is None:
        return True
    while go_on():
        with database.write() as connection:
            removed = _remove_events(connection, user_id, batch)
            _add(connection, number, removed)
        telemetry.step("forget.sweeping", events=removed)
        if removed < batch:
            break
    else:
        return False
    bulks.forget(database, user_id)
    with database.write() as connection:
        bulk_attempts.forget(connection, user_id)  # once more: one of these may have ended in the meantime
    for column in _MENTIONS:
        with database.write() as connection:
            _remove_mentions(connection, column, user_id)
    with database.write() as connection:
        now = database.now(connection)
        connection.execute(update(forgetting).where(forgetting.c.id == number).values(swept_at=now))
        deletions.finish(connection, number, now)
    telemetry.step("forget.swept")
    return True


def _remove_events(connection: Connection, user_id: str, batch: int) -> int:
    """Some of the user's events. Nobody settles events meanwhile: who comes later finds that they are gone."""
    connection.execute(select(forwarding.c.destination).order_by(forwarding.c.destination).with_for_update())
    query = select(event.c.id).where(event.c.user_id == user_id).order_by(event.c.id).limit(batch)
    ids = list(connection.execute(query).scalars())
    if len(ids) < batch:
        path = "previousId" if connection.dialect.name == "postgresql" else "$.previousId"
        aliases = connection.execute(_ALIASES, {"user_id": user_id, "path": path, "batch": batch - len(ids)})
        ids += aliases.scalars()
    for table, column in ((hold, hold.c.event_id), (event_outcome, event_outcome.c.event_id), (event, event.c.id)):
        for start in range(0, len(ids), _AT_ONCE):
            connection.execute(delete(table).where(column.in_(ids[start : start + _AT_ONCE])))
    connection.execute(delete(hold).where(hold.c.user_key == user_id))
    return len(ids)


_AT_ONCE = 500
_ALIASES = text("""
    SELECT id FROM event WHERE type = 'alias' AND body ->> :path = :user_id
    AND coalesce(user_id, '') <> :user_id LIMIT :batch""")


def _remove_mentions(connection: Connection, column: Column[Any], user_id: str) -> None:
    """Where the id stands in a text as a word of its own, it is replaced."""
    word = re.compile(rf"(?<!\w){re.escape(user_id)}(?!\w)")
    find = func.strpos if connection.dialect.name == "postgresql" else func.instr
    table: Table = column.table
    key = tuple(table.primary_key.columns)
    for row in connection.execute(select(column, *key).where(find(column, user_id) > 0)).all():
        said = word.sub(_INSTEAD, row[0])
        if said != row[0]:
            which = (each == value for each, value in zip(key, row[1:], strict=True))
            connection.execute(update(table).where(*which).values({column.name: said}))


def _add(connection: Connection, number: int, removed: int) -> None:
    if not removed:
        return
    mine = forgetting.c.id == number
    counts = _counts(connection.execute(select(forgetting.c.counts).where(mine).with_for_update()).scalar_one())
    counts["events"] += removed
    connection.execute(update(forgetting).where(mine).values(counts=_document(counts, connection)))


def purgeable(database: Database) -> bool:
    """Whether some forgetting is finished whose bytes may still be in the store's files."""
    with database.read() as connection:
        left = (forgetting.c.purged_at.is_(None), forgetting.c.finished_at.is_not(None))
        return connection.execute(select(forgetting.c.id).where(*left).limit(1)).first() is not None


def purge(database: Database) -> bool:
    """Overwrite what was removed: SQLite's file is written anew, and its log emptied. False when somebody was in the way,
    to be tried later. PostgreSQL sees to its own files (VACUUM)."""
    with database.read() as connection:
        left = (forgetting.c.purged_at.is_(None), forgetting.c.finished_at.is_not(None))
        numbers = list(connection.execute(select(forgetting.c.id).where(*left)).scalars())
    if not numbers:
        return True
    if database.dialect == "sqlite":
        with translated(), closing(database.engine.raw_connection()) as raw, closing(raw.cursor()) as cursor:
            cursor.execute("VACUUM")
        telemetry.step("forget.vacuumed")
        if not checkpoint(database):
            return False
    with database.write() as connection:
        now = database.now(connection)
        which = (forgetting.c.id.in_(numbers), forgetting.c.finished_at.is_not(None))
        connection.execute(update(forgetting).where(*which).values(purged_at=now))
    telemetry.step("forget.purged")
    return True


def look(database: Database, number: int) -> Forgetting:
    """How a forgetting stands."""
    with database.read() as connection:
        row = connection.execute(select(forgetting).where(forgetting.c.id == number)).one()
    return Forgetting(
        row.id,
        row.asked_at,
        row.asked_by,
        _counts(row.counts),
        row.swept_at is not None,
        row.finished_at is not None,
        row.purged_at is not None,
    )


def _counts(document: Any) -> Counter[str]:
    return Counter(orjson.loads(document) if isinstance(document, str) else document)


def _document(counts: Counter[str], connection: Connection) -> Any:
    found = {name: number for name, number in sorted(counts.items()) if number}
    return found if connection.dialect.name == "postgresql" else orjson.dumps(found).decode()
