"""Old history goes while the daemon runs, a stop does not wait for it, and who blocks it is named once."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from sqlalchemy import text

from sync import telemetry
from sync.daemon import pruner
from sync.daemon.pruner import PRUNE_EVERY, Pruner
from sync.model.retention import Retention
from sync.store import upkeep
from sync.store.engine import Database
from sync.store.upkeep import Pruned
from tests.moving_clock import MovingClock, connect_timed
from tests.recorder import accept, audience, claim, record
from tests.shop import Shop

KEEP = Retention(attempts=3600.0)
Events = list[tuple[str, dict[str, object]]]


@pytest.fixture
def events() -> Iterator[Events]:
    found: Events = []
    silent = telemetry.listen(lambda name, fields: found.append((name, fields)))
    yield found
    silent()


def old_attempts(database: Database, clock: MovingClock, number: int) -> None:
    """So many attempts that are to go."""
    record(database, audience(), [str(user) for user in range(number)])
    accept(database, *claim(database, number))
    clock.advance(KEEP.attempts + 60)


def attempts(database: Database) -> int:
    with database.read() as connection:
        number: int = connection.execute(text("SELECT count(*) FROM attempt")).scalar_one()
    return number


def test_what_was_thrown_away_is_reported(database: Database, clock: MovingClock, events: Events) -> None:
    old_attempts(database, clock, 3)
    assert Pruner(database, KEEP, clock).prune() == Pruned(runs=0, attempts=3, ticks=0)
    (fields,) = [fields for name, fields in events if name == "store.pruned"]
    assert {key: fields[key] for key in ("runs", "attempts", "ticks")} == {"runs": 0, "attempts": 3, "ticks": 0}


def test_on_sqlite_the_log_is_emptied(sqlite_database: Database, clock: MovingClock, events: Events) -> None:
    old_attempts(sqlite_database, clock, 3)
    Pruner(sqlite_database, KEEP, clock).prune()
    assert [fields["log_emptied"] for name, fields in events if name == "store.pruned"] == [True]
    with sqlite_database.engine.connect() as connection:
        _, pages, _ = connection.exec_driver_sql("PRAGMA wal_checkpoint(PASSIVE)").one()
    assert pages == 0


async def test_it_prunes_at_its_start_and_then_every_hour(
    database: Database, clock: MovingClock, events: Events, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = 0

    async def look_again(stopping: asyncio.Event, seconds: float) -> None:
        nonlocal looks
        looks += 1
        clock.advance(seconds)
        if looks == 2 * PRUNE_EVERY // seconds:
            stopping.set()

    monkeypatch.setattr(pruner, "pause", look_again)
    old_attempts(database, clock, 3)
    await Pruner(database, KEEP, clock).run(asyncio.Event())
    assert [fields["attempts"] for name, fields in events if name == "store.pruned"] == [3, 0]
    assert attempts(database) == 0


async def test_a_stop_waits_for_one_batch_only(
    sqlite_database: Database, clock: MovingClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    old_attempts(sqlite_database, clock, 30)
    stopping = asyncio.Event()
    batch = upkeep._old_attempts

    def stop_in_the_middle(*arguments: object) -> object:
        stopping.set()
        return batch(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(upkeep, "_old_attempts", stop_in_the_middle)
    monkeypatch.setattr(upkeep.prune, "__kwdefaults__", {**(upkeep.prune.__kwdefaults__ or {}), "batch": 10})
    async with asyncio.timeout(60):
        await Pruner(sqlite_database, KEEP, clock).run(stopping)
    assert attempts(sqlite_database) == 20


def test_a_transaction_that_stays_open_is_named_once(
    postgresql_shop: Shop, clock: MovingClock, events: Events, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pruner, "OLD_TRANSACTION", 0.0)
    store = connect_timed(postgresql_shop.url, None, clock)  # a database of its own: nobody else has transactions there
    watching = Pruner(store, KEEP, clock)
    with store.engine.connect() as connection:
        pid = connection.exec_driver_sql("SELECT pg_backend_pid()").scalar_one()
        watching.look()
        watching.look()
    store.close()
    told = [fields for name, fields in events if name == "store.old_transaction"]
    assert [(each["pid"], each["minutes"]) for each in told] == [(pid, 0)]


def test_where_no_transaction_is_old_nothing_is_said(database: Database, clock: MovingClock, events: Events) -> None:
    Pruner(database, KEEP, clock).look()
    assert [name for name, _ in events if name == "store.old_transaction"] == []
