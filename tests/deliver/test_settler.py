"""Outcomes are written in the order in which they came, many in one transaction, and none is dropped."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from typing import cast

import pytest

from sync.deliver import persistence
from sync.deliver.settler import Settler
from sync.errors import StoreUnavailable
from sync.model.slot import ClaimedSlot
from sync.store import slots
from sync.store.engine import Database
from sync.store.slots import Settlement, Transition

Settle = Callable[[list[Settlement]], int]


NOW = datetime(2026, 11, 21, tzinfo=UTC)


def settlement(number: int) -> Settlement:
    return Settlement(ClaimedSlot(f"u{number}", "t", 1, {}, {}, {}, False, 0, None, NOW), Transition.ACCEPT)


def numbers(batch: list[Settlement]) -> list[int]:
    return [int(each.slot.user_id[1:]) for each in batch]


@asynccontextmanager
async def settling(
    monkeypatch: pytest.MonkeyPatch, settle: Settle
) -> AsyncIterator[tuple[Settler, asyncio.Task[None], list[list[int]]]]:
    """A settler at work, its task, and the batches that were reported as settled."""
    monkeypatch.setattr(slots, "settle", lambda _, __, batch, ___: settle(batch))
    monkeypatch.setattr(persistence, "PAUSES", (0.001, 0.001))
    settled: list[list[int]] = []
    settler = Settler(cast("Database", None), "anything", 20.0, lambda batch: settled.append(numbers(batch)))
    task = asyncio.create_task(settler.run())
    try:
        yield settler, task, settled
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError, StoreUnavailable):
            await task


async def test_what_comes_while_a_batch_is_written_goes_together_into_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    writing, go_on = threading.Event(), threading.Event()

    def settle(_: list[Settlement]) -> int:
        writing.set()
        go_on.wait(60)
        return 0

    async with settling(monkeypatch, settle) as (settler, _, settled):
        settler.add(settlement(0))
        await asyncio.to_thread(writing.wait, 60)
        for number in (1, 2, 3):
            settler.add(settlement(number))
        go_on.set()
        await settler.flush()
    assert settled == [[0], [1, 2, 3]]


async def test_a_flush_of_nothing_returns_at_once_and_a_flush_waits_for_the_last(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with settling(monkeypatch, lambda _: 2) as (settler, _, settled):
        await settler.flush()
        for number in range(5):
            settler.add(settlement(number))
        await settler.flush()
        assert [number for batch in settled for number in batch] == [0, 1, 2, 3, 4]
        assert settler.owed_anew == 2 * len(settled)


async def test_a_store_that_is_away_is_asked_again_and_nothing_is_reported_before_it_is_written(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    away = iter([True, True])

    def settle(_: list[Settlement]) -> int:
        if next(away, False):
            assert not settled
            raise StoreUnavailable("away")
        return 0

    async with settling(monkeypatch, settle) as (settler, _, settled):
        settler.add(settlement(7))
        await settler.flush()
        assert settled == [[7]]


async def test_a_store_that_stays_away_ends_the_settler_with_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    def settle(_: list[Settlement]) -> int:
        raise StoreUnavailable("away")

    async with settling(monkeypatch, settle) as (settler, task, settled):
        settler.add(settlement(7))
        with pytest.raises(StoreUnavailable):
            await task
        assert not settled
