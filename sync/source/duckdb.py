"""DuckDB as a source: the file is opened read-only, and what is asked can be nothing but one query.

Read-only keeps the file as it is, and not the rest of the disk: a ``COPY … TO`` may even stand in a ``WITH``. So the SQL of
a definition becomes a derived table, in which none may; and settings are locked, for some are functions that have files
written. DuckDB has no statement timeout: it is interrupted instead.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from threading import Event, Lock, Thread
from typing import Any

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.engine import URL
from sqlalchemy.pool import NullPool

from sync.errors import ConfigurationError, QueryError
from sync.source.derived import bound, derived
from sync.source.extras import installed

_HAS_ZONES = "SELECT 1 FROM duckdb_extensions() WHERE extension_name = 'icu' AND installed"
_LOCKING = Lock()
_BETWEEN_INTERRUPTIONS = 0.1
"""Seconds."""


def engine(url: URL, setting: str) -> Engine:
    """What opens the file, and never makes it; raises `ConfigurationError` where that cannot be."""
    if not url.database or url.database == ":memory:":
        raise ConfigurationError([f"{setting}: must name a file, like `duckdb:///warehouse.duckdb`"])
    installed(setting, "duckdb", "duckdb", "duckdb_engine")
    arguments = {"read_only": True, "config": {"autoinstall_known_extensions": "false"}}
    theirs = url.difference_update_query([each for each in url.query if each.casefold() == "access_mode"])
    found = create_engine(theirs, poolclass=NullPool, hide_parameters=True, connect_args=arguments)
    event.listen(found, "connect", _locked)
    return found


def _locked(driver: Any, _: object) -> None:
    """In UTC, and as it is from now on: a SELECT can have DuckDB write its logs and profiles to any file.

    Connections to one file in one process share their settings. Without its extension for time zones, DuckDB knows none
    but UTC.
    """
    with _LOCKING:
        if driver.execute("SELECT current_setting('lock_configuration')").fetchone() == (True,):
            return
        if driver.execute(_HAS_ZONES).fetchone() is not None:
            driver.execute("SET GLOBAL TimeZone = 'UTC'")
        driver.execute("SET GLOBAL lock_configuration = true")


def question(driver: Any, sql: str, as_of: datetime) -> tuple[str, dict[str, object]]:
    """A definition's SQL with its one parameter, as the driver wants them; raises `QueryError` where it is no query."""
    asked, used = bound(derived(sql), "$as_of")
    if len(driver.extract_statements(asked)) != 1:
        raise QueryError("it must be one SELECT")
    return asked, {"as_of": as_of} if used else {}


@contextmanager
def interrupted(driver: Any, seconds: float) -> Iterator[None]:
    """Let what runs meanwhile end with an error after so many seconds.

    An interruption before it runs is none, so there is one after the other until it has ended.
    """
    ended = Event()

    def interrupt() -> None:
        pause = max(seconds, 0)
        while not ended.wait(pause):
            driver.interrupt()
            pause = _BETWEEN_INTERRUPTIONS

    thread = Thread(target=interrupt, name="duckdb-timeout", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
