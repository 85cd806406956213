"""How far each definition's source was read. A watermark moves in the transaction that records the run, and nowhere else."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import Boolean, Connection, Text, and_, bindparam, case, cast, delete, func, select, update
from sqlalchemy.dialects import postgresql, sqlite

from sync.model.feed import Mark
from sync.model.watermark import Reading, Watermark
from sync.store.engine import Database
from sync.store.schema import definition, watermark

_COLUMNS = (
    watermark.c.read_at,
    watermark.c.as_of,
    watermark.c.asked,
    watermark.c.place,
    cast(watermark.c.marks, Text).label("marks"),
    watermark.c.in_full,
    watermark.c.full_at,
    watermark.c.missed,
    watermark.c.broken_at,
)


_FIND = select(*_COLUMNS).where(watermark.c.definition_id == bindparam("definition"))


def find(connection: Connection, definition_id: int) -> Watermark | None:
    """The watermark of a definition; ``None`` before it was asked as a query."""
    row = connection.execute(_FIND, {"definition": definition_id}).one_or_none()
    return None if row is None else _watermark(row)


def every(connection: Connection) -> dict[str, Watermark]:
    """All of them, by the definitions' keys."""
    rows = connection.execute(select(definition.c.key, *_COLUMNS).join(definition))
    return {row.key: _watermark(row) for row in rows}


def broken(connection: Connection) -> dict[str, int]:
    """How many users were missed of the definitions whose promise is broken, by key."""
    query = select(definition.c.key, watermark.c.missed).join(definition).where(watermark.c.broken_at.is_not(None))
    return {row.key: row.missed for row in connection.execute(query)}


def record(connection: Connection, definition_id: int, reading: Reading, missed: int, at: datetime) -> None:
    """Move a definition's watermark; what was no query has none from now on. Who was ``missed`` breaks the promise.

    What was said of it since the run began (`acknowledge`, `distrust`) stays said.
    """
    reached = reading.reached
    if reached is None:
        forget(connection, definition_id)
        return
    trusted = reading.known is not None and bool(reading.known.asked)
    new = {"missed": missed, "broken_at": at if missed else None}
    values = {"definition_id": definition_id, **_values(connection, reached), **new, "was_trusted": trusted}
    connection.execute(_MOVE[connection.dialect.name], values)


def _moving(insert: Any) -> Any:
    statement = insert(watermark).values({each.name: bindparam(each.name) for each in watermark.c})
    new = statement.excluded
    distrusted = and_(watermark.c.asked == "", bindparam("was_trusted", type_=Boolean))
    return statement.on_conflict_do_update(
        index_elements=["definition_id"],
        set_={name: new[name] for name in ("read_at", "as_of", "place", "marks", "in_full", "full_at")}
        | {
            "asked": case((distrusted, watermark.c.asked), else_=new.asked),
            "missed": watermark.c.missed + new.missed,
            "broken_at": func.coalesce(watermark.c.broken_at, new.broken_at),
        },
    )


_MOVE = {"sqlite": _moving(sqlite.insert), "postgresql": _moving(postgresql.insert)}


def forget(connection: Connection, definition_id: int) -> None:
    """The next run reads everything."""
    connection.execute(delete(watermark).where(watermark.c.definition_id == definition_id))


def distrust(connection: Connection) -> None:
    """Whatever is asked next reads everything, and is compared with nothing: snapshots were changed by somebody else."""
    connection.execute(update(watermark).values(asked=""))


def acknowledge(database: Database, key: str) -> int | None:
    """Trust a definition's tables again; gives how many users had been missed, ``None`` when nothing was wrong."""
    with database.write() as connection:
        mine = watermark.c.definition_id.in_(select(definition.c.id).where(definition.c.key == key))
        broken = (mine, watermark.c.broken_at.is_not(None))
        missed: int | None = connection.execute(select(watermark.c.missed).where(*broken)).scalar_one_or_none()
        connection.execute(update(watermark).where(*broken).values(missed=0, broken_at=None))
    return missed


def _values(connection: Connection, reached: Watermark) -> dict[str, Any]:
    marks = {
        table: [[each.at.isoformat(), each.cursor, each.including] for each in some]
        for table, some in reached.marks.items()
    }
    return {
        "read_at": reached.read_at,
        "as_of": reached.as_of,
        "asked": reached.asked,
        "place": reached.place,
        "marks": orjson.dumps(marks).decode() if connection.dialect.name == "sqlite" else marks,
        "in_full": reached.in_full,
        "full_at": reached.full_at,
    }


def _watermark(row: Any) -> Watermark:
    return Watermark(
        row.read_at,
        row.as_of,
        row.asked,
        row.place,
        _marks(orjson.loads(row.marks)),
        row.in_full,
        row.full_at,
        row.missed,
        row.broken_at,
    )


def _marks(document: Mapping[str, list[tuple[str, Any, bool]]]) -> dict[str, tuple[Mark, ...]]:
    return {
        table: tuple(Mark(datetime.fromisoformat(at), cursor, including) for at, cursor, including in some)
        for table, some in document.items()
    }
