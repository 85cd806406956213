"""Ask the store again while it is away: a delivery outlives a restart of the database or a short network failure.

Writes that follow each other closely are taken in turn by a thread of their own: between two transactions it need not
wait until the event loop has heard of the one and begins the next.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from contextvars import copy_context
from threading import Condition, Thread
from time import monotonic, sleep
from typing import Any, NamedTuple, TypeVar

from sync import telemetry
from sync.errors import StoreUnavailable
from sync.store.engine import Database

_Answer = TypeVar("_Answer")

_Write = Callable[[Database], Any]

MOST_TOGETHER = 8
"""Writes in one transaction: others want to write too."""

LAST_WRITE = 5.0
"""Seconds for a write under way when everything ends."""

ON_END = 4.0
"""Seconds of writing after which other processes are let in, where the store is a file."""

LOOK = 0.12
"""Seconds in which whoever waits for the file looks once: SQLite does so every 0.1 s."""

LINGER = 1.0
"""Seconds for which the thread waits for more to write."""

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
            _tell_away(what, error)
            await asyncio.sleep(pause)
    return await asyncio.to_thread(ask)


def _tell_away(what: str, error: StoreUnavailable) -> None:
    telemetry.event("store.away", level=logging.WARNING, during=what, reason=str(error))


class _Asked(NamedTuple):
    """A write, and who hears what it says."""

    write: _Write
    done: asyncio.Future[Any]


class InTurn:
    """Writes one after another, in a thread that is there for as long as there are any. On SQLite those that wait for
    their turn share a transaction: the file has one writer, and whoever commits waits for the disk.

    A write is told the store to write to, and must bear being asked twice (see `persistently`). All ask in one loop, which
    alone begins the thread and hears that it has ended: so none is left waiting, and there are never two.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._is_file = database.dialect == "sqlite"
        self._most = MOST_TOGETHER if self._is_file else 1
        self._changed = Condition()
        self._waiting: deque[_Asked] = deque()
        self._ends = False
        self._ended: asyncio.Future[None] | None = None
        self._on_end = 0.0

    async def do(self, write: Callable[[Database], _Answer]) -> _Answer:
        """What ``write`` says, once that is committed. Raises `StoreUnavailable` when the store stays away."""
        loop = asyncio.get_running_loop()
        done: asyncio.Future[_Answer] = loop.create_future()
        with self._changed:
            self._waiting.append(_Asked(write, done))
            self._ends = False
            self._changed.notify()
        if self._ended is None:
            self._begin(loop)
        return await done

    async def end(self) -> None:
        """Whoever asked has been cancelled, or has heard: let what is being written come to its end."""
        with self._changed:
            self._ends = True
            self._changed.notify()
        if self._ended is not None:
            await asyncio.wait((self._ended,), timeout=LAST_WRITE)

    def _begin(self, loop: asyncio.AbstractEventLoop) -> None:
        """Let a thread write. It does not keep the process: a store that hangs would, for as long as it likes."""
        self._ended = loop.create_future()
        thread = Thread(target=copy_context().run, args=(self._write_all, loop), name="in turn", daemon=True)
        loop.call_soon(thread.start)  # whoever asks in the same breath goes together

    def _write_all(self, loop: asyncio.AbstractEventLoop) -> None:
        try:
            while some := self._next():
                began = monotonic()
                try:
                    answers = self._persistently(some)
                except Exception as error:  # noqa: BLE001 - whoever asked is told
                    _in_loop(loop, _fail, some, error)
                else:
                    _in_loop(loop, _tell, some, answers)
                self._let_others_in(monotonic() - began)
        finally:
            _in_loop(loop, self._gone, loop)

    def _gone(self, loop: asyncio.AbstractEventLoop) -> None:
        ended, self._ended = self._ended, None
        if ended is not None:
            ended.set_result(None)
        if self._waiting:
            self._begin(loop)

    def _next(self) -> list[_Asked]:
        """Those whose turn it is, and who have not been cancelled meanwhile; nobody, when there is no more to write."""
        with self._changed:
            some: list[_Asked] = []
            while not some and self._changed.wait_for(lambda: self._waiting or self._ends, LINGER) and self._waiting:
                first = [self._waiting.popleft() for _ in range(min(self._most, len(self._waiting)))]
                some = [each for each in first if not each.done.cancelled()]
            return some

    def _persistently(self, some: Sequence[_Asked]) -> list[object]:
        """As its namesake. When everything ends nobody waits for the store any more."""
        for pause in PAUSES:
            try:
                return self._write(some)
            except StoreUnavailable as error:
                _tell_away("bulk", error)
                with self._changed:
                    if self._changed.wait_for(lambda: self._ends, pause):
                        raise
        return self._write(some)

    def _write(self, some: Sequence[_Asked]) -> list[object]:
        if len(some) == 1:
            return [some[0].write(self._database)]
        with self._database.together() as database:
            return [each.write(database) for each in some]

    def _let_others_in(self, seconds: float) -> None:
        """Nobody of this process writes for a moment, now and then: those of others look whether the file is free, and
        would find it locked each time."""
        self._on_end += seconds
        if self._is_file and self._on_end >= ON_END:
            self._on_end = 0.0
            with self._database.in_turn():
                sleep(LOOK)


def _tell(some: Sequence[_Asked], answers: Sequence[object]) -> None:
    for each, answer in zip(some, answers, strict=True):
        if not each.done.done():  # done: cancelled
            each.done.set_result(answer)


def _fail(some: Sequence[_Asked], error: Exception) -> None:
    for each in some:
        if not each.done.done():
            each.done.set_exception(error)


def _in_loop(loop: asyncio.AbstractEventLoop, tell: Callable[..., None], *what: object) -> None:
    """Let the loop hear it, unless it is over and nobody does."""
    try:
        loop.call_soon_threadsafe(tell, *what)
    except RuntimeError:
        if not loop.is_closed():
            raise
