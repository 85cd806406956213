"""Many slots in one request that is worked on after it was answered: claimed, submitted, and settled as one.

The slots of a bulk keep their places in the queue, with its ``bulk_token``: nobody else takes them until it ends, and
``slot.sent`` has what is on its way of each (R1): a value that is recorded meanwhile stays owed. The *row* of the bulk says
whose they are. Until its request's id is stored it is like any claim: when its holder is gone its slots are rescued, in
doubt. From then on whoever delivers to the destination asks how far the request is, and settles it. Every transition begins
by taking the row: what happens twice happens once.

What a bulk could not do is marked as ``singly``: this version of a slot goes by a request of its own.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from types import ModuleType
from typing import Any

import orjson
from sqlalchemy import Connection, Row, bindparam, delete, select, update
from sqlalchemy import insert as insert_into

from sync.model.outcome import Outcome, Verdict
from sync.store import bulk_attempts, deletions, suppressions
from sync.store.counter import next_version
from sync.store.engine import Database
from sync.store.postgresql import bulks as postgresql_bulks
from sync.store.schema import bulk as table
from sync.store.schema import slot
from sync.store.slots import drop_empty, times
from sync.store.sqlite import bulks as sqlite_bulks
from sync.store.statement import text
from sync.store.texts import storable


@dataclass(frozen=True, slots=True)
class Bulk:
    """One such request. ``request_id`` is there once it was accepted; ``give_up_at`` is when nobody asks any more.

    ``members``, a JSON list, are the users among whom its own are: all of them, and such as have left it.
    """

    id: int
    destination: str
    token: str
    users: int
    members: str = field(repr=False)
    give_up_at: datetime
    request_id: str | None = None

    def without(self, users: int) -> Bulk:
        """The same with fewer users."""
        return replace(self, users=self.users - users)


_ACCEPTED = Outcome(Verdict.ACCEPTED, 200)


@dataclass(frozen=True, slots=True)
class Settled:
    """What became of a bulk's slots: nothing more is owed; accepted, and to be confirmed; to be sent singly."""

    accepted: int
    unconfirmed: int
    singly: int


def split(database: Database, bulk: Bulk, users: Sequence[str]) -> Bulk | None:
    """Make a bulk of its own of some users of one that was not submitted; ``None`` when that is no longer ours."""
    with database.write() as connection:
        query = select(table.c.sent_at, table.c.lease_until).where(*_open(bulk)).with_for_update()
        row = connection.execute(query).one_or_none()
        if row is None:
            return None
        token = uuid.uuid4().hex
        fewer = table.c.users - len(users)
        connection.execute(update(table).where(table.c.id == bulk.id).values(users=fewer, sent=None))
        members = orjson.dumps(users).decode()
        connection.execute(text(sql_of(database).SPLIT), {**mine(bulk), "other": token, "users": members})
        other = Bulk(0, bulk.destination, token, len(users), members, bulk.give_up_at)
        return insert(connection, other, row.sent_at, row.lease_until)


def insert(connection: Connection, bulk: Bulk, now: datetime, until: datetime, sent: str | None = None) -> Bulk:
    """Store a new one, that has until then to be submitted; gives it with its number. ``sent``: what is sent to whom, for
    the history (`sync.store.bulk_attempts`), if that is known."""
    values = {
        "destination": bulk.destination,
        "token": bulk.token,
        "users": bulk.users,
        "members": bulk.members,
        "sent": sent,
        "sent_at": now,
        "lease_until": until,
        "give_up_at": bulk.give_up_at,
    }
    number: int = connection.execute(_INSERT, values).scalar_one()
    return replace(bulk, id=number)


def submitted(database: Database, bulk: Bulk, request_id: str) -> Bulk | None:
    """Store the id of the request; ``None`` when the bulk is no longer ours, and its slots may be sent by somebody else."""
    with database.write() as connection:
        if not connection.execute(_SUBMITTED, {**_row(bulk), "stored": request_id}).rowcount:
            return None
    return replace(bulk, request_id=request_id)


def under_way(database: Database, destination: str, besides: Collection[int] = ()) -> list[tuple[Bulk, float]]:
    """The requests that have not ended, as far as is known, each with the seconds until it is given up; ``besides`` those
    with these numbers."""
    with database.read() as connection:
        now = database.now(connection)
        which = (
            table.c.destination == destination,
            table.c.request_id.is_not(None),
            table.c.id.not_in(list(besides)),
        )
        rows = connection.execute(select(table).where(*which).order_by(table.c.id)).all()
    return [
        (
            Bulk(row.id, destination, row.token, row.users, row.members, row.give_up_at, row.request_id),
            (row.give_up_at - now).total_seconds(),
        )
        for row in rows
    ]


def users(database: Database, bulk: Bulk) -> set[str]:
    """Who is in it."""
    with database.read() as connection:
        return set(connection.execute(text(sql_of(database).USERS), mine(bulk)).scalars())


def forget(database: Database, user_id: str) -> None:
    """Take a user, who has no slots any more, out of those that have not ended: one after the other, so that nobody who
    settles some of them is waited for with another one locked."""
    sql, quoted = sql_of(database), {"quoted": orjson.dumps(user_id).decode()}
    with database.read() as connection:
        numbers = connection.execute(text(sql.NAMING), quoted).scalars().all()
    for number in numbers:
        with database.write() as connection:
            connection.execute(text(sql.FORGET_MEMBER), {"number": number, "user_id": user_id})


def abandon(database: Database, destination: str) -> None:
    """Nobody can ask any more: the destination takes no such requests, as it is configured now."""
    for bulk, _ in under_way(database, destination):
        put_back(database, bulk, unknown=True, singly=True)


def release_lost(database: Database, destination: str) -> int:
    """Make slots due, in doubt (R4), that are held by a request which is not there: nobody will ever hear of it. A daemon of
    the version before 0010 settles none that are held."""
    there = select(table.c.token).where(table.c.destination == destination)
    lost = (slot.c.destination == destination, slot.c.bulk_token.is_not(None), slot.c.bulk_token.not_in(there))
    with database.read() as connection:
        if connection.execute(select(slot.c.user_id).where(*lost).limit(1)).first() is None:
            return 0
    with database.write() as connection:
        back = {"doubt": True, "bulk_token": None, "sent": None, "due_at": database.now(connection)}
        return connection.execute(update(slot).where(*lost).values(back)).rowcount


def leave_out(database: Database, bulk: Bulk, users: Sequence[str]) -> Bulk | None:
    """Put users back who cannot go with the others: they go singly. Nothing has been sent. Gives the bulk without them,
    ``None`` when it is no longer ours."""
    fewer = replace(bulk, users=bulk.users - len(users))
    with database.write() as connection:
        if not connection.execute(update(table).where(*_open(bulk)).values(users=fewer.users, sent=None)).rowcount:
            return None
        now = database.now(connection)
        values = _back(database, bulk, now, unknown=False, singly=True, seconds=0.0)
        _lock(connection, database, bulk)
        connection.execute(text(sql_of(database).PUT_SOME_BACK), {**values, "users": orjson.dumps(users).decode()})
    return fewer


def put_back(
    database: Database,
    bulk: Bulk,
    outcome: Outcome | None = None,
    *,
    unknown: bool = False,
    singly: bool = False,
    seconds: float = 0.0,
) -> int | None:
    """Everybody is due again, in so many seconds; gives how many, ``None`` when somebody else has ended the bulk.
    ``outcome``: what was heard."""
    with database.write() as connection:
        if _take(connection, bulk) is None:
            return None
        now = database.now(connection)
        _lock(connection, database, bulk)
        _record(connection, database, bulk, now, outcome)
        values = _back(database, bulk, now, unknown=unknown, singly=singly, seconds=seconds)
        put_back = connection.execute(text(sql_of(database).PUT_BACK), values).rowcount
        _ended(connection, bulk, now, doubtful=unknown)
    return put_back


def defer(database: Database, bulk: Bulk, outcome: Outcome, seconds: float, reason: str) -> int | None:
    """It was not carried out, or nobody knows: everybody waits for another try, as after a request of one's own."""
    with database.write() as connection:
        if _take(connection, bulk) is None:
            return None
        now = database.now(connection)
        _lock(connection, database, bulk)
        _record(connection, database, bulk, now, outcome)
        instants = times(database, {"now": now, "due_at": now + timedelta(seconds=seconds)})
        unknown = outcome.verdict is Verdict.UNKNOWN
        values = {**mine(bulk), **instants, "unknown": unknown, "reason": storable(reason)}
        deferred = connection.execute(text(sql_of(database).DEFER), values).rowcount
        _ended(connection, bulk, now, doubtful=unknown)
    return deferred


def settle(database: Database, bulk: Bulk, failures: Mapping[str, str], quiet: float) -> Settled | None:
    """The request has ended: whoever is not among ``failures`` (reasons by user) holds what was sent. ``None`` when somebody
    else has settled it."""
    sql = sql_of(database)
    with database.write() as connection:
        taken = _take(connection, bulk)
        if taken is None:
            return None
        # Were it lost, the row would be there again, and its request be asked for once more.
        database.need_not_wait(connection)
        now = database.now(connection)
        singly = 0
        if failures or taken.sent is None:
            # Locked first: who is forgotten just now is either among them, and waits, or is not written down.
            _lock(connection, database, bulk)
            if failures:
                singly = _fail(connection, database, bulk, now, failures)
            _record(connection, database, bulk, now, _ACCEPTED)
        accepted = connection.execute(text(sql.ACCEPT), mine(bulk)).rowcount
        if not failures and taken.sent is not None:
            _record_known(connection, bulk, now, taken.sent, all_there=accepted == bulk.users)
        unconfirmed = 0
        if accepted + singly < bulk.users:
            values = {**mine(bulk), **times(database, {"now": now, "quiet": now + timedelta(seconds=quiet)})}
            confirm = {**values, "confirm": next_version(connection)}
            unconfirmed = _run(connection, sql.CONFIRM, confirm)
            _run(connection, sql.KEEP_NEWER, values)
            drop_empty(connection, bulk.destination)
        _ended(connection, bulk, now)
    return Settled(accepted, unconfirmed, singly)


def _run(connection: Connection, statement: str, values: Mapping[str, object]) -> int:
    """Run a statement with those of the values that it names; gives its rows."""
    bound = {name: value for name, value in values.items() if f":{name}" in statement}
    return connection.execute(text(statement), bound).rowcount


def _fail(connection: Connection, database: Database, bulk: Bulk, now: datetime, failures: Mapping[str, str]) -> int:
    sql = sql_of(database)
    told = {user_id: storable(reason) for user_id, reason in failures.items()}
    values = {**_said(database, bulk, now, Outcome(Verdict.REFUSED, 200)), "failures": orjson.dumps(told).decode()}
    connection.execute(text(sql.RECORD_FAILED), values)
    back = _back(database, bulk, now, unknown=False, singly=True, seconds=0.0)
    return connection.execute(text(sql.PUT_SOME_BACK), {**back, "users": orjson.dumps(list(told)).decode()}).rowcount


def _record(connection: Connection, database: Database, bulk: Bulk, now: datetime, outcome: Outcome | None) -> None:
    """An attempt of each user who is in it."""
    if outcome is not None:
        connection.execute(text(sql_of(database).RECORD), _said(database, bulk, now, outcome))


def _record_known(connection: Connection, bulk: Bulk, now: datetime, sent: str, *, all_there: bool) -> None:
    """The same from what is known since the claim, once the slots of all who are still in it are locked."""
    users: list[str] = orjson.loads(bulk.members)
    left = set() if all_there else suppressions.kept_out(connection, users)[0]
    said = {**_told(bulk, _ACCEPTED), "destination": bulk.destination, "at": now}
    bulk_attempts.record(connection, said, sent, without=left)


def _said(database: Database, bulk: Bulk, now: datetime, outcome: Outcome) -> dict[str, object]:
    return {**mine(bulk), **times(database, {"now": now}), **_told(bulk, outcome)}


def _told(bulk: Bulk, outcome: Outcome) -> dict[str, object]:
    name = f"bulk {bulk.request_id}" if bulk.request_id else "bulk"
    detail = storable(f"{name}: {outcome.detail}" if outcome.detail else name)
    return {"verdict": outcome.verdict.value, "status": outcome.status, "detail": detail}


def _back(
    database: Database, bulk: Bulk, now: datetime, *, unknown: bool, singly: bool, seconds: float
) -> dict[str, object]:
    due_at = times(database, {"due_at": now + timedelta(seconds=seconds)})
    return {**mine(bulk), **due_at, "unknown": unknown, "singly": singly}


def _open(bulk: Bulk) -> tuple[Any, ...]:
    return table.c.id == bulk.id, table.c.token == bulk.token, table.c.request_id.is_(None)


def _take(connection: Connection, bulk: Bulk) -> Row[Any] | None:
    """Remove the row, if nobody else has, and give it: only who does so settles."""
    return connection.execute(_DELETE, _row(bulk)).one_or_none()


def _row(bulk: Bulk) -> dict[str, object]:
    return {"number": bulk.id, "ours": bulk.token}


def _ended(connection: Connection, bulk: Bulk, now: datetime, *, doubtful: bool = False) -> None:
    """Whoever was forgotten meanwhile is deleted the sooner."""
    deletions.bulk_ended(connection, bulk.destination, bulk.give_up_at, now, doubtful=doubtful)


def mine(bulk: Bulk) -> dict[str, object]:
    """What its slots are found by."""
    return {"destination": bulk.destination, "token": bulk.token, "members": bulk.members}


def _lock(connection: Connection, database: Database, bulk: Bulk) -> None:
    """Lock the slots in everybody's order: what follows takes them in its own."""
    lock = sql_of(database).LOCK
    if lock is not None:
        connection.execute(text(lock), mine(bulk))


def sql_of(database: Database) -> ModuleType:
    """The engine's statements."""
    return sqlite_bulks if database.dialect == "sqlite" else postgresql_bulks


# What every bulk request takes, put together once.

_OURS = (table.c.id == bindparam("number"), table.c.token == bindparam("ours"))

_INSERT = insert_into(table).returning(table.c.id)

_SUBMITTED = (
    update(table)
    .where(*_OURS, table.c.request_id.is_(None) | (table.c.request_id == bindparam("stored")))
    .values(request_id=bindparam("stored"))
)

_DELETE = delete(table).where(*_OURS).returning(table.c.sent)
