"""Alerts as they stand, and what was told of them: stored first and told afterwards, so that nothing stays untold.

An alert that was never stored counts as resolved, and as told to be. While a change is being told nobody knows what was
heard; so a death in the middle, or an answer that got lost, leaves it to be told again, whatever it is by then.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, func, select, update
from sqlalchemy.dialects import postgresql, sqlite

from sync.model.alert import AlertState
from sync.store.engine import Database
from sync.store.schema import alert

_UNSURE = "unsure"
"""Stands for the state that was told while its receiver may or may not have heard it."""


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert: how it stands, and since when."""

    name: str
    state: AlertState
    since: datetime
    detail: str


def states(connection: Connection) -> dict[str, Alert]:
    """Every alert that ever fired, by name."""
    return {row.name: _alert(row) for row in connection.execute(select(alert).order_by(alert.c.name))}


def change(database: Database, name: str, state: AlertState, detail: str) -> bool:
    """Write down how an alert stands now; False when it stood so already, whatever the detail was."""
    with database.write() as connection:
        values = {"state": state, "since": database.now(connection), "detail": detail}
        if state is AlertState.FIRING:
            insert = (sqlite.insert if database.dialect == "sqlite" else postgresql.insert)(alert)
            added = insert.values(name=name, **values).on_conflict_do_nothing().returning(alert.c.name)
            if connection.execute(added).one_or_none() is not None:
                return True
        changed = connection.execute(update(alert).where(alert.c.name == name, alert.c.state != state).values(**values))
        return bool(changed.rowcount)


def unnotified(connection: Connection) -> list[Alert]:
    """The alerts whose state is not surely the one that was last heard, those that changed first first."""
    heard = func.coalesce(alert.c.notified_state, AlertState.RESOLVED.value)
    rows = connection.execute(select(alert).where(alert.c.state != heard).order_by(alert.c.since, alert.c.name))
    return [_alert(row) for row in rows]


def telling(database: Database, names: Collection[str]) -> None:
    """Write down that these alerts are about to be told: until `notified` says so, nobody knows what was heard."""
    with database.write() as connection:
        connection.execute(update(alert).where(alert.c.name.in_(names)).values(notified_state=_UNSURE))


def notified(database: Database, name: str, state: AlertState) -> None:
    """Write down that ``state`` was heard; should it have changed meanwhile, the change is still to be told."""
    with database.write() as connection:
        now = database.now(connection)
        connection.execute(update(alert).where(alert.c.name == name).values(notified_state=state, notified_at=now))


def forget(database: Database, names: Collection[str]) -> None:
    """Forget alerts that nobody is to be told of any more."""
    with database.write() as connection:
        connection.execute(delete(alert).where(alert.c.name.in_(names)))


def _alert(row: Any) -> Alert:
    return Alert(row.name, AlertState(row.state), row.since, row.detail)
