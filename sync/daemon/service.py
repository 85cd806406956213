"""The one shape of everything the daemon runs, and what happens when such a thing fails.

A service runs until it is told to stop. One that fails is started again, later each time: the store being away for an
hour costs a few tries a minute, and no failure of one service ends another.
"""

from __future__ import annotations

import asyncio
import logging
import traceback
from collections.abc import Awaitable, Callable
from pathlib import Path
from random import Random
from typing import Protocol

from sync import telemetry
from sync.errors import SyncError
from sync.web import Vitals

FIRST_DELAY = 0.5
LONGEST_DELAY = 30.0
"""Seconds before a service that failed is started again; doubled each time, and spread by jitter."""

HEALTHY_AFTER = 15.0
"""Seconds after which a service that was started again counts as mended."""


class Service(Protocol):
    """Something that the daemon runs."""

    @property
    def name(self) -> str:
        """What it is called in logs."""
        ...

    async def run(self, stopping: asyncio.Event) -> None:
        """Work until ``stopping`` is set, then end in good order. May raise: it is then run again."""
        ...


Pause = Callable[[asyncio.Event, float], Awaitable[None]]


async def pause(stopping: asyncio.Event, seconds: float, nudged: asyncio.Event | None = None) -> None:
    """Wait for ``seconds``, less when ``stopping`` or ``nudged`` is set; a nudge is taken back."""
    waiting = [asyncio.ensure_future(each.wait()) for each in (stopping, nudged) if each is not None]
    try:
        await asyncio.wait(waiting, timeout=max(0.0, seconds), return_when=asyncio.FIRST_COMPLETED)
    finally:
        for each in waiting:
            each.cancel()
    if nudged is not None:
        nudged.clear()


async def supervise(
    service: Service,
    stopping: asyncio.Event,
    vitals: Vitals,
    *,
    random: Random | None = None,
    pause: Pause = pause,
) -> None:
    """Run ``service`` until ``stopping``, again after every failure; each change of its state is told once."""
    condition = _Condition(service.name, vitals)
    random = random or Random()  # noqa: S311 - spreads retries, guards nothing
    vitals.up(service.name)
    while not stopping.is_set():
        timer = asyncio.get_running_loop().call_later(HEALTHY_AFTER, condition.mended)
        try:
            await service.run(stopping)
        except Exception as error:  # noqa: BLE001 - a mistake of ours in one service must not end the others
            condition.failed(error, shown=not stopping.is_set())
        else:
            return
        finally:
            timer.cancel()
        await pause(stopping, condition.delay * random.uniform(0.5, 1.0))


class _Condition:
    """Whether a service works, as told to the log and to those who look."""

    def __init__(self, name: str, vitals: Vitals) -> None:
        self._name = name
        self._vitals = vitals
        self._failures = 0
        self._told = ""

    @property
    def delay(self) -> float:
        """Seconds until the next start, before jitter."""
        return min(LONGEST_DELAY, FIRST_DELAY * 2.0 ** min(self._failures - 1, 10))

    def failed(self, error: Exception, *, shown: bool) -> None:
        """Take in a failure; one that says the same as the last is not told again.

        Not ``shown``: it was told to stop, and what is seen under its name may be its successor's state.
        """
        self._failures += 1
        # An error that nobody foresaw may name values: its kind and place say enough.
        said = error.for_log if isinstance(error, SyncError) else f"{type(error).__name__} at {origin(error)}"
        if said != self._told:
            self._told = said
            level = logging.WARNING if isinstance(error, SyncError) else logging.ERROR
            telemetry.event("service.failed", level=level, service=self._name, reason=said)
            if shown:
                self._vitals.down(self._name, said)

    def mended(self) -> None:
        """It has been running for a while."""
        self._failures = 0
        if self._told:
            self._told = ""
            telemetry.event("service.mended", service=self._name)
            self._vitals.up(self._name)


def origin(error: BaseException) -> str:
    """Where an error came from, without what it says."""
    frames = traceback.extract_tb(error.__traceback__)
    return f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else "an unknown place"
