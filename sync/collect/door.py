"""Who may stay connected. Anybody on the internet may knock: who says nothing is sent away, and only so many may be in."""

from __future__ import annotations

import asyncio

from aiohttp import web

MOST = 500
"""Connections at once: fewer than the files that a process may have open, usually 1024. The store must get its own."""

SILENCE = 20.0
"""Seconds in which a client's first request must have begun."""

_SWEEP_EVERY = 5.0


class Door:
    """Lets clients in to a server, until it is shut."""

    def __init__(self, *, most: int = MOST, silence: float = SILENCE) -> None:
        self._server: web.Server | None = None
        self._most = most
        self._silence = silence
        self._unheard: dict[web.RequestHandler, float] = {}

    def leads_to(self, server: web.Server | None) -> None:
        """Let in to this server from now on."""
        self._server = server

    def shut(self) -> None:
        """Let nobody in any more."""
        self._server = None

    @property
    def is_full(self) -> bool:
        """Whether as many are in as may be."""
        return self._server is not None and len(self._server.connections) >= self._most

    def enter(self) -> asyncio.Protocol:
        """The protocol for a new connection."""
        if self._server is None or self.is_full:
            return _Shut()
        protocol = self._server()
        self._unheard[protocol] = asyncio.get_running_loop().time()
        return protocol

    def heard(self, request: web.Request) -> None:
        """A request of some client has begun."""
        self._unheard.pop(request.protocol, None)

    async def sweep(self) -> None:
        """Send away who says nothing, for ever."""
        while True:
            await asyncio.sleep(min(_SWEEP_EVERY, self._silence))
            self._send_away(asyncio.get_running_loop().time() - self._silence)

    def _send_away(self, since: float) -> None:
        for protocol, entered in list(self._unheard.items()):
            if entered < since:
                del self._unheard[protocol]
                protocol.force_close()


class _Shut(asyncio.Protocol):
    """Hangs up at once."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport.close()
