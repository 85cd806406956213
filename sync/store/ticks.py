"""Ticks: "this definition is due for this instant". Every tick gets exactly one recorded run, with any number of daemons.

A tick goes ``due → running → done | failed | skipped``. What two daemons must not do at once is forbidden by
constraints: an instant of a definition is one row, a definition has at most one due and one running tick, and a tick at
most one recorded run. Ticks of a definition go forward: none is added at or before the last.

A running tick is a lease. When its holder dies, the store knows what became of it: its run was recorded, or it is due
again. It then takes the place of a later one that is due already, so that no instant is left without a run; the later
one is no loss, as the run that follows is as of its own start.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import Any

import orjson
from sqlalchemy import ColumnElement, Connection, Select, and_, delete, func, select, text, update
from sqlalchemy.dialects import postgresql, sqlite

from sync.model.run import RunStatus
from sync.model.tick import ClaimedTick, TickState
from sync.store import configurations
from sync.store.engine import Database
from sync.store.holder import Holder, this_process
from sync.store.instants import Instant
from sync.store.schema import definition, run, tick

LONGEST_REASON = 500

# Written out, not bound: a plan made for any value could not use the partial indexes.
_DUE = tick.c.state == text("'due'")
_RUNNING = tick.c.state == text("'running'")
_RECORDED = text("run.status IN ('succeeded', 'held')")


def insert(database: Database, key: str, instant: datetime, *, due_at: datetime, generation: int) -> bool:
    """Add a tick. False when it stands already, when the last one is later or still due (ticks coalesce), or when a
    newer configuration has been announced."""
    statement = (sqlite.insert if database.dialect == "sqlite" else postgresql.insert)(tick)
    with database.write() as connection:
        if configurations.newest(connection) > generation:
            return False
        last = connection.execute(select(func.max(tick.c.instant)).where(tick.c.key == key)).scalar_one()
        if last is not None and instant <= last:
            return False
        row = {"key": key, "instant": instant, "due_at": due_at, "generation": generation, "state": TickState.DUE}
        added = connection.execute(
            statement.values(**row, created_at=database.now(connection)).on_conflict_do_nothing().returning(tick.c.key)
        )
        return added.one_or_none() is not None


_LATEST = {
    "sqlite": "SELECT k.value AS key, (SELECT max(instant) FROM tick WHERE tick.key = k.value) AS instant"
    " FROM json_each(:keys) AS k",
    "postgresql": "SELECT k.value AS key, (SELECT max(instant) FROM tick WHERE tick.key = k.value) AS instant"
    " FROM jsonb_array_elements_text(CAST(:keys AS jsonb)) AS k",
}
"""One look into the index for each key, however long the history."""


def latest(connection: Connection, keys: Collection[str]) -> dict[str, datetime]:
    """The last instant of each key that has any tick."""
    statement = text(_LATEST[connection.dialect.name]).columns(instant=Instant)
    rows = connection.execute(statement, {"keys": orjson.dumps(list(keys)).decode()})
    return {row.key: row.instant for row in rows if row.instant is not None}


def claim(database: Database, keys: Collection[str], generation: int, lease: float) -> ClaimedTick | None:
    """Take the tick among ``keys`` that has been due longest, for ``lease`` seconds.

    ``None`` when nothing is due, and for whoever has not got the newest configuration.
    """
    due = _due_keys(database, keys)
    if not due:
        return None
    with database.write() as connection:
        if configurations.newest(connection) > generation:
            return None
        now = database.now(connection)
        while (row := connection.execute(_first_due(due, now)).one_or_none()) is not None:
            if not _is_recorded(connection, row.key, row.instant):
                return _take(connection, row, generation, now, now + timedelta(seconds=lease))
            # Its former holder was slow, not dead: it recorded the run after the tick had been taken from it.
            _end(connection, and_(_is(row.key, row.instant), _DUE), TickState.DONE, None, now)
    return None


def _due_keys(database: Database, keys: Collection[str]) -> list[str]:
    """Which of ``keys`` have something due: a look that takes no lock, as mostly there is nothing."""
    with database.read() as connection:
        found = connection.execute(select(tick.c.key).where(_DUE, tick.c.due_at <= database.now(connection))).scalars()
        return [key for key in found if key in keys]


def _first_due(keys: Collection[str], now: datetime) -> Select[Any]:
    other = tick.alias("other")
    running = select(other.c.key).where(other.c.key == tick.c.key, other.c.state == text("'running'")).exists()
    return (
        select(tick.c.key, tick.c.instant, tick.c.due_at, tick.c.attempts)
        .where(tick.c.key.in_(keys), _DUE, tick.c.due_at <= now, ~running)
        .order_by(tick.c.due_at, tick.c.key)
        .limit(1)
        .with_for_update(skip_locked=True, of=tick)
    )


def _take(connection: Connection, row: Any, generation: int, now: datetime, until: datetime) -> ClaimedTick | None:
    claimed = ClaimedTick(row.key, row.instant, uuid.uuid4().hex, row.due_at, row.attempts, generation)
    taken = connection.execute(
        update(tick)
        .where(_is(row.key, row.instant), _DUE)
        .values(
            state=TickState.RUNNING,
            token=claimed.token,
            holder=this_process().text(),
            lease_until=until,
            started_at=now,
        )
    )
    return claimed if taken.rowcount else None


def renew(database: Database, held: ClaimedTick, lease: float) -> bool:
    """Hold it for ``lease`` seconds more; False when it is no longer ours."""
    with database.write() as connection:
        until = database.now(connection) + timedelta(seconds=lease)
        return bool(connection.execute(update(tick).where(_held(held)).values(lease_until=until)).rowcount)


def finish(database: Database, held: ClaimedTick, state: TickState, reason: str | None = None) -> bool:
    """End a tick that is ours; False when it is not any more."""
    with database.write() as connection:
        return _end(connection, _held(held), state, reason, database.now(connection))


def recorded(database: Database, held: ClaimedTick) -> TickState | None:
    """End a tick that is ours and whose run was recorded; gives what it is now, ``None`` when it is not ours any more.

    A recording does not wait for the disk: a server that crashed right after it may have lost it while we live on. The tick
    is then due again, so that no instant is left without a run.
    """
    with database.write() as connection:
        now = database.now(connection)
        if _is_recorded(connection, held.key, held.instant):
            return TickState.DONE if _end(connection, _held(held), TickState.DONE, None, now) else None
        _exclude_others(connection)
        return TickState.DUE if _put_back(connection, _held(held), held.key, now) else None


def again(database: Database, held: ClaimedTick, *, due_at: datetime, reason: str | None, failed: bool = True) -> bool:
    """Put a tick that is ours back until ``due_at``; False when it is not ours any more.

    ``failed`` counts it among the attempts: a definition that is only busy has not failed.
    """
    with database.write() as connection:
        _exclude_others(connection)
        attempts = held.attempts + 1 if failed else held.attempts
        return _put_back(connection, _held(held), held.key, due_at, reason=_stored(reason), attempts=attempts)


def give_back(database: Database, held: ClaimedTick, reason: str) -> bool:
    """Let go of a tick that is ours, for somebody to take at once, and of its run, which is lost; False when it is not ours.

    Its former holder may go on for a while: it can neither begin a run of the tick any more nor record one.
    """
    with database.write() as connection:
        known = select(definition.c.id).where(definition.c.key == held.key)
        # Whoever begins a run holds the definition: either its run is seen here, or it sees that the tick is gone.
        connection.execute(known.with_for_update(key_share=True))
        if connection.execute(select(tick.c.key).where(_held(held))).one_or_none() is None:
            return False
        now = database.now(connection)
        connection.execute(
            update(run)
            .where(run.c.definition_id.in_(known), run.c.tick == held.instant, run.c.status == RunStatus.RUNNING)
            .values(status=RunStatus.LOST, finished_at=now, message=reason)
        )
        _exclude_others(connection)
        return _put_back(connection, _held(held), held.key, now, reason=_stored(reason))


def rescue(database: Database) -> int:
    """End, or put back to due, the running ticks whose lease ran out or whose holder is provably dead; gives how many."""
    with database.read() as connection:
        if not _abandoned(database, connection):
            return 0
    with database.write() as connection:
        _exclude_others(connection)
        abandoned = _abandoned(database, connection)
        now = database.now(connection)
        for row in abandoned:
            same = and_(_is(row.key, row.instant), tick.c.token == row.token, _RUNNING)
            if _is_recorded(connection, row.key, row.instant):
                _end(connection, same, TickState.DONE, None, now)
            else:
                _put_back(connection, same, row.key, now)
    return len(abandoned)


def _abandoned(database: Database, connection: Connection) -> list[Any]:
    now = database.now(connection)
    rows = connection.execute(
        select(tick.c.key, tick.c.instant, tick.c.token, tick.c.holder, tick.c.lease_until).where(_RUNNING)
    )
    return [row for row in rows if row.lease_until < now or Holder.parse(row.holder).provably_dead()]


def _exclude_others(connection: Connection) -> None:
    """Until the transaction ends nobody adds or claims a tick: between making room for one and putting it there."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("LOCK TABLE tick IN SHARE ROW EXCLUSIVE MODE"))


def _put_back(connection: Connection, which: ColumnElement[bool], key: str, due_at: datetime, **more: object) -> bool:
    if connection.execute(select(tick.c.key).where(which)).one_or_none() is None:
        return False
    connection.execute(delete(tick).where(tick.c.key == key, _DUE))
    values = {"state": TickState.DUE, "due_at": due_at, "token": None, "lease_until": None, **more}
    return bool(connection.execute(update(tick).where(which).values(**values)).rowcount)


def skip_others(database: Database, keys: Collection[str], generation: int) -> int:
    """End what is due of definitions that have left the configuration; only whoever has the newest may say so."""
    with database.write() as connection:
        if configurations.newest(connection) > generation:
            return 0
        due = connection.execute(select(tick.c.key).where(_DUE)).scalars()
        now = database.now(connection)
        return sum(
            _end(
                connection,
                and_(tick.c.key == key, _DUE),
                TickState.SKIPPED,
                "it is not scheduled any more",
                now,
            )
            for key in [each for each in due if each not in keys]
        )


def followers_due(connection: Connection, after: Mapping[str, str]) -> list[tuple[str, datetime]]:
    """Followers whose leader has succeeded since their last tick, with the instant at which it did.

    ``after`` gives the leader of each follower, both by key. Who ran the leader, and why, does not matter.
    """
    newest = (
        select(run.c.finished_at)
        .where(run.c.definition_id == definition.c.id, run.c.status == RunStatus.SUCCEEDED)
        .order_by(run.c.id.desc())
        .limit(1)
        .scalar_subquery()
    )
    leaders = sorted(set(after.values()))
    rows = connection.execute(select(definition.c.key, newest.label("at")).where(definition.c.key.in_(leaders)))
    succeeded: dict[str, datetime | None] = {row.key: row.at for row in rows}
    last = latest(connection, list(after))
    due = []
    for follower, leader in after.items():
        instant = succeeded.get(leader)
        if instant is not None and (follower not in last or instant > last[follower]):
            due.append((follower, instant))
    return due


def _is(key: str, instant: datetime) -> ColumnElement[bool]:
    return and_(tick.c.key == key, tick.c.instant == instant)


def _held(held: ClaimedTick) -> ColumnElement[bool]:
    return and_(_is(held.key, held.instant), tick.c.token == held.token, _RUNNING)


def _end(
    connection: Connection, which: ColumnElement[bool], state: TickState, reason: str | None, now: datetime
) -> bool:
    values = {"state": state, "reason": _stored(reason), "finished_at": now, "token": None, "lease_until": None}
    return bool(connection.execute(update(tick).where(which).values(**values)).rowcount)


def _is_recorded(connection: Connection, key: str, instant: datetime) -> bool:
    found = connection.execute(
        select(run.c.id)
        .join(definition, definition.c.id == run.c.definition_id)
        .where(definition.c.key == key, run.c.tick == instant, _RECORDED)
    )
    return found.one_or_none() is not None


def _stored(reason: str | None) -> str | None:
    return reason and reason.replace("\0", "\ufffd")[:LONGEST_REASON]
