"""One HTTP exchange, as an :class:`~sync.model.outcome.Outcome`: trouble on the network is a value, not an exception.

The deadline is total (R3): connecting, sending and reading the whole answer together take no longer. What is *known*
not to have been sent is ``NOT_SENT``; as soon as a byte may have left and no whole answer came, it is ``UNKNOWN``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import httpx

from sync.deliver.transport import BODY, PHASE, Phase
from sync.model.outcome import Outcome, Verdict

ReadAnswer = Callable[[int, httpx.Headers, bytes], Outcome]
"""A destination's reading of (status, headers, body)."""

_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
_DETAIL_LIMIT = 200


class Client:
    """Sends requests through ``transport`` and has ``read_answer`` judge the answers; ``deadline`` in seconds."""

    def __init__(self, transport: httpx.AsyncBaseTransport, read_answer: ReadAnswer, deadline: float) -> None:
        self._transport = transport
        self._read_answer = read_answer
        self._deadline = deadline

    async def exchange(self, request: httpx.Request) -> Outcome:
        """Send ``request`` once and say what it meant. Cancellation and our own mistakes propagate."""
        try:
            async with asyncio.timeout(self._deadline) as limit:
                answer = await self._transport.handle_async_request(request)
                body = answer.extensions.get(BODY)
                if body is None:
                    try:
                        body = await answer.aread()
                    finally:
                        await answer.aclose()
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
        return self._read_answer(answer.status_code, answer.headers, body)

    def _late(self, request: httpx.Request) -> Outcome:
        """The deadline struck; only a transport that notes its phase can prove that nothing had been sent."""
        phase = request.extensions.get(PHASE)
        if phase in {Phase.QUEUED, Phase.CONNECTING}:
            return Outcome(Verdict.NOT_SENT, detail=f"no connection within {self._deadline:g} s")
        return Outcome(Verdict.UNKNOWN, detail=f"no whole answer within {self._deadline:g} s")
