"""What alerts look at, in one reading: breakers, parked users, ticks that failed for good, held exits.

It is asked every few seconds, so every question is answered from an index, however long the history is.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

import orjson
from sqlalchemy import ARRAY, Connection, Select, Text, and_, cast, func, literal, or_, select, text
from sqlalchemy.sql.selectable import TableValuedAlias

from sync.model.alert import Observed
from sync.model.tick import TickState
from sync.store import destinations, reports
from sync.store.schema import definition, slot, tick

_TRIED = (TickState.DONE, TickState.FAILED)


def observe(connection: Connection, keys: Collection[str]) -> Observed:
    """How things are; ``keys`` are the definitions whose failures matter."""
    states = destinations.states(connection)
    # Written out, for SQLite knows a partial index only by its very words.
    parked = connection.execute(
        select(slot.c.destination, func.count().label("users"))
        .where(text("state = 'parked'"))
        .group_by(slot.c.destination)
    )
    return Observed(
        breakers={name: (str(row["breaker"]), str(row["reason"])) for name, row in states.items()},
        parked={row.destination: row.users for row in parked},
        failed={row.key: row.instant for row in connection.execute(_failed(connection, keys))},
        held={key: row["held"] for key, row in reports.held_runs(connection).items()},
    )


def _failed(connection: Connection, keys: Collection[str]) -> Select[tuple[str, datetime]]:
    """The last tick of a definition that was tried to its end, where that failed and nothing was recorded since."""
    asked = _rows_of(connection, keys)
    last = (
        select(tick.c.instant)
        .where(tick.c.key == asked.c.value, tick.c.state.in_(_TRIED))
        .order_by(tick.c.instant.desc())
        .limit(1)
        .scalar_subquery()
    )
    return (
        select(tick.c.key, tick.c.instant)
        .select_from(asked)
        .join(tick, and_(tick.c.key == asked.c.value, tick.c.instant == last))
        .join(definition, definition.c.key == tick.c.key, isouter=True)
        .where(tick.c.state == TickState.FAILED)
        .where(or_(definition.c.recorded_at.is_(None), definition.c.recorded_at <= tick.c.finished_at))
    )


def _rows_of(connection: Connection, keys: Collection[str]) -> TableValuedAlias:
    """``keys`` as rows of one column, ``value``: one bound value, however many they are."""
    if connection.dialect.name == "sqlite":
        return func.json_each(orjson.dumps(list(keys)).decode()).table_valued("value")
    return func.unnest(cast(literal(list(keys)), ARRAY(Text))).table_valued("value").render_derived()
