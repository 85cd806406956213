"""``user``: everything known about one user, and why every value is what it is; and to have nothing to do with one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from sync.cli import output
from sync.cli.forget import forget
from sync.cli.happened import PREFIX, fate_words, judged, told_document, what
from sync.cli.options import configured, group_config, opened, reporting
from sync.model.event import LoggedEvent
from sync.store import events as log
from sync.store import reports, suppressions
from sync.store.fates import Fate, fates

EVENTS = 10
"""How many of a user's events are shown."""


@click.group("user")
@group_config
def user() -> None:
    """One user."""


@user.command("show")
@click.argument("user_id")
@reporting
@configured
def show(user_id: str, as_json: bool, config: Path) -> int:
    """Memberships and values with the run that decided them, what is owed, what was sent and answered, what was collected."""
    with opened(config) as app, app.database_to_look_at().read() as connection:
        found = reports.user(connection, user_id)
        events = log.find(connection, user_id=user_id, most=EVENTS)
        told = judged(fates(connection, events), events, app.settings.destinations)
    known = any(value for name, value in found.items() if name != "user_id") or bool(events)
    if as_json:
        output.as_json(found | {"events": [told_document(each, told[each.id]) for each in events]})
    elif known:
        print_user(found)
        print_events(events, told)
    else:
        click.echo(f"nothing is known of user {user_id!r}", err=True)
    return 0 if known else 1


_MEANING = "no event is taken in, and nothing is sent"


@user.command("suppress")
@click.argument("user_id")
@reporting
@configured
def suppress(user_id: str, as_json: bool, config: Path) -> None:
    """Take in and send nothing of this user from now on, neither events nor audience updates. What is stored stays."""
    with opened(config) as app:
        changed = suppressions.suppress(app.database(), user_id)
    if as_json:
        output.as_json({"user_id": user_id, "suppressed": True, "changed": changed})
    else:
        click.echo(
            f"user {output.cell(user_id)} {'is suppressed' if changed else 'was suppressed already'}: {_MEANING}"
        )


@user.command("unsuppress")
@click.argument("user_id")
@reporting
@configured
def unsuppress(user_id: str, as_json: bool, config: Path) -> None:
    """Take in and send what comes of this user from now on, and the current values. Events are not made up for."""
    with opened(config) as app:
        changed = suppressions.unsuppress(app.database(), user_id)
    if as_json:
        output.as_json({"user_id": user_id, "suppressed": False, "changed": changed})
    else:
        click.echo(f"user {output.cell(user_id)} {'is suppressed no more' if changed else 'was not suppressed'}")


user.add_command(forget)


def print_user(found: dict[str, Any]) -> None:
    """The tables of a user."""
    click.secho(f"user {output.cell(found['user_id'])}", bold=True)
    if found["suppressed_since"]:
        click.secho(f"suppressed since {output.cell(found['suppressed_since'])}: {_MEANING}", fg="yellow")
    output.table(
        "decided",
        ("definition", "kind", "value", "since", "decided by", "as of"),
        [
            (
                row["key"] + (" (removed)" if row["removed_at"] else ""),
                row["kind"],
                row["value"],
                row["finished_at"],
                f"run {row['run_id']}",
                row["as_of"],
            )
            for row in found["values"]
        ],
    )
    output.table(
        "owed",
        ("destination", "state", "values", "since", "tries", "reason"),
        [
            (row["destination"], row["state"], _pairs(row["owed"]), row["owed_since"], row["attempts"], row["reason"])
            for row in found["owed"]
        ],
    )
    output.table(
        "tries",
        ("at", "destination", "values", "verdict", "status", "answer"),
        [
            (row["at"], row["destination"], _pairs(row["sent"]), row["verdict"], row["status"], row["detail"] or None)
            for row in found["attempts"]
        ],
    )

    if found["profile"]:
        output.table(
            "profile",
            ("trait", "value"),
            sorted(found["profile"]["traits"].items()),
        )


def print_events(events: Sequence[LoggedEvent], told: Mapping[int, Sequence[Fate]]) -> None:
    """A user's events and what became of them."""
    output.table(
        "newest events",
        ("received", "event", "what", "source", "what became of it"),
        [
            (
                each.received_at,
                f"{PREFIX}{each.id}",
                what(each.type, each.name),
                each.source,
                "; ".join(f"{fate.destination}: {fate_words(fate)}" for fate in told[each.id]) or "received",
            )
            for each in events
        ],
    )


def _pairs(values: dict[str, Any]) -> str:
    return ", ".join(f"{key}={'null' if value is None else output.cell(value)}" for key, value in values.items())
