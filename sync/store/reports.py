"""What people ask the store: how things are, what happened, who is in, what is known of one user, what is parked."""

from __future__ import annotations

from collections.abc import Iterator
from heapq import merge
from itertools import islice
from typing import Any

import orjson
from sqlalchemy import Connection, delete, func, select

from sync.model.run import RunStatus
from sync.model.slot import SlotState
from sync.store import bulk_attempts, suppressions
from sync.store.engine import Database
from sync.store.event_schema import profile
from sync.store.holder import Holder
from sync.store.schema import attempt, definition, enrolment, lease, run, slot, snapshot

_RUN = (
    run.c.id,
    definition.c.kind.label("definition_kind"),
    definition.c.key,
    definition.c.name,
    run.c.kind,
    run.c.status,
    run.c.as_of,
    run.c.forced,
    run.c.started_at,
    run.c.finished_at,
    run.c.members,
    run.c.entered,
    run.c.exited,
    run.c.changed,
    run.c.unchanged,
    run.c.held,
    run.c.message,
    run.c.extent,
    run.c.why_full,
    run.c.candidates,
    run.c.missed,
)

Row = dict[str, Any]


def runs(connection: Connection, key: str | None = None, limit: int = 20) -> list[Row]:
    """The newest runs, of one definition or of all."""
    query = select(*_RUN).join(definition).order_by(run.c.id.desc()).limit(limit)
    if key is not None:
        query = query.where(definition.c.key == key)
    return [dict(row) for row in connection.execute(query).mappings()]


def one_run(connection: Connection, run_id: int) -> Row | None:
    """One run by its id."""
    row = connection.execute(select(*_RUN).join(definition).where(run.c.id == run_id)).mappings().one_or_none()
    return None if row is None else dict(row)


def last_runs(connection: Connection) -> dict[str, Row]:
    """The newest run of every definition, by key."""
    newest = select(func.max(run.c.id)).group_by(run.c.definition_id)
    query = select(*_RUN).join(definition).where(run.c.id.in_(newest))
    return {row["key"]: dict(row) for row in connection.execute(query).mappings()}


def held_runs(connection: Connection) -> dict[str, Row]:
    """The newest recorded run of every definition whose exits it held, by key."""
    # By the index of each definition's history: alerts ask every few seconds, and the history is long.
    newest = (
        select(run.c.id)
        .where(run.c.definition_id == definition.c.id, run.c.status.in_((RunStatus.SUCCEEDED, RunStatus.HELD)))
        .order_by(run.c.id.desc())
        .limit(1)
        .correlate(definition)
        .scalar_subquery()
    )
    query = select(*_RUN).select_from(definition).join(run, run.c.id == newest).where(run.c.status == RunStatus.HELD)
    return {row["key"]: dict(row) for row in connection.execute(query).mappings()}


def definitions(connection: Connection) -> dict[str, Row]:
    """What was recorded of every definition, by key."""
    columns = (
        definition.c.key,
        definition.c.kind,
        definition.c.name,
        definition.c.members,
        definition.c.as_of,
        definition.c.recorded_at,
        definition.c.removed_at,
    )
    return {row["key"]: dict(row) for row in connection.execute(select(*columns)).mappings()}


def leases(connection: Connection, database: Database) -> list[Row]:
    """The leases that are held now."""
    now = database.now(connection)
    rows = connection.execute(select(lease).where(lease.c.until > now).order_by(lease.c.name))
    return [
        {
            "name": row.name,
            "host": Holder.parse(row.holder).host,
            "pid": Holder.parse(row.holder).pid,
            "term": row.term,
            "until": row.until,
        }
        for row in rows
    ]


def members(connection: Connection, key: str, absent: str, limit: int | None) -> Iterator[tuple[str, str]]:
    """User ids and canonical values of a definition's snapshot, in the order of user ids, as a stream."""
    if connection.dialect.name == "postgresql":
        # Whoever reads may take his time, as one does in a pager: nothing is locked by it.
        connection.exec_driver_sql("SET LOCAL idle_in_transaction_session_timeout = 0")
    query = (
        select(snapshot.c.user_id, snapshot.c.value)
        .join(definition, definition.c.id == snapshot.c.definition_id)
        .where(definition.c.key == key, snapshot.c.value != absent)
        .order_by(snapshot.c.user_id)
        .limit(limit)
    )
    for row in connection.execution_options(yield_per=1000).execute(query):
        yield row.user_id, row.value


def user(connection: Connection, user_id: str, attempts: int = 10) -> Row:
    """Everything known of one user: values with the run that decided them, what is owed, what was sent, what was
    collected. ``suppressed_since``: since when nothing is taken in and nothing is sent."""
    decided = connection.execute(
        select(
            definition.c.kind,
            definition.c.key,
            definition.c.name,
            snapshot.c.value,
            snapshot.c.run_id,
            run.c.as_of,
            run.c.finished_at,
            definition.c.removed_at,
        )
        .join(definition, definition.c.id == snapshot.c.definition_id)
        .join(run, run.c.id == snapshot.c.run_id, isouter=True)
        .where(snapshot.c.user_id == user_id)
        .where(snapshot.c.definition_id.in_(select(definition.c.id)))
        .order_by(definition.c.kind, definition.c.key)
    ).mappings()
    owed = connection.execute(select(slot).where(slot.c.user_id == user_id).order_by(slot.c.destination)).mappings()
    return {
        "user_id": user_id,
        "values": [{**row, "value": orjson.loads(row["value"])} for row in decided],
        "owed": [_slot(row) for row in owed],
        "attempts": _attempts(connection, user_id, attempts),
        "suppressed_since": suppressions.since(connection, user_id),
        "profile": _profile(connection, user_id),
    }


def _attempts(connection: Connection, user_id: str, most: int) -> list[Row]:
    """A user's newest, whether the request was their own or many users'."""
    query = select(attempt).where(attempt.c.user_id == user_id).order_by(attempt.c.id.desc()).limit(most)
    own = [dict(row) for row in connection.execute(query).mappings()]
    newest = merge(own, bulk_attempts.of(connection, user_id, most), key=lambda row: row["at"], reverse=True)
    names = ("destination", "at", "verdict", "status", "detail")
    return [{**{name: row[name] for name in names}, "sent": _json(row["sent"])} for row in islice(newest, most)]


def _profile(connection: Connection, user_id: str) -> Row | None:
    """A user's traits, as collected identify events have them."""
    query = select(profile.c.traits, profile.c.created_at, profile.c.updated_at).where(profile.c.user_id == user_id)
    row = connection.execute(query).mappings().one_or_none()
    return None if row is None else {**row, "traits": _json(row["traits"])}


def parked(connection: Connection, destination: str | None, limit: int) -> list[Row]:
    """Parked slots, those that have been failing longest first."""
    query = select(slot).where(slot.c.state == "parked").order_by(slot.c.failing_since, slot.c.user_id).limit(limit)
    if destination is not None:
        query = query.where(slot.c.destination == destination)
    return [_slot(row) for row in connection.execute(query).mappings()]


def drop_parked(database: Database, destination: str, user_ids: list[str] | None) -> int:
    """Forget what parked slots owe: all of the destination's, or these users'."""
    with database.write() as connection:
        statement = delete(slot).where(slot.c.destination == destination, slot.c.state == "parked")
        if user_ids is not None:
            statement = statement.where(slot.c.user_id.in_(user_ids))
        return connection.execute(statement).rowcount


def enrolments(connection: Connection) -> dict[str, list[str]]:
    """The destinations every definition is sent to, by key."""
    rows = connection.execute(
        select(definition.c.key, enrolment.c.destination)
        .join(definition, definition.c.id == enrolment.c.definition_id)
        .where(enrolment.c.active)
        .order_by(enrolment.c.destination)
    )
    found: dict[str, list[str]] = {}
    for key, destination in rows:
        found.setdefault(key, []).append(destination)
    return found


def _slot(row: Any) -> Row:
    owed = {key: pair[0] for key, pair in _json(row["owed"]).items()}
    names = ("destination", "user_id", "state", "due_at", "owed_since", "attempts", "failing_since", "reason")
    found = {**{name: row[name] for name in names}, "owed": owed}
    return found if row["bulk_token"] is None else {**found, "state": SlotState.SENDING.value}


def _json(document: Any) -> Any:
    """A JSON column: text on SQLite, already read by the driver on PostgreSQL."""
    return orjson.loads(document) if isinstance(document, str) else document
