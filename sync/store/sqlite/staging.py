"""Bulk-load a definition's answer into TEMP tables: they belong to one connection and vanish with it.

TEMP tables live outside the store's file, so loading takes no lock there. Rows arrive in any order and are then sorted
once inside the engine: inserting random keys one by one is four times slower.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import repeat

from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from sync.model.chunk import Chunk

_ARRIVED = "CREATE TEMP TABLE arrived (user_id TEXT NOT NULL, value TEXT NOT NULL, extra TEXT)"
_STAGE = "CREATE TEMP TABLE stage (user_id TEXT PRIMARY KEY, value TEXT NOT NULL, extra TEXT) WITHOUT ROWID"
_LOAD = "INSERT INTO temp.arrived (user_id, value, extra) VALUES (?, ?, ?)"
_SORT = "INSERT INTO temp.stage (user_id, value, extra) SELECT user_id, value, extra FROM temp.arrived ORDER BY user_id"
_DOUBLED = "SELECT user_id FROM temp.arrived GROUP BY user_id HAVING count(*) > 1 ORDER BY user_id LIMIT 5"


def load(connection: Connection, chunks: Iterable[Chunk], _: tuple[str, ...]) -> tuple[int, list[str]]:
    """Stage all rows; gives their number and, when some user stands there twice, up to five such user ids."""
    with connection.begin():
        for table in ("arrived", "stage"):
            connection.exec_driver_sql(f"DROP TABLE IF EXISTS temp.{table}")
        connection.exec_driver_sql(_ARRIVED)
        connection.exec_driver_sql(_STAGE)
        rows = 0
        for chunk in chunks:
            values: Iterable[str] = repeat("true") if chunk.values is None else chunk.values
            extras: Iterable[str | None] = repeat(None) if chunk.extras is None else chunk.extras
            connection.exec_driver_sql(_LOAD, list(zip(chunk.user_ids, values, extras, strict=False)))
            rows += len(chunk.user_ids)
    with connection.begin():
        try:
            connection.exec_driver_sql(_SORT)
        except IntegrityError:
            return rows, list(connection.exec_driver_sql(_DOUBLED).scalars())
        connection.exec_driver_sql("DROP TABLE temp.arrived")
    return rows, []
