"""Metrics as Prometheus wants them: what was read from the store, what this daemon counts, and what it is."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from datetime import datetime

from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

import sync
from sync import telemetry
from sync.model.received import Reason
from sync.model.run import RunStatus
from sync.model.slot import SlotState
from sync.store import deletions
from sync.store.measures import DefinitionMeasure, Measures
from sync.web import catalogue
from sync.web.catalogue import Kind, Metric, Origin
from sync.web.state import WebState

Family = GaugeMetricFamily | CounterMetricFamily
Series = tuple[tuple[str, ...], float]
"""The values of a metric's labels, and the number."""

ENDINGS = (RunStatus.SUCCEEDED, RunStatus.HELD, RunStatus.FAILED, RunStatus.LOST)
BREAKER_STATES = ("closed", "open", "half_open")
TICK_STATES = ("due", "running")
EVENT_STATES = ("unread", "waiting", "parked")
DELETION_STATES = ("owed", "refused")
DELETION_OUTCOMES = ("done", "refused", "owed")


def registry(measures: Measures | None, seconds: float, state: WebState) -> CollectorRegistry:
    """One answer's worth of metrics. ``measures`` is what was read, in ``seconds``; ``None`` when the store is away."""
    found = CollectorRegistry()
    found.register(Metrics(measures, seconds, state))
    ProcessCollector(registry=found)
    PlatformCollector(registry=found)
    GCCollector(registry=found)
    return found


class Metrics(Collector):
    """Everything of our own. What the store knows is left out when it cannot be read: an old number would be a lie."""

    def __init__(self, measures: Measures | None, seconds: float, state: WebState) -> None:
        self._measures = measures
        self._seconds = seconds
        self._state = state
        self._keys = [each.key for each in state.settings.definitions if each.enabled]
        self._destinations = list(state.settings.destinations)
        collector = state.settings.collector
        self._feeds = [
            table.feed_name(name)
            for name, source in state.settings.sources.items()
            for table in source.events
            if table.forward is not None
        ]
        self._sources = [*collector.keys, *collector.webhooks] if collector else []

    def collect(self) -> Iterator[Family]:
        for metric in catalogue.METRICS:
            if metric.kind is Kind.COUNTER:
                yield _family(metric, self._counted(metric))
            elif metric.origin is Origin.DAEMON:
                yield _family(metric, self._own(metric))
            elif self._measures is not None:
                yield _family(metric, self._stored(metric, self._measures))

    def _counted(self, metric: Metric) -> Iterator[Series]:
        """A counter, with a zero for what has not happened yet: an increase needs something to start from."""
        series = {(*name, *rest): 0.0 for name in self._known(metric) for rest in _WORDS.get(metric, [()])}
        for labels, number in telemetry.counted(metric.name.removeprefix("engage_sync_")).items():
            values = dict(labels)
            series[tuple(values[name] for name in metric.labels)] = number
        yield from series.items()

    def _known(self, metric: Metric) -> list[tuple[str, ...]]:
        """What a counter's first label names, as far as it is known before anything has happened."""
        if not metric.labels:
            return [()]
        names = {
            "destination": self._destinations,
            "definition": self._keys,
            "source": self._sources,
            "feed": self._feeds,
        }
        return [(name,) for name in names[metric.labels[0]]]

    def _own(self, metric: Metric) -> Iterator[Series]:
        vitals = self._state.vitals
        if metric is catalogue.STORE_UP:
            yield (), float(self._measures is not None)
        elif metric is catalogue.STORE_SECONDS:
            yield (), self._seconds
        elif metric is catalogue.CURRENT:
            yield (), float(not vitals.outdated)
        elif metric is catalogue.SERVICE_UP:
            yield from (((name,), float(not reason)) for name, reason in sorted(dict(vitals.services).items()))
        elif metric is catalogue.TICKER_AGE and vitals.looked_at is not None:
            yield (), max(0.0, self._state.clock.monotonic() - vitals.looked_at)
        elif metric is catalogue.INFO:
            yield (sync.__version__,), 1.0

    def _stored(self, metric: Metric, measures: Measures) -> Iterator[Series]:
        if metric.labels[:1] == ("definition",):
            yield from self._of_definitions(metric, measures)
        elif metric.labels[:1] == ("destination",):
            yield from self._of_destinations(metric, measures)
        else:
            yield from _of_daemons(metric, measures)

    def _of_definitions(self, metric: Metric, measures: Measures) -> Iterator[Series]:
        for key in self._keys:
            found = measures.definitions.get(key)
            if metric is catalogue.FRESHNESS:
                yield (key,), _age(found.recorded_at, measures.at) if found and found.recorded_at else math.inf
            elif metric is catalogue.RUN_STATUS:
                yield from (((key, status), float(found is not None and found.status == status)) for status in ENDINGS)
            else:
                yield (key,), _number(metric, found)

    def _of_destinations(self, metric: Metric, measures: Measures) -> Iterator[Series]:
        for name in self._destinations:
            backlog = measures.backlogs.get(name)
            if metric is catalogue.BACKLOG:
                users = backlog.users if backlog else {}
                yield from (((name, state), float(users.get(state, 0))) for state in SlotState)
            elif metric is catalogue.OLDEST_OWED:
                yield (name,), _age(backlog.oldest, measures.at) if backlog and backlog.oldest else 0.0
            elif metric in (catalogue.EVENTS, catalogue.EVENT_LAG):
                yield from _of_events(metric, name, measures)
            elif metric in (catalogue.DELETIONS, catalogue.DELETION_AGE):
                yield from _of_deletions(metric, name, measures)
            else:
                present = measures.breakers.get(name, "closed")
                yield from (((name, state), float(present == state)) for state in BREAKER_STATES)


def _of_events(metric: Metric, name: str, measures: Measures) -> Iterator[Series]:
    backlog = measures.events.get(name)
    if metric is catalogue.EVENTS:
        for state in EVENT_STATES:
            yield (name, state), float(getattr(backlog, state) if backlog else 0)
    else:
        yield (name,), _age(backlog.oldest, measures.at) if backlog and backlog.oldest else 0.0


def _of_deletions(metric: Metric, name: str, measures: Measures) -> Iterator[Series]:
    backlog = measures.deletions.get(name, deletions.Backlog())
    if metric is catalogue.DELETIONS:
        yield from (((name, state), float(getattr(backlog, state))) for state in DELETION_STATES)
    else:
        yield (name,), _age(backlog.oldest, measures.at) if backlog.oldest else 0.0


def _of_daemons(metric: Metric, measures: Measures) -> Iterator[Series]:
    ticks = measures.ticks
    if metric is catalogue.LEASE_HOLDER:
        yield from (((each["name"], each["host"], str(each["pid"])), 1.0) for each in measures.leases)
    elif metric is catalogue.LEASE_TERM:
        yield from (((each["name"],), float(each["term"])) for each in measures.leases)
    elif metric is catalogue.TICK_LAG:
        yield (), _age(ticks.overdue_since, measures.at) if ticks.overdue_since else 0.0
    elif metric is catalogue.LOG_AGE:
        yield (), _age(measures.log.oldest_at, measures.at) if measures.log.oldest_at else 0.0
    elif metric is catalogue.STORE_BYTES:
        yield (), float(measures.store_bytes)
    elif metric is catalogue.OLDEST_TRANSACTION:
        yield (), measures.oldest_transaction.total_seconds()
    else:
        yield from zip(((state,) for state in TICK_STATES), (float(ticks.due), float(ticks.running)), strict=True)


def _number(metric: Metric, found: DefinitionMeasure | None) -> float:
    """One of a definition's plain numbers."""
    if found is None:
        return 0.0
    numbers = {
        catalogue.MEMBERS: found.members,
        catalogue.RUN_SECONDS: found.seconds,
        catalogue.ENTERED: found.entered,
        catalogue.EXITED: found.exited,
        catalogue.CHANGED: found.changed,
        catalogue.HELD: found.held,
        catalogue.BROKEN: found.broken,
    }
    return float(numbers[metric])


def _age(instant: datetime, now: datetime) -> float:
    return max(0.0, (now - instant).total_seconds())


def _family(metric: Metric, series: Iterable[Series]) -> Family:
    kind = CounterMetricFamily if metric.kind is Kind.COUNTER else GaugeMetricFamily
    family: Family = kind(metric.name, metric.meaning, labels=metric.labels)
    for labels, number in series:
        family.add_metric(labels, number)
    return family


_WORDS: dict[Metric, list[tuple[str, ...]]] = {
    catalogue.RUNS: [(status,) for status in ENDINGS],
    catalogue.EXCHANGES: [(word,) for word in catalogue.VERDICTS],
    catalogue.DELETED: [(word,) for word in DELETION_OUTCOMES],
    catalogue.FORWARDED: [(word,) for word in catalogue.EVENT_VERDICTS],
    catalogue.COLLECT_REFUSED: [(word,) for word in Reason],
}
"""What else a counter's series are told apart by, beside the name."""
