"""One HTTP exchange, as an :class:`~sync.model.outcome.Outcome`: trouble on the network is a value, not an exception.

The deadline is total (R3): connecting, sending and reading the whole answer together take no longer. What is *known*
not to have been sent is ``NOT_SENT``; as soon as a byte may have left and no whole answer came, it is ``UNKNOWN``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import httpx

from sync.deliver.transport import PHASE, Phase
from sync.destinations.mapped import ACCEPTED, BODY, READ
from sync.model.outcome import Outcome, Verdict

ReadAnswer = Callable[[int, httpx.Headers, bytes], Outcome]
"""A destination's reading of (status, headers, body)."""

_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
_DETAIL_LIMIT = 200


class Deadlines:
    """Lets every `asyncio.timeout` it watches strike after the same ``seconds``, with one timer for all of them.

    Since all have the same time, they end in the order they began, and only the oldest needs a timer. A timer each would
    stay in the loop's heap until its time, long after its exchange has ended: thousands of them, sorted by Python.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._running: dict[asyncio.Timeout, float] = {}
        self._timer: asyncio.TimerHandle | None = None

    def watch(self, limit: asyncio.Timeout) -> None:
        """Let ``limit``, just entered, strike in time."""
        loop = asyncio.get_running_loop()
        at = self._running[limit] = loop.time() + self._seconds
        if self._timer is None:
            self._timer = loop.call_at(at, self._strike)

    def forget(self, limit: asyncio.Timeout) -> None:
        """What ``limit`` guards has ended."""
        self._running.pop(limit, None)

    def _strike(self) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        self._timer = None
        while self._running:
            limit, at = next(iter(self._running.items()))
            if at > now:
                self._timer = loop.call_at(at, self._strike)
                return
            del self._running[limit]
            limit.reschedule(now)


class Client:
    """Sends requests through ``transport`` and has ``read_answer`` judge the answers, unless a request has its own judge.

    ``deadline`` in seconds.
    """

    def __init__(self, transport: httpx.AsyncBaseTransport, read_answer: ReadAnswer, deadline: float) -> None:
        self._transport = transport
        self._read_answer = read_answer
        self._deadline = deadline
        self._deadlines = Deadlines(deadline)

    async def exchange(self, request: httpx.Request) -> Outcome:
        """Send ``request`` once and say what it meant. Cancellation and our own mistakes propagate."""
        try:
            async with asyncio.timeout(None) as limit:
                self._deadlines.watch(limit)
                try:
                    answer = await self._transport.handle_async_request(request)
                    body = answer.extensions.get(BODY)
                    if body is None:
                        try:
                            body = await answer.aread()
                        finally:
                            await answer.aclose()
                finally:
                    self._deadlines.forget(limit)
        except TimeoutError:
            if not limit.expired():
                raise
            return self._late(request)
        except _NOT_SENT as error:
            # Nothing of ours has travelled yet, so the text can hold nothing of ours.
            return Outcome(Verdict.NOT_SENT, detail=f"{type(error).__name__}: {error}"[:_DETAIL_LIMIT])
        except httpx.UnsupportedProtocol:
            raise
        except httpx.RequestError as error:
            return Outcome(Verdict.UNKNOWN, detail=f"{type(error).__name__} before the answer was complete")
        read_answer: ReadAnswer = request.extensions.get(READ) or self._read_answer
        outcome = read_answer(answer.status_code, answer.headers, body)
        learn = request.extensions.get(ACCEPTED)
        if learn is not None and outcome.verdict is Verdict.ACCEPTED:
            learn()
        return outcome

    def _late(self, request: httpx.Request) -> Outcome:
        """The deadline struck; only a transport that notes its phase can prove that nothing had been sent."""
        phase = request.extensions.get(PHASE)
        if phase in {Phase.QUEUED, Phase.CONNECTING}:
            return Outcome(Verdict.NOT_SENT, detail=f"no connection within {self._deadline:g} s")
        return Outcome(Verdict.UNKNOWN, detail=f"no whole answer within {self._deadline:g} s")
