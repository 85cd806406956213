"""What destinations are yet to be told of users who were forgotten: delete them.

A deletion is owed until the destination has accepted it: sent at least once, and harmless when sent twice. The id that it
needs stands with the forgetting, and goes when the last one is done.

Whatever turns out to have been sent about a forgotten user after all (by a process that was frozen, or that had claimed
it before) owes the deletion anew: that may have made the user again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import BindParameter, Connection, bindparam, func, select, text, update

from sync.model.kept_out import user_hash
from sync.store import suppressions
from sync.store.engine import Database
from sync.store.privacy_schema import deletion, forgetting
from sync.store.schema import bulk
from sync.store.texts import storable


class State(StrEnum):
    """``REFUSED`` until it is asked for again; ``DROPPED``: the destination is configured no more."""

    OWED = "owed"
    DONE = "done"
    REFUSED = "refused"
    DROPPED = "dropped"


OPEN = (State.OWED.value, State.REFUSED.value)


@dataclass(frozen=True, slots=True)
class Wait:
    """When a deletion may be sent, that nothing overtakes it: at ``at``. Where a bulk request carries the user (one that is
    given up at ``bulk_until``) already at ``else_at``, if that has ended by then."""

    at: datetime
    bulk_until: datetime | None = None
    else_at: datetime | None = None

    def and_for(self, other: Wait) -> Wait:
        """Wait for both."""
        at = max(self.at, other.at)
        bulks = {each.bulk_until for each in (self, other) if each.bulk_until}
        if len(bulks) != 1:
            return Wait(at)
        return Wait(at, bulks.pop(), max(self.else_at or self.at, other.else_at or other.at))


@dataclass(frozen=True, slots=True)
class Owed:
    """One user whom a destination is to delete."""

    forgetting_id: int
    user_id: str
    attempts: int
    failing_since: datetime | None


@dataclass(frozen=True, slots=True)
class Settlement:
    """What became of one. An ``OWED`` one is due again in ``seconds``."""

    owed: Owed
    state: State
    seconds: float = 0.0
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """How one deletion stands. ``seconds`` until it is due, negative when it is."""

    destination: str
    state: State
    attempts: int
    reason: str | None
    seconds: float


@dataclass(frozen=True, slots=True)
class Backlog:
    """Deletions that a destination has still to accept: ``owed`` are tried again, ``refused`` wait for somebody.

    ``oldest``: since when one could have been done.
    """

    owed: int = 0
    refused: int = 0
    oldest: datetime | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """One deletion that a destination refused, and what it answered."""

    destination: str
    user_id: str
    reason: str | None


def due(database: Database, destination: str, most: int) -> list[Owed]:
    """Deletions that may be sent now, oldest first."""
    with database.read() as connection:
        query = (
            select(forgetting.c.id, forgetting.c.user_id, deletion.c.attempts, deletion.c.failing_since)
            .join(forgetting, forgetting.c.id == deletion.c.forgetting_id)
            .where(*_owed_by(destination), deletion.c.due_at <= database.now(connection))
            .order_by(deletion.c.due_at)
            .limit(most)
        )
        return [Owed(*row) for row in connection.execute(query) if row[1] is not None]


def settle(database: Database, destination: str, settled: Iterable[Settlement]) -> None:
    """Record what became of deletions; the id goes with the last one. May be said twice."""
    with database.write() as connection:
        now = database.now(connection)
        for each in sorted(settled, key=lambda one: one.owed.forgetting_id):
            values: dict[str, Any] = {"state": each.state.value, "settled_at": now, "reason": None, "bulk_until": None}
            if each.state is not State.DONE:
                values["attempts"] = deletion.c.attempts + 1
                values["failing_since"] = func.coalesce(deletion.c.failing_since, now)
                values["reason"] = each.reason and storable(each.reason)
                values["due_at"] = now + timedelta(seconds=each.seconds)
            mine = deletion.c.forgetting_id == each.owed.forgetting_id
            connection.execute(update(deletion).where(mine, *_owed_by(destination)).values(values))
            if each.state is State.DONE:
                finish(connection, each.owed.forgetting_id, now)


def finish(connection: Connection, forgetting_id: int, now: datetime) -> None:
    """If nothing is left to be done, the id is needed no more."""
    left = select(deletion.c.forgetting_id).where(deletion.c.forgetting_id == forgetting_id, deletion.c.state.in_(OPEN))
    mine = (forgetting.c.id == forgetting_id, forgetting.c.swept_at.is_not(None), forgetting.c.finished_at.is_(None))
    connection.execute(update(forgetting).where(*mine, ~left.exists()).values(user_id=None, finished_at=now))


def owe_anew(
    connection: Connection, destination: str, user_ids: Iterable[str], now: datetime, due_at: datetime
) -> None:
    """Something was sent about these users, who were forgotten: it may have made them again."""
    salt = suppressions.salt(connection)
    for user_id in sorted(user_ids):
        newest = select(func.max(forgetting.c.id)).where(forgetting.c.user_hash == user_hash(salt, user_id))
        number = connection.execute(newest).scalar_one()
        if number is None:
            continue
        again = {"user_id": user_id, "finished_at": None, "purged_at": None}
        connection.execute(update(forgetting).where(forgetting.c.id == number).values(again))
        owe(connection, number, [destination], waits={destination: Wait(due_at)}, now=now)


def owe(
    connection: Connection,
    forgetting_id: int,
    destinations: Iterable[str],
    *,
    waits: Mapping[str, Wait],
    now: datetime,
) -> None:
    """Each of these destinations is to be told, whatever it was told before. One that has to wait still does."""
    rows = connection.execute(select(deletion).where(deletion.c.forgetting_id == forgetting_id)).all()
    known = {row.destination: row for row in rows}
    for name in sorted(destinations):
        wait = waits.get(name, Wait(now))
        if name in known and known[name].state == State.OWED and not known[name].attempts:
            wait = wait.and_for(Wait(known[name].due_at, known[name].bulk_until, known[name].else_at))
        values = {"state": State.OWED.value, "due_at": wait.at, "reason": None, "failing_since": None}
        values |= {"bulk_until": wait.bulk_until, "else_at": wait.else_at}
        mine = {"forgetting_id": forgetting_id, "destination": name}
        if name in known:
            which = (deletion.c.forgetting_id == forgetting_id, deletion.c.destination == name)
            connection.execute(update(deletion).where(*which).values({**values, "attempts": 0}))
        else:
            connection.execute(deletion.insert().values({**mine, **values}))


def bulk_ended(
    connection: Connection, destination: str, give_up_at: datetime, now: datetime, *, doubtful: bool = False
) -> None:
    """What waited for this bulk request waits for it no longer; if its end is ``doubtful``, for the quiet period still.

    One that was divided has ended with its last part. Called last: a forgetting takes slots and counter first too.
    """
    due = []
    for row in connection.execute(_WAIT_FOR_BULK, {"of": destination, "until": give_up_at}):
        earliest = now + (row.due_at - give_up_at if doubtful else timedelta())
        due.append({"number": row.forgetting_id, "due": min(row.due_at, max(row.else_at, earliest))})
    if due:
        mine = deletion.c.forgetting_id == bindparam("number")
        which = (mine, *_owed_by(destination), deletion.c.bulk_until == give_up_at)
        sooner = update(deletion).where(*which).values(due_at=bindparam("due"), bulk_until=None)
        connection.execute(sooner, due)


def standing(database: Database, forgetting_id: int) -> list[Standing]:
    """How the deletions of one forgetting stand, by destination."""
    with database.read() as connection:
        now = database.now(connection)
        rows = connection.execute(
            select(deletion).where(deletion.c.forgetting_id == forgetting_id).order_by(deletion.c.destination)
        )
        return [
            Standing(row.destination, State(row.state), row.attempts, row.reason, (row.due_at - now).total_seconds())
            for row in rows
        ]


def backlog(connection: Connection) -> dict[str, Backlog]:
    """What is still to be deleted, by destination. Only forgettings that are open are looked at: the record is long."""
    since = func.min(func.coalesce(deletion.c.failing_since, deletion.c.due_at))
    columns = (deletion.c.destination, deletion.c.state, func.count(), since)
    query = select(*columns).where(*_OPEN).group_by(deletion.c.destination, deletion.c.state)
    found: dict[str, Backlog] = {}
    for destination, state, many, oldest in connection.execute(query):
        before = found.get(destination, Backlog())
        earlier = oldest if before.oldest is None else min(oldest, before.oldest)
        found[destination] = replace(before, **{state: many}, oldest=earlier)
    return found


def refused(connection: Connection, most: int) -> list[Refused]:
    """Some of those whose deletion was refused, those who asked first at the head."""
    query = (
        select(deletion.c.destination, forgetting.c.user_id, deletion.c.reason)
        .join(forgetting, forgetting.c.id == deletion.c.forgetting_id)
        .where(*_OPEN, deletion.c.state == State.REFUSED.value)
        .order_by(forgetting.c.id, deletion.c.destination)
        .limit(most)
    )
    return [Refused(*row) for row in connection.execute(query)]


# Written out, for SQLite knows a partial index only by its very words.
_UNPURGED = select(forgetting.c.id).where(text("forgetting.purged_at IS NULL"))
_OPEN = (deletion.c.forgetting_id.in_(_UNPURGED), deletion.c.state.in_(OPEN))


def _owed_by(destination: str | BindParameter[str]) -> tuple[Any, ...]:
    """The state's word stands in the statement, so that SQLite sees that its partial index fits."""
    return deletion.c.destination == destination, text("deletion.state = 'owed'")


_PARTS = select(bulk.c.id).where(bulk.c.destination == bindparam("of"), bulk.c.give_up_at == bindparam("until"))

_WAIT_FOR_BULK = (
    select(deletion.c.forgetting_id, deletion.c.due_at, deletion.c.else_at)
    .where(*_owed_by(bindparam("of")), deletion.c.bulk_until == bindparam("until"), ~_PARTS.exists())
    .order_by(deletion.c.forgetting_id)
    .with_for_update()
)
"""Asked at the end of every bulk request, and so not put together each time."""
