"""Users of whom nothing is taken in and nothing is sent. The list holds hashes, so that it names nobody.

Who is added takes the counter's row, as every recording of events does: once a suppression is committed, no recording
under way can bring an event of that user any more.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from hashlib import sha256

from sqlalchemy import Connection, delete, insert, select, text

from sync.store.counter import next_version
from sync.store.engine import Database
from sync.store.event_schema import suppression

_AT_ONCE = 500
_ANYBODY = text("SELECT 1 FROM suppression LIMIT 1")


def user_hash(user_id: str) -> str:
    """What stands for a user on the list."""
    return sha256(user_id.encode("utf-8", "surrogatepass")).hexdigest()


def suppress(database: Database, user_id: str) -> bool:
    """Take in and send nothing of this user from now on; False when it was so already."""
    with database.write() as connection:
        next_version(connection)
        if since(connection, user_id) is not None:
            return False
        row = {"user_hash": user_hash(user_id), "since": database.now(connection)}
        connection.execute(insert(suppression).values(row))
    return True


def unsuppress(database: Database, user_id: str) -> bool:
    """Take in and send what comes of this user from now on; False when nothing was held off."""
    with database.write() as connection:
        statement = delete(suppression).where(suppression.c.user_hash == user_hash(user_id))
        return bool(connection.execute(statement).rowcount)


def since(connection: Connection, user_id: str) -> datetime | None:
    """Since when a user is suppressed; ``None`` for who is not."""
    return connection.execute(
        select(suppression.c.since).where(suppression.c.user_hash == user_hash(user_id))
    ).scalar_one_or_none()


def suppressed(connection: Connection, user_ids: Iterable[str]) -> set[str]:
    """Which of these users are suppressed. Costs next to nothing while nobody is."""
    if connection.execute(_ANYBODY).first() is None:
        return set()
    by_hash = {user_hash(user_id): user_id for user_id in user_ids}
    hashes = list(by_hash)
    found: set[str] = set()
    for start in range(0, len(hashes), _AT_ONCE):
        some = hashes[start : start + _AT_ONCE]
        found.update(
            connection.execute(select(suppression.c.user_hash).where(suppression.c.user_hash.in_(some))).scalars()
        )
    return {by_hash[each] for each in found}
