"""Health and metrics of this daemon. They outlive a configuration: who watches must not see a gap at every SIGHUP."""

from __future__ import annotations

from collections.abc import Callable

from sync.config import WebSettings
from sync.daemon.app import App
from sync.daemon.place import Place
from sync.store.engine import Database
from sync.web import Vitals, WebService, WebState


class Watch:
    """What can be seen from outside. ``say`` hears where it listens; ``vitals`` are written by everybody."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self.vitals = Vitals()
        self._state: WebState | None = None
        self._settings: WebSettings | None = None
        self._asked: WebSettings | None = None
        self._place: Place[WebService] = Place("web")

    async def listen(self, app: App, database: Database) -> None:
        """Listen where this configuration says. Raises `UsageError`, and listens where it did, if that cannot be had.

        To be followed by ``keep``, or by ``undo`` when the configuration is refused for another reason.
        """
        if self._state is None:
            self._state = WebState(database, app.settings, self.vitals, app.clock)
        self._asked = wanted = app.settings.web
        listens = self._place.service is not None
        if wanted != self._settings or listens != (wanted.listen is not None):
            web = WebService(wanted.listen, wanted.token, self._state) if wanted.listen is not None else None
            await self._place.move(web)

    async def keep(self) -> None:
        """The configuration was right."""
        if self._settings != self._asked and self._place.service is not None:
            self._say(f"health and metrics on {self._place.service.url}")
        self._settings = self._asked
        await self._place.keep()

    async def undo(self) -> None:
        """The configuration was refused: listen as before it."""
        await self._place.undo()

    def show(self, app: App, database: Database) -> None:
        """Show this configuration from now on."""
        self.vitals.services.clear()
        self.vitals.outdated = False
        if self._state is not None:
            self._state.database, self._state.settings = database, app.settings

    async def close(self) -> None:
        """Show nothing any more."""
        await self._place.close()
