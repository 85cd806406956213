"""A clock that tests move on, instead of sleeping; and a store that goes by it."""

from __future__ import annotations

import sqlite3
from datetime import datetime, timedelta

from sqlalchemy import Connection, event

from sync.clock import SystemClock
from sync.store.engine import Database, connect


class MovingClock(SystemClock):
    """The real time, and as much more as a test has moved it on."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def advance(self, seconds: float) -> None:
        """Let ``seconds`` pass at once."""
        self.ahead += seconds

    def now(self) -> datetime:
        return super().now() + timedelta(seconds=self.ahead)

    def monotonic(self) -> float:
        return super().monotonic() + self.ahead


class HaltedClock(MovingClock):
    """Moves on only when a test moves it: a machine that stands still changes nothing."""

    def __init__(self) -> None:
        super().__init__()
        self._began = SystemClock().now()

    def now(self) -> datetime:
        return self._began + timedelta(seconds=self.ahead)

    def monotonic(self) -> float:
        return self.ahead


class TimedDatabase(Database):
    """A store whose time is the clock's on both engines; else PostgreSQL would go by its server's."""

    def now(self, connection: Connection) -> datetime:
        return self.clock.now()


def connect_timed(url: str, schema: str | None, clock: MovingClock) -> TimedDatabase:
    """As `connect`, with a clock that tests can move on PostgreSQL too."""
    engine = connect(url, schema).engine
    if engine.dialect.name == "sqlite":

        @event.listens_for(engine, "connect")
        def settings(connection: sqlite3.Connection, _: object) -> None:
            # What survives a power cut is not what these tests prove.
            connection.execute("PRAGMA synchronous=OFF").close()

    return TimedDatabase(engine, clock)
