"""Open the store: one engine per process, transactions with a clear meaning, driver errors in our own words."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
from sqlalchemy import Connection, Engine, RootTransaction, create_engine, event, text
from sqlalchemy.engine import URL, Dialect, ExceptionContext, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.pool import ConnectionPoolEntry

from sync.clock import Clock, SystemClock
from sync.errors import StoreError, StoreUnavailable, UsageError
from sync.model.kept_out import user_hash
from sync.model.silence import patience
from sync.store.sqlite.file import StoreFile
from sync.store.sqlite.waiting import not_waiting
from sync.store.turns import Turns

BUSY_SECONDS = 30
"""How long SQLite waits for another process's write to end."""

CACHE_KIB = 8192
"""Of a file that a connection keeps in memory: what one transaction changes has room in it, and is written once."""

IDLE_SECONDS = 10
"""How long PostgreSQL lets a transaction stand in which nobody says anything. A process that is stopped, or whose host
is gone, keeps its locks for so long, and not until it wakes: shorter than every lease, so that who takes over can work."""

_NOW = text("SELECT clock_timestamp()")

_SAME_AGAIN: dict[str, Any] = {"pool_use_lifo": True}
"""Whoever wrote last knows the pages, or the plans: the same connection again."""

# The journal mode stays in the file: somebody else's, named by mistake, is left as it is.
_EMPTY_OR_OURS = """SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM sqlite_master)
OR EXISTS (SELECT 1 FROM sqlite_master WHERE name = 'alembic_version')"""


class Database:
    """The engine's own database. ``read`` and ``write`` are the only ways in; both end what they began."""

    def __init__(self, engine: Engine, clock: Clock, schema: str | None = None) -> None:
        self.engine = engine
        self.schema = schema
        self.clock = clock
        self.dialect = engine.dialect.name
        self._file = _file_of(engine.url)
        self._writer = Turns() if self.dialect == "sqlite" else None

    @property
    def description(self) -> str:
        """Where it is, without user name and password."""
        url = self.engine.url
        if self.dialect == "sqlite":
            return f"sqlite:///{url.database}"
        host = url.host or url.query.get("host") or "localhost"
        return f"postgresql://{host}/{url.database}{f' schema {self.schema}' if self.schema else ''}"

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A read transaction, rolled back at the end."""
        with translated(), self.engine.connect() as connection:
            yield connection

    @contextmanager
    def write(self, *, waits: bool = True) -> Iterator[Connection]:
        """A transaction that commits when the block ends well. On SQLite it holds the write lock from its start.

        Unless it ``waits`` for the disk, a power cut can undo it: only for what is found and done once more. Nothing that is
        committed later is kept without it.
        """
        with (
            translated(),
            self.in_turn(),
            self.engine.connect() as connection,
            self.transaction(connection, waits=waits),
        ):
            yield connection

    @contextmanager
    def transaction(self, connection: Connection, *, waits: bool = True) -> Iterator[None]:
        """The same of a ``connection`` that the caller has, and whose turn it is."""
        hurry = not waits and self.dialect == "sqlite"
        with not_waiting(connection) if hurry else nullcontext(), begin_write(connection):
            if not waits:
                self.need_not_wait(connection)
            yield

    @contextmanager
    def in_turn(self) -> Iterator[None]:
        """On SQLite, let this process's writers wait for each other: who finds the file locked by somebody else looks
        again later and later, and may find it locked each time while others write one after another."""
        mine = self._writer is not None and self._writer.acquire(BUSY_SECONDS)
        try:
            yield  # who has waited in vain is told so by SQLite
        finally:
            if mine and self._writer is not None:
                self._writer.release()

    @contextmanager
    def together(self, *, waits: bool = True) -> Iterator[Database]:
        """The same, all of whose writes are one transaction; it commits when the block ends well. ``waits``: as `write`."""
        with self.write(waits=waits) as connection:
            yield _InOneTransaction(self, connection)

    @contextmanager
    def session(self) -> Iterator[Connection]:
        """A connection with TEMP tables of its own, closed for good at the end, unless whoever had it has left nothing there
        and closed it; begins no transaction by itself."""
        with translated(), self.engine.connect() as connection:
            try:
                yield connection
            finally:
                if not connection.closed:
                    connection.invalidate()

    def is_fresh_file(self) -> bool:
        """Whether this is an SQLite file that does not exist yet or holds no table; looking does not create it.

        Raises `StoreUnavailable` where this process had the file open and it is gone: that is no new store.
        """
        if self._file is None:
            return self.dialect == "sqlite" and bool(self.engine.url.database)
        if not self._holds_tables(self._file.path):
            self._file.check_not_deleted()
            return True
        return False

    @staticmethod
    def _holds_tables(path: Path) -> bool:
        if not path.exists() or path.stat().st_size == 0:
            return False
        try:
            # Another process may be setting it up, or have died over it: the file is there, its tables are not yet.
            with closing(sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True)) as connection:
                return connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone() is not None
        except sqlite3.Error:
            return True

    def check_writable(self, connection: Connection) -> None:
        """Raise `StoreUnavailable` when the server takes no writes now, `StoreError` when this user may not write."""
        if self._file is not None:
            self._file.check_writable()
        elif self.dialect == "postgresql" and connection.execute(text("SHOW transaction_read_only")).scalar() == "on":
            # What a session may do can be fixed when it begins: the next one is asked anew.
            connection.invalidate()
            raise StoreUnavailable(_NO_WRITES)

    def need_not_wait(self, connection: Connection) -> None:
        """Let PostgreSQL commit this transaction before it is on the disk: as `write` that does not wait."""
        if self.dialect == "postgresql":
            connection.exec_driver_sql("SET LOCAL synchronous_commit = off")

    def now(self, connection: Connection) -> datetime:
        """The instant by the store's own clock: the server's on PostgreSQL, this host's on SQLite."""
        if self.dialect == "sqlite":
            return self.clock.now()
        instant: datetime = connection.execute(_NOW).scalar_one()
        return instant.astimezone(UTC)

    def close(self) -> None:
        """Give all connections back to the system: at once, and those that a thread still works with when it is done."""
        event.listen(self.engine, "checkin", _close_it)
        self.engine.dispose()


def connect(url: str, schema: str | None = None, clock: Clock | None = None) -> Database:
    """The database at ``url`` (SQLAlchemy form); ``schema`` keeps an install's tables apart on PostgreSQL."""
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise UsageError(
            "store: the URL cannot be read: write sqlite:///FILE or postgresql+psycopg://USER@HOST/DB"
        ) from None
    engine = _sqlite(parsed) if parsed.get_backend_name() == "sqlite" else _postgresql(parsed, schema)
    return Database(engine, clock or SystemClock(), schema)


def _close_it(_: object, entry: ConnectionPoolEntry) -> None:
    entry.close()


def _file_of(url: URL) -> StoreFile | None:
    """The file of a SQLite store that is one: neither in memory, nor named by somebody's own `file:` address."""
    if url.get_backend_name() != "sqlite" or url.database in (None, "", ":memory:") or "uri" in url.query:
        return None
    return StoreFile(url.database)


def _sqlite(url: URL) -> Engine:
    if url.database and url.database != ":memory:" and not Path(url.database).parent.is_dir():
        raise UsageError(f"store: the folder of {url.database} does not exist: create it or change `store`")
    pool: dict[str, Any] = {} if _file_of(url) is None else _SAME_AGAIN
    engine = create_engine(url, connect_args={"timeout": BUSY_SECONDS}, hide_parameters=True, **pool)
    file = _file_of(url)
    if file is not None:
        _watch_file(engine, file)

    @event.listens_for(engine, "connect")
    def settings(connection: sqlite3.Connection, _: ConnectionPoolEntry) -> None:
        # SQLAlchemy says when transactions begin (below); the driver's own guesses would not see DDL and SELECT.
        connection.isolation_level = None
        # As the other engine does it by itself: see `sync.store.suppressions`.
        connection.create_function("user_hash", 2, user_hash, deterministic=True)
        # FULL: a claim must survive a power cut, or its send could be repeated without anybody knowing.
        for pragma in (
            "synchronous=FULL",
            "foreign_keys=ON",
            "temp_store=FILE",
            f"cache_size=-{CACHE_KIB}",
            "wal_autocheckpoint=4000",
            # Some builds write every page that is freed: what was forgotten is overwritten by `purge`, whatever the build.
            "secure_delete=FAST",
        ):
            connection.execute(f"PRAGMA {pragma}").close()
        if connection.execute(_EMPTY_OR_OURS).fetchone() is not None:
            connection.execute("PRAGMA journal_mode=WAL").close()

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        immediate = connection.get_execution_options().get("write", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")

    return engine


def _watch_file(engine: Engine, file: StoreFile) -> None:
    """Let nothing be read from, nor committed to, a file that is not where it was any more."""

    @event.listens_for(engine, "do_connect")
    def open_it(_: Dialect, __: ConnectionPoolEntry, arguments: list[Any], options: dict[str, Any]) -> None:
        arguments[0], options["uri"] = file.uri(), True

    @event.listens_for(engine, "connect")
    def opened(_: sqlite3.Connection, __: ConnectionPoolEntry) -> None:
        file.opened()

    @event.listens_for(engine, "checkout")
    def given_out(_: sqlite3.Connection, __: ConnectionPoolEntry, ___: object) -> None:
        file.check()

    @event.listens_for(engine, "commit")
    def committing(_: Connection) -> None:
        file.check()

    @event.listens_for(engine, "engine_disposed")
    def disposed(_: Engine) -> None:
        file.closed()


def _postgresql(url: URL, schema: str | None) -> Engine:
    ours = f"-c search_path={schema} -c timezone=UTC" if schema else "-c timezone=UTC"
    theirs = url.query.get("options", "")  # what comes later wins
    given = theirs if isinstance(theirs, str) else " ".join(theirs)
    options = f"-c idle_in_transaction_session_timeout={IDLE_SECONDS}s {given} {ours}"
    arguments: dict[str, Any] = {"options": options, "application_name": "engage-sync", **patience(url.query)}
    url = url.set(drivername="postgresql+psycopg").difference_update_query(["options"])
    engine = create_engine(url, connect_args=arguments, pool_pre_ping=True, hide_parameters=True, **_SAME_AGAIN)

    @event.listens_for(engine, "handle_error")
    def failed(context: ExceptionContext) -> None:
        # After a failover the server that is the primary now may be another one: nobody keeps sessions of the former.
        if getattr(context.original_exception, "sqlstate", None) == READ_ONLY:
            context.is_disconnect = True

    return engine


class _InOneTransaction(Database):
    """Writes and reads are parts of a transaction that somebody else ends."""

    def __init__(self, database: Database, connection: Connection) -> None:
        super().__init__(database.engine, database.clock, database.schema)
        self._connection, self._database = connection, database

    @contextmanager
    def read(self) -> Iterator[Connection]:
        yield self._connection

    @contextmanager
    def write(self, *, waits: bool = True) -> Iterator[Connection]:  # noqa: ARG002 - who began the transaction has said
        yield self._connection

    def now(self, connection: Connection) -> datetime:
        return self._database.now(connection)


def begin_write(connection: Connection) -> RootTransaction:
    """Begin a transaction that writes: on SQLite it takes the lock now, so that it cannot fail half-way."""
    return connection.execution_options(write=True).begin()


@contextmanager
def translated() -> Iterator[None]:
    """Turn a driver's trouble into a sentence; programming errors (a wrong statement of ours) stay what they are."""
    try:
        yield
    except PoolTimeoutError as error:
        raise StoreUnavailable(
            "the store does not answer: all connections to it are waiting for something, perhaps for a lock: "
            "nothing was recorded; try again later"
        ) from error
    except (DBAPIError, psycopg.Error) as error:  # COPY is the driver's own; SQLAlchemy wraps everything else
        ours = _in_our_words(error.orig if isinstance(error, DBAPIError) else error)
        if ours is None:
            raise
        raise ours from error


CONTENTION = ("40P01", "40001")
"""PostgreSQL ended one of two transactions that waited for each other; nothing of it happened, and it may be run again."""

GIVEN_UP = ("25P03", "25P04")
"""PostgreSQL ended the transaction of a process that had been silent in it for too long."""

READ_ONLY = "25006"
"""PostgreSQL takes no writes: it is a standby, or this database or role was told to be read-only."""

NO_RIGHTS = "42501"

_NO_WRITES = (
    "the store's server takes no writes now, it is a standby or a failover is under way: nothing was recorded; "
    "try again, and see that `store` leads to the primary"
)
_FULL = re.compile(r"disk is full|No space left|could not extend file", re.IGNORECASE)
_LOCKED = re.compile(r"database is locked|lock timeout", re.IGNORECASE)
_READONLY = re.compile(r"readonly database|read-only", re.IGNORECASE)
_WRONG = re.compile(r"no such (table|column|function)|syntax error", re.IGNORECASE)
_NOT_OURS = re.compile(r"not a database|malformed|unable to open|invalid connection option|invalid dsn", re.IGNORECASE)


def _in_our_words(error: BaseException | None) -> StoreError | None:
    said = (str(error).strip().splitlines() or [type(error).__name__])[0]
    if getattr(error, "sqlstate", None) in CONTENTION:
        return StoreUnavailable(
            f"other processes kept this one from the store ({said}): nothing was recorded; try again"
        )
    if getattr(error, "sqlstate", None) in GIVEN_UP:
        return StoreUnavailable(
            "the store gave up on this process, which had been stopped in the middle of a transaction: "
            "nothing was recorded; try again"
        )
    if getattr(error, "sqlstate", None) == READ_ONLY:
        return StoreUnavailable(_NO_WRITES)
    if getattr(error, "sqlstate", None) == NO_RIGHTS:
        return StoreError(
            f"the store's role may not do what it must ({said}): grant it the rights, or make it the owner"
        )
    if _FULL.search(said):
        return StoreUnavailable("the store is full: nothing was recorded; free some space and run the command again")
    if _LOCKED.search(said):
        return StoreUnavailable(
            "the store is locked by another process: nothing was recorded; try again when it has ended"
        )
    if _READONLY.search(said):
        return StoreError(
            "the store cannot be written by this user: check the rights of its file and folder, "
            "and whether its file system is mounted read-only"
        )
    if _NOT_OURS.search(said):
        return StoreError(f"the store cannot be opened ({said}): check `store` in the configuration")
    if isinstance(error, sqlite3.OperationalError | psycopg.OperationalError) and not _WRONG.search(said):
        return StoreUnavailable(
            f"the store cannot be reached ({_without_secrets(said)}): nothing was recorded; is the server up, and `store` right?"
        )
    return None


def _without_secrets(said: str) -> str:
    """A driver names host and user in its messages, never the password; keep it to one short line all the same."""
    return re.sub(r"password=\S+", "password=***", said)[:200]
