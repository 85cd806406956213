"""Keep recordings and the removal of users apart: neither begins while the other is under way.

Recordings share the barrier; who takes users out has it alone. A recording asks who is kept out only after it has come
through, so that it sees whoever was taken out before; one that came first is waited for, and what it wrote is removed
as well. On SQLite the write lock does all that.

Whoever takes it takes it first of all in the transaction: so nobody waits in a circle.
"""

from __future__ import annotations

from sqlalchemy import Connection, text

_KEY = 0x666F72
""""for": half of the lock's name; the other half is the schema, for several stores may share a database."""

_SHARED = text("SELECT pg_advisory_xact_lock_shared(:key, hashtext(current_schema()))")
_EXCLUSIVE = text("SELECT pg_advisory_xact_lock(:key, hashtext(current_schema()))")


def shared(connection: Connection) -> None:
    """Go on when nobody is being taken out; until this transaction ends, nobody is."""
    if connection.dialect.name == "postgresql":
        connection.execute(_SHARED, {"key": _KEY})


def exclusive(connection: Connection) -> None:
    """Go on when no recording is under way; until this transaction ends, none begins."""
    if connection.dialect.name == "postgresql":
        connection.execute(_EXCLUSIVE, {"key": _KEY})
