"""Leases on destinations and on the leadership: (name, holder, term, until), by the store's clock. A new holder gets a new term."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, select, update
from sqlalchemy.dialects import postgresql, sqlite

from sync.store.engine import Database
from sync.store.holder import Holder, this_process
from sync.store.schema import lease


@dataclass(frozen=True, slots=True)
class Lease:
    """A lease that is ours. ``from_dead``: its former holder was proven dead, so what it was doing is over."""

    name: str
    term: int
    from_dead: bool


@dataclass(frozen=True, slots=True)
class Held:
    """A lease that is somebody else's."""

    name: str
    holder: Holder


def acquire(database: Database, name: str, seconds: float) -> Lease | Held:
    """Take a lease that is free, run out, or held by a process that is provably dead."""
    held = holder(database, name)
    if held is not None:
        return held
    me = this_process().text()
    with database.write() as connection:
        now = database.now(connection)
        until = now + timedelta(seconds=seconds)
        _ensure(connection, name, me, now - timedelta(seconds=1))
        row = connection.execute(select(lease).where(lease.c.name == name).with_for_update()).one()
        former = Holder.parse(row.holder)
        dead = row.term > 0 and former.provably_dead()
        if row.until >= now and not dead:
            return Held(name, former)
        connection.execute(
            update(lease)
            .where(lease.c.name == name, lease.c.term == row.term)
            .values(holder=me, term=row.term + 1, until=until)
        )
        return Lease(name, row.term + 1, from_dead=dead)


def holder(database: Database, name: str) -> Held | None:
    """Who holds a lease now: a look that takes no lock, so that one may wait for it by looking again and again."""
    with database.read() as connection:
        row = connection.execute(select(lease).where(lease.c.name == name)).one_or_none()
        if row is None or row.term == 0 or row.until < database.now(connection):
            return None
    found = Holder.parse(row.holder)
    return None if found.provably_dead() else Held(name, found)


def _ensure(connection: Connection, name: str, holder: str, past: datetime) -> None:
    """Make the row of a lease nobody has held yet; two processes at once make one row."""
    row = {"name": name, "holder": holder, "term": 0, "until": past}
    insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    connection.execute(insert(lease).values(**row).on_conflict_do_nothing())


def renew(database: Database, held: Lease, seconds: float) -> bool:
    """Hold it for ``seconds`` more; False when it is no longer ours."""
    with database.write() as connection:
        until = database.now(connection) + timedelta(seconds=seconds)
        statement = update(lease).where(lease.c.name == held.name, lease.c.term == held.term)
        return bool(connection.execute(statement.values(until=until)).rowcount)


def release(database: Database, held: Lease) -> None:
    """Give it back at once, so that the next holder need not wait."""
    with database.write() as connection:
        connection.execute(
            update(lease)
            .where(lease.c.name == held.name, lease.c.term == held.term)
            # The term ends too: a renewal that is still under way must not take it back for nobody.
            .values(until=database.now(connection) - timedelta(seconds=1), term=held.term + 1)
        )
