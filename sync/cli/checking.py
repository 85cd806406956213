"""``check`` and ``migrate``: is everything right, and bring the store up to date."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import click

from sync.cli import output
from sync.cli.options import configured, opened, reporting
from sync.daemon.app import App
from sync.deliver.foreground import Outlet
from sync.deliver.ping import ping
from sync.errors import SyncError
from sync.source.inspection import columns


@click.command("check")
@click.option("--offline", is_flag=True, help="Check the file only; connect to nothing.")
@reporting
@configured
def check(offline: bool, as_json: bool, config: Path) -> int:
    """Validate the configuration; connect to store, sources and destinations; prove the sources read-only."""
    with opened(config) as app:
        found: list[tuple[str, str | None]] = [(f"{app.settings.path}: {_summary(app)}", None)]
        if not offline:
            found += list(_connections(app))
    if as_json:
        output.as_json({"checks": [{"what": what, "problem": problem} for what, problem in found]})
    else:
        for what, problem in found:
            click.echo(f"ok    {what}" if problem is None else f"error {what}: {problem}", err=problem is not None)
    return 2 if any(problem for _, problem in found) else 0


def _summary(app: App) -> str:
    settings = app.settings
    return ", ".join(
        (
            output.plural(len(settings.definitions), "definition"),
            output.plural(len(settings.sources), "source"),
            output.plural(len(settings.destinations), "destination"),
        )
    )


def _connections(app: App) -> Iterator[tuple[str, str | None]]:
    yield _try(f"store {app.connect().description}", app.database_to_look_at)
    for name in app.settings.sources:
        yield _try(f"source {name} is read-only", app.source(name).prove_read_only)
    for definition in app.settings.definitions:
        source = app.source(definition.source)

        def compiled(source=source, definition=definition) -> object:  # type: ignore[no-untyped-def]
            return columns(source, definition, app.clock.now())

        yield _try(f"{definition.kind} {definition.key} compiles", compiled)
    for outlet in app.outlets(app.settings.destinations):
        yield f"destination {outlet.destination.name} answers", _ping(outlet)


def _ping(outlet: Outlet) -> str | None:
    outcome = asyncio.run(ping(outlet.destination, outlet.settings))
    if outcome.verdict == "accepted":
        return None
    hint = "; check api_key and app_code" if outcome.verdict == "fault" else ""
    return f"{outcome.status or ''} {outcome.detail}".strip() + hint


def _try(what: str, act: Callable[[], object]) -> tuple[str, str | None]:
    try:
        act()
    except SyncError as error:
        return what, str(error)
    return what, None


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
