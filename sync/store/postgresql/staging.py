"""Bulk-load a definition's answer into a TEMP table by COPY: it belongs to one connection and vanishes with it.

FREEZE in the transaction that creates the table makes its pages all-visible at once, so that the diff can read the
index alone. The hash of the value is computed here, in the engine, on load.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import psycopg
from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from sync.model.chunk import Chunk

_STAGE = """
CREATE TEMP TABLE stage (
    user_id text COLLATE "C" NOT NULL,
    value text NOT NULL DEFAULT 'true',
    extra text,
    value_hash bigint GENERATED ALWAYS AS (hashtextextended(value, 0)) STORED
)"""
_CANDIDATES = 'CREATE TEMP TABLE candidate (user_id text COLLATE "C" NOT NULL, value text, extra text)'
_CANDIDATE_USER = "CREATE INDEX candidate_user ON candidate (user_id)"
_PRESENT = """
INSERT INTO stage (user_id, value, extra)
SELECT user_id, value, extra FROM candidate WHERE value IS NOT NULL ORDER BY user_id"""
_INDEX = "CREATE UNIQUE INDEX stage_user ON stage (user_id) INCLUDE (value_hash)"
_DOUBLED = "SELECT user_id FROM stage GROUP BY user_id HAVING count(*) > 1 ORDER BY user_id LIMIT 5"
_NULL = "\\N"
_SPECIAL = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})


def load(connection: Connection, chunks: Iterable[Chunk], columns: tuple[str, ...]) -> tuple[int, list[str]]:
    """Stage all rows; gives their number and, when some user stands there twice, up to five such user ids.

    ``columns`` are those that the chunks carry: ``user_id``, then ``value`` and ``extra`` where there are any.
    """
    with connection.begin():
        create_stage(connection)
        rows = _copy(connection, "stage", chunks, columns)
    return rows, index_stage(connection)


def load_candidates(connection: Connection, chunks: Iterable[Chunk], columns: tuple[str, ...]) -> int:
    """Put users aside who can have changed, with what they are now; gives their number."""
    with connection.begin():
        connection.exec_driver_sql("DROP TABLE IF EXISTS pg_temp.candidate")
        connection.exec_driver_sql(_CANDIDATES)
        rows = _copy(connection, "candidate", chunks, columns)
        connection.exec_driver_sql(_CANDIDATE_USER)
        connection.exec_driver_sql("ANALYZE candidate")
    return rows


def stage_candidates(connection: Connection) -> tuple[int, list[str]]:
    """Stage those candidates who are in the answer; gives what `load` gives."""
    with connection.begin():
        create_stage(connection)
        rows = connection.exec_driver_sql(_PRESENT).rowcount
    return rows, index_stage(connection)


def _copy(connection: Connection, table: str, chunks: Iterable[Chunk], columns: tuple[str, ...]) -> int:
    driver: psycopg.Connection = connection.connection.driver_connection  # type: ignore[assignment]
    rows = 0
    with driver.cursor() as cursor, cursor.copy(f"COPY {table} ({', '.join(columns)}) FROM STDIN (FREEZE)") as copy:
        for chunk in chunks:
            copy.write(_lines(chunk))
            rows += len(chunk.user_ids)
    return rows


def create_stage(connection: Connection) -> None:
    """An empty staging table, in the caller's transaction. A difference that is a view of the last one goes with it."""
    connection.exec_driver_sql("DROP TABLE IF EXISTS pg_temp.stage CASCADE")
    connection.exec_driver_sql(_STAGE)


def index_stage(connection: Connection) -> list[str]:
    """Give the loaded table its key; gives up to five user ids that stand there twice, if any."""
    try:
        with connection.begin():
            connection.exec_driver_sql(_INDEX)
            connection.exec_driver_sql("ANALYZE stage")
    except IntegrityError:
        with connection.begin():
            return list(connection.exec_driver_sql(_DOUBLED).scalars())
    return []


def _lines(chunk: Chunk) -> bytes:
    """COPY's text format. Most chunks hold nothing to escape, which one look at the joined text tells."""
    columns = [_column(column) for column in (chunk.user_ids, chunk.values, chunk.extras) if column is not None]
    lines = columns[0] if len(columns) == 1 else map("\t".join, zip(*columns, strict=True))
    return ("\n".join(lines) + "\n").encode()


def _column(texts: Sequence[str | None]) -> Sequence[str]:
    plain = [text for text in texts if text is not None]
    if len(plain) == len(texts):
        return _escaped(plain)
    there = iter(_escaped(plain))
    return [_NULL if text is None else next(there) for text in texts]


def _escaped(texts: list[str]) -> list[str]:
    joined = "\0".join(texts)
    if any(special in joined for special in "\\\t\n\r"):
        return [text.translate(_SPECIAL) for text in texts]
    return texts
