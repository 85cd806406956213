"""Which services a daemon runs for one configuration, and who nudges whom."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Protocol

from sync.daemon.alerts import Alerts
from sync.daemon.app import App
from sync.daemon.collector import Collector
from sync.daemon.delivery import DeliveryService
from sync.daemon.eraser import Eraser
from sync.daemon.feeder import AT_ONCE, Feeder
from sync.daemon.generation import Generation
from sync.daemon.leader import Leader
from sync.daemon.pruner import Pruner
from sync.daemon.remover import Remover
from sync.daemon.rescuer import Rescuer
from sync.daemon.service import Service
from sync.daemon.storetime import StoreTime
from sync.daemon.ticker import Ticker
from sync.daemon.worker import Worker
from sync.model.definition import Definition
from sync.model.run import RunKind
from sync.model.tick import ClaimedTick
from sync.refresh.run import Refreshed, refresh
from sync.source.connection import Source
from sync.store.engine import Database
from sync.web import Vitals

WORKERS = 2
"""Refreshes at once in one daemon: each holds a connection to its source, and most of the work is done there."""


class Nudged(Service, Protocol):
    """A service that may be told to look now."""

    def nudge(self) -> None:
        """Look now."""
        ...


def assemble(
    app: App, database: Database, generation: Generation, vitals: Vitals, collector: Collector
) -> list[Service]:
    """Everything the daemon runs for this configuration, in the order in which it is started.

    ``collector`` runs already, and takes in for this configuration from now on.
    """
    settings = app.settings
    enabled = {each.key: each for each in settings.definitions if each.enabled}
    schedules = {key: settings.schedules[key] for key in enabled}
    time = StoreTime(database, app.clock)

    def looked() -> None:
        if generation.retired:
            return  # the vitals are its successor's
        vitals.looked_at, vitals.outdated = app.clock.monotonic(), generation.outdated

    deliveries = [
        DeliveryService(database, outlet, app.clock, is_current=lambda: not generation.outdated)
        for outlet in app.outlets(settings.destinations)
    ]
    collector.show(app, database, lambda: _nudge(deliveries))
    workers: list[Worker] = []
    ticker = Ticker(database, schedules, generation, time, on_look=looked, on_tick=lambda: _nudge(workers))

    def recorded(_: Refreshed) -> None:
        _nudge((*deliveries, ticker))

    refreshing = _Refreshing(app, database)
    workers += [
        Worker(
            f"worker-{number}",
            database,
            enabled,
            schedules,
            refreshing,
            generation,
            time,
            on_recorded=recorded,
            give_up=refreshing.give_up,
        )
        for number in range(1, WORKERS + 1)
    ]
    duties: Sequence[Service] = [
        Rescuer(database, list(settings.destinations), lambda: _nudge(workers)),
        Remover(database, settings.definitions, generation, lambda: _nudge(deliveries)),
        Alerts(database, settings, app.clock),
        Eraser(database, app.clock),
        Pruner(database, settings.retention, app.clock, settings.destinations),
        *_feeders(app, database, lambda: _nudge(deliveries)),
    ]
    return [*deliveries, *workers, ticker, Leader(database, generation, app.clock, vitals, duties)]


class _Refreshing:
    """What workers do for a tick, each in a thread of its own."""

    def __init__(self, app: App, database: Database) -> None:
        self._app = app
        self._database = database
        self._reading: dict[str, Source] = {}

    def __call__(self, definition: Definition, tick: ClaimedTick) -> Refreshed:
        source = self._reading[tick.token] = self._app.own_source(definition.source)
        try:
            return refresh(self._database, source, definition, kind=RunKind.DELTA, as_of=None, tick=tick)
        finally:
            self._reading.pop(tick.token, None)

    def give_up(self, tick: ClaimedTick) -> None:
        """Nobody wants its answer any more: the source need not go on with it."""
        source = self._reading.get(tick.token)
        if source is not None:
            threading.Thread(target=source.give_up, name="give-up", daemon=True).start()


def _feeders(app: App, database: Database, on_recorded: Callable[[], None]) -> Iterator[Feeder]:
    settings = app.settings
    turns = asyncio.Semaphore(AT_ONCE)
    for source in settings.sources.values():
        for table in source.events:
            if table.forward is not None:
                yield Feeder(
                    database, source.name, app.own_source, table, list(settings.destinations), turns, on_recorded
                )


def _nudge(services: Iterable[Nudged]) -> None:
    for each in services:
        each.nudge()
