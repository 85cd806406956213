"""Find out where a membership table really is, for who could read it without moving a row."""

from __future__ import annotations

from sqlalchemy import text

from sync.errors import QueryError
from sync.model.definition import Definition
from sync.model.location import Location
from sync.source.connection import Source

_SERVER = "SELECT pg_postmaster_start_time()::text, current_database()::text, current_user::text"

_TABLE = """
SELECT n.nspname, c.relname,
       c.relkind IN ('r', 'm') AND NOT c.relrowsecurity AND NOT c.relhassubclass AS plain
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.oid = to_regclass(:name)"""

_TYPES = """
SELECT attname, atttypid::regtype::text FROM pg_attribute
WHERE attrelid = to_regclass(:name) AND attnum > 0 AND NOT attisdropped"""


def locate(source: Source, definition: Definition) -> Location | None:
    """The place of a ``table:`` definition on PostgreSQL; ``None`` for anything else. `QueryError` when it is not there.

    Only stored rows have a place: a view may call functions that write, rows may depend on who asks, and a source whose
    URL carries options may see other rows than the store's connection. All of those are streamed, read-only.
    """
    if definition.table is None or source.dialect != "postgresql" or source.has_options:
        return None
    name = ".".join(f'"{part}"' for part in definition.table.name.replace('"', '""').split("."))
    with source.read() as connection:
        server = connection.exec_driver_sql(_SERVER).one()
        place = connection.execute(text(_TABLE), {"name": name}).one_or_none()
        if place is None:
            raise QueryError(
                f"{definition.kind} {definition.name!r}: source {source.name!r} has no table {definition.table.name!r}"
            )
        if not place.plain:
            return None
        types = {row[0]: row[1] for row in connection.execute(text(_TYPES), {"name": name})}
    return Location((server[0], server[1], server[2]), place[0], place[1], types, source.statement_timeout)
