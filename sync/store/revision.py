"""Which schema the store has, and whether it fits. Every command asks; so it is told without Alembic, which takes long to load."""

from __future__ import annotations

from sqlalchemy import Connection, inspect, text

from sync.errors import SchemaError
from sync.store.engine import Database

REVISIONS = ("0001", "0002", "0003", "0004", "0005", "0006", "0007", "0008", "0009", "0010", "0011")
"""Alembic's, in order (``migrations/versions``)."""


def head() -> str:
    """The revision this version of engage-sync works with."""
    return REVISIONS[-1]


def current(connection: Connection) -> str | None:
    """The store's revision, ``None`` when it has no schema yet."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    revision: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one_or_none()
    return revision


def check(database: Database) -> None:
    """Raise `SchemaError` unless the store's schema is the one this version works with."""
    with database.read() as connection:
        revision = current(connection)
    if revision == head():
        return
    if revision is None:
        raise SchemaError("the store has no tables yet: run `engage-sync migrate`")
    if revision not in REVISIONS:
        raise SchemaError(
            f"the store was written by a newer version of engage-sync (schema {revision}, this version knows "
            f"{head()}): upgrade engage-sync"
        )
    raise SchemaError(f"the store's schema is old ({revision}, wanted {head()}): run `engage-sync migrate`")
