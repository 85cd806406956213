"""Tell how a destination does: its breaker and its last trouble, to the log and to the store, in the order of things.

Whose refusals turned out to be the destination's fault is taken back here too: after what was known of them is written.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence

from sync import telemetry
from sync.deliver import breaker
from sync.deliver.channel import Channel
from sync.deliver.persistence import persistently
from sync.deliver.tenure import Tenure
from sync.store import destinations
from sync.store.engine import Database

TakeBack = Callable[[], Callable[[], Awaitable[None]] | None]
"""Says who was parked since the last success: as the deed that takes them back, ``None`` for nobody."""

_SUM_UP_EVERY = 5.0
"""Seconds between two words to the store on how the destination does, while serving."""


class Reporter:
    """One destination's. ``on_fault`` is told why somebody has to mend its settings."""

    def __init__(self, database: Database, name: str, *, on_fault: Callable[[str], None]) -> None:
        self._database = database
        self._name = name
        self._on_fault = on_fault
        self._innocent: list[TakeBack] = []
        self._on_move: list[Callable[[], None]] = []
        self._news: asyncio.Queue[tuple[breaker.Transition, Sequence[Callable[[], Awaitable[None]]]]] = asyncio.Queue()
        self._told: breaker.Transition | None = None
        self._accepted = 0
        self._summed_up = 0

    def add(self, innocent: TakeBack, on_move: Callable[[], None]) -> None:
        """Somebody who sends: whom they parked may have to be taken back, and they are told when the breaker moves."""
        self._innocent.append(innocent)
        self._on_move.append(on_move)

    def accepted(self) -> None:
        """A request was accepted."""
        self._accepted += 1

    def moved(self, moved: breaker.Transition) -> None:
        """Tell everybody that the breaker has moved; and when refusals were the destination's fault, take back who was
        parked for them."""
        opened = moved.to is breaker.State.OPEN
        found = [each() for each in self._innocent] if moved.refusals else []
        innocent = [each for each in found if each is not None]
        for on_move in self._on_move:
            on_move()
        told = self._told
        if told is not None and told.to is moved.to and (told.fault or not moved.fault) and not innocent:
            telemetry.step("breaker.still_open", destination=self._name, reason=moved.reason)
            return
        self._told = moved
        telemetry.event(
            "breaker.opened" if opened else "breaker.closed",
            level=logging.WARNING if opened else logging.INFO,
            destination=self._name,
            reason=moved.reason,
        )
        self._news.put_nowait((moved, innocent))
        if moved.fault:
            self._on_fault(moved.reason)

    async def run(self, tenure: Tenure, channel: Channel, *, summing_up: bool) -> None:
        """Tell the store what is new, in the order in which it happened, until cancelled."""
        while True:
            try:
                async with asyncio.timeout(_SUM_UP_EVERY if summing_up else None):
                    moved, innocent = await self._news.get()
            except TimeoutError:
                await self.sum_up(tenure, channel)
                continue
            if tenure.holds():
                # Who was frozen takes its own silence for the destination's; how that does is told by who has it now.
                await self._write_down(moved)
            for take_back in innocent:
                await take_back()
            self._news.task_done()

    async def told(self) -> None:
        """Wait until the store knows everything."""
        await self._news.join()

    async def sum_up(self, tenure: Tenure, channel: Channel) -> None:
        """Tell the store that the destination works, and what the last trouble was, where that is news."""
        if not tenure.holds():
            return
        accepted, trouble = self._accepted, channel.trouble
        works = accepted > self._summed_up and channel.breaker.state is breaker.State.CLOSED
        if works or trouble:
            self._summed_up, channel.trouble = accepted, ""
            await persistently(
                lambda: destinations.sum_up(self._database, self._name, works=works, trouble=trouble), "report"
            )

    async def _write_down(self, moved: breaker.Transition) -> None:
        error = moved.reason if moved.to is breaker.State.OPEN else None
        await persistently(
            lambda: destinations.report(self._database, self._name, moved.to, moved.reason, error), "report"
        )
