"""``user show``: everything known about one user, and why every value is what it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from sync.cli import output
from sync.cli.options import configured, group_config, opened, reporting
from sync.store import reports


@click.group("user")
@group_config
def user() -> None:
    """One user."""


@user.command("show")
@click.argument("user_id")
@reporting
@configured
def show(user_id: str, as_json: bool, config: Path) -> int:
    """Memberships and values with the run that decided them, what is owed, what was sent and answered."""
    with opened(config) as app, app.database_to_look_at().read() as connection:
        found = reports.user(connection, user_id)
    known = bool(found["values"] or found["owed"] or found["attempts"])
    if as_json:
        output.as_json(found)
    elif known:
        print_user(found)
    else:
        click.echo(f"nothing is known of user {user_id!r}", err=True)
    return 0 if known else 1


def print_user(found: dict[str, Any]) -> None:
    """The three tables of a user."""
    click.secho(f"user {found['user_id']}", bold=True)
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


def _pairs(values: dict[str, Any]) -> str:
    return ", ".join(f"{key}={'null' if value is None else output.cell(value)}" for key, value in values.items())
