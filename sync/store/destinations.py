"""How the destinations are doing, for who looks from another process: breaker, reason, last error."""

from __future__ import annotations

from sqlalchemy import Connection, select, update

from sync.store.engine import Database
from sync.store.schema import destination


def report(database: Database, name: str, breaker: str, reason: str, error: str | None = None) -> None:
    """Write down a change of state."""
    with database.write() as connection:
        now = database.now(connection)
        values: dict[str, object] = {"breaker": breaker, "reason": reason, "changed_at": now}
        if error is not None:
            values |= {"last_error": error, "last_error_at": now}
        if not connection.execute(update(destination).where(destination.c.name == name).values(**values)).rowcount:
            connection.execute(destination.insert().values(name=name, **values))


def sum_up(database: Database, name: str, *, works: bool, trouble: str) -> None:
    """At the end of a delivery: the last error, if there was any; and that the destination ``works``, should it have
    been reported as broken by an earlier process."""
    with database.write() as connection:
        now = database.now(connection)
        row = connection.execute(select(destination).where(destination.c.name == name)).one_or_none()
        if row is None:
            if not trouble:
                return
            connection.execute(destination.insert().values(name=name, breaker="closed", reason="", changed_at=now))
        values: dict[str, object] = {"last_error": trouble, "last_error_at": now} if trouble else {}
        if works and row is not None and row.breaker != "closed":
            values |= {"breaker": "closed", "reason": "", "changed_at": now}
        if values:
            connection.execute(update(destination).where(destination.c.name == name).values(**values))


def states(connection: Connection) -> dict[str, dict[str, object]]:
    """Every destination that was ever reported, by name."""
    rows = connection.execute(select(destination)).mappings()
    return {row["name"]: dict(row) for row in rows}
