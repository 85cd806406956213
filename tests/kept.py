"""PostgreSQL databases that serve one test after the other: to empty one takes a twentieth of the time to make it.

Whoever has used one gives it back as it was: no rows but those of a fresh one, numbers from the beginning, nobody else
connected. One that cannot be given back so (another structure, other rights, somebody holds a lock) is not used again.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count

import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb

from sync.store.engine import connect
from sync.store.migrate import migrate
from tests.postgresql import create_database, of_database

_PATIENCE = "5s"
"""How long to wait for a lock that somebody still has."""

# Everything that a test can change of a schema but its rows.
_STRUCTURE = """
WITH here AS (SELECT oid, nspacl FROM pg_namespace WHERE nspname = current_schema())
SELECT md5(string_agg(line, chr(10) ORDER BY line)) FROM (
    SELECT concat_ws(' ', relname, relkind, relpersistence, relacl, reloptions, pg_get_viewdef(c.oid)) AS line
    FROM pg_class c JOIN here ON relnamespace = here.oid
    UNION ALL
    SELECT concat_ws(' ', relname, attname, attnum, atttypid, atttypmod, attnotnull, attidentity, attacl, attstattarget)
    FROM pg_attribute JOIN pg_class c ON c.oid = attrelid JOIN here ON relnamespace = here.oid WHERE attnum > 0
    UNION ALL
    SELECT concat_ws(' ', conname, pg_get_constraintdef(c.oid)) FROM pg_constraint c JOIN here ON connamespace = here.oid
    UNION ALL
    SELECT concat_ws(' ', tgname, tgenabled) FROM pg_trigger JOIN pg_class c ON c.oid = tgrelid JOIN here ON relnamespace = here.oid
    UNION ALL
    SELECT concat_ws(' ', proname, prosrc) FROM pg_proc JOIN here ON pronamespace = here.oid
    UNION ALL
    SELECT concat_ws(' ', nspacl) FROM here
) AS structure (line)"""

_TABLES = """SELECT relname::text FROM pg_class
WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r' ORDER BY relname"""

_ADVANCED = """SELECT setval(format('%I.%I', schemaname, sequencename)::regclass, start_value, false)
FROM pg_sequences WHERE schemaname = current_schema() AND last_value IS NOT NULL"""

_OTHERS = """SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'"""

_SETTINGS = """SELECT count(*) FROM pg_db_role_setting JOIN pg_database ON pg_database.oid = setdatabase
WHERE datname = current_database()"""


@dataclass
class Kept(ABC):
    """Places of one kind on a server, each handed to one test at a time."""

    server: str
    prefix: str
    _free: list[str] = field(default_factory=list)
    _numbers: Iterator[int] = field(default_factory=lambda: count(1))

    @contextmanager
    def one(self) -> Iterator[str]:
        """The name of one that is as new."""
        name = self._free.pop() if self._free else self._made(f"{self.prefix}_{next(self._numbers)}")
        yield name
        if self._as_new(name):
            self._free.append(name)

    @abstractmethod
    def _made(self, name: str) -> str:
        """Make one."""

    @abstractmethod
    def _as_new(self, name: str) -> bool:
        """Give it the state of a new one, if that is possible."""


@dataclass
class KeptStores(Kept):
    """Migrated stores, each in a schema of its own, or in a database of its own (``alone``)."""

    alone: bool = False
    _structure: str = ""
    _content: dict[str, object] = field(default_factory=dict)

    def url(self, name: str) -> str:
        """Where the store is."""
        return of_database(self.server, name) if self.alone else self.server

    def _made(self, name: str) -> str:
        if self.alone:
            create_database(self.server, name)
        database = connect(self.url(name), None if self.alone else name)
        migrate(database, None if self.alone else name)
        database.close()
        if not self._structure:
            with self._inside(name) as connection:
                self._structure = _structure(connection)
                self._content = {table: _rows(connection, table) for table in _filled(connection)}
        return name

    @contextmanager
    def _inside(self, name: str) -> Iterator[psycopg.Connection]:
        schema = "public" if self.alone else name
        with psycopg.connect(
            self.url(name), options=f"-c search_path={schema} -c lock_timeout={_PATIENCE}"
        ) as connection:
            yield connection

    def _as_new(self, name: str) -> bool:
        try:
            with self._inside(name) as connection:
                if self.alone and not _left_alone(connection):
                    return False
                if _structure(connection) != self._structure:
                    return False
                self._empty(connection)
        except psycopg.OperationalError:
            return False
        return True

    def _empty(self, connection: psycopg.Connection) -> None:
        kept = self._content
        changed = [name for name in _filled(connection) if name not in kept or _rows(connection, name) != kept[name]]
        if changed:
            names = sql.SQL(", ").join(map(sql.Identifier, changed))
            connection.execute(sql.SQL("TRUNCATE {} CASCADE").format(names))
        for name in kept.keys() - set(_filled(connection)):
            table = sql.Identifier(name)
            connection.execute(
                sql.SQL("INSERT INTO {0} SELECT * FROM jsonb_populate_recordset(NULL::{0}, %s)").format(table),
                [Jsonb(kept[name])],
            )
        connection.execute(_ADVANCED)


@dataclass
class KeptDatabases(Kept):
    """Databases without a table, for customers."""

    def _made(self, name: str) -> str:
        create_database(self.server, name)
        return name

    def _as_new(self, name: str) -> bool:
        try:
            with psycopg.connect(of_database(self.server, name)) as connection:
                if not _left_alone(connection):
                    return False
                schemas = connection.execute(
                    "SELECT nspname FROM pg_namespace WHERE nspname !~ '^(pg_|information_schema$)'"
                )
                for (schema,) in schemas.fetchall():
                    connection.execute(sql.SQL("DROP SCHEMA {} CASCADE").format(sql.Identifier(schema)))
                connection.execute("CREATE SCHEMA public AUTHORIZATION pg_database_owner")
                connection.execute("GRANT USAGE ON SCHEMA public TO PUBLIC")
        except psycopg.OperationalError:
            return False
        return True


def _left_alone(connection: psycopg.Connection) -> bool:
    """End what others are doing in this database; whether it goes by its server's settings."""
    connection.execute(_OTHERS)
    return connection.execute(_SETTINGS).fetchone() == (0,)


def _structure(connection: psycopg.Connection) -> str:
    found = connection.execute(_STRUCTURE).fetchone()
    assert found is not None
    return str(found[0])


def _filled(connection: psycopg.Connection) -> list[str]:
    """The tables that have rows."""
    tables = [name for (name,) in connection.execute(_TABLES)]
    looks = sql.SQL(" UNION ALL ").join(
        sql.SQL("(SELECT {} FROM {} LIMIT 1)").format(name, sql.Identifier(name)) for name in tables
    )
    return [name for (name,) in connection.execute(looks)] if tables else []


def _rows(connection: psycopg.Connection, table: str) -> object:
    found = connection.execute(
        sql.SQL("SELECT jsonb_agg(to_jsonb(t)) FROM {} AS t").format(sql.Identifier(table))
    ).fetchone()
    return found[0] if found else None
