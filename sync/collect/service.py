"""The collector's socket."""

from __future__ import annotations

import asyncio
import logging

from aiohttp import web

from sync import telemetry
from sync.collect.app import build_app
from sync.collect.door import Door
from sync.collect.entrance import Entrance
from sync.config import Address
from sync.config.listen import why_not
from sync.errors import UsageError

GRACE = 10.0
"""Seconds that requests under way get at the end: what has been taken is recorded and answered."""

KEPT_ALIVE = 75.0
"""Seconds between two requests of a client."""

_LINGERING = 2.0
"""Seconds for the rest of a body that nobody wants, so that a client reads the answer before the connection ends."""

_TURNS = 5
"""Of the loop, in which those who have just connected begin to be heard."""

_quiet = logging.getLogger("sync.collect.server")
_quiet.setLevel(logging.CRITICAL + 1)
"""What the server below says of clients' mistakes is for nobody's log."""


class CollectService:
    """Takes posts on one address. ``address`` is where it listens, with the port that port 0 became."""

    def __init__(self, listen: Address, entrance: Entrance) -> None:
        self.address = listen
        self._entrance = entrance
        self._runner: web.AppRunner | None = None
        self._door = Door()
        self._socket: asyncio.Server | None = None
        self._sweeping: asyncio.Task[None] | None = None

    @property
    def url(self) -> str:
        """Where it listens, without a slash at its end."""
        return f"http://{self.address}"

    async def open(self) -> None:
        """Listen. Raises `UsageError` when the address cannot be had."""
        door = Door()
        runner = _runner(build_app(self._entrance, door.heard))
        await runner.setup()
        door.leads_to(runner.server)
        loop = asyncio.get_running_loop()
        try:
            self._socket = await loop.create_server(door.enter, self.address.host, self.address.port, backlog=512)
        except OSError as error:
            await runner.cleanup()
            raise UsageError(
                f"cannot listen on {self.address}: {why_not(error)}; "
                "give another address with `collector.listen` or --collector-listen, or `off`"
            ) from error
        self._runner, self._door = runner, door
        self.address = Address(self.address.host, self._socket.sockets[0].getsockname()[1])
        self._sweeping = asyncio.create_task(door.sweep())
        telemetry.event("collect.listening", address=str(self.address))

    async def close(self) -> None:
        """Give the address back. What has been taken is recorded and answered before."""
        self._entrance.closing = True
        server, self._socket = self._socket, None
        if server is not None:
            await _stop_accepting(server)
        if self._sweeping is not None:
            self._sweeping.cancel()
        self._door.shut()
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()


async def _stop_accepting(server: asyncio.Server) -> None:
    """Close the door behind those who are in it.

    Not at once: asyncio forgets connections that it has accepted and has not yet begun, and their clients would wait.
    """
    loop = asyncio.get_running_loop()
    for each in server.sockets:
        loop.remove_reader(each.fileno())
    for _ in range(_TURNS):
        await asyncio.sleep(0)
    server.close()


def _runner(app: web.Application) -> web.AppRunner:
    return web.AppRunner(
        app,
        access_log=None,
        logger=_quiet,
        auto_decompress=False,
        keepalive_timeout=KEPT_ALIVE,
        lingering_time=_LINGERING,
        shutdown_timeout=GRACE,
    )
