"""``user forget``: remove a user here, delete them at every destination, keep them out."""

from __future__ import annotations

import getpass
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from sync.cli import output
from sync.cli.options import Seconds, configured, opened, reporting
from sync.daemon.app import App
from sync.deliver import deleting
from sync.deliver.deleting import Told
from sync.errors import StoreUnavailable, UsageError
from sync.store import forgetting
from sync.store.deletions import State
from sync.store.engine import Database
from sync.store.forgetting import Forgetting

_PURGE_SECONDS = 10.0
"""How long those who read SQLite's file are waited for."""

_KINDS = {
    "values": ("decided value", "decided values"),
    "owed": ("update that was owed", "updates that were owed"),
    "attempts": ("try in the history", "tries in the history"),
    "profile": ("collected profile", "collected profiles"),
    "events": ("event", "events"),
}


@dataclass(frozen=True, slots=True)
class Done:
    """What a forgetting came to. ``unknown``: destinations that got something once and are configured no more."""

    stands: Forgetting
    told: Sequence[Told]
    unknown: Sequence[str]

    @property
    def complete(self) -> bool:
        """Removed, overwritten, and deleted wherever we may ask."""
        return self.stands.purged and all(each.state is State.DONE for each in self.told)


@click.command("forget")
@click.argument("user_id")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option(
    "--wait",
    type=Seconds(),
    default=60.0,
    show_default=True,
    metavar="SECONDS",
    help="How long to wait for the destinations in all.",
)
@reporting
@configured
def forget(user_id: str, yes: bool, wait: float, as_json: bool, config: Path) -> int:
    """Remove all that is known of this user, delete them at the destinations, and keep them out from now on.

    What some destination has not accepted yet stays owed: a daemon goes on, or the same command again.
    """
    if not user_id:
        raise UsageError("the user id is empty: name a user")
    with opened(config) as app:
        database = app.database()
        if not yes:
            _confirm(user_id, list(app.settings.destinations))
        done = carry_out(app, database, user_id, wait)
    if as_json:
        output.as_json(_document(user_id, done))
    else:
        _print(user_id, done)
    return 0 if done.complete else 1


def carry_out(app: App, database: Database, user_id: str, wait: float) -> Done:
    """Forget a user, and wait for the destinations: ``wait`` seconds from now."""
    until = app.clock.monotonic() + wait
    names = list(app.settings.destinations)
    number = forgetting.forget(database, user_id, names, _who(), quiet=app.quiet())
    assert number is not None  # noqa: S101 - asked for again, it is done again
    forgetting.sweep(database, number)
    told = deleting.delete(database, app.outlets(names), app.clock, number, until=until)
    if forgetting.look(database, number).finished:
        _purge(app, database)
    with database.read() as connection:
        unknown = forgetting.unknown_destinations(connection, names)
    return Done(forgetting.look(database, number), told, unknown)


def _confirm(user_id: str, destinations: Sequence[str]) -> None:
    if not (sys.stdin and sys.stdin.isatty()):
        raise UsageError("user forget cannot be taken back, and there is nobody to ask: say --yes")
    where = f" and deletes them at {', '.join(destinations)}" if destinations else ""
    question = f"This removes all that is known of user {user_id!r}{where}. It cannot be taken back. Go on?"
    click.confirm(question, abort=True, err=True)


def _who() -> str:
    """Who asks, for the record."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # this user has no name
        return f"user {os.getuid()}" if hasattr(os, "getuid") else "unknown"


def _purge(app: App, database: Database) -> None:
    """Overwrite the bytes; where somebody stays in the way, the store still says so."""
    until = app.clock.monotonic() + _PURGE_SECONDS
    while True:
        try:
            if forgetting.purge(database):
                return
        except StoreUnavailable as error:
            click.echo(f"warning: {error}", err=True)
            return
        if app.clock.monotonic() >= until:
            return
        time.sleep(0.2)


def _document(user_id: str, done: Done) -> dict[str, Any]:
    return {
        "user_id": user_id,
        "forgetting": done.stands.id,
        "counts": dict(done.stands.counts),
        "destinations": [
            {
                "destination": each.destination,
                "state": each.state.value,
                "reason": each.reason,
                "stopped": each.stopped or None,
            }
            for each in done.told
        ],
        "not_configured": list(done.unknown),
        "overwritten": done.stands.purged,
        "complete": done.complete,
    }


def _print(user_id: str, done: Done) -> None:
    name = output.cell(user_id)
    found = [
        f"{output.number(number)} {_KINDS[kind][number != 1]}"
        for kind, number in sorted(done.stands.counts.items())
        if kind in _KINDS
    ]
    click.echo(f"user {name} is forgotten here ({', '.join(found) or 'nothing was known'}) and kept out from now on")
    for each in done.told:
        if each.state is State.DONE:
            click.echo(f"{each.destination}: deleted")
            continue
        why = each.stopped or each.reason or "not accepted yet"
        if each.state is State.REFUSED:
            why = f"refused ({each.reason}): mend it, then run the same command again"
        click.secho(f"{each.destination}: still to be deleted: {why}", fg="yellow")
    for destination in done.unknown:
        click.secho(f"{destination}: is configured no more: delete the user there by hand", fg="yellow")
    if done.stands.finished and not done.stands.purged:
        said = "the store's file may still hold the bytes: somebody is using it; run the same command again later"
        click.secho(said, fg="yellow")
