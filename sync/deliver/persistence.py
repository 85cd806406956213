"""Ask the store again while it is away: a delivery outlives a restart of the database or a short network failure."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeVar

from sync import telemetry
from sync.errors import StoreUnavailable
from sync.store.engine import Database

_Answer = TypeVar("_Answer")

_Write = Callable[[Database], Any]

MOST_TOGETHER = 8
"""Writes in one transaction: others want to write too."""

LAST_WRITE = 5.0
"""Seconds for a write under way when everything ends."""

REST = 0.05
"""Of the time that writes take, what other processes have in which to find the file unlocked: they look now and then."""

PAUSES = (0.1, 0.5, 1.0, 2.0, 5.0, 5.0, 5.0, 5.0)
"""Seconds between tries: together about a slot's lease, after which others take over (R6)."""


async def persistently(ask: Callable[[], _Answer], what: str) -> _Answer:
    """What ``ask`` says, from a thread. Raises `StoreUnavailable` when the store stays away.

    A try may have been committed although its answer got lost: what is asked must bear being asked twice. A claim that
    nobody heard of runs out, a settlement that was written already finds nothing and owes the values anew (R6).
    """
    for pause in PAUSES:
        try:
            return await asyncio.to_thread(ask)
        except StoreUnavailable as error:
            telemetry.event("store.away", level=logging.WARNING, during=what, reason=str(error))
            await asyncio.sleep(pause)
    return await asyncio.to_thread(ask)


class InTurn:
    """Writes one after another. On SQLite those that wait for their turn share a transaction: the file has one writer, and
    whoever commits waits for the disk.

    A write is told the store to write to, and must bear being asked twice (see `persistently`).
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        one_writer = database.dialect == "sqlite"
        self._most = MOST_TOGETHER if one_writer else 1
        self._rest = REST if one_writer else 0.0
        self._waiting: deque[tuple[_Write, asyncio.Future[Any]]] = deque()
        self._writer: asyncio.Task[None] | None = None

    async def do(self, write: Callable[[Database], _Answer]) -> _Answer:
        """What ``write`` says, once that is committed. Raises `StoreUnavailable` when the store stays away."""
        done: asyncio.Future[_Answer] = asyncio.get_running_loop().create_future()
        self._waiting.append((write, done))
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._write_all())
        return await done

    async def end(self) -> None:
        """Whoever asked has been cancelled, or has heard: let what is being written come to its end."""
        if self._writer is not None and not self._writer.done():
            await asyncio.wait((self._writer,), timeout=LAST_WRITE)
            self._writer.cancel()

    async def _write_all(self) -> None:
        clock = asyncio.get_running_loop().time
        while self._waiting:
            some = self._next()
            started = clock()
            try:
                answers = await persistently(partial(self._write, [write for write, _ in some]), "bulk") if some else []
            except Exception as error:  # noqa: BLE001 - whoever asked is told
                for _, done in some:
                    if not done.done():
                        done.set_exception(error)
                continue
            for (_, done), answer in zip(some, answers, strict=True):
                if not done.done():  # done: cancelled
                    done.set_result(answer)
            await asyncio.sleep((clock() - started) * self._rest)

    def _next(self) -> list[tuple[_Write, asyncio.Future[Any]]]:
        """Those whose turn it is, and who have not been cancelled meanwhile."""
        some = [self._waiting.popleft() for _ in range(min(self._most, len(self._waiting)))]
        return [(write, done) for write, done in some if not done.cancelled()]

    def _write(self, writes: Sequence[_Write]) -> list[object]:
        if len(writes) == 1:
            return [writes[0](self._database)]
        with self._database.together() as database:
            return [write(database) for write in writes]
