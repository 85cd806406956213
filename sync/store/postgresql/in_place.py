"""Stage a membership table that lives in the store's own database: one INSERT … SELECT, no row leaves the engine.

Only for columns whose text the engine writes exactly as `sync.model.canonical` would; anything else is streamed.
"""

from __future__ import annotations

from sqlalchemy import Connection, text
from sqlalchemy.exc import IntegrityError

from sync.model.canonical import LONGEST_USER_ID
from sync.model.definition import Definition
from sync.model.location import Location
from sync.store.postgresql.staging import create_stage, index_stage

# The same question as `sync.source.location` asks on its side: the answers are compared.
_SERVER = "SELECT pg_postmaster_start_time()::text, current_database()::text, current_user::text"
_KEYS = frozenset({"text", "character varying", "smallint", "integer", "bigint", "uuid"})
_VALUES = frozenset({"text", "character varying", "smallint", "integer", "bigint", "boolean"})


def possible(connection: Connection, location: Location, asked: Definition) -> bool:
    """Whether this connection is the same role in the same database, and every column has a plain type."""
    if asked.table is None:
        return False
    with connection.begin():
        if tuple(connection.exec_driver_sql(_SERVER).one()) != location.server:
            return False
    return location.types.get(asked.table.user_id) in _KEYS and all(
        location.types.get(name) in _VALUES for name in asked.enrichment
    )


def load(connection: Connection, location: Location, asked: Definition) -> tuple[int, list[str], str | None]:
    """Stage the table; gives its rows, up to five doubled user ids, and what is wrong with user ids, if anything."""
    assert asked.table is not None  # noqa: S101 - `possible` said so
    quote = connection.dialect.identifier_preparer.quote_identifier
    place = f"{quote(location.schema)}.{quote(location.table)}"
    key = quote(asked.table.user_id)
    enrichment = [name for name in asked.enrichment if name != asked.key]
    extra = ", ".join(f"'{name.replace(chr(39), chr(39) * 2)}', {quote(name)}" for name in enrichment)
    document = f"jsonb_strip_nulls(jsonb_build_object({extra}))::text" if enrichment else "NULL"
    statement = f"INSERT INTO stage (user_id, extra) SELECT CAST({key} AS text), {document} FROM {place}"
    with connection.begin():
        connection.exec_driver_sql(f"SET LOCAL statement_timeout = {int(location.statement_timeout * 1000):d}")
        create_stage(connection)
        try:
            with connection.begin_nested():
                rows = connection.exec_driver_sql(statement.replace("%", "%%")).rowcount
        except IntegrityError:
            missing = connection.exec_driver_sql(f"SELECT count(*) FROM {place} WHERE {key} IS NULL".replace("%", "%%"))
            return 0, [], f"user_id is NULL in {missing.scalar_one()} of its rows"
        problem = _problem(connection)
    if problem is not None:
        return rows, [], problem
    return rows, index_stage(connection), None


def _problem(connection: Connection) -> str | None:
    empty, too_long = connection.execute(
        text(
            "SELECT count(*) FILTER (WHERE user_id = ''), count(*) FILTER (WHERE octet_length(user_id) > :longest) FROM stage"
        ),
        {"longest": LONGEST_USER_ID},
    ).one()
    if empty:
        return f"user_id is empty in {empty} of its rows"
    return f"user_id is longer than {LONGEST_USER_ID} bytes in {too_long} of its rows" if too_long else None
