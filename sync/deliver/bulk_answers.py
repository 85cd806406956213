"""Ask how far bulk requests are, and settle them when they have ended.

Each is asked for at growing intervals, through the channel as everything is; for whom it failed is asked once, at the end.
Two who ask at the same time do no harm: only one of them settles.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from typing import Protocol

import httpx

from sync import telemetry
from sync.deliver.delivered import Delivered
from sync.deliver.persistence import InTurn, persistently
from sync.deliver.served import Served
from sync.destinations.bulk import Progress
from sync.destinations.mapped import ANSWER_BYTES, READ
from sync.model.outcome import Outcome, Verdict
from sync.store import bulks
from sync.store.bulks import Bulk

FIRST_WAIT, LONGEST_WAIT, GROWTH, JITTER = 0.5, 30.0, 1.5, 0.2
"""Seconds between two questions about a request, and how they grow."""

_MOST_BYTES = 4 * 1024 * 1024
"""Of an answer about every user of a request."""

_OF_BULK = frozenset({403, 404, 405, 501})
_OK = 200
_UNREADABLE = "it cannot be read for whom it failed"


@dataclass(frozen=True, slots=True)
class Heard:
    """An answer: what it meant, and its body."""

    outcome: Outcome
    body: bytes


def is_about_bulk(outcome: Outcome) -> bool:
    """A fault that may be one of bulk requests only: the token may not, or there are none."""
    return outcome.verdict is Verdict.FAULT and (outcome.code or outcome.status) in _OF_BULK


class OnDone(Protocol):
    """Is told what became of a request's users, and whether it is ``known`` that it ended."""

    def __call__(self, done: Delivered, *, known: bool) -> None: ...


class _End(Enum):
    """How it went: it is not over; it ended; nobody will ever know."""

    PENDING = auto()
    ENDED = auto()
    GONE = auto()


_NOT_NOW = (_End.PENDING, Progress(finished=False))


class Answers:
    """One destination's requests that are ``under_way``."""

    def __init__(self, served: Served, writes: InTurn, *, on_done: OnDone, on_alive: Callable[[], None]) -> None:
        self._database = served.database
        self._requests = served.requests
        self._name = served.name
        self._settings = served.settings
        self._channel = served.channel
        self._clock = served.clock
        self._random = served.random
        self._writes = writes
        self._on_done = on_done
        self._on_alive = on_alive
        self._followed: set[int] = set()
        self.under_way = 0

    async def take_up(self, group: asyncio.TaskGroup, allowed: Callable[[], bool]) -> None:
        """Ask after what somebody else has submitted, also when they stored that late; and after what had ended and is there
        again, since its server died before that was on its disk."""
        known = set(self._followed)
        found = await persistently(lambda: bulks.under_way(self._database, self._name, known), "bulk")
        for bulk, seconds in found:
            if bulk.id in self._followed:
                continue
            telemetry.event("bulk.taken_up", destination=self._name, users=bulk.users)
            self.follow(bulk, seconds, group, allowed)

    def follow(self, bulk: Bulk, seconds: float, group: asyncio.TaskGroup, allowed: Callable[[], bool]) -> None:
        """Ask after a request until it has ended, or for so many seconds; once at least, if that may be."""
        if bulk.id in self._followed:
            return
        self._followed.add(bulk.id)
        self.under_way += 1
        group.create_task(self._follow(bulk, self._clock.monotonic() + seconds, allowed))

    async def exchange(self, request: httpx.Request) -> Heard:
        """Send a request that the channel allowed; gives the body of its answer too."""
        found = b""
        read = self._channel.read_answer

        def keep(status: int, headers: httpx.Headers, body: bytes) -> Outcome:
            nonlocal found
            found = body
            return read(status, headers, body)

        request.extensions[READ] = keep
        outcome = await self._channel.exchange(request)
        return Heard(outcome, found)

    async def _follow(self, bulk: Bulk, until: float, allowed: Callable[[], bool]) -> None:
        try:
            await self._to_its_end(bulk, until, allowed)
        finally:
            self._followed.discard(bulk.id)

    async def _to_its_end(self, bulk: Bulk, until: float, allowed: Callable[[], bool]) -> None:
        how, summary = await self._wait(bulk, until, allowed)
        progress = await self._in_detail(bulk, until, allowed) if how is _End.ENDED else None
        if progress is None:
            await self._give_up(bulk)
        elif progress.succeeded and progress.explains(summary) and await self._are_its_users(bulk, progress):
            await self._settle(bulk, progress)
        else:
            await self._fail(bulk, "failed" if progress.finished and not progress.succeeded else _UNREADABLE)

    async def _wait(self, bulk: Bulk, until: float, allowed: Callable[[], bool]) -> tuple[_End, Progress]:
        """Wait for the end, and what is said of it; still pending when nobody asks any more."""
        wait = FIRST_WAIT
        while True:
            await self._sleep(min(wait, max(until - self._clock.monotonic(), 0.0)))
            asked = await self._ask(bulk, allowed, detailed=False)
            if asked is None:  # not allowed now
                if self._clock.monotonic() >= until:
                    return _NOT_NOW
                await self._sleep(FIRST_WAIT)
                continue
            how, progress = asked
            if how is _End.GONE or progress.finished:
                return asked
            if self._clock.monotonic() >= until:
                return _NOT_NOW
            wait = min(wait * GROWTH, LONGEST_WAIT)

    async def _in_detail(self, bulk: Bulk, until: float, allowed: Callable[[], bool]) -> Progress | None:
        """For whom it failed; ``None`` when nobody says."""
        while True:
            how, progress = await self._ask(bulk, allowed, detailed=True) or _NOT_NOW
            if how is _End.ENDED:
                return progress
            if how is _End.GONE or self._clock.monotonic() >= until:
                return None
            await self._sleep(FIRST_WAIT)

    async def _ask(self, bulk: Bulk, allowed: Callable[[], bool], *, detailed: bool) -> tuple[_End, Progress] | None:
        """One question; ``None`` when nothing may be sent now. ``ENDED`` says that it was answered."""
        try:
            request = self._requests.poll(bulk.request_id or "", detailed=detailed)
        except ValueError:
            return _End.GONE, Progress(finished=False)
        if detailed:
            request.extensions[ANSWER_BYTES] = _MOST_BYTES
        async with self._channel.concurrency.slot():
            if not await self._channel.may_send(allowed):
                return None
            heard = await self.exchange(request)
            outcome = heard.outcome
            if outcome.verdict is Verdict.REFUSED or is_about_bulk(outcome):
                # It is the request that is not known, not the destination that is at fault.
                self._channel.breaker.abandon()
                return _End.GONE, Progress(finished=False)
            self._channel.learn(outcome)
        if outcome.verdict is not Verdict.ACCEPTED:
            return _End.PENDING, Progress(finished=False)
        self._on_alive()
        return _End.ENDED, self._requests.read_progress(heard.body)

    async def _are_its_users(self, bulk: Bulk, progress: Progress) -> bool:
        """Whether all who are said to have failed are in the request. Else it may have failed for anybody."""
        if not progress.failures:
            return True
        users = await persistently(lambda: bulks.users(self._database, bulk), "bulk")
        return not users or progress.failures.keys() <= users  # nobody: it has been settled by somebody else

    async def _settle(self, bulk: Bulk, progress: Progress) -> None:
        quiet = self._settings.quiet_period
        settled = await self._writes.do(lambda store: bulks.settle(store, bulk, progress.failures, quiet))
        done = Delivered(self._name)
        if settled is not None:
            telemetry.step("bulk.settled", users=settled.accepted)
            done = Delivered(
                self._name, users=settled.accepted, settled=settled.accepted, unconfirmed=settled.unconfirmed
            )
        self._ended(done)

    async def _fail(self, bulk: Bulk, reason: str) -> None:
        """It failed as a whole, or nobody can read for whom: each user's own request will tell."""
        outcome = Outcome(Verdict.REFUSED, _OK, reason)
        put_back = await self._writes.do(lambda store: bulks.put_back(store, bulk, outcome, singly=True))
        telemetry.event(
            "bulk.failed", level=logging.WARNING, destination=self._name, users=put_back or 0, reason=reason
        )
        self._ended(Delivered(self._name))

    async def _give_up(self, bulk: Bulk) -> None:
        outcome = Outcome(Verdict.UNKNOWN, None, "nobody knows how it ended")
        put_back = await self._writes.do(lambda store: bulks.put_back(store, bulk, outcome, unknown=True, singly=True))
        telemetry.event(
            "bulk.given_up", level=logging.WARNING, destination=self._name, users=put_back or 0, request=bulk.request_id
        )
        self._ended(Delivered(self._name), known=False)

    def _ended(self, done: Delivered, *, known: bool = True) -> None:
        self.under_way -= 1
        self._on_done(done, known=known)

    async def _sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds * self._random.uniform(1 - JITTER, 1 + JITTER))
