"""Writes in turn: on SQLite those that wait share a transaction, and nobody is told of one that was not committed."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import event, insert, select

from sync.deliver.persistence import InTurn
from sync.errors import StoreError
from sync.store.engine import Database
from sync.store.schema import counter


def noted(store: Database, name: str) -> str:
    with store.write() as connection:
        connection.execute(insert(counter).values(name=name, value=1))
    return name


def names(database: Database) -> set[str]:
    with database.read() as connection:
        return set(connection.execute(select(counter.c.name).where(counter.c.value == 1)).scalars())


async def test_writes_that_wait_for_their_turn_share_a_transaction(sqlite_database: Database) -> None:
    commits: list[object] = []
    event.listen(sqlite_database.engine, "commit", commits.append)
    turn = InTurn(sqlite_database)
    said = await asyncio.gather(*(turn.do(lambda store, name=name: noted(store, name)) for name in "abc"))  # type: ignore[misc]
    assert (said, len(commits), names(sqlite_database) >= {"a", "b", "c"}) == (["a", "b", "c"], 1, True)


async def test_where_one_fails_nothing_of_the_others_is_written_and_everybody_hears_of_it(
    sqlite_database: Database,
) -> None:
    def fail(_: Database) -> None:
        raise StoreError("no")

    turn = InTurn(sqlite_database)
    others = [asyncio.ensure_future(turn.do(lambda store: noted(store, "beside"))) for _ in range(1)]
    with pytest.raises(StoreError):
        await turn.do(fail)
    with pytest.raises(StoreError):
        await others[0]
    assert "beside" not in names(sqlite_database)


async def test_who_was_cancelled_before_their_turn_writes_nothing(sqlite_database: Database) -> None:
    turn = InTurn(sqlite_database)
    late = asyncio.ensure_future(turn.do(lambda store: noted(store, "late")))
    await asyncio.sleep(0)
    late.cancel()
    await asyncio.wait((late,))
    await turn.end()
    assert "late" not in names(sqlite_database)
