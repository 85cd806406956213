"""Puts a sandbox on a socket: in the running event loop, or in a thread of its own for synchronous callers."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from concurrent.futures import Future
from contextlib import asynccontextmanager
from types import TracebackType

from aiohttp import web

from sync.destinations.sandbox.app import build_app
from sync.destinations.sandbox.sandbox import Sandbox

GRACE = 0.05
"""Seconds that requests under way get at the end; a drip or a long latency must not hold up whoever stops us."""


@asynccontextmanager
async def serve(sandbox: Sandbox, host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[str]:
    """Serve until the block ends; yields the base URL, without a slash at its end. Port 0 takes a free one.

    Raises ``OSError`` when the address cannot be listened on.
    """
    # handler_cancellation: a client that gave up is not "inside" any more, or the concurrency seen would be too high.
    runner = web.AppRunner(build_app(sandbox), handler_cancellation=True, access_log=None, shutdown_timeout=GRACE)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port, backlog=1024).start()
        bound_host, bound_port = runner.addresses[0][:2]
        yield f"http://[{bound_host}]:{bound_port}" if ":" in bound_host else f"http://{bound_host}:{bound_port}"
    finally:
        await runner.cleanup()


class SandboxThread:
    """Serves a sandbox in a background thread: ``with SandboxThread(sandbox) as server: … server.url``.

    Entering raises ``OSError`` when the address cannot be listened on; leaving waits until the socket is closed.
    """

    def __init__(self, sandbox: Sandbox, host: str = "127.0.0.1", port: int = 0) -> None:
        self.sandbox = sandbox
        self.url = ""
        self._host = host
        self._port = port
        self._started: Future[tuple[str, asyncio.AbstractEventLoop, asyncio.Event]] = Future()
        self._thread = threading.Thread(target=self._run, name="sandbox", daemon=True)

    def __enter__(self) -> SandboxThread:
        self._thread.start()
        self.url, self._loop, self._stop = self._started.result()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:
            if self._started.done():
                raise
            self._started.set_exception(error)

    async def _serve(self) -> None:
        stop = asyncio.Event()
        async with serve(self.sandbox, self._host, self._port) as url:
            self._started.set_result((url, asyncio.get_running_loop(), stop))
            await stop.wait()
