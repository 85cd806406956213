"""The store-wide, ever increasing version that marks what a slot owes."""

from __future__ import annotations

from sqlalchemy import Connection, update

from sync.store.schema import counter


def next_version(connection: Connection) -> int:
    """A number no other recording or settling has got. Take it in a short transaction: the row stays locked until its end."""
    value: int = connection.execute(_NEXT).scalar_one()
    return value


_NEXT = update(counter).where(counter.c.name == "version").values(value=counter.c.value + 1).returning(counter.c.value)
