"""``python -m bench.sink SECONDS``: an HTTP server that answers any request with 200 after so long; prints its port."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from aiohttp import web

_ANSWER = {"message": "OK", "request_id": "1", "status": "done"}
"""What any method of either API takes for a success; a request in bulk is done at once."""


@contextmanager
def sink(seconds: float) -> Iterator[str]:
    """The base URL of a sink in a process of its own."""
    command = [sys.executable, "-m", "bench.sink", str(seconds)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.terminate()


async def _serve(seconds: float) -> None:
    async def handle(request: web.BaseRequest) -> web.Response:
        await request.read()
        if seconds:
            await asyncio.sleep(seconds)
        return web.json_response(_ANSWER)

    runner = web.ServerRunner(web.Server(handle))
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, backlog=1024)
    await site.start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_serve(float(sys.argv[1])))
