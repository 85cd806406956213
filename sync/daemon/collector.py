"""The HTTP API of this daemon, if it has one. It outlives a configuration: who posts must not be refused at every SIGHUP."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial

from sync.collect import CollectService, Committer, Entrance, Senders
from sync.config import CollectorSettings, Settings
from sync.daemon.app import App
from sync.store import events, forwarding
from sync.store.engine import Database

_NOBODY = Senders({}, {})


class Collector:
    """Takes in events for a daemon. ``say`` hears where it listens; ``nudge`` may be replaced, and is told of each commit."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._service: CollectService | None = None
        self._entrance: Entrance | None = None
        self._settings: CollectorSettings | None = None
        self._committer: Committer | None = None

    async def listen(self, app: App, database: Database) -> None:
        """Listen where this configuration says. Raises `UsageError`, and listens where it did, if that cannot be had."""
        wanted, former = app.settings.collector, self._settings
        if wanted is not None:
            # Before the first post is answered: what is recorded from here on goes to these destinations.
            await asyncio.to_thread(forwarding.begin, database, app.settings.destinations)
        if _address(wanted) != _address(former):
            service = entrance = None
            if wanted is not None and wanted.listen is not None:
                entrance = Entrance(_senders(app.settings), self._committing(database), app.clock)
                service = CollectService(wanted.listen, entrance)
                await service.open()
                self._say(f"events on {service.url}")
            await self._stop()
            self._service, self._entrance = service, entrance
        self._settings = wanted

    def show(self, app: App, database: Database, nudge: Callable[[], None]) -> None:
        """Take in for this configuration from now on; ``nudge`` is told that something was recorded."""
        committer = self._committing(database)
        committer.record, committer.on_recorded = partial(events.record, database), nudge
        if self._entrance is not None:
            self._entrance.senders = _senders(app.settings)

    async def close(self) -> None:
        """Take in nothing any more. What was taken is recorded and answered before."""
        await self._stop()
        if self._committer is not None:
            await self._committer.drained()
            self._committer.close()
        self._committer = None
        self._settings = None

    async def _stop(self) -> None:
        service, self._service, self._entrance = self._service, None, None
        if service is not None:
            await service.close()

    def _committing(self, database: Database) -> Committer:
        if self._committer is None:
            self._committer = Committer(partial(events.record, database))
        return self._committer


def _address(settings: CollectorSettings | None) -> object:
    return None if settings is None else settings.listen


def _senders(settings: Settings) -> Senders:
    collector = settings.collector
    return _NOBODY if collector is None else Senders(collector.keys, collector.webhooks)
