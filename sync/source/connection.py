"""Open a customer's database so that it cannot be written, whatever the definitions' SQL says.

SQLite: ``mode=ro`` and an authorizer that lets nothing but reading compile. PostgreSQL: every transaction is READ ONLY
with a statement timeout, and queries run as server-side cursors, which take nothing but a query. DuckDB and MySQL have
modules of their own.
"""

from __future__ import annotations

import hashlib
import re
import sqlite3
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from functools import partial
from pathlib import Path
from threading import Lock
from typing import Any
from urllib.parse import quote

import psycopg
from sqlalchemy import Connection, Engine, Executable, create_engine
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.pool import NullPool

from sync.errors import ConfigurationError, DataError, QueryError, QueryTooDeep, SourceError, SourceUnavailable
from sync.model.feed import Tables
from sync.model.silence import patience
from sync.source import duckdb, mysql
from sync.source.kept import POOL, Kept

_READING = frozenset(
    {
        sqlite3.SQLITE_SELECT,
        sqlite3.SQLITE_READ,
        sqlite3.SQLITE_FUNCTION,
        sqlite3.SQLITE_RECURSIVE,
    }
)
_ASKING = frozenset({"table_info", "index_list", "index_info", "index_xinfo"})
"""Pragmas whose value names what they tell of."""

_STEPS_BETWEEN_LOOKS = 50_000
"""SQLite instructions between two looks at the clock: a few milliseconds."""


_WHOLE_ANSWERS = "-c cursor_tuple_fraction=1"
"""Answers are read to their end: PostgreSQL would plan for their first tenth."""

_NO_TABLES = Tables()


class Source:
    """One source by name. ``read`` gives a read-only connection; nothing is kept open between reads, but for what is in
    ``kept``, which several may share.

    ``schema``: what names mean on PostgreSQL when they name no schema, whatever the URL says. ``setting``: where in the
    configuration the URL stands, for messages. ``tables`` are what the query language reads. ``place`` tells one database
    from another.
    """

    def __init__(
        self,
        name: str,
        url: str,
        statement_timeout: float,
        *,
        schema: str | None = None,
        setting: str | None = None,
        tables: Tables = _NO_TABLES,
        kept: Kept | None = None,
    ) -> None:
        self.name, self.tables = name, tables
        self.setting = setting or f"sources.{name}.url"
        self.statement_timeout = statement_timeout
        self._deadline = float("inf")
        self._given_up = False
        self._reading: Any = None
        self._changing = Lock()
        self._kept = kept or Kept()
        try:
            parsed = make_url(url)
        except ArgumentError:
            raise ConfigurationError(
                [f"{self.setting}: cannot be read as a database URL: write sqlite:///FILE or postgresql://…"]
            ) from None
        scheme = parsed.get_backend_name()
        self.dialect = "mysql" if scheme in mysql.SCHEMES else scheme
        where = f"{parsed.render_as_string(hide_password=True)} {schema or ''}"
        self.place = hashlib.sha256(where.encode()).hexdigest()[:16]
        self.has_options = "options" in parsed.query or schema is not None
        self._schema, self._url = schema, parsed
        self._engine = self._open(parsed)

    def _open(self, url: URL) -> Engine:
        if self.dialect == "sqlite":
            path = Path(url.database or "")
            return create_engine(
                "sqlite://", creator=lambda: self._connect_sqlite(path), poolclass=NullPool, hide_parameters=True
            )
        if self.dialect == "postgresql":
            return self._postgresql(poolclass=NullPool)
        if self.dialect == "duckdb":
            return duckdb.engine(url, self.setting)
        if self.dialect == "mysql":
            return mysql.engine(url, self.setting, self.statement_timeout)
        raise ConfigurationError(
            [f"{self.setting}: {self.dialect} cannot be read: use sqlite, postgresql, duckdb, mysql or mariadb"]
        )

    def _postgresql(self, **pool: Any) -> Engine:
        url, milliseconds = self._url, int(self.statement_timeout * 1000)
        ours = (
            f"-c default_transaction_read_only=on -c statement_timeout={milliseconds} -c timezone=UTC {_WHOLE_ANSWERS}"
        )
        theirs = url.query.get("options", "")  # a search_path, say; what comes later wins
        given = theirs if isinstance(theirs, str) else " ".join(theirs)
        named = f"-c search_path={self._schema}" if self._schema else ""
        options = " ".join(each for each in (given, named, ours) if each)
        arguments = {"options": options, "application_name": "engage-sync source", **patience(url.query)}
        address = url.set(drivername="postgresql+psycopg").difference_update_query(["options"])
        return create_engine(address, hide_parameters=True, connect_args=arguments, **pool)

    def _connect_sqlite(self, path: Path) -> sqlite3.Connection:
        connection = sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True, isolation_level=None)
        connection.set_progress_handler(self._is_over, _STEPS_BETWEEN_LOOKS)
        connection.set_authorizer(_authorize)
        return connection

    def rendered(self, statement: Executable) -> str:
        """A statement of ours as this source's SQL."""
        return str(statement.compile(self._engine))  # type: ignore[attr-defined]

    def restart_timeout(self) -> None:
        """The statement timeout counts from here (PostgreSQL keeps its own, for each fetch)."""
        self._deadline = time.monotonic() + self.statement_timeout
        if self._given_up:
            raise SourceUnavailable(f"source {self.name!r}: the reading was given up: nothing was recorded")

    def _is_over(self) -> bool:
        return self._given_up or time.monotonic() > self._deadline

    def give_up(self) -> None:
        """Let whoever reads end soon, with `SourceUnavailable`. From another thread; may have to wait for a server."""
        with self._changing:  # a connection that is kept may be somebody else's by the time that it is told to end
            self._given_up, reading = True, self._reading
        if reading is None:
            return
        if self.dialect == "postgresql":
            with suppress(psycopg.Error):  # it has ended by itself, or its server is gone: then there is nothing to end
                reading.cancel()
        elif self.dialect == "duckdb":
            reading.interrupt()
        elif self.dialect == "mysql":
            mysql.give_up(self._engine, reading)

    @contextmanager
    def read(self, *, ours: bool = False) -> Iterator[Connection]:
        """A connection inside a read-only transaction, closed at the end; where only what is ``ours`` is asked on it, it may
        be one that is kept.

        What is run on it belongs into `translated`; what else happens meanwhile (a store that is full) is not the
        source's trouble.
        """
        self.restart_timeout()
        engine = (
            self._kept.engine(partial(self._postgresql, **POOL))
            if ours and self.dialect == "postgresql"
            else self._engine
        )
        with self.translated():
            connection = engine.connect()
        with connection:
            self._reading = connection.connection.driver_connection
            try:
                yield connection
            except BaseException:
                connection.invalidate()  # one that is lost cannot be rolled back: it would fail a second time
                raise
            finally:
                self._has_read(connection)

    def _has_read(self, connection: Connection) -> None:
        with self._changing:
            self._reading, given_up = None, self._given_up
        if given_up:  # whoever had it next might be told to end
            connection.invalidate()

    def prove_read_only(self) -> None:
        """Raise `SourceError` unless an attempt to write is refused by the database itself. Leaves no trace."""
        try:
            with self.read() as connection, self.translated():
                if self.dialect == "sqlite":
                    # Without our own authorizer, so that it is the database that says no; closing rolls back.
                    connection.connection.driver_connection.set_authorizer(None)  # type: ignore[union-attr]
                    connection.exec_driver_sql("BEGIN")
                connection.exec_driver_sql("CREATE TABLE engage_sync_proof (x integer)")
                if self.dialect == "mysql":  # no transaction takes that back
                    connection.exec_driver_sql("DROP TABLE engage_sync_proof")
        except QueryError as error:
            if _WRITES.search(str(error)) or _MAY_NOT.search(str(error)):
                return
            raise
        raise SourceError(f"source {self.name!r} could be written: it must be opened read-only")

    @contextmanager
    def translated(self) -> Iterator[None]:
        """Turn a driver's trouble into a sentence."""
        try:
            with self._timed():
                yield
        except (
            DBAPIError,
            sqlite3.Error,
            sqlite3.Warning,
            psycopg.Error,
            self._engine.dialect.loaded_dbapi.Error,
        ) as error:
            # Until Python 3.12, sqlite3 has a Warning of its own for two statements in one.
            original = error.orig if isinstance(error, DBAPIError) and error.orig else error
            raise self._in_our_words(original) from error

    def _timed(self) -> AbstractContextManager[None]:
        if self.dialect == "duckdb" and self._reading is not None:
            return duckdb.interrupted(self._reading, self._deadline - time.monotonic())
        return nullcontext()

    def _in_our_words(self, error: BaseException) -> SourceError:
        text = mysql.message(error) if self.dialect == "mysql" else str(error)
        said = (text.strip().splitlines() or [type(error).__name__])[0]
        sqlstate = (mysql.sqlstate(error) if self.dialect == "mysql" else getattr(error, "sqlstate", None)) or ""
        where, state = f"source {self.name!r}", f" (SQLSTATE {sqlstate})" if sqlstate else ""
        if sqlstate == "57014" or said in _INTERRUPTED:
            ours = (
                f"{where}: the query took longer than statement_timeout ({self.statement_timeout:g} s): "
                "nothing was recorded; make it faster or raise the timeout"
            )
            return SourceUnavailable(ours, for_log=ours)
        if said.startswith("Could not decode to UTF-8"):
            ours = f"{where}: the answer holds text that is not valid UTF-8: nothing was recorded"
            return DataError(ours, for_log=ours)
        away = not sqlstate and _AWAY.search(said)
        if sqlstate == "25006" or "data-modifying" in said or (not sqlstate and not away and _WRITES.search(said)):
            ours = f"{where}: the query tries to write, and sources are opened read-only"
            return QueryError(f"{ours} ({said})", for_log=ours)
        if said == TOO_DEEP:
            return QueryTooDeep(f"{where}: {too_deep()}", for_log=f"{where}: {too_deep()}")
        if not sqlstate and _NO_SUCH_OPTION.search(said):
            return SourceError(f"{where} cannot be opened ({_short(said)}): check {self.setting}")
        if sqlstate[:2] in ("08", "57", "53", "28", "3D") or away:
            return self._away(_short(said), state)
        if isinstance(error, psycopg.OperationalError) and not sqlstate:
            return self._away(_short(said), state)
        return QueryError(
            f"{where}: the query does not run: {_short(said)}", for_log=f"{where}: the query does not run{state}"
        )

    def _away(self, said: str, state: str) -> SourceUnavailable:
        """What was said without a state is about the connection; with one, the customer's SQL may have said it."""
        what, then = f"source {self.name!r} cannot be reached", "nothing was recorded"
        return SourceUnavailable(
            f"{what} ({said}): {then}; check {self.setting}, or try again later",
            for_log=f"{what}{state or f' ({said})'}: {then}",
        )


TOO_DEEP = "parser stack overflow"
"""What SQLite says of a statement in which too much stands inside something else."""


def too_deep() -> str:
    """The same in our words."""
    return (
        f"the query nests deeper than SQLite {sqlite3.sqlite_version} can follow: "
        "put fewer `event(…)` into one another's `where`, or keep the data in PostgreSQL"
    )


def _authorize(action: int, name: str | None, value: str | None, *_: str | None) -> int:
    """SQLite asks while it compiles: nothing but reading (and asking, not setting, a pragma) gets through.

    A table-valued function such as ``json_each`` is declared on its first use, as if it were written into the schema.
    """
    asks = action == sqlite3.SQLITE_PRAGMA and (value is None or name in _ASKING)
    declares = action == sqlite3.SQLITE_UPDATE and name == "sqlite_master"
    return sqlite3.SQLITE_OK if asks or declares or action in _READING else sqlite3.SQLITE_DENY


_WRITES = re.compile(r"readonly database|not authorized|authorization denied|read-only", re.IGNORECASE)
_MAY_NOT = re.compile(r"CREATE command denied")
"""MySQL, should it look at a user's rights before it looks at the transaction."""
_NO_SUCH_OPTION = re.compile(r"invalid (connection option|dsn)", re.IGNORECASE)
_AWAY = re.compile(
    r"unable to open|database is locked|not a database|disk image is malformed|disk I/O error"
    r"|cannot open (database|file)|not a valid DuckDB|could not set lock|different configuration",
    re.IGNORECASE,
)
_INTERRUPTED = ("interrupted", "INTERRUPT Error: Interrupted!")


def _short(said: str) -> str:
    """One line of a driver's message, without a password should one ever stand in it."""
    return re.sub(r"(password=|://[^:/@\s]*:)[^@\s]+", r"\1***", said)[:300]
