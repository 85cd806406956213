"""Carries out the removal of definitions that were taken out of the file, and of what was due for them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence

from sync import telemetry
from sync.daemon.generation import Generation
from sync.daemon.service import pause
from sync.errors import StoreUnavailable, SyncError
from sync.model.definition import Definition
from sync.refresh.removal import absent, remove
from sync.store import ticks
from sync.store.engine import Database

LOOK_EVERY = 10.0


class Remover:
    """A duty of the leader. ``kept`` are all definitions of the file, enabled or not."""

    name = "remover"

    def __init__(
        self,
        database: Database,
        kept: Sequence[Definition],
        generation: Generation,
        on_removed: Callable[[], None] = lambda: None,
    ) -> None:
        self._database = database
        self._kept = kept
        self._generation = generation
        self._on_removed = on_removed
        self._told: dict[str, str] = {}

    async def run(self, stopping: asyncio.Event) -> None:
        """Look now and then; a definition that somebody is refreshing waits for the next look."""
        while not stopping.is_set():
            if await asyncio.to_thread(self.remove):
                self._on_removed()
            await pause(stopping, LOOK_EVERY)

    def remove(self) -> int:
        """Remove what is to be removed; gives how many definitions were."""
        # A file that is no longer the newest knows nothing of definitions that were added since.
        if not self._generation.check(self._database):
            return 0
        scheduled = [each.key for each in self._kept if each.enabled]
        ticks.skip_others(self._database, scheduled, self._generation.number)
        removed = 0
        for known in absent(self._database, self._kept):
            try:
                remove(self._database, known)
            except StoreUnavailable:
                raise
            except SyncError as error:
                self._tell(known.key, str(error))
            else:
                removed += 1
        return removed

    def _tell(self, key: str, reason: str) -> None:
        if self._told.get(key) != reason:
            self._told[key] = reason
            telemetry.event("removal.waiting", level=logging.WARNING, definition=key, reason=reason)
