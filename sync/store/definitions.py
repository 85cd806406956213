"""Definitions and the project as the store remembers them. Identity is (kind, key); a key has one owner for ever."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, bindparam, func, select, update
from sqlalchemy.dialects import postgresql, sqlite

from sync.errors import StoreError, UsageError
from sync.model.computation import computation_id
from sync.model.definition import Definition, Kind, OnDelete
from sync.model.identify import persona
from sync.store.schema import definition, project, snapshot


@dataclass(frozen=True, slots=True)
class Recorded:
    """A definition's row: what was last recorded of it."""

    id: int
    kind: Kind
    key: str
    name: str
    on_delete: OnDelete
    as_of: datetime | None
    members: int
    recorded_at: datetime | None
    removed_at: datetime | None


_COLUMNS = (
    definition.c.id,
    definition.c.kind,
    definition.c.key,
    definition.c.name,
    definition.c.on_delete,
    definition.c.as_of,
    definition.c.members,
    definition.c.recorded_at,
    definition.c.removed_at,
)


def claim_project(connection: Connection, name: str, at: datetime) -> None:
    """The first project to use a store owns it; any other is refused."""
    if owner(connection) is None:
        insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
        connection.execute(insert(project).values(id=1, name=name, created_at=at).on_conflict_do_nothing())
    check_owner(owner(connection), name)


def check_owner(owner: str | None, name: str) -> None:
    """Raise `StoreError` when the store belongs to another project."""
    if owner is not None and owner != name:
        raise StoreError(
            f"the store belongs to project {owner!r}, the configuration says {name!r}: "
            "give each project a store (or a schema) of its own, or correct `project:`"
        )


def owner(connection: Connection) -> str | None:
    """The project that owns the store, ``None`` when nobody has used it yet."""
    name: str | None = connection.execute(select(project.c.name)).scalar_one_or_none()
    return name


_FIND = select(*_COLUMNS).where(definition.c.key == bindparam("wanted"))
_LOCK = _FIND.with_for_update(key_share=True)


def find(connection: Connection, key: str) -> Recorded | None:
    """The definition that owns ``key``, recorded or not, removed or not."""
    return _found(connection, _FIND, key)


def _found(connection: Connection, query: Select[Any], key: str) -> Recorded | None:
    row = connection.execute(query, {"wanted": key}).one_or_none()
    return None if row is None else _recorded(row)


def check_key(asked: Definition, known: Recorded | None) -> None:
    """Refuse a key that the other kind used before: its values would be mixed up at the destinations."""
    if known is not None and known.kind is not asked.kind:
        raise UsageError(
            f"{asked.kind} {asked.name!r}: the key {asked.key!r} was used by the {known.kind} {known.name!r} before; "
            "a key is never used again for another kind: give this one another `key:`"
        )


def ensure(connection: Connection, asked: Definition, now: Callable[[], datetime]) -> Recorded:
    """The row of a definition, made when it is new; locked, so that until the transaction ends nobody else claims a run
    of it."""
    known = _found(connection, _LOCK, asked.key)
    if known is None:
        _add(connection, asked, now())
        known = _found(connection, _LOCK, asked.key)
    assert known is not None  # noqa: S101 - inserted above, or by somebody who was faster
    check_key(asked, known)
    return known


def _add(connection: Connection, asked: Definition, at: datetime) -> None:
    insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    row = {
        "kind": asked.kind.value,
        "key": asked.key,
        "name": asked.name,
        "computation_id": computation_id(owner(connection) or "", asked.kind, asked.key),
        "fingerprint": asked.fingerprint,
        "on_delete": asked.on_delete.value,
        "created_at": at,
    }
    connection.execute(insert(definition).values(**row).on_conflict_do_nothing())


def record(
    connection: Connection, definition_id: int, asked: Definition, *, as_of: datetime, members: int, at: datetime
) -> None:
    """Remember what was just recorded, and what to do should the definition leave the file."""
    values = {
        "name": asked.name,
        "fingerprint": asked.fingerprint,
        "on_delete": asked.on_delete.value,
        "as_of": as_of,
        "members": members,
        "recorded_at": at,
        "removed_at": None,
    }
    connection.execute(_RECORD, {"recorded": definition_id, **values})


_RECORD = update(definition).where(definition.c.id == bindparam("recorded"))
MEMBERS = select(definition.c.members).where(definition.c.id == bindparam("counted"))
"""How many users have a value of a definition; nothing of one that is not known."""


def has_snapshot(connection: Connection, definition_id: int) -> bool:
    """Whether anything was ever recorded of anybody."""
    query = select(snapshot.c.run_id).where(snapshot.c.definition_id == definition_id).limit(1)
    return connection.execute(query).first() is not None


def absent_from(connection: Connection, keys: Collection[str]) -> list[Recorded]:
    """Recorded definitions that are not among ``keys`` and have not been removed yet."""
    rows = connection.execute(
        select(*_COLUMNS)
        .where(definition.c.recorded_at.is_not(None), definition.c.removed_at.is_(None), definition.c.key.not_in(keys))
        .order_by(definition.c.id)
    )
    return [_recorded(row) for row in rows]


def remove(connection: Connection, definition_id: int, at: datetime, *, cleared: bool) -> None:
    """Mark a definition as removed; its snapshot stays."""
    values: dict[str, object] = {"removed_at": at}
    if cleared:
        values["members"] = 0
    connection.execute(update(definition).where(definition.c.id == definition_id).values(**values))


def personas(connection: Connection) -> dict[str, dict[str, object]]:
    """What ``context.personas`` says of every definition, by key; of removed ones too, which may still be owed."""
    project = owner(connection) or ""
    rows = connection.execute(select(definition.c.kind, definition.c.key, definition.c.computation_id))
    return {row.key: persona(project, Kind(row.kind), row.key, row.computation_id) for row in rows}


def fingerprints(connection: Connection) -> dict[str, str]:
    """What was asked when a definition was last recorded, by key; of none that was removed."""
    recorded = (definition.c.recorded_at.is_not(None), definition.c.removed_at.is_(None))
    rows = connection.execute(select(definition.c.key, definition.c.fingerprint).where(*recorded))
    return {row.key: row.fingerprint for row in rows}


def count(connection: Connection) -> int:
    """How many definitions the store knows."""
    number: int = connection.execute(select(func.count()).select_from(definition)).scalar_one()
    return number


def _recorded(row: Any) -> Recorded:
    return Recorded(
        row.id,
        Kind(row.kind),
        row.key,
        row.name,
        OnDelete(row.on_delete),
        row.as_of,
        row.members,
        row.recorded_at,
        row.removed_at,
    )
