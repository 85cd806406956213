"""``engage-sync sandbox``: run the local stand-in for Pushwoosh until SIGINT or SIGTERM."""

from __future__ import annotations

import asyncio
import errno
import signal
import sys
from contextlib import AsyncExitStack
from dataclasses import asdict
from typing import cast

import click
import orjson

from sync.destinations.sandbox import Complaint, Faults, Sandbox, serve
from sync.errors import UsageError

DEFAULT_LISTEN = "127.0.0.1:8900"
COUNT_INTERVAL = 5.0
"""Seconds between two looks at the counters; a line is printed when they moved."""


class Printer:
    """Writes what happens, for people or as JSON lines."""

    def __init__(self, as_json: bool) -> None:
        self._as_json = as_json

    def listening(self, url: str) -> None:
        """Where it listens, and the line to paste into ``sync.yaml``."""
        people = f"sandbox listens on {url}   (what it got: {url}/_sandbox/requests)\nbase_url: {url}"
        self._write({"event": "listening", "base_url": url}, people)

    def complaint(self, complaint: Complaint) -> None:
        """A request that was wrong."""
        self._write({"event": "complaint", **asdict(complaint)}, f"complaint: {complaint}")

    def counts(self, stats: dict[str, object], event: str = "counts") -> None:
        """How many requests there were."""
        words = ", ".join(
            f"{stats[name]} {name}" for name in ("requests", "accepted", "refused", "users", "complaints")
        )
        self._write({"event": event, **stats}, words)

    def _write(self, event: dict[str, object], people: str) -> None:
        click.echo(orjson.dumps(event) if self._as_json else people)
        sys.stdout.flush()


@click.command("sandbox")
@click.option("--listen", default=DEFAULT_LISTEN, show_default=True, metavar="HOST:PORT", help="Port 0 = a free one.")
@click.option("--latency", type=click.FloatRange(0), default=0.0, metavar="SECONDS", help="Answer that much later.")
@click.option("--error-rate", type=click.FloatRange(0, 1), default=0.0, metavar="SHARE", help="Answer 500 to a share.")
@click.option(
    "--rate-limit", type=click.FloatRange(0, min_open=True), metavar="NUMBER", help="Requests a second; then 429."
)
@click.option("--fail-user", multiple=True, metavar="ID", help="Refuse this user with 400. Can be repeated.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON lines.")
def sandbox(
    listen: str,
    latency: float,
    error_rate: float,
    rate_limit: float | None,
    fail_user: tuple[str, ...],
    as_json: bool,
) -> None:
    """Run a local stand-in for Pushwoosh: no account needed.

    It checks every request strictly, remembers what it got, and shows it under /_sandbox/. Stop it with Ctrl-C.
    """
    host, port = _address(listen)
    try:
        faults = Faults(latency=latency, error_rate=error_rate, rate_limit=rate_limit, fail_users=frozenset(fail_user))
    except ValueError as error:  # an infinity or NaN passes click's ranges
        raise UsageError(f"{error}.") from error
    printer = Printer(as_json)
    stand_in = Sandbox(faults=faults, on_complaint=printer.complaint)
    asyncio.run(_run(stand_in, host, port, printer))


async def _run(stand_in: Sandbox, host: str, port: int, printer: Printer) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with AsyncExitStack() as stack:
        try:
            url = await stack.enter_async_context(serve(stand_in, host, port))
        except OSError as error:
            reason = "it is in use" if error.errno == errno.EADDRINUSE else error.strerror or str(error)
            raise UsageError(f"Cannot listen on {host}:{port}: {reason}; choose another with --listen.") from error
        printer.listening(url)
        counting = asyncio.create_task(_count(stand_in, printer)) if sys.stdout.isatty() else None
        await stop.wait()
        if counting is not None:
            counting.cancel()
    printer.counts(stand_in.stats(), "stopped")


async def _count(stand_in: Sandbox, printer: Printer) -> None:
    shown = 0
    while True:
        await asyncio.sleep(COUNT_INTERVAL)
        stats = stand_in.stats()
        requests = cast("int", stats["requests"])
        if requests != shown:
            shown = requests
            printer.counts(stats)


def _address(listen: str) -> tuple[str, int]:
    host, colon, port = listen.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not colon or not host or not port.isascii() or not port.isdigit() or int(port) > 65_535:
        raise UsageError(f'--listen must be HOST:PORT, for example {DEFAULT_LISTEN}, but it was "{listen}".')
    return host, int(port)
