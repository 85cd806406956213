"""From the file to ``Settings``: read, fill in, check shape, check references; build when nothing is wrong."""

from __future__ import annotations

import pathlib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType

from pydantic import ValidationError

from sync.config import document, exposure, history, interpolate, mappings, references, sentences, transports
from sync.config.destinations import PushwooshSection
from sync.config.fingerprint import fingerprint
from sync.config.intake import CollectorSection, EventsSection, SourceSection
from sync.config.problems import Problems
from sync.config.questions import AudienceSection, ScheduleSection, TraitSection
from sync.config.schedule import Schedule
from sync.config.schema import AlertSection, Document
from sync.config.settings import (
    Access,
    AlertSettings,
    CollectorSettings,
    PushwooshSettings,
    Settings,
    SourceSettings,
    StoreSettings,
    WebSettings,
)
from sync.destinations.pushwoosh.public.tokens import TokenKind
from sync.destinations.pushwoosh.transport import Transport
from sync.errors import ConfigurationError
from sync.mapping.mapping import Mapping as SegmentMapping
from sync.model.alert import Watch
from sync.model.definition import Definition, Kind, Question, Table
from sync.model.delivery import DeliverySettings
from sync.model.feed import WAREHOUSE_LATENESS, EventsTable, Forward, ProfilesTable, Warehouse
from sync.model.identify import IdentifyPer
from sync.model.naming import snake_case
from sync.model.retention import Retention


def load(path: pathlib.Path, env: Mapping[str, str]) -> Settings:
    """The settings in the file at ``path``, with ``${VAR}`` from ``env``.

    Raises ``ConfigurationError`` with every problem found.
    """
    problems = Problems(str(path))
    data = document.read(path, problems)
    if isinstance(data, dict):
        return _settings(path, data, env, problems)
    if not problems:
        problems.add((), "must be a mapping: write `version: 1` first, and the sections below it")
    raise ConfigurationError(problems.sentences())


def _settings(path: pathlib.Path, data: dict[str, object], env: Mapping[str, str], problems: Problems) -> Settings:
    said = fingerprint(data)  # of what was read here: the file may be another one by now
    filled = references.mapping(interpolate.fill(data, env, problems))
    mappings.label(filled, problems)
    valid = None
    try:
        valid = Document.model_validate(filled)
    except ValidationError as error:
        sentences.report(error, Document, problems)
    references.check(filled, problems)
    exposure.check(filled, problems)
    transports.check(filled, problems)
    compiled = mappings.compiled(filled, problems)
    questions = _questions(filled, problems)
    if problems or valid is None:
        # Not raised inside the handler: pydantic's error, which knows values, must not travel along.
        raise ConfigurationError(problems.sentences())
    settings = _built(path, said, valid, compiled)
    definitions = tuple(replace(each, query=questions.get(each.key)) for each in settings.definitions)
    given = valid.retention
    events = history.kept(given.events, definitions, problems)
    if problems:
        raise ConfigurationError(problems.sentences())
    return replace(settings, definitions=definitions, retention=Retention(given.runs, given.attempts, events))


def _questions(document: dict[str, object], problems: Problems) -> Mapping[str, Question]:
    """What definitions with a ``query`` ask, by key."""
    if not any(draft.raw.get("query") for draft in references.drafts(document, problems)):
        return {}
    from sync.config import queries  # the parser takes longer to load than a command without queries runs

    return queries.read(document, problems)


def _built(
    path: pathlib.Path, said: str, valid: Document, compiled: Mapping[str, tuple[SegmentMapping, ...]]
) -> Settings:
    sections: list[AudienceSection | TraitSection] = [*valid.audiences, *valid.traits]
    definitions = _without_foreign_keys(tuple(_definition(section, valid) for section in sections))
    keys = {found.name: found.key for found in reversed(definitions)} | {found.key: found.key for found in definitions}
    sources = {name: _source(name, section) for name, section in valid.sources.items()}
    destinations = {name: _pushwoosh(name, section, compiled[name]) for name, section in valid.destinations.items()}
    return Settings(
        path=path,
        fingerprint=said,
        project=valid.project,
        store=StoreSettings(valid.store.url, valid.store.schema_name),
        sources=MappingProxyType(sources),
        destinations=MappingProxyType(destinations),
        definitions=definitions,
        schedules=MappingProxyType(dict(_schedules(definitions, valid, keys))),
        retention=Retention(),
        alerts=tuple(_alert(index, section) for index, section in enumerate(valid.alerts)),
        web=WebSettings(valid.web.listen, valid.web.token),
        collector=_collector(valid.collector) if valid.collector else None,
        delete_events=valid.privacy.delete_events,
    )


def _source(name: str, section: SourceSection) -> SourceSettings:
    people = section.profiles
    traits = people.traits.column if people and people.traits else None
    profiles = None
    if people is not None:
        profiles = ProfilesTable(people.table, people.user_id, people.cursor, traits, lateness=people.lateness)
    events = tuple(_events(each) for each in section.events)
    warehouse = None
    if section.layout is not None:
        lateness = WAREHOUSE_LATENESS if section.lateness is None else section.lateness
        warehouse = Warehouse(section.schema_name, lateness)
    return SourceSettings(name, section.url, section.statement_timeout, events, profiles, warehouse)


def _events(section: EventsSection) -> EventsTable:
    forward = section.forward
    return EventsTable(
        table=section.table,
        user_id=section.user_id,
        timestamp=section.timestamp,
        event=section.event,
        name=section.name,
        properties=section.properties,
        cursor=section.cursor,
        lateness=section.lateness,
        forward=Forward(forward.start, forward.every) if forward else None,
    )


def _collector(section: CollectorSection) -> CollectorSettings:
    webhooks = {name: webhook.secret for name, webhook in section.webhooks.items()}
    return CollectorSettings(section.listen, MappingProxyType(dict(section.keys)), MappingProxyType(webhooks))


def _pushwoosh(name: str, section: PushwooshSection, compiled: tuple[SegmentMapping, ...]) -> PushwooshSettings:
    limits, retry = section.limits, section.retry
    delivery = DeliverySettings(
        rate=limits.rate,
        concurrency=limits.concurrency,
        deadline=limits.deadline,
        lease=limits.lease,
        quiet_period=limits.quiet_period,
        retry_window=retry.window,
        retry_attempts=retry.attempts,
        longest_delay=retry.longest_delay,
        batch_events=section.batch.events,
        linger=section.batch.linger,
        bulk_users=section.batch.bulk_users,
    )
    reading = [mapping.name for mapping in compiled if mapping.reads_personas]
    automatic = IdentifyPer.COMPUTATION if reading else IdentifyPer.USER
    return PushwooshSettings(
        name,
        section.api_key,
        section.app_code,
        transports.base_url(section),
        delivery,
        mappings=compiled,
        identify_per=section.identify_per or automatic,
        switched_by=reading[0] if reading and section.identify_per is None else None,
        access=Access(Transport(section.transport), TokenKind(section.token), section.server_token),
    )


def _alert(index: int, section: AlertSection) -> AlertSettings:
    watch = Watch(frozenset(section.on), section.parked_above or 0)
    return AlertSettings(index, section.type, section.url, section.secret, watch)


def _definition(section: AudienceSection | TraitSection, valid: Document) -> Definition:
    destinations = section.destinations
    if destinations is None:
        destinations = valid.defaults.destinations
    if destinations is None:
        destinations = list(valid.destinations)
    audience = section if isinstance(section, AudienceSection) else None
    table = audience.table if audience else None
    return Definition(
        kind=Kind.AUDIENCE if audience else Kind.TRAIT,
        key=section.key or snake_case(section.name),
        name=section.name,
        source=section.source or valid.defaults.source or next(iter(valid.sources)),
        destinations=tuple(destinations),
        sql=section.sql,
        table=Table(table.name, table.user_id) if table else None,
        enrichment=tuple(audience.enrichment) if audience else (),
        max_exits=section.guard.max_exits,
        on_delete=section.on_delete,
        enabled=section.enabled,
        full_refresh=section.full_refresh or valid.defaults.full_refresh,
    )


def _without_foreign_keys(definitions: tuple[Definition, ...]) -> tuple[Definition, ...]:
    """A definition's key wins over an enrichment of that name, also when only the enrichment would be sent."""
    keys = {definition.key for definition in definitions}
    return tuple(
        replace(definition, enrichment=tuple(name for name in definition.enrichment if name not in keys))
        for definition in definitions
    )


def _schedules(
    definitions: tuple[Definition, ...], valid: Document, keys: Mapping[str, str]
) -> Iterator[tuple[str, Schedule]]:
    for definition, section in zip(definitions, (*valid.audiences, *valid.traits), strict=True):
        yield definition.key, _schedule(section.schedule or valid.defaults.schedule, keys)


def _schedule(section: ScheduleSection, keys: Mapping[str, str]) -> Schedule:
    return Schedule(
        every=section.every,
        cron=section.cron,
        after=None if section.after is None else keys[section.after],
        timezone=section.timezone or "UTC",
        jitter=section.jitter or 0.0,
        catch_up=section.catch_up,
    )
