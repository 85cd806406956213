"""How far customers' tables have been read as events. The first of a feed's marks is the one below which nothing is missing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import orjson
from sqlalchemy import Connection, Text, cast, select, update
from sqlalchemy.dialects import postgresql, sqlite

from sync.model.feed import Mark
from sync.store.engine import Database
from sync.store.event_schema import feed


@dataclass(frozen=True, slots=True)
class Progress:
    """One feed: since when it is there, when it last came on, and its marks, oldest first."""

    name: str
    began_at: datetime
    updated_at: datetime
    marks: tuple[Mark, ...]


def progress(connection: Connection) -> list[Progress]:
    """Every feed that ever was, by name."""
    rows = connection.execute(select(*_COLUMNS).order_by(feed.c.name))
    return [Progress(row.name, row.began_at, row.updated_at, _marks(row.marks)) for row in rows]


def marks(connection: Connection, name: str) -> tuple[Mark, ...]:
    """The marks of a feed; none when it is new."""
    found = connection.execute(select(*_COLUMNS).where(feed.c.name == name)).one_or_none()
    return () if found is None else _marks(found.marks)


def begin(database: Database, name: str, first: Mark) -> tuple[Mark, ...]:
    """Let a new feed begin at a mark, unless somebody else has begun it meanwhile; gives its marks."""
    dialect = sqlite if database.dialect == "sqlite" else postgresql
    with database.write() as connection:
        values = {"name": name, "marks": _document(database, [first]), "began_at": first.at, "updated_at": first.at}
        connection.execute(dialect.insert(feed).values(values).on_conflict_do_nothing())
        return marks(connection, name)


def advance(database: Database, name: str, to: Sequence[Mark]) -> None:
    """Remember marks. They say what is in the log already, so that they stay true whoever else says more or less."""
    with database.write() as connection:
        values = {"marks": _document(database, to), "updated_at": database.now(connection)}
        connection.execute(update(feed).where(feed.c.name == name).values(**values))


_COLUMNS = (feed.c.name, feed.c.began_at, feed.c.updated_at, cast(feed.c.marks, Text).label("marks"))


def _document(database: Database, marks: Sequence[Mark]) -> object:
    written = [[each.at.isoformat(), each.cursor, each.including] for each in marks]
    return orjson.dumps(written).decode() if database.dialect == "sqlite" else written


def _marks(document: str) -> tuple[Mark, ...]:
    return tuple(
        Mark(datetime.fromisoformat(at), cursor, including) for at, cursor, including in orjson.loads(document)
    )
