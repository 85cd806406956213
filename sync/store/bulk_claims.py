"""Claim slots that go together in one request, and, besides or instead, slots that go alone.

Whatever one statement finds is one JSON text, in which users who are owed the same stand together: in a backfill those are
nearly all. So the interpreter's lock is passed to and fro once and not for every user, and what is made of a slot is made
for all who are alike.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from operator import itemgetter
from types import ModuleType
from typing import Any

import orjson
from sqlalchemy import Connection

from sync.model.slot import Alike, ClaimedSlot
from sync.store import bulk_attempts
from sync.store.bulks import Bulk, insert, mine, sql_of
from sync.store.engine import Database
from sync.store.slots import times
from sync.store.statement import text

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
    that differ in nothing but their users, as ``PICK`` gives them."""

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
    owed, enrichment, version, doubt, attempts, failing_since, owed_since, *_, users = group
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


_PRIORITY, _SINGLY, _PLACE, _MOVED, _USERS = map(itemgetter, range(-5, 0))


@dataclass(frozen=True, slots=True)
class Wanted:
    """What one claim is to take: up to ``most`` due slots, as one bulk when at least ``fewest`` may go together. It has
    ``lease`` seconds to be submitted, and ``patience`` until it must have ended."""

    most: int
    fewest: int
    lease: float
    patience: float


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where a claim begins to look in a queue: after the slot that was due at this instant, as the engine writes it, of
    this user."""

    due_at: str = "0001-01-01 00:00:00.000000"
    user_id: str = ""


@dataclass(frozen=True, slots=True)
class Queues:
    """How far the queues have been claimed: of deltas, and of backfills.

    Slots that are held stay where they are: a claim that began at the front would pass all of them. What is due before these
    places is found when nothing more is due after them, and deltas before that: whenever backfills were reached.
    """

    deltas: Place = Place()
    backfills: Place = Place()

    def after(self) -> dict[str, object]:
        """As the statements want it."""
        first, second = self.deltas, self.backfills
        return {"due_0": first.due_at, "user_0": first.user_id, "due_1": second.due_at, "user_1": second.user_id}

    def reached(self, groups: list[list[Any]]) -> Queues:
        """Further: as far as a claim got, where it found somebody."""
        deltas, backfills = (
            [Place(*_PLACE(group)) for group in groups if bool(_PRIORITY(group)) == later] for later in (False, True)
        )
        # Where backfills were reached no delta follows. The next claim looks for deltas from the front: who was owed a
        # backfill and has changed, or was recorded late, stands there. They must not wait for backfills.
        further = Place() if backfills or not deltas else max(deltas)
        return Queues(further, max(backfills, default=self.backfills))


FRONT = Queues()


def claim(
    database: Database,
    destination: str,
    wanted: Wanted,
    *,
    most_alone: int,
    requests: int = 1,
    queues: Queues = FRONT,
) -> tuple[list[Taken], Queues]:
    """Take what is due, for up to so many ``requests``; instead or besides, ``most_alone`` that go singly. Gives one at
    least, and no more when the last one says that there may be more; and how far the ``queues`` have been claimed now."""
    found: list[Taken] = []
    with database.write() as connection:
        now = database.now(connection)
        while len(found) < requests:
            # The end of each is another one: by it a deletion knows which of them it waits for.
            at = now + timedelta(microseconds=len(found))
            taken, queues = _take(connection, database, destination, wanted, at, most_alone, queues)
            found.append(taken)
            most_alone -= _count(taken.alone)
            if not taken.full or taken.bulk is None:
                break
    return found, queues


def _take(
    connection: Connection,
    database: Database,
    destination: str,
    wanted: Wanted,
    now: datetime,
    most_alone: int,
    queues: Queues,
) -> tuple[Taken, Queues]:
    sql, apart = sql_of(database), uuid.uuid4().hex
    give_up_at, until = now + timedelta(seconds=wanted.patience), now + timedelta(seconds=wanted.lease)
    bulk = Bulk(0, destination, uuid.uuid4().hex, 0, "[]", give_up_at)
    asked = {"destination": destination, "token": bulk.token, **times(database, {"now": now})}
    groups, queues = _picked(connection, sql, asked, wanted.most, queues)
    full = _count(groups) == wanted.most
    bulk = replace(bulk, members=_members(groups))
    together = [group for group in groups if not _SINGLY(group)]
    alone = [group for group in groups if _SINGLY(group)]
    if _count(together) < wanted.fewest:
        alone, together = groups, []
    alone, beyond = _divided(alone, most_alone)
    if beyond:
        # Others go first, if there are any: they are on their way long before.
        later = times(database, {"due_at": now + timedelta(seconds=PUT_OFF if together else 0.0)})
        users = orjson.dumps(beyond).decode()
        values = {**mine(bulk), **later, "unknown": False, "singly": False, "users": users}
        connection.execute(text(sql.PUT_SOME_BACK), values)
    if alone:
        values = {**mine(bulk), **times(database, {"until": until}), "apart": apart, "everybody": not together}
        connection.execute(text(sql.APART), values)
    stored = None
    if together:
        sent = bulk_attempts.document([(*group[:2], _USERS(group)) for group in together])
        stored = insert(connection, replace(bulk, users=_count(together)), now, until, sent)
    return Taken(stored, together, alone, apart, full), queues


def _picked(
    connection: Connection, sql: ModuleType, asked: Mapping[str, object], most: int, queues: Queues
) -> tuple[list[list[Any]], Queues]:
    """Hold those who are next; gives them as groups, deltas before backfills, and how far that is."""
    groups, further = _held(connection, sql, {**asked, "most": most}, queues)
    missing = most - _count(groups)
    if missing and queues != FRONT:
        # Who was put back, or recorded late, may be due before these places.
        passed, elsewhere = _held(connection, sql, {**asked, "most": missing}, FRONT)
        groups += passed
        if _count(passed) == missing:
            further = elsewhere
    return sorted(groups, key=_PRIORITY), further


def _held(
    connection: Connection, sql: ModuleType, asked: Mapping[str, object], queues: Queues
) -> tuple[list[list[Any]], Queues]:
    found = connection.execute(text(sql.PICK), {**asked, **queues.after()}).scalar_one()
    groups: list[list[Any]] = orjson.loads(found)
    if sql.HOLD is not None and groups:
        picked = {"destination": asked["destination"], "members": _members(groups)}
        if any(map(_MOVED, groups)):
            connection.execute(text(sql.MAKE_DUE), picked)
        connection.execute(text(sql.HOLD), {**picked, "token": asked["token"]})
    return groups, queues.reached(groups)


def _members(groups: list[list[Any]]) -> str:
    return orjson.dumps([user for group in groups for user in _USERS(group)]).decode()


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
