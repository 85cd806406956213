"""Tells receivers of alerts what they have not heard: at least once, the newest state, as often as it takes.

That a change is to be told stands in the store before anything is sent, and so does every try: until one ends well,
nobody knows what the receiver heard, and whatever comes next is told. A receiver that does not answer is tried again
later and later, costs one line in the log, and keeps nobody else waiting: each receiver has a task of its own.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, field
from random import Random

import httpx

from sync import telemetry
from sync.clock import Clock
from sync.config import AlertSettings, Settings
from sync.daemon import notices
from sync.daemon.notices import Notice
from sync.daemon.service import pause
from sync.deliver.client import Client
from sync.deliver.transport import AiohttpTransport
from sync.destinations.answers import retry_after_seconds, verdict_for
from sync.model.alert import named
from sync.model.outcome import Outcome, Verdict
from sync.model.retry import jittered_backoff
from sync.store import alerts
from sync.store.engine import Database

DEADLINE = 10.0
"""Seconds for one request and its answer, in all."""

LONGEST_DELAY = 300.0
"""Seconds between two tries at most, unless the receiver asks for more."""

IDLE = 5.0
"""Seconds after which a receiver's task looks for itself, for what nobody nudged it about."""

MOST_AT_ONCE = 50
"""Changes in one request; the next ones go with the next."""


@dataclass(slots=True)
class _Receiver:
    """How one receiver has been doing since this process started. ``not_before`` is a monotonic instant."""

    settings: AlertSettings
    failures: int = 0
    not_before: float = 0.0
    nudged: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def label(self) -> str:
        """What logs may call it: its address is a secret."""
        return f"alerts[{self.settings.index}] ({self.settings.type})"


class Notifier:
    """Sends what is pending: one request at a time for each receiver, all receivers at once."""

    def __init__(
        self,
        database: Database,
        settings: Settings,
        clock: Clock,
        *,
        random: Random | None = None,
        deadline: float = DEADLINE,
    ) -> None:
        self._database = database
        self._project = settings.project
        self._clock = clock
        self._random = random or Random()  # noqa: S311 - spreads retries, guards nothing
        self._deadline = deadline
        self._receivers = {each.id: _Receiver(each) for each in settings.alerts}

    async def run(self, stopping: asyncio.Event) -> None:
        """Tell whatever is to be told, as soon as it may be tried, until ``stopping``. Raises `StoreError`."""
        await together(*(self._serve(each, stopping) for each in self._receivers.values()))

    def nudge(self) -> None:
        """There is something new to tell."""
        for each in self._receivers.values():
            each.nudged.set()

    async def send_pending(self) -> int:
        """Tell what is to be told and may be tried now; gives how many changes were heard. Raises `StoreError`.

        Takes little longer than a request's deadline, whatever the receivers do.
        """
        return sum(await asyncio.gather(*(self._send(each) for each in self._receivers.values())))

    async def _serve(self, receiver: _Receiver, stopping: asyncio.Event) -> None:
        while not stopping.is_set():
            await self._send(receiver)
            wait = receiver.not_before - self._clock.monotonic()
            await pause(stopping, wait if wait > 0 else IDLE, receiver.nudged)

    async def _send(self, receiver: _Receiver) -> int:
        """Tell one receiver, unless it is to be left alone for now."""
        if self._clock.monotonic() < receiver.not_before:
            return 0
        pending = await asyncio.to_thread(self._pending, receiver.settings.id)
        if not pending:
            return 0
        async with AiohttpTransport(1, connect_timeout=self._deadline) as transport:
            return await self._tell(Client(transport, self._read_answer, self._deadline), receiver, pending)

    def _pending(self, wanted: str) -> list[Notice]:
        """What a receiver has not heard; what is stored for one that has left the file is nobody's."""
        with self._database.read() as connection:
            stored = alerts.unnotified(connection)
        found = []
        for alert in stored:
            receiver, subject = named(alert.name)
            if receiver == wanted:
                found.append(Notice(alert.name, subject, alert.state, alert.since, alert.detail))
        return found[:MOST_AT_ONCE]

    async def _tell(self, client: Client, receiver: _Receiver, told: Sequence[Notice]) -> int:
        names = [each.name for each in told]
        await asyncio.to_thread(alerts.telling, self._database, names)
        outcome = await self._exchange(client, receiver, told)
        if outcome.verdict is not Verdict.ACCEPTED:
            self._failed(receiver, outcome)
            return 0
        for each in told:
            await asyncio.to_thread(alerts.notified, self._database, each.name, each.state)
        self._worked(receiver, len(told))
        return len(told)

    async def _exchange(self, client: Client, receiver: _Receiver, told: Sequence[Notice]) -> Outcome:
        try:
            request = notices.request(receiver.settings, self._project, told, self._clock.now())
            return await client.exchange(request)
        except (httpx.InvalidURL, httpx.UnsupportedProtocol, UnicodeError):  # a host that cannot be one
            return Outcome(Verdict.NOT_SENT)

    def _read_answer(self, status: int, headers: httpx.Headers, _: bytes) -> Outcome:
        retry_after = retry_after_seconds(headers.get("retry-after"), self._clock.now())
        return Outcome(verdict_for(status, retry_after=retry_after), status, retry_after=retry_after)

    def _failed(self, receiver: _Receiver, outcome: Outcome) -> None:
        receiver.failures += 1
        delay = jittered_backoff(receiver.failures, LONGEST_DELAY, self._random)
        receiver.not_before = self._clock.monotonic() + max(delay, outcome.retry_after or 0.0)
        if receiver.failures == 1:
            telemetry.event("alerts.not_told", level=logging.WARNING, to=receiver.label, reason=_reason(outcome))

    def _worked(self, receiver: _Receiver, changes: int) -> None:
        telemetry.event("alerts.told", to=receiver.label, changes=changes, failures=receiver.failures)
        receiver.failures = 0


async def together(*works: Coroutine[object, object, None]) -> None:
    """Do several things at once; where one fails the others are cut off, and its error is raised as it is."""
    tasks = [asyncio.create_task(each) for each in works]
    try:
        ended, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
        for each in ended:
            each.result()
    finally:
        for each in tasks:
            each.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _reason(outcome: Outcome) -> str:
    """Why nobody heard, in our own words: the details of an exchange may hold the address."""
    if outcome.status is not None:
        return f"it answered {outcome.status}"
    return "it cannot be reached" if outcome.verdict is Verdict.NOT_SENT else "no whole answer came in time"
