"""Bulk-load a definition's answer into TEMP tables: they belong to one connection and vanish with it.

TEMP tables live outside the store's file, so loading takes no lock there. Rows that arrive in the order of ``user_id``
go straight to their place; others are put aside and sorted once inside the engine, for inserting random keys one by one
is four times slower.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain, islice
from operator import lt

from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from sync.model.chunk import Chunk

_ARRIVED = "CREATE TEMP TABLE arrived (user_id TEXT NOT NULL, value TEXT NOT NULL DEFAULT 'true', extra TEXT)"
_STAGE = """
CREATE TEMP TABLE stage (user_id TEXT PRIMARY KEY, value TEXT NOT NULL DEFAULT 'true', extra TEXT) WITHOUT ROWID"""
_SORT = "INSERT INTO temp.stage (user_id, value, extra) SELECT user_id, value, extra FROM temp.arrived ORDER BY user_id"
_CANDIDATES = "CREATE TEMP TABLE candidate (user_id TEXT NOT NULL, value TEXT, extra TEXT)"
_CANDIDATE_USER = "CREATE INDEX temp.candidate_user ON candidate (user_id)"
_PRESENT = """
INSERT INTO temp.stage (user_id, value, extra)
SELECT user_id, value, extra FROM temp.candidate WHERE value IS NOT NULL ORDER BY user_id"""
_PRESENT_TWICE = """
SELECT user_id FROM temp.candidate WHERE value IS NOT NULL GROUP BY user_id HAVING count(*) > 1
ORDER BY user_id LIMIT 5"""
_DOUBLED = """
SELECT user_id FROM temp.arrived GROUP BY user_id HAVING count(*) > 1
UNION SELECT user_id FROM temp.arrived WHERE user_id IN (SELECT user_id FROM temp.stage)
ORDER BY user_id LIMIT 5"""


def load(connection: Connection, chunks: Iterable[Chunk], columns: tuple[str, ...]) -> tuple[int, list[str]]:
    """Stage all rows; gives their number and, when some user stands there twice, up to five such user ids.

    ``columns`` are those that the chunks carry: ``user_id``, then ``value`` and ``extra`` where there are any.
    """
    with connection.begin():
        for table in ("arrived", "stage"):
            connection.exec_driver_sql(f"DROP TABLE IF EXISTS temp.{table}")
        connection.exec_driver_sql(_ARRIVED)
        connection.exec_driver_sql(_STAGE)
        rows, last = 0, ""
        for chunk in chunks:
            in_order = _follows(last, chunk.user_ids)
            if in_order:
                last = chunk.user_ids[-1]
            _insert(connection, "stage" if in_order else "arrived", columns, chunk)
            rows += len(chunk.user_ids)
    with connection.begin():
        try:
            connection.exec_driver_sql(_SORT)
        except IntegrityError:
            return rows, list(connection.exec_driver_sql(_DOUBLED).scalars())
        connection.exec_driver_sql("DROP TABLE temp.arrived")
    return rows, []


def load_candidates(connection: Connection, chunks: Iterable[Chunk], columns: tuple[str, ...]) -> int:
    """Put users aside who can have changed, with what they are now; gives their number."""
    with connection.begin():
        connection.exec_driver_sql("DROP TABLE IF EXISTS temp.candidate")
        connection.exec_driver_sql(_CANDIDATES)
        rows = 0
        for chunk in chunks:
            _insert(connection, "candidate", columns, chunk)
            rows += len(chunk.user_ids)
        connection.exec_driver_sql(_CANDIDATE_USER)
    return rows


def stage_candidates(connection: Connection) -> tuple[int, list[str]]:
    """Stage those candidates who are in the answer; gives what `load` gives."""
    with connection.begin():
        connection.exec_driver_sql("DROP TABLE IF EXISTS temp.stage")
        connection.exec_driver_sql(_STAGE)
        try:
            return connection.exec_driver_sql(_PRESENT).rowcount, []
        except IntegrityError:
            return 0, list(connection.exec_driver_sql(_PRESENT_TWICE).scalars())


def _follows(last: str, user_ids: list[str]) -> bool:
    """Whether these come after ``last``, each after the one before it: by code points, as SQLite compares UTF-8."""
    return last < user_ids[0] and all(map(lt, user_ids, islice(user_ids, 1, None)))


def _insert(connection: Connection, table: str, columns: tuple[str, ...], chunk: Chunk) -> None:
    """Put a chunk into a table, many rows in a statement: one for each row takes three times as long."""
    width, row = len(columns), f"({', '.join('?' * len(columns))})"
    found = _in_a_row(chunk)
    for start in range(0, len(found), width * _TOGETHER):
        some = tuple(found[start : start + width * _TOGETHER])
        rows = ", ".join([row] * (len(some) // width))
        connection.exec_driver_sql(f"INSERT INTO temp.{table} ({', '.join(columns)}) VALUES {rows}", some)


_TOGETHER = 500
"""Rows in a statement. An engine that is built sparingly takes no more than 32,766 values."""


def _in_a_row(chunk: Chunk) -> list[str] | list[str | None]:
    """Row after row, the columns of each."""
    columns = [column for column in (chunk.user_ids, chunk.values, chunk.extras) if column is not None]
    return chunk.user_ids if len(columns) == 1 else list(chain.from_iterable(zip(*columns, strict=True)))
