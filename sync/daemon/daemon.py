"""The daemon as a whole: start, signals, the configuration read anew, a stop in good order.

The first SIGTERM or SIGINT ends it: nothing new is begun, what is in flight is settled, leases are given back. A second
one aborts, which is as harmless as a kill -9. SIGHUP reads the file anew; one that is wrong changes nothing. Signals are
heard from the first moment on, also while a file is read or a store keeps silent.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass

from sync import telemetry
from sync.collect.service import GRACE
from sync.daemon.app import App
from sync.daemon.collector import Collector
from sync.daemon.crew import assemble
from sync.daemon.generation import Generation
from sync.daemon.service import Service, origin, supervise
from sync.daemon.watch import Watch
from sync.errors import ConfigurationError, SyncError
from sync.store.engine import Database
from sync.web.look import in_thread

DRAIN_SECONDS = 30.0
"""How long a stop waits for what is under way: a request has its deadline, a refresh that takes longer is cut off."""

HANDOVER_SECONDS = 1.0
"""How long a new configuration waits for what the former one has under way, before it begins beside it."""

_MARGIN = 5.0
_THREADS = 32
"""For short questions to the store; refreshes have threads of their own."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """A configuration whose store is open and whose number is known."""

    app: App
    database: Database
    generation: Generation


class Daemon:
    """Runs until it is told to end. ``open_app`` reads the configuration; ``say`` is for whoever started it."""

    def __init__(self, open_app: Callable[[], App], say: Callable[[str], None]) -> None:
        self._open_app = open_app
        self._say = say
        self._ending = asyncio.Event()
        self._told = asyncio.Event()
        self._patience = 0.0
        self._watch = Watch(say)
        self._collector = Collector(say)
        self._retiring: set[asyncio.Task[None]] = set()

    async def run(self) -> int:
        """The exit code. Raises a `SyncError` when it cannot start."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._told_to_end, number.name)
        loop.add_signal_handler(signal.SIGHUP, self._told.set)
        loop.set_default_executor(ThreadPoolExecutor(_THREADS, thread_name_prefix="store"))
        try:
            loaded = await self._load_unless_ending()
            while loaded is not None:
                loaded = await self._live(loaded)
        finally:
            await asyncio.gather(*self._retiring)
            await self._collector.close()
            await self._watch.close()
        self._say("stopped")
        return 0

    def _told_to_end(self, by: str) -> None:
        if self._ending.is_set():
            try:
                telemetry.event("daemon.aborted", level=logging.WARNING, by=by)
                self._say("aborted")
            finally:
                _exit(1)
        _end_by(GRACE + self._patience + _MARGIN)
        self._watch.vitals.stopping = True
        self._ending.set()
        self._told.set()
        telemetry.event("daemon.stopping", by=by)

    async def _load_unless_ending(self) -> Loaded | None:
        """What `_load` gives; ``None`` when it is told to end meanwhile: a store may keep silent for long."""
        loading, ending = asyncio.create_task(self._load()), asyncio.create_task(self._ending.wait())
        try:
            await asyncio.wait((loading, ending), return_when=asyncio.FIRST_COMPLETED)
            if not self._ending.is_set():
                return await loading
            loading.cancel()
            for found in await asyncio.gather(loading, return_exceptions=True):
                if isinstance(found, Loaded):
                    found.app.close()
            return None
        finally:
            ending.cancel()

    async def _load(self) -> Loaded:
        """Read the configuration, open its store, listen, announce it. Raises a `SyncError`; then everything is as before."""
        # In threads that keep nobody from ending.
        app = await in_thread(self._open_app)
        try:
            database = await in_thread(app.database)
            await self._watch.listen(app, database)
            await self._collector.listen(app, database)
            # Last: once it is announced, daemons that have another one stop taking ticks.
            told = await in_thread(lambda: Generation.announce(database, app.settings.fingerprint))
        except BaseException:
            await self._collector.undo()
            await self._watch.undo()
            app.close()
            raise
        await self._watch.keep()
        await self._collector.keep()
        return Loaded(app, database, told)

    async def _live(self, loaded: Loaded) -> Loaded | None:
        """Run one configuration until told to end, or until there is another one to run."""
        app, stopping = loaded.app, asyncio.Event()
        tasks: dict[asyncio.Task[None], Service] = {}
        self._patience = max(self._patience, _patience(app))
        successor = None
        try:
            self._watch.show(app, loaded.database)
            for service in assemble(app, loaded.database, loaded.generation, self._watch.vitals, self._collector):
                tasks[asyncio.create_task(supervise(service, stopping, self._watch.vitals))] = service
            self._say(_greeting(loaded))
            telemetry.event("daemon.started", generation=loaded.generation.number, pid=os.getpid())
            successor = await self._successor()
        finally:
            if successor is None:
                await self._collector.close()  # while there is somebody to send on what it has taken
            else:
                loaded.generation.retire()
            stopping.set()
            retiring = asyncio.create_task(self._drain(tasks, app))
            self._retiring.add(retiring)
            retiring.add_done_callback(self._retiring.discard)
            await asyncio.wait([retiring], timeout=None if successor is None else HANDOVER_SECONDS)
        return successor

    async def _successor(self) -> Loaded | None:
        """What is to be run next: a configuration that was read anew and is right, or nothing."""
        while True:
            await self._told.wait()
            self._told.clear()
            if self._ending.is_set():
                return None
            try:
                found = await self._load_unless_ending()
            except Exception as error:  # noqa: BLE001 - a file that we stumble over must not end what works
                telemetry.event("configuration.refused", level=logging.ERROR, problems=_problems(error))
            else:
                if found is not None:
                    telemetry.event("configuration.reloaded", generation=found.generation.number)
                return found

    async def _drain(self, tasks: dict[asyncio.Task[None], Service], app: App) -> None:
        """Let everything end in good order, for so long; then cut it off."""
        if tasks:
            _, unfinished = await asyncio.wait(tasks, timeout=_patience(app))
            for each in unfinished:
                telemetry.event("service.cut_off", level=logging.WARNING, service=tasks[each].name)
                each.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        app.close()


def _patience(app: App) -> float:
    """Seconds that a stop waits for what is under way."""
    deadlines = [each.delivery.deadline + _MARGIN for each in app.settings.destinations.values()]
    return max([DRAIN_SECONDS, *deadlines])


def _greeting(loaded: Loaded) -> str:
    settings = loaded.app.settings
    definitions = sum(each.enabled for each in settings.definitions)
    return (
        f"running: {definitions} definitions, destinations {', '.join(settings.destinations) or 'none'}, "
        f"store {loaded.database.description}"
    )


def _problems(error: Exception) -> Sequence[str]:
    """Why a configuration was refused, as the log may hear it."""
    if isinstance(error, ConfigurationError):
        return error.problems
    return (error.for_log if isinstance(error, SyncError) else f"{type(error).__name__} at {origin(error)}",)


def _end_by(seconds: float) -> None:
    """End the process by then, whatever happens: a thread may hang in a database's silence for ever."""
    guard = threading.Timer(seconds, _exit, (1,))
    guard.daemon = True
    guard.start()


def _exit(code: int) -> None:
    """End now, without waiting for anybody."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):  # nobody reads it any more
            stream.flush()
    os._exit(code)
