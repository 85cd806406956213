"""``parked``: what could not be delivered, why, and what to do with it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from sync.cli import output
from sync.cli.deltas import delivered_document, print_delivered
from sync.cli.happened import PREFIX
from sync.cli.options import configured, group_config, opened, reporting, waiting
from sync.cli.parked_events import (
    drop_events,
    list_events,
    numbers,
    parked_events,
    redrive_events,
    show_parked_event,
)
from sync.daemon.app import App
from sync.daemon.cycle import run_deliveries
from sync.errors import UsageError
from sync.store import reports, slots

_DESTINATION = click.option("--destination", metavar="NAME", help="Only this destination.")
_ALL = click.option("--all", "everyone", is_flag=True, help="Everybody who is parked; with --events, every event.")
_EVENTS = click.option("--events", "of_events", is_flag=True, help="Events, not users: 4711 or event:4711.")


@click.group("parked")
@group_config
def parked() -> None:
    """What could not be delivered, and why."""


@parked.command("list")
@_DESTINATION
@_EVENTS
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True, help="How many.")
@reporting
@configured
def list_parked(destination: str | None, of_events: bool, limit: int, as_json: bool, config: Path) -> None:
    """Who is parked, those that have been failing longest first."""
    with opened(config) as app:
        if of_events:
            return list_events(app, destination, limit, as_json=as_json)
        rows = _rows(app, destination, limit)
        others = parked_events(app, destination, 1)
    if as_json:
        output.as_json(rows)
    elif rows:
        output.table(
            "",
            ("destination", "user", "owed", "tries", "failing since", "reason"),
            [
                (
                    row["destination"],
                    row["user_id"],
                    ", ".join(row["owed"]),
                    row["attempts"],
                    row["failing_since"],
                    row["reason"],
                )
                for row in rows
            ],
            numbers=("tries",),
        )
    else:
        click.echo("nobody is parked")
    if others and not as_json:
        click.echo("events are parked too: engage-sync parked list --events")
    return None


@parked.command("show")
@click.argument("user_id", metavar="USER_ID")
@_EVENTS
@reporting
@configured
def show(user_id: str, of_events: bool, as_json: bool, config: Path) -> None:
    """What one parked user is owed, and the last tries; or one parked event, whole."""
    with opened(config) as app:
        if of_events:
            show_parked_event(app, user_id, as_json=as_json)
        else:
            _show_user(app, user_id, as_json=as_json)


def _show_user(app: App, user_id: str, *, as_json: bool) -> None:
    with app.database_to_look_at().read() as connection:
        found = reports.user(connection, user_id)
    rows = [row for row in found["owed"] if row["state"] == "parked"]
    if not rows:
        raise UsageError(f"user {user_id!r} is not parked: engage-sync parked list shows who is")
    if as_json:
        output.as_json({"parked": rows, "attempts": found["attempts"]})
        return
    for row in rows:
        click.echo(f"{row['destination']}: {row['reason']} ({output.plural(row['attempts'], 'try')})")
        for key, value in row["owed"].items():
            click.echo(f"  owed {key} = {output.cell(value)}")
    output.table(
        "last tries",
        ("at", "destination", "values", "verdict", "status", "answer"),
        [
            (each["at"], each["destination"], ", ".join(each["sent"]), each["verdict"], each["status"], each["detail"])
            for each in found["attempts"]
        ],
    )


@parked.command("redrive")
@click.argument("user_ids", nargs=-1)
@_ALL
@_EVENTS
@_DESTINATION
@click.option("--no-deliver", is_flag=True, help="Leave it to the next delta.")
@waiting
@reporting
@configured
def redrive(
    user_ids: tuple[str, ...],
    everyone: bool,
    of_events: bool,
    destination: str | None,
    no_deliver: bool,
    wait: float,
    as_json: bool,
    config: Path,
) -> int:
    """Send parked users again, with their current values; or parked events."""
    _check_choice(user_ids, everyone)
    with opened(config) as app:
        names = _destinations(app, destination)
        if of_events:
            ids = None if everyone else numbers(user_ids)
            return redrive_events(app, names, ids, deliver=not no_deliver, wait=wait, as_json=as_json)
        database = app.database()
        chosen = None if everyone else list(user_ids)
        number = sum(slots.unpark(database, name, chosen) for name in names)
        _check_found(number, user_ids)
        delivered = [] if no_deliver else run_deliveries(app, names, patience=wait)
    if as_json:
        output.as_json({"redriven": number, "delivered": [delivered_document(done) for done in delivered]})
    else:
        click.echo(f"{output.plural(number, 'user')} redriven")
        for done in delivered:
            print_delivered(done)
    return 1 if any(done.parked or (done.backlog and done.backlog.owed) for done in delivered) else 0


@parked.command("drop")
@click.argument("user_ids", nargs=-1)
@_ALL
@_EVENTS
@_DESTINATION
@reporting
@configured
def drop(
    user_ids: tuple[str, ...], everyone: bool, of_events: bool, destination: str | None, as_json: bool, config: Path
) -> None:
    """Forget what parked users are owed; they are sent again when a value of theirs changes, or by a backfill.

    Parked events that are dropped stay in the log, and are never sent.
    """
    _check_choice(user_ids, everyone)
    with opened(config) as app:
        if of_events:
            ids = None if everyone else numbers(user_ids)
            return drop_events(app, _destinations(app, destination), ids, as_json=as_json)
        database = app.database()
        chosen = None if everyone else list(user_ids)
        number = sum(reports.drop_parked(database, name, chosen) for name in _destinations(app, destination))
        _check_found(number, user_ids)
    if as_json:
        output.as_json({"dropped": number})
    else:
        click.echo(f"{output.plural(number, 'user')} dropped")
    return None


def _rows(app: App, destination: str | None, limit: int) -> list[dict[str, Any]]:
    if destination is not None:
        app.check_destination(destination)
    with app.database_to_look_at().read() as connection:
        return reports.parked(connection, destination, limit)


def _destinations(app: App, destination: str | None) -> list[str]:
    if destination is None:
        return list(app.settings.destinations)
    app.check_destination(destination)
    return [destination]


def _check_found(number: int, user_ids: tuple[str, ...]) -> None:
    if user_ids and not number:
        hint = "; events are named with --events" if any(each.startswith(PREFIX) for each in user_ids) else ""
        raise UsageError(f"none of these users is parked: engage-sync parked list shows who is{hint}")


def _check_choice(user_ids: tuple[str, ...], everyone: bool) -> None:
    if bool(user_ids) == everyone:
        raise UsageError("say which users (or, with --events, which events), or --all for everything that is parked")
