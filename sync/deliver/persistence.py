"""Ask the store again while it is away: a delivery outlives a restart of the database or a short network failure."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import TypeVar

from sync import telemetry
from sync.errors import StoreUnavailable

_Answer = TypeVar("_Answer")

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
    """Writes one after another: on SQLite whoever finds somebody else writing sleeps before they look again, and long."""

    def __init__(self) -> None:
        self._turn = asyncio.Lock()

    async def do(self, ask: Callable[[], _Answer]) -> _Answer:
        """As `persistently`, when it is one's turn."""
        async with self._turn:
            return await persistently(ask, "bulk")
