"""``status`` and ``runs``: how things are, and what happened."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from sync.cli import extents, output, undeleted
from sync.cli.options import configured, opened, reporting
from sync.daemon.app import App
from sync.errors import UsageError
from sync.model.watermark import Extent
from sync.store import (
    configurations,
    definitions,
    deletions,
    destinations,
    event_measures,
    feeds,
    reports,
    slots,
    ticks,
    watermarks,
)
from sync.store.configurations import Announced


@click.command("status")
@reporting
@configured
def status(as_json: bool, config: Path) -> None:
    """Definitions, backlog, parked, destinations, leases."""
    with opened(config) as app:
        found = _gather(app)
        now = app.clock.now()
    if as_json:
        output.as_json(found)
    else:
        _print_status(found, now)


def _gather(app: App) -> dict[str, Any]:
    where = app.connect().description
    database = app.database_to_look_at()
    with database.read() as connection:
        known = reports.definitions(connection)
        last = reports.last_runs(connection)
        holding = reports.held_runs(connection)
        return {
            "store": where,
            "definitions": _definitions(
                app,
                known,
                last,
                holding,
                ticks.latest(connection, [each.key for each in app.settings.definitions]),
                extents.documents(
                    app.settings.definitions,
                    watermarks.every(connection),
                    definitions.fingerprints(connection),
                    holding,
                    database.now(connection),
                ),
            ),
            "removed": [row for key, row in known.items() if row["removed_at"] is not None],
            "destinations": _destinations(
                app,
                {name: slots.backlog(connection, name) for name in app.settings.destinations},
                destinations.states(connection),
                event_measures.event_backlogs(connection),
                undeleted.documents(
                    app.settings.destinations,
                    deletions.backlog(connection),
                    deletions.refused(connection, undeleted.SHOWN),
                ),
            ),
            "collector": _collector(app),
            "log": event_measures.measure_log(connection),
            "feeds": [
                {"name": each.name, "began_at": each.began_at, "updated_at": each.updated_at}
                for each in feeds.progress(connection)
            ],
            "configuration": _configuration(app, configurations.last_announced(connection)),
            "leases": reports.leases(connection, database),
        }


def _destinations(
    app: App,
    backlogs: Mapping[str, Any],
    states: Mapping[str, Mapping[str, Any]],
    forwarded: Mapping[str, Any],
    deleting: Mapping[str, Any],
) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "backlog": backlogs[name],
            "breaker": states.get(name, {}).get("breaker", "closed"),
            "reason": states.get(name, {}).get("reason", ""),
            "last_error": states.get(name, {}).get("last_error"),
            "last_error_at": states.get(name, {}).get("last_error_at"),
            "rate": app.settings.destinations[name].delivery.rate,
            "events": forwarded.get(name),
            "deletions": deleting[name],
        }
        for name in app.settings.destinations
    ]


def _collector(app: App) -> dict[str, Any] | None:
    """Where events are taken in, by what names; nothing where they are not."""
    found = app.settings.collector
    if found is None:
        return None
    listen = None if found.listen is None else str(found.listen)
    return {"listen": listen, "keys": list(found.keys), "webhooks": list(found.webhooks)}


def _configuration(app: App, newest: Announced | None) -> dict[str, Any]:
    """What daemons go by, and whether this file says the same."""
    return {
        "number": newest.number if newest else None,
        "announced_at": newest.announced_at if newest else None,
        "host": newest.holder.host if newest else None,
        "pid": newest.holder.pid if newest else None,
        "same": newest.fingerprint == app.settings.fingerprint if newest else None,
    }


def _definitions(
    app: App,
    known: dict[str, Any],
    last: dict[str, Any],
    holding: dict[str, Any],
    ticked: Mapping[str, datetime],
    reading: Mapping[str, dict[str, Any]],
) -> list[dict[str, Any]]:
    now = app.clock.now()
    found = []
    for each in app.settings.definitions:
        recorded, run = known.get(each.key, {}), last.get(each.key)
        recorded_at = recorded.get("recorded_at")
        schedule = app.settings.schedules[each.key]
        hold = holding.get(each.key)
        since = ticked.get(each.key) or (run["started_at"] if run else None)
        found.append(
            {
                "key": each.key,
                "kind": each.kind,
                "name": each.name,
                "enabled": each.enabled,
                "members": recorded.get("members", 0),
                "as_of": recorded.get("as_of"),
                "recorded_at": recorded_at,
                "fresh_seconds": (now - recorded_at).total_seconds() if recorded_at else None,
                "last_run": run,
                "held": hold["held"] if hold else 0,
                "hold": hold["message"] if hold else None,
                "last_tick": ticked.get(each.key),
                "next_run": schedule.next_after(since, now) if each.enabled else None,
                "refresh": reading[each.key],
            }
        )
    return found


def _print_status(found: dict[str, Any], now: datetime) -> None:
    click.echo(f"store {found['store']}")
    output.table(
        "",
        ("definition", "kind", "members", "as of", "refreshed", "last run", "next run"),
        [
            (
                each["key"],
                each["kind"],
                each["members"],
                each["as_of"],
                f"{output.ago(each['recorded_at'], now)} ago" if each["recorded_at"] else "never",
                _run_word(each),
                each["next_run"] or ("-" if each["enabled"] else "switched off"),
            )
            for each in found["definitions"]
        ],
        numbers=("members",),
    )
    extents.show(found["definitions"], now)
    for each in found["definitions"]:
        if each["held"]:
            click.secho(
                f"HELD {each['key']}: {output.plural(each['held'], 'exit')} held, because {each['hold']}. "
                f"If it is right: engage-sync delta {each['key']} --force",
                fg="yellow",
            )
    output.table(
        "",
        ("destination", "due", "waiting", "confirming", "sending", "parked", "oldest", "breaker", "last error"),
        [_destination_row(each, now) for each in found["destinations"]],
        numbers=("due", "waiting", "confirming", "sending", "parked"),
    )
    for each in found["destinations"]:
        undeleted.show(each["name"], each["deletions"], now)
    _print_events(found, now)
    _print_configuration(found["configuration"], now)
    for lease in found["leases"]:
        click.echo(f"{lease['name']} is held by process {lease['pid']} on {lease['host']} (term {lease['term']})")


def _print_events(found: dict[str, Any], now: datetime) -> None:
    """What was collected, and what of it is still to be forwarded; nothing where there are no events at all."""
    collector, log = found["collector"], found["log"]
    if collector is not None and collector["listen"] is not None:
        names = ", ".join((*collector["keys"], *collector["webhooks"]))
        click.echo(f"daemons take in events on {collector['listen']}, as {names}")
    for each in found["feeds"]:
        newest, began = (output.ago(each[key], now) for key in ("updated_at", "began_at"))
        click.echo(f"{each['name']} is read as events: last new row {newest} ago, first read {began} ago")
    if not log.newest_at:
        return
    oldest, newest = (output.ago(each, now) for each in (log.oldest_at, log.newest_at))
    click.echo(f"the newest event is event:{log.newest}, received {newest} ago; the oldest was {oldest} ago")
    output.table(
        "",
        ("events to", "unread", "waiting", "parked", "oldest", "since"),
        [
            (
                each["name"],
                _unread(each["events"].unread),
                each["events"].waiting,
                each["events"].parked,
                output.ago(each["events"].oldest, now) if each["events"].oldest else None,
                each["events"].began_at,
            )
            for each in found["destinations"]
            if each["events"] is not None
        ],
        numbers=("unread", "waiting", "parked"),
    )


def _unread(number: int) -> str:
    return output.number(number) + ("+" if number >= event_measures.COUNTED else "")


def _print_configuration(found: dict[str, Any], now: datetime) -> None:
    if found["number"] is None:
        return
    ago = output.ago(found["announced_at"], now)
    by = f"process {found['pid']} on {found['host']}"
    click.echo(f"configuration {found['number']} is the newest, first read {ago} ago by {by}")
    if not found["same"]:
        click.secho(
            "OUTDATED: this file is not the newest that a daemon has read. If this one is right, have the daemons read "
            "it: send them SIGHUP",
            fg="yellow",
        )


def _run_word(each: dict[str, Any]) -> str:
    run = each["last_run"]
    return "-" if run is None else f"{run['status']} (run {run['id']})"


def _destination_row(each: dict[str, Any], now: datetime) -> tuple[object, ...]:
    backlog = each["backlog"]
    breaker = each["breaker"] if each["breaker"] == "closed" else f"{each['breaker']}: {each['reason']}"
    error = f"{output.ago(each['last_error_at'], now)} ago: {each['last_error']}" if each["last_error_at"] else None
    oldest = f"{output.ago(backlog.oldest, now)}" if backlog.oldest else None
    return (
        each["name"],
        backlog.due,
        backlog.waiting,
        backlog.confirm,
        backlog.sending,
        backlog.parked,
        oldest,
        breaker,
        error,
    )


class _Runs(click.Group):
    """``runs [NAME]`` and ``runs show ID``: anything but ``show`` is a definition's name."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        ctx.ensure_object(dict)
        words = (place for place, each in enumerate(args) if not each.startswith("-") and not _is_value(args, place))
        first = next(words, None)
        if first is not None and args[first] not in self.commands:
            ctx.obj["name"] = args.pop(first)
        return super().parse_args(ctx, args)


def _is_value(args: list[str], place: int) -> bool:
    return place > 0 and args[place - 1] in ("--config", "--limit", "--log-level")


@click.group("runs", cls=_Runs, invoke_without_command=True, subcommand_metavar="[NAME | show ID]")
@click.option("--limit", type=click.IntRange(1), default=20, show_default=True, help="How many.")
@reporting
@configured
@click.pass_context
def runs(ctx: click.Context, limit: int, as_json: bool, config: Path) -> None:
    """The newest runs, of one definition or of all."""
    if ctx.invoked_subcommand is not None:
        return
    name = (ctx.obj or {}).get("name")
    with opened(config) as app:
        key = None if name is None else app.settings.definition(name).key
        with app.database_to_look_at().read() as connection:
            rows = reports.runs(connection, key, limit)
    if as_json:
        output.as_json(rows)
        return
    counts = ("members", "entered", "exited", "changed", "held")
    output.table(
        "",
        ("run", "definition", "kind", "evaluated", "status", "as of", "started", "took", *counts),
        [
            (
                str(row["id"]),
                row["key"],
                row["kind"],
                _evaluated(row),
                row["status"],
                row["as_of"],
                row["started_at"],
                _took(row),
                *(row[name] for name in counts),
            )
            for row in rows
        ],
        numbers=("run", *counts),
    )
    if not rows:
        click.echo("no run yet: engage-sync backfill")


@runs.command("show")
@click.argument("run_id", type=click.IntRange(1, 2**63 - 1))
@reporting
@configured
def show(run_id: int, as_json: bool, config: Path) -> None:
    """One run, whole."""
    with opened(config) as app, app.database_to_look_at().read() as connection:
        row = reports.one_run(connection, run_id)
    if row is None:
        raise UsageError(f"there is no run {run_id}: engage-sync runs lists them")
    if as_json:
        output.as_json(row)
        return
    for name, value in row.items():
        click.echo(f"{name.replace('_', ' '):>16}  {output.cell(value)}")


def _evaluated(row: dict[str, Any]) -> str:
    if row["extent"] == Extent.INCREMENTAL:
        return output.plural(row["candidates"], "candidate")
    missed = f", {output.number(row['missed'])} missed" if row["missed"] else ""
    return "-" if row["extent"] is None else f"all{missed}"


def _took(row: dict[str, Any]) -> str:
    if row["finished_at"] is None:
        return "-"
    return f"{(row['finished_at'] - row['started_at']).total_seconds():.1f} s"
