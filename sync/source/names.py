"""Names of tables and columns as SQL wants them, wherever it is written by hand: for the database, or for people.

A driver that puts values where it finds ``%`` wants it twice in a statement; whoever reads one, or a value, does not.
"""

from __future__ import annotations

from sqlalchemy import Connection, table


def quoted(connection: Connection, name: str) -> str:
    """A table's name, its schema before a dot."""
    schema, _, own = name.rpartition(".")
    return _once(connection, connection.dialect.identifier_preparer.format_table(table(own, schema=schema or None)))


def quoted_column(connection: Connection, name: str) -> str:
    """The name of a column, or of an index."""
    return _once(connection, connection.dialect.identifier_preparer.quote(name))


def _once(connection: Connection, written: str) -> str:
    return written.replace("%%", "%") if connection.dialect.paramstyle in ("format", "pyformat") else written
