"""The daemon's socket for those who watch it."""

from __future__ import annotations

import asyncio

from aiohttp import web
from pydantic import SecretStr

from sync import telemetry
from sync.config import Address
from sync.config.listen import why_not
from sync.errors import UsageError
from sync.web.app import build_app
from sync.web.metrics import MetricsPage
from sync.web.readiness import Readiness
from sync.web.state import WebState

GRACE = 1.0
"""Seconds that requests under way get at the end."""


class WebService:
    """Health and metrics on one address.

    ``open`` before the daemon starts, so that an address that cannot be had ends it at once; ``run`` opens by itself
    when that was not done, and again after a failure. ``address`` is where it listens, with the port that port 0 became.
    """

    name = "web"

    def __init__(self, listen: Address, token: SecretStr | None, state: WebState) -> None:
        self.address = listen
        self._token = token
        self._readiness = Readiness(state)
        self._metrics = MetricsPage(state)
        self._runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        """Where it listens, without a slash at its end."""
        return f"http://{self.address}"

    async def open(self) -> None:
        """Listen. Raises `UsageError` when the address cannot be had."""
        if self._runner is not None:
            return
        app = build_app(self._readiness, self._metrics, self._token)
        runner = web.AppRunner(app, handler_cancellation=True, access_log=None, shutdown_timeout=GRACE)
        await runner.setup()
        try:
            await web.TCPSite(runner, self.address.host, self.address.port).start()
        except OSError as error:
            await runner.cleanup()
            raise UsageError(
                f"cannot listen on {self.address}: {why_not(error)}; "
                "give another address with `web.listen` or --web-listen, or `off`"
            ) from error
        self._runner = runner
        self.address = Address(self.address.host, runner.addresses[0][1])
        telemetry.event("web.listening", address=str(self.address))

    async def run(self, stopping: asyncio.Event) -> None:
        """Answer until ``stopping``."""
        try:
            await self.open()
            await stopping.wait()
        finally:
            await self.close()

    async def close(self) -> None:
        """Give the address back; what is under way gets a moment."""
        runner, self._runner = self._runner, None
        self._readiness.close()
        self._metrics.close()
        if runner is not None:
            await runner.cleanup()
