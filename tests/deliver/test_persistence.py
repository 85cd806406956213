"""Writes in turn: on SQLite those that wait share a transaction, and nobody is told of one that was not committed."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing

import pytest
from sqlalchemy import event, insert, select

from sync.deliver import persistence
from sync.deliver.persistence import InTurn
from sync.errors import StoreError, StoreUnavailable
from sync.store.engine import Database
from sync.store.schema import counter
from tests.conftest import Place

LONG = 120.0


def noted(store: Database, name: str) -> str:
    with store.write() as connection:
        connection.execute(insert(counter).values(name=name, value=1))
    return name


def noting(name: str) -> Callable[[Database], str]:
    return lambda store: noted(store, name)


def names(database: Database) -> set[str]:
    with database.read() as connection:
        return set(connection.execute(select(counter.c.name).where(counter.c.value == 1)).scalars())


def commits_of(database: Database) -> list[object]:
    found: list[object] = []
    event.listen(database.engine, "commit", found.append)
    return found


@asynccontextmanager
async def at_work(turn: InTurn) -> AsyncIterator[None]:
    """A write is under way for as long as the block lasts: what is asked for in it has to wait."""
    began, may_end = threading.Event(), threading.Event()

    def work(_: Database) -> None:
        began.set()
        may_end.wait(LONG)

    working = asyncio.ensure_future(turn.do(work))
    assert await asyncio.to_thread(began.wait, LONG)
    try:
        yield
    finally:
        may_end.set()
        await working


async def ask(turn: InTurn, *which: str) -> list[asyncio.Task[str]]:
    """Have these written; they wait for their turn when this returns."""
    found = [asyncio.create_task(turn.do(noting(name))) for name in which]
    await asyncio.sleep(0)
    return found


async def test_writes_that_wait_for_their_turn_share_a_transaction(sqlite_database: Database) -> None:
    turn = InTurn(sqlite_database)
    async with at_work(turn):
        asked = await ask(turn, "a", "b", "c")
        commits = commits_of(sqlite_database)
    said = await asyncio.gather(*asked)
    await turn.end()
    assert (said, len(commits), names(sqlite_database) >= {"a", "b", "c"}) == (["a", "b", "c"], 1, True)


async def test_so_do_those_that_are_asked_for_at_once(sqlite_database: Database) -> None:
    turn = InTurn(sqlite_database)
    commits = commits_of(sqlite_database)
    assert await asyncio.gather(*await ask(turn, "a", "b", "c")) == ["a", "b", "c"]
    await turn.end()
    assert len(commits) == 1


async def test_on_a_server_each_write_is_a_transaction(postgresql_database: Database) -> None:
    turn = InTurn(postgresql_database)
    commits = commits_of(postgresql_database)
    assert await asyncio.gather(*await ask(turn, "a", "b", "c")) == ["a", "b", "c"]
    await turn.end()
    assert (len(commits), names(postgresql_database) >= {"a", "b", "c"}) == (3, True)


async def test_where_one_fails_nothing_of_the_others_is_written_and_everybody_hears_of_it(
    sqlite_database: Database,
) -> None:
    def fail(_: Database) -> None:
        raise StoreError("no")

    turn = InTurn(sqlite_database)
    async with at_work(turn):
        (other,) = await ask(turn, "beside")
        failing = asyncio.create_task(turn.do(fail))
        await asyncio.sleep(0)
    for each in (failing, other):
        with pytest.raises(StoreError):
            await each
    await turn.end()
    assert "beside" not in names(sqlite_database)


async def test_after_a_failure_others_are_written(database: Database) -> None:
    def fail(_: Database) -> None:
        raise StoreError("no")

    turn = InTurn(database)
    with pytest.raises(StoreError):
        await turn.do(fail)
    assert await turn.do(noting("next")) == "next"
    await turn.end()


async def test_who_was_cancelled_before_their_turn_writes_nothing(database: Database) -> None:
    turn = InTurn(database)
    async with at_work(turn):
        late, other = await ask(turn, "late", "other")
        late.cancel()
        await asyncio.wait((late,))
    assert await other == "other"
    await turn.end()
    assert names(database) & {"late", "other"} == {"other"}


async def test_a_store_that_was_away_for_a_moment_is_asked_again(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(persistence, "PAUSES", (0.0, 0.0, 0.0))
    away = [StoreUnavailable("away"), StoreUnavailable("away")]

    def write(store: Database) -> str:
        if away:
            raise away.pop()
        return noted(store, "kept")

    turn = InTurn(database)
    assert await turn.do(write) == "kept"
    await turn.end()
    assert "kept" in names(database)


async def test_a_store_that_stays_away_is_told_to_whoever_asked(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(persistence, "PAUSES", (0.0, 0.0))

    def fail(_: Database) -> None:
        raise StoreUnavailable("away")

    turn = InTurn(database)
    with pytest.raises(StoreUnavailable):
        await turn.do(fail)
    await turn.end()


async def test_at_the_end_nobody_waits_for_a_store_that_is_away(
    sqlite_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(persistence, "PAUSES", (10 * LONG,))
    monkeypatch.setattr(persistence, "LAST_WRITE", 10 * LONG)
    tried = threading.Event()

    def fail(_: Database) -> None:
        tried.set()
        raise StoreUnavailable("away")

    turn = InTurn(sqlite_database)
    asked = asyncio.create_task(turn.do(fail))
    assert await asyncio.to_thread(tried.wait, LONG)
    asked.cancel()
    async with asyncio.timeout(LONG):
        await turn.end()


async def test_at_the_end_what_is_being_written_is_committed_first(database: Database) -> None:
    began, may_end = threading.Event(), threading.Event()

    def write(store: Database) -> str:
        began.set()
        may_end.wait(LONG)
        return noted(store, "last")

    turn = InTurn(database)
    asked = asyncio.create_task(turn.do(write))
    assert await asyncio.to_thread(began.wait, LONG)
    asked.cancel()
    ending = asyncio.create_task(turn.end())
    await asyncio.sleep(0)
    may_end.set()
    await ending
    assert "last" in names(database)


async def test_a_thread_that_has_nothing_to_write_ends_and_another_one_writes_what_comes_later(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(persistence, "LINGER", 0.0)
    turn = InTurn(database)
    first = await turn.do(lambda _: threading.current_thread())
    await asyncio.to_thread(first.join, LONG)
    second = await turn.do(lambda _: threading.current_thread())
    await turn.end()
    assert (first.is_alive(), second is first, second.daemon) == (False, False, True)


async def test_other_processes_find_the_file_unlocked_now_and_then_whatever_this_one_writes(
    sqlite_store_place: Place, sqlite_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    found: list[float] = []
    beside: list[threading.Thread] = []

    def look(seconds: float) -> None:
        # A thread that writes beside has to wait as well.
        beside.append(threading.Thread(target=noted, args=(sqlite_database, "beside")))
        beside[0].start()
        with closing(sqlite3.connect(sqlite_store_place.url.removeprefix("sqlite:///"), timeout=0)) as other:
            other.execute("BEGIN IMMEDIATE")
            found.append(seconds)

    monkeypatch.setattr(persistence, "ON_END", 0.0)
    monkeypatch.setattr(persistence, "sleep", look)
    turn = InTurn(sqlite_database)
    await turn.do(noting("ours"))
    await turn.end()
    beside[0].join(LONG)
    assert (found, names(sqlite_database) >= {"ours", "beside"}) == ([persistence.LOOK], True)


async def test_a_server_needs_no_such_moment(postgresql_database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    found: list[float] = []
    monkeypatch.setattr(persistence, "ON_END", 0.0)
    monkeypatch.setattr(persistence, "sleep", found.append)
    turn = InTurn(postgresql_database)
    await turn.do(noting("ours"))
    await turn.end()
    assert found == []
