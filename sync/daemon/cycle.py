"""One cycle by hand: refresh definitions one after another, carry out removals, deliver what is owed.

A definition that fails does not keep the others from being refreshed; its error is kept for the report.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sync.config import coverage
from sync.daemon.app import App
from sync.deliver.delivered import Delivered
from sync.deliver.foreground import deliver
from sync.errors import StoreError, SyncError
from sync.model.definition import Definition
from sync.model.run import RunKind
from sync.refresh.plan import Plan, plan
from sync.refresh.removal import Removed, absent, remove
from sync.refresh.run import Refreshed, refresh
from sync.store.engine import Database


@dataclass(slots=True)
class Cycle:
    """What one cycle did. ``failed`` pairs a definition's key with its error."""

    refreshed: list[Refreshed] = field(default_factory=list)
    failed: list[tuple[str, SyncError]] = field(default_factory=list)
    removed: list[Removed] = field(default_factory=list)
    delivered: list[Delivered] = field(default_factory=list)

    @property
    def exit_code(self) -> int:
        """0 all done; 1 something was held, parked, or is still owed; else what the worst error says."""
        codes = [error.exit_code for _, error in self.failed]
        if any(each.hold for each in self.refreshed):
            codes.append(1)
        if any(each.parked or (each.backlog and each.backlog.owed) for each in self.delivered):
            codes.append(1)
        return max(codes, default=0)


@dataclass(frozen=True, slots=True)
class Order:
    """What to refresh, and how. ``destinations`` limits a backfill; ``everything``: no definition was named; ``full``: queries
    are evaluated for everybody."""

    definitions: Sequence[Definition]
    kind: RunKind = RunKind.DELTA
    as_of: datetime | None = None
    forced: bool = False
    destinations: Sequence[str] | None = None
    everything: bool = False
    full: bool = False


def run_refreshes(app: App, order: Order, on_refreshed: Callable[[Refreshed], None] | None = None) -> Cycle:
    """Refresh what is ordered; when no definition was named, removals are carried out too."""
    database = app.database()
    cycle = Cycle()
    for definition in order.definitions:
        try:
            done = refresh(
                database,
                app.source(definition.source),
                definition,
                kind=order.kind,
                as_of=order.as_of,
                forced=order.forced,
                backfilled=order.destinations,
                full=order.full,
            )
        except StoreError:
            raise
        except SyncError as error:
            cycle.failed.append((definition.key, error))
        else:
            cycle.refreshed.append(done)
            if on_refreshed is not None:
                on_refreshed(done)
    if order.everything:
        _remove(cycle, database, app.settings.definitions)
    return cycle


def _remove(cycle: Cycle, database: Database, kept: Sequence[Definition]) -> None:
    """Carry out removals; one that can't be done now (somebody is refreshing it) waits for the next cycle."""
    for known in absent(database, kept):
        try:
            cycle.removed.append(remove(database, known))
        except SyncError as error:
            cycle.failed.append((known.key, error))


def run_deliveries(
    app: App,
    names: Sequence[str],
    *,
    patience: float,
    on_progress: Callable[[Delivered], None] | None = None,
) -> list[Delivered]:
    """Deliver everything owed at these destinations."""
    return deliver(app.database(), app.outlets(names), app.clock, patience=patience, on_progress=on_progress)


def destinations_of(app: App, order: Order) -> list[str]:
    """The destinations an order delivers to: the chosen ones, all when nothing was named, else the definitions'."""
    if order.destinations is not None:
        return list(order.destinations)
    if order.everything:
        return list(app.settings.destinations)
    return list(dict.fromkeys(name for each in order.definitions for name in each.destinations))


def notes(app: App, order: Order) -> list[str]:
    """What of this order no mapping takes, a sentence for each destination."""
    told = (
        coverage.note(app.settings, app.settings.destinations[name], order.definitions)
        for name in destinations_of(app, order)
    )
    return [each for each in told if each is not None]


def make_plan(app: App, order: Order) -> Plan:
    """What `run_refreshes` and `run_deliveries` would do for this order; writes nothing, sends nothing."""
    names = destinations_of(app, order)
    destinations = app.settings.destinations
    return plan(
        app.database_to_look_at(),
        {each.source: app.source(each.source) for each in order.definitions},
        order.definitions,
        names,
        as_of=order.as_of or app.clock.now(),
        forced=order.forced,
        kept=app.settings.definitions if order.everything else None,
        full=order.full,
        unheard={name: [each.key for each in coverage.unheard(app.settings, destinations[name])] for name in names},
    )
