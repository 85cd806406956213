"""Health and metrics of this daemon. They outlive a configuration: who watches must not see a gap at every SIGHUP."""

from __future__ import annotations

from collections.abc import Callable

from sync.config import WebSettings
from sync.daemon.app import App
from sync.store.engine import Database
from sync.web import Vitals, WebService, WebState


class Watch:
    """What can be seen from outside. ``say`` hears where it listens; ``vitals`` are written by everybody."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self.vitals = Vitals()
        self._state: WebState | None = None
        self._settings: WebSettings | None = None
        self._web: WebService | None = None

    async def listen(self, app: App, database: Database) -> None:
        """Listen where this configuration says. Raises `UsageError`, and listens where it did, if that cannot be had."""
        if self._state is None:
            self._state = WebState(database, app.settings, self.vitals, app.clock)
        wanted, former = app.settings.web, self._settings
        if wanted == former:
            return
        if former is not None and former.listen == wanted.listen:
            await self.close()
        web = WebService(wanted.listen, wanted.token, self._state) if wanted.listen is not None else None
        if web is not None:
            await web.open()
            self._say(f"health and metrics on {web.url}")
        await self.close()
        self._web, self._settings = web, wanted

    def show(self, app: App, database: Database) -> None:
        """Show this configuration from now on."""
        self.vitals.services.clear()
        self.vitals.outdated = False
        if self._state is not None:
            self._state.database, self._state.settings = database, app.settings

    async def close(self) -> None:
        """Show nothing any more."""
        web, self._web = self._web, None
        if web is not None:
            await web.close()
