"""``parked … --events``: the same for events, which are named by their numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from sync.cli import output
from sync.cli.events import named_event, show_event
from sync.cli.happened import PREFIX, what
from sync.cli.sending import forward, forwarded_documents, print_forwarded
from sync.daemon.app import App
from sync.errors import UsageError
from sync.store import fates, lanes


def list_events(app: App, destination: str | None, limit: int, *, as_json: bool) -> None:
    """Which are parked."""
    rows = parked_events(app, destination, limit)
    if as_json:
        output.as_json(rows)
    elif rows:
        output.table(
            "",
            ("destination", "event", "what", "user", "tries", "failing since", "reason"),
            [
                (
                    row["destination"],
                    f"{PREFIX}{row['event_id']}",
                    what(row["type"], row["name"]),
                    row["user_id"] if row["user_id"] is not None else f"anonymous {row['anonymous_id']}",
                    row["attempts"],
                    row["failing_since"],
                    row["reason"],
                )
                for row in rows
            ],
            numbers=("tries",),
        )
    else:
        click.echo("no event is parked")


def parked_events(app: App, destination: str | None, limit: int) -> list[dict[str, Any]]:
    """Parked events, those that have been failing longest first."""
    if destination is not None:
        app.check_destination(destination)
    with app.database_to_look_at().read() as connection:
        return fates.parked(connection, destination, limit)


def show_parked_event(app: App, named: str, *, as_json: bool) -> None:
    """One of them, whole."""
    database = app.database_to_look_at()
    found = named_event(database, named)
    with database.read() as connection:
        told = fates.fates(connection, [found])[found.id]
    if not any(fate.state is fates.Standing.PARKED for fate in told):
        raise UsageError(f"event {named!r} is not parked: engage-sync parked list --events shows which are")
    show_event(app, found, as_json=as_json)


def redrive_events(
    app: App, names: Sequence[str], ids: Sequence[int] | None, *, deliver: bool, wait: float, as_json: bool
) -> int:
    """Send them again, and what else is pending; gives the exit code."""
    database = app.database()
    number = sum(lanes.redrive(database, name, ids) for name in names)
    check_found(number, ids)
    forwarded = forward(app, names, wait) if deliver else []
    if as_json:
        output.as_json({"redriven": number, "forwarded": forwarded_documents(forwarded)})
    else:
        click.echo(f"{output.plural(number, 'event')} redriven")
        print_forwarded(forwarded)
    return 1 if any(each.parked or (each.backlog and each.backlog.owed) for each in forwarded) else 0


def drop_events(app: App, names: Sequence[str], ids: Sequence[int] | None, *, as_json: bool) -> None:
    """Give them up."""
    database = app.database()
    number = sum(lanes.drop(database, name, ids) for name in names)
    check_found(number, ids)
    if as_json:
        output.as_json({"dropped": number})
    else:
        click.echo(f"{output.plural(number, 'event')} dropped")


def numbers(named: Sequence[str]) -> list[int]:
    """``4711`` and ``event:4711``."""
    found = []
    for each in named:
        digits = each.removeprefix(PREFIX)
        if not (digits.isascii() and digits.isdigit() and int(digits) < 2**63):
            raise UsageError(f"{each!r} is no event's number: write 4711 or {PREFIX}4711")
        found.append(int(digits))
    return found


def check_found(number: int, ids: Sequence[int] | None) -> None:
    """Raise `UsageError` when events were named and none of them is parked."""
    if ids and not number:
        raise UsageError("none of these events is parked: engage-sync parked list --events shows which are")
