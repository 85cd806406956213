"""The HTTP API of this daemon, if it has one. It outlives a configuration: who posts must not be refused at every SIGHUP."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial

from sync.collect import CollectService, Committer, Entrance, Senders
from sync.collect.entrance import Forget
from sync.config import Address, CollectorSettings, Settings
from sync.daemon.app import App
from sync.daemon.place import Place
from sync.store import events, forgetting, forwarding
from sync.store.engine import Database
from sync.web.look import in_thread

_NOBODY = Senders({}, {})


class Collector:
    """Takes in events for a daemon. ``say`` hears where it listens; ``nudge`` may be replaced, and is told of each commit."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._place: Place[_Posted] = Place("collect")
        self._settings: CollectorSettings | None = None
        self._asked: CollectorSettings | None = None
        self._committer: Committer | None = None

    async def listen(self, app: App, database: Database) -> None:
        """Listen where this configuration says. Raises `UsageError`, and listens where it did, if that cannot be had.

        To be followed by ``keep``, or by ``undo`` when the configuration is refused for another reason.
        """
        self._asked = wanted = app.settings.collector
        if wanted is not None:
            # Before the first post is answered: what is recorded from here on goes to these destinations.
            await in_thread(lambda: forwarding.begin(database, app.settings.destinations))
        address = _address(wanted)
        if address != _address(self._settings) or (self._place.service is None) != (address is None):
            service = None
            if address is not None:
                service = _Posted(address, Entrance(_senders(app.settings), self._committing(database), app.clock))
            await self._place.move(service)

    async def keep(self) -> None:
        """The configuration was right."""
        if _address(self._settings) != _address(self._asked) and self._place.service is not None:
            self._say(f"events on {self._place.service.url}")
        self._settings = self._asked
        await self._place.keep()

    async def undo(self) -> None:
        """The configuration was refused: listen as before it."""
        await self._place.undo()

    def show(self, app: App, database: Database, nudge: Callable[[], None]) -> None:
        """Take in for this configuration from now on; ``nudge`` is told that something was recorded."""
        committer = self._committing(database)
        committer.record, committer.on_recorded = partial(events.record, database), nudge
        if self._place.service is not None:
            self._place.service.entrance.senders = _senders(app.settings)
            self._place.service.entrance.forget = _forgetting(app, database, nudge)

    async def close(self) -> None:
        """Take in nothing any more. What was taken is recorded and answered before."""
        await self._place.close()
        if self._committer is not None:
            await self._committer.drained()
            self._committer.close()
        self._committer = None
        self._settings = None

    def _committing(self, database: Database) -> Committer:
        if self._committer is None:
            self._committer = Committer(partial(events.record, database))
        return self._committer


class _Posted(CollectService):
    """The collector's socket, which can be opened again where it was."""

    def __init__(self, listen: Address, entrance: Entrance) -> None:
        super().__init__(listen, entrance)
        self.entrance = entrance

    async def open(self) -> None:
        self.entrance.closing = False
        await super().open()


def _forgetting(app: App, database: Database, nudge: Callable[[], None]) -> Forget | None:
    """What a `delete` event does, where it does anything."""
    if not app.settings.delete_events:
        return None
    destinations, quiet = list(app.settings.destinations), app.quiet()

    def forget(user_id: str, source: str) -> None:
        by = f"webhook {source}"
        if forgetting.forget(database, user_id, destinations, by, again=False, quiet=quiet) is not None:
            loop.call_soon_threadsafe(nudge)

    loop = asyncio.get_running_loop()
    return forget


def _address(settings: CollectorSettings | None) -> Address | None:
    return None if settings is None else settings.listen


def _senders(settings: Settings) -> Senders:
    collector = settings.collector
    return _NOBODY if collector is None else Senders(collector.keys, collector.webhooks)
