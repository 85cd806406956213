"""What tests do with ticks: add, take, do; and what the store says of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy import text

from sync.model.run import ClaimedRun, RunKind
from sync.model.tick import ClaimedTick
from sync.store import recording, runs, ticks
from sync.store.engine import Database
from tests.recorder import audience

NOON = datetime(2024, 11, 21, 12, tzinfo=UTC)
QUARTER = timedelta(minutes=15)
LEASE = 30.0


def add(database: Database, generation: int, instant: datetime = NOON, key: str = "vip", late: float = 0.0) -> bool:
    """A tick that has been due for a while; ``late`` is its jitter."""
    return ticks.insert(database, key, instant, due_at=instant + timedelta(seconds=late), generation=generation)


def take(database: Database, generation: int, *keys: str) -> ClaimedTick | None:
    return ticks.claim(database, keys or ("vip",), generation, LEASE)


def taken(database: Database, generation: int, *keys: str) -> ClaimedTick:
    found = take(database, generation, *keys)
    assert found is not None
    return found


def states(database: Database, key: str = "vip") -> dict[datetime, str]:
    with database.read() as connection:
        rows = connection.execute(ticks.tick.select().where(ticks.tick.c.key == key).order_by(ticks.tick.c.instant))
        return {row.instant: row.state for row in rows}


def column(database: Database, name: str, key: str = "vip") -> object:
    with database.read() as connection:
        statement = text(f"SELECT {name} FROM tick WHERE key = :key ORDER BY instant DESC LIMIT 1")
        return connection.execute(statement, {"key": key}).scalar_one()


def begin(database: Database, tick: ClaimedTick) -> ClaimedRun:
    return runs.claim(database, audience(tick.key), RunKind.DELTA, None, forced=False, tick=tick)


def commit(database: Database, run: ClaimedRun, key: str = "vip") -> None:
    with recording.session(database) as session:
        session.load([], ("user_id",))
        session.record(run, audience(key), 0, None)


def do(database: Database, tick: ClaimedTick) -> None:
    """The run that a tick asks for."""
    commit(database, begin(database, tick), tick.key)


def recorded(database: Database) -> int:
    with database.read() as connection:
        number: int = connection.execute(text("SELECT count(*) FROM run WHERE status = 'succeeded'")).scalar_one()
    return number
