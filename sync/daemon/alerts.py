"""Watches for changes of state that somebody wants to hear of, and has them told.

A change is stored first and told afterwards (``notifier``), so that no death in between loses it. What is watched, and
when it counts as changed, is in ``model/alert``. Two daemons that look at once store the same.
"""

from __future__ import annotations

import asyncio
import logging

from sync import telemetry
from sync.clock import Clock
from sync.config import AlertSettings, Settings
from sync.daemon.notifier import Notifier, together
from sync.daemon.service import pause
from sync.model.alert import AlertState, Observed, Subject, changes, judge, named
from sync.store import alerts, watched
from sync.store.engine import Database

LOOK_EVERY = 5.0
"""Seconds; what comes and goes between two looks is no alert."""


class Alerts:
    """A duty of the leader. Where nobody is to be told, nothing is looked at."""

    name = "alerts"

    def __init__(self, database: Database, settings: Settings, clock: Clock) -> None:
        self._database = database
        self._receivers = settings.alerts
        self._destinations = tuple(settings.destinations)
        self._definitions = tuple(each.key for each in settings.definitions if each.enabled)
        self._notifier = Notifier(database, settings, clock)

    async def run(self, stopping: asyncio.Event) -> None:
        """Look now and then, and have what changed told."""
        if self._receivers:
            await asyncio.to_thread(self.look)  # first, so that all it finds goes in one request
            await together(self._keep_looking(stopping), self._notifier.run(stopping))
        await stopping.wait()

    async def _keep_looking(self, stopping: asyncio.Event) -> None:
        while not stopping.is_set():
            await pause(stopping, LOOK_EVERY)
            if stopping.is_set():
                return
            if await asyncio.to_thread(self.look):
                self._notifier.nudge()

    def look(self) -> int:
        """Store what has changed since the last look; gives how many alerts have. Raises `StoreError`."""
        if not self._receivers:
            return 0
        with self._database.read() as connection:
            observed = watched.observe(connection, self._definitions)
            stored = {name: alert.state for name, alert in alerts.states(connection).items()}
        firing: dict[str, set[Subject]] = {each.id: set() for each in self._receivers}
        gone = []
        for name, state in stored.items():
            receiver, subject = named(name)
            if receiver not in firing:
                gone.append(name)
            elif state is AlertState.FIRING:
                firing[receiver].add(subject)
        if gone:
            alerts.forget(self._database, gone)
        return sum(self._store(each, observed, firing[each.id]) for each in self._receivers)

    def _store(self, receiver: AlertSettings, observed: Observed, firing: set[Subject]) -> int:
        found = judge(observed, receiver.watch, destinations=self._destinations, definitions=self._definitions)
        changed = 0
        for subject, state, detail in changes(firing, found):
            if alerts.change(self._database, subject.named_for(receiver.id), state, detail):
                changed += 1
                telemetry.event(
                    f"alert.{state}",
                    level=logging.WARNING if state is AlertState.FIRING else logging.INFO,
                    alert=subject.kind,
                    subject=subject.name,
                    to=f"alerts[{receiver.index}]",
                )
        return changed
