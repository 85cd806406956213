"""Generations of configuration: which one is the newest, so that a daemon with an older one knows that it is outdated.

The numbers only go up. Daemons that read the same announce the same and share a number.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, select, text

from sync.store.engine import Database
from sync.store.holder import Holder, this_process
from sync.store.schema import configuration


def announce(database: Database, fingerprint: str) -> int:
    """The number of a configuration: the newest one's when that says the same, else a new one."""
    with database.write() as connection:
        if database.dialect == "postgresql":
            # Two daemons that start at once with the same configuration get the same number.
            connection.execute(text("LOCK TABLE configuration IN SHARE ROW EXCLUSIVE MODE"))
        row = connection.execute(
            select(configuration.c.id, configuration.c.fingerprint).order_by(configuration.c.id.desc()).limit(1)
        ).one_or_none()
        if row is not None and row.fingerprint == fingerprint:
            known: int = row.id
            return known
        added: int = connection.execute(
            configuration.insert()
            .values(fingerprint=fingerprint, announced_at=database.now(connection), holder=this_process().text())
            .returning(configuration.c.id)
        ).scalar_one()
        return added


@dataclass(frozen=True, slots=True)
class Announced:
    """A configuration, and who announced it first."""

    number: int
    fingerprint: str
    announced_at: datetime
    holder: Holder


def last_announced(connection: Connection) -> Announced | None:
    """The newest configuration; ``None`` when no daemon ever ran."""
    row = connection.execute(select(configuration).order_by(configuration.c.id.desc()).limit(1)).one_or_none()
    return None if row is None else Announced(row.id, row.fingerprint, row.announced_at, Holder.parse(row.holder))


def keep(connection: Connection) -> None:
    """Until the transaction ends, no configuration is announced: it belongs wholly to the one that is the newest now."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("LOCK TABLE configuration IN SHARE MODE"))


def newest(connection: Connection) -> int:
    """The number of the newest configuration; 0 when none was ever announced."""
    number: int = connection.execute(select(func.coalesce(func.max(configuration.c.id), 0))).scalar_one()
    return number


def announced_at(connection: Connection, number: int) -> datetime:
    """When a configuration that was announced got its number."""
    instant: datetime = connection.execute(
        select(configuration.c.announced_at).where(configuration.c.id == number)
    ).scalar_one()
    return instant
