"""Users of whom nothing is taken in and nothing is sent. The list holds keyed hashes, so that it names nobody.

Two kinds: of who is *suppressed*, decisions are still recorded, and owed when that is taken back; of who was *forgotten*
(`sync.store.forgetting`), nothing is kept either.

Invariants: a suppressed user has no slot; a forgotten one has no snapshot rows either. Who is added takes the barrier,
which no recording passes meanwhile, and the counter's row, as every recording of events does: once a suppression is
committed, nothing that is under way can bring anything of that user any more.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, insert, select, text

from sync.errors import UsageError
from sync.model.kept_out import user_hash
from sync.store import barrier, watermarks
from sync.store.counter import next_version
from sync.store.engine import Database
from sync.store.event_schema import suppression
from sync.store.instants import stamp
from sync.store.postgresql import slots as postgresql_slots
from sync.store.privacy_schema import forgetting, secret
from sync.store.schema import enrolment, slot
from sync.store.sqlite import slots as sqlite_slots

_AT_ONCE = 500

SALT_IN_USE = select(secret.c.value).where(secret.c.name == "user_hash", select(suppression.c.user_hash).exists())
"""What hashes of users are keyed with; nothing while nobody is on the list, so that nobody need be looked for."""


def salt(connection: Connection) -> str:
    """What this store's hashes of users are keyed with."""
    found: str = connection.execute(select(secret.c.value).where(secret.c.name == "user_hash")).scalar_one()
    return found


def salt_in_use(connection: Connection) -> str | None:
    """The same; ``None`` while nobody is on the list."""
    return connection.execute(SALT_IN_USE).scalar_one_or_none()


def suppress(database: Database, user_id: str) -> bool:
    """Take in and send nothing of this user from now on; False when it was so already."""
    with database.write() as connection:
        barrier.exclusive(connection)
        if since(connection, user_id) is not None:
            return False
        # Slots before the counter, as those who settle take them.
        take_slots(connection, user_id)
        next_version(connection)
        row = {"user_hash": user_hash(salt(connection), user_id), "since": database.now(connection)}
        connection.execute(insert(suppression).values(row))
    return True


def unsuppress(database: Database, user_id: str) -> bool:
    """Take in and send what comes of this user from now on; False when nothing was held off.

    What was decided meanwhile is owed everywhere, also what has not changed: nobody knows what arrived before. Raises
    `UsageError` while the user is being forgotten.
    """
    with database.write() as connection:
        barrier.exclusive(connection)
        hashed = user_hash(salt(connection), user_id)
        unfinished = forgetting.c.finished_at.is_(None)
        if connection.execute(select(forgetting.c.id).where(forgetting.c.user_hash == hashed, unfinished)).first():
            raise UsageError(
                "the user is being forgotten, and some destination has yet to be told: "
                "run `engage-sync user forget` again to see which, and try this again when that is done"
            )
        gone = delete(suppression).where(suppression.c.user_hash == hashed).returning(suppression.c.forgotten)
        forgotten = connection.execute(gone).scalar_one_or_none()
        if forgotten is None:
            return False
        if forgotten:
            watermarks.distrust(connection)  # what was decided of the user is gone, and nothing new need come of them
        _owe_all(database, connection, user_id)
    return True


def _owe_all(database: Database, connection: Connection, user_id: str) -> None:
    version, now = next_version(connection), database.now(connection)
    on_sqlite = database.dialect == "sqlite"
    sql = sqlite_slots if on_sqlite else postgresql_slots
    values = {"user_id": user_id, "version": version, "now": stamp(now) if on_sqlite else now}
    connection.execute(text(sql.OWE_ALL), values)


def take_slots(connection: Connection, user_id: str) -> list[Any]:
    """Remove what is owed to a user; gives the slots as they were. Who was sending settles none of them."""
    destinations = connection.execute(select(enrolment.c.destination).distinct()).scalars()
    mine = (slot.c.user_id == user_id, slot.c.destination.in_(sorted(destinations)))
    return list(connection.execute(delete(slot).where(*mine).returning(slot)))


def since(connection: Connection, user_id: str) -> datetime | None:
    """Since when a user is suppressed; ``None`` for who is not."""
    hashed = user_hash(salt(connection), user_id)
    return connection.execute(select(suppression.c.since).where(suppression.c.user_hash == hashed)).scalar_one_or_none()


def suppressed(connection: Connection, user_ids: Iterable[str]) -> set[str]:
    """Which of these users are suppressed, or were forgotten. Costs next to nothing while nobody is."""
    return kept_out(connection, user_ids)[0]


def kept_out(connection: Connection, user_ids: Iterable[str]) -> tuple[set[str], set[str]]:
    """Which of these users are suppressed, or were forgotten; and those of them who were forgotten."""
    key = salt_in_use(connection)
    if key is None:
        return set(), set()
    by_hash = {user_hash(key, user_id): user_id for user_id in user_ids}
    hashes = list(by_hash)
    found: dict[str, bool] = {}
    for start in range(0, len(hashes), _AT_ONCE):
        some = suppression.c.user_hash.in_(hashes[start : start + _AT_ONCE])
        rows = connection.execute(select(suppression.c.user_hash, suppression.c.forgotten).where(some))
        found.update((by_hash[row.user_hash], row.forgotten) for row in rows)
    return set(found), {user_id for user_id, for_good in found.items() if for_good}
