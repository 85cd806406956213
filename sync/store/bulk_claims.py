"""Claim slots that go together in one request, and, besides or instead, slots that go alone.

Whatever one statement finds is one JSON text, in which users who are owed the same stand together: in a backfill those are
nearly all. So the interpreter's lock is passed to and fro once and not for every user, and what is made of a slot is made
for all who are alike.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from operator import itemgetter
from types import ModuleType
from typing import Any

import orjson
from sqlalchemy import Connection, text

from sync.model.slot import Alike, ClaimedSlot
from sync.store.bulks import Bulk, insert, sql_of
from sync.store.engine import Database
from sync.store.slots import times

PUT_OFF = 2.0
"""Seconds for which those are left alone who go singly, and were claimed beyond what may be."""


@dataclass(frozen=True, slots=True)
class Claim:
    """What a claim took: slots that go ``together``, if there are enough of them, as ``bulk``; and those that go alone,
    which are claimed like any. ``full``: there may be more."""

    bulk: Bulk | None
    together: list[Alike]
    alone: list[ClaimedSlot]
    full: bool


@dataclass(frozen=True, slots=True)
class Taken:
    """A claim before it is `read`, which takes a while and needs no store. ``together`` and ``alone`` are groups of slots
    that differ in nothing but their users, in the columns of ``CLAIMED``."""

    bulk: Bulk | None
    together: list[list[Any]]
    alone: list[list[Any]]
    apart: str
    full: bool

    def read(self) -> Claim:
        """The claimed slots."""
        token = "" if self.bulk is None else self.bulk.token
        alone = [slot for group in self.alone for slot in _alike(group, self.apart)]
        return Claim(self.bulk, [_alike(group, token) for group in self.together], alone, self.full)


def _alike(group: list[Any], token: str) -> Alike:
    owed, enrichment, version, doubt, attempts, failing_since, owed_since, _, _, users = group
    slot = ClaimedSlot.parse(
        user_id=users[0],
        token=token,
        version=version,
        owed=owed,
        enrichment=enrichment,
        doubt=bool(doubt),
        attempts=attempts,
        failing_since=failing_since and _instant(failing_since),
        owed_since=_instant(owed_since),
    )
    return Alike(slot, users)


def _instant(written: str) -> datetime:
    """What either engine writes into JSON; SQLite stores UTC without saying so."""
    found = datetime.fromisoformat(written)
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


_PRIORITY, _SINGLY, _USERS = itemgetter(-3), itemgetter(-2), itemgetter(-1)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What one claim is to take: up to ``most`` due slots, as one bulk when at least ``fewest`` may go together. It has
    ``lease`` seconds to be submitted, and ``patience`` until it must have ended."""

    most: int
    fewest: int
    lease: float
    patience: float


def claim(database: Database, destination: str, wanted: Wanted, *, most_alone: int, requests: int = 1) -> list[Taken]:
    """Take what is due, for up to so many ``requests``; instead or besides, ``most_alone`` that go singly. Gives one at
    least, and no more when the last one says that there may be more."""
    found: list[Taken] = []
    with database.write() as connection:
        now = database.now(connection)
        while len(found) < requests:
            # The end of each is another one: by it their slots are found.
            at = now + timedelta(microseconds=len(found))
            taken = _take(connection, database, destination, wanted, at, most_alone)
            found.append(taken)
            most_alone -= _count(taken.alone)
            if not taken.full or taken.bulk is None:
                break
    return found


def _take(
    connection: Connection, database: Database, destination: str, wanted: Wanted, now: datetime, most_alone: int
) -> Taken:
    token, apart = uuid.uuid4().hex, uuid.uuid4().hex
    give_up_at, until = now + timedelta(seconds=wanted.patience), now + timedelta(seconds=wanted.lease)
    mine = times(database, {"destination": destination, "token": token, "give_up_at": give_up_at})
    sql = sql_of(database)
    groups = _claimed(connection, sql, {**mine, **times(database, {"now": now}), "most": wanted.most})
    full = _count(groups) == wanted.most
    together = [group for group in groups if not _SINGLY(group)]
    alone = [group for group in groups if _SINGLY(group)]
    if _count(together) < wanted.fewest:
        alone, together = groups, []
    alone, beyond = _divided(alone, most_alone)
    if beyond:
        # Others go first, if there are any: they are on their way long before.
        later = times(database, {"due_at": now + timedelta(seconds=PUT_OFF if together else 0.0)})
        users = orjson.dumps(beyond).decode()
        values = {**mine, **later, "unknown": False, "singly": False, "users": users}
        connection.execute(text(sql.PUT_SOME_BACK), values)
    if alone:
        values = {**mine, **times(database, {"until": until}), "apart": apart, "everybody": not together}
        connection.execute(text(sql.APART), values)
    bulk = insert(connection, destination, token, _count(together), now, until, give_up_at) if together else None
    return Taken(bulk, together, alone, apart, full)


def _claimed(connection: Connection, sql: ModuleType, values: dict[str, object]) -> list[list[Any]]:
    """Claim; gives the groups, deltas before backfills."""
    statement = sql.CLAIM
    if sql.CLAIMED is not None:
        if not connection.execute(text(sql.CLAIM), values).rowcount:
            return []
        statement, values = sql.CLAIMED, {name: values[name] for name in ("destination", "token", "give_up_at")}
    groups: list[list[Any]] = orjson.loads(connection.execute(text(statement), values).scalar_one())
    return sorted(groups, key=_PRIORITY)


def _count(groups: list[list[Any]]) -> int:
    return sum(len(_USERS(group)) for group in groups)


def _divided(groups: list[list[Any]], most: int) -> tuple[list[list[Any]], list[str]]:
    """The groups with the first ``most`` users, and the users beyond."""
    found: list[list[Any]] = []
    beyond: list[str] = []
    for group in groups:
        room = max(most - _count(found), 0)
        users = _USERS(group)
        if room:
            found.append([*group[:-1], users[:room]])
        beyond += users[room:]
    return found, beyond
