"""``check`` and ``migrate``: is everything right, and bring the store up to date."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterator
from functools import partial
from pathlib import Path

import click

from sync.cli import output
from sync.cli.checked import Checked
from sync.cli.options import configured, opened, reporting
from sync.cli.tag_checks import tags
from sync.config.coverage import note
from sync.config.problems import printable
from sync.daemon.app import App
from sync.deliver.outlet import Outlet
from sync.deliver.ping import ping
from sync.errors import ConfigurationError, SyncError
from sync.model.definition import Definition
from sync.source.connection import Source
from sync.source.feed import inspect
from sync.source.indexes import Lacking
from sync.source.inspection import columns, lacking_indexes, unknown_events, warehouse_tables

_NAMED = 3
"""Definitions that are named where many want the same."""


@click.command("check")
@click.option("--offline", is_flag=True, help="Check the file only; connect to nothing.")
@reporting
@configured
def check(offline: bool, as_json: bool, config: Path) -> int:
    """Is everything right? The file; and that store, sources and destinations can be used.

    Every definition's SQL is tried (no row is read), the sources are proven read-only, the destinations pinged; where tags
    have to be created, those that the definitions need are compared with those that there are.
    """
    try:
        with opened(config) as app:
            found = [Checked(f"{app.settings.path}: {_summary(app)}"), *_followers(app), *_mappings(app)]
            if not offline:
                found += list(_connections(app))
    except ConfigurationError as error:
        if as_json:
            output.as_json({"checks": [_as_json(str(config), each) for each in error.problems]})
        raise
    if as_json:
        output.as_json({"checks": [_as_json(each.what, each.problem, each.verdict) for each in found]})
    for each in found:
        if each.problem is not None:
            click.echo(f"error: {each.problem}", err=True)
        elif not as_json:
            click.echo(f"{each.verdict:<7}{each.what}")
    return max(each.exit_code for each in found)


def _as_json(what: str, problem: str | None, verdict: str = "ok") -> dict[str, str | None]:
    return {"what": what, "problem": problem, "verdict": verdict if problem is None else "error"}


def _summary(app: App) -> str:
    settings = app.settings
    return ", ".join(
        (
            output.plural(len(settings.definitions), "definition"),
            output.plural(len(settings.sources), "source"),
            output.plural(len(settings.destinations), "destination"),
        )
    )


def _followers(app: App) -> Iterator[Checked]:
    """Definitions that never run by themselves, because what they follow, directly or not, is switched off."""
    enabled = {each.key: each.enabled for each in app.settings.definitions}
    for definition in app.settings.definitions:
        leader = app.settings.schedules[definition.key].after
        while leader is not None and enabled[leader]:
            leader = app.settings.schedules[leader].after
        if definition.enabled and leader is not None:
            said = (
                f"{definition.kind} {definition.key} never runs by itself: it waits for {leader} (`after:`), "
                "which is switched off (`enabled: false`)"
            )
            yield Checked(said, verdict="note")


def _mappings(app: App) -> Iterator[Checked]:
    """What somebody who wrote mappings may not expect."""
    for name, destination in app.settings.destinations.items():
        if destination.switched_by is not None:
            yield Checked(
                f"destination {name}: one call for each audience and trait (identify_per: computation), because mapping "
                f'"{destination.switched_by}" reads context.personas'
            )
        for mapping in destination.mappings:
            for remark in mapping.remarks:
                yield Checked(f'destination {name}: mapping "{printable(mapping.name)}": {remark}', verdict="note")
        if said := note(app.settings, destination, app.settings.definitions):
            yield Checked(said, verdict="note")


def _connections(app: App) -> Iterator[Checked]:
    yield _store(app)
    away: set[str] = set()
    for name in app.settings.sources:
        checked = _try(f"source {name}", "read-only", app.source(name).prove_read_only)
        if checked.problem is not None:
            away.add(name)
        yield checked
        for table in () if name in away else app.settings.sources[name].events:
            yield _try(
                f"events of table {table.table}", "it has its columns", partial(inspect, app.source(name), table)
            )
        if name not in away and app.settings.sources[name].warehouse is not None:
            yield _warehouse(app.source(name))
    yield from _definitions(app, away)
    for outlet in app.outlets(app.settings.destinations):
        pinged = _ping(outlet)
        yield pinged
        if pinged.problem is None:
            yield from tags(app, outlet)


def _warehouse(source: Source) -> Checked:
    try:
        there = warehouse_tables(source)
    except SyncError as error:
        return Checked(f"source {source.name}", f"source {source.name}: {error}", error.exit_code)
    return Checked(f"source {source.name}: filled by Segment or RudderStack ({', '.join(there)})")


def _definitions(app: App, away: Collection[str]) -> Iterator[Checked]:
    """Every definition whose source is not away."""
    right: dict[str, list[Definition]] = {}
    for definition in app.settings.definitions:
        if definition.source in away:
            continue
        source = app.source(definition.source)

        def compiled(source=source, definition=definition) -> object:  # type: ignore[no-untyped-def]
            return columns(source, definition, app.clock.now())

        checked = _try(f"{definition.kind} {definition.key}", "its SQL runs", compiled)
        yield checked
        if checked.problem is None:
            yield from _unknown_events(source, definition)
            right.setdefault(definition.source, []).append(definition)
    for name, definitions in right.items():
        yield from (_slow(name, each) for each in lacking_indexes(app.source(name), definitions))


def _unknown_events(source: Source, definition: Definition) -> Iterator[Checked]:
    """Events of which a warehouse has no table: they never happened, or are called otherwise."""
    for event, close in unknown_events(source, definition).items():
        said = f"{definition.kind} {definition.key}: source {source.name} has no table with events {event!r} of known users"
        yield Checked(f"{said} (there is: {', '.join(close)})" if close else said, verdict="note")


def _slow(source: str, index: Lacking) -> Checked:
    """A large table that is looked through where an index would do, or that is read where an index could hold it all."""
    wanting = [f"{each.kind} {each.key}" for each in index.wanted_by]
    who = f"{', '.join(wanting[:_NAMED])}{f' and {len(wanting) - _NAMED} more' if len(wanting) > _NAMED else ''}"
    said = f"table {index.table} of source {source} has no index that begins with ({', '.join(index.leading)})"
    if index.read:
        read = f"holds all that {who} would read of users who have changed ({', '.join(index.read)})"
        said = f"{said} and {read}, so that the table itself is read"
        return Checked(f"{said}{_refused(index)}: {index.statement}", verdict="note")
    return Checked(f"{said}, by which {who} would look up rows{_refused(index)}: {index.statement}", verdict="warn")


def _refused(index: Lacking) -> str:
    """What whoever makes an index should know."""
    if not index.unlimited:
        return ""
    columns = " and ".join(f"`{each}`" for each in index.unlimited)
    takes = "it takes" if len(index.unlimited) == 1 else "they take"
    said = f"with this index, PostgreSQL would refuse a row in which {takes} more than 2,700 bytes"
    return f" (nothing keeps {columns} short: {said})"


def _store(app: App) -> Checked:
    database = app.connect()
    if database.is_fresh_file():
        return Checked(f"store {database.description}: not there yet, the first backfill or delta makes it")
    return _try(f"store {database.description}", "its schema and project fit", app.database_to_look_at)


def _ping(outlet: Outlet) -> Checked:
    what = f"destination {outlet.destination.name}"
    outcome = asyncio.run(ping(outlet.destination, outlet.settings))
    if outcome.verdict == "accepted":
        return Checked(f"{what}: answers and takes our credentials")
    said = f"{outcome.status or ''} {outcome.detail}".strip()
    if outcome.verdict == "fault":
        return Checked(what, f"{what} refuses us ({said}): check api_key, app_code and base_url", SyncError.exit_code)
    return Checked(what, f"{what} does not answer as it should ({said}): check base_url, or try again later", 1)


def _try(what: str, good: str, act: Callable[[], object]) -> Checked:
    try:
        act()
    except SyncError as error:
        return Checked(what, str(error), error.exit_code)
    return Checked(f"{what}: {good}")


@click.command("migrate")
@reporting
@configured
def migrate(as_json: bool, config: Path) -> None:
    """Bring the store's schema up to date."""
    with opened(config) as app:
        before, after = app.migrate()
        where = app.connect().description
    if as_json:
        output.as_json({"store": where, "before": before, "after": after})
    elif before == after:
        click.echo(f"{where} is up to date (schema {after})")
    else:
        click.echo(f"{where}: schema {before or 'none'} -> {after}")
