"""``events``: what was received, and what became of it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import orjson

from sync.cli import output
from sync.cli.happened import PREFIX, Destinations, fate_words, judged, told_document, told_line, what, who
from sync.cli.options import configured, group_config, opened, reporting
from sync.cli.sending import send
from sync.daemon.app import App
from sync.errors import UsageError
from sync.model.event import LoggedEvent
from sync.model.received import TYPES
from sync.store import events as log
from sync.store import fates
from sync.store.engine import Database
from sync.store.fates import LASTING, Fate

LOOK_EVERY = 0.5
"""Seconds between two looks at the log while following it."""

AT_ONCE = 500
"""Events that are read at once."""

WATCHED = 1000
"""Events whose fate is followed at once; of older ones no more is told."""


@click.group("events")
@group_config
def events() -> None:
    """What was received, and what became of it."""


events.add_command(send)


@events.command("tail")
@click.option("--user", "user_id", metavar="ID", help="Only events of this user.")
@click.option("--type", "kind", type=click.Choice(sorted(TYPES)), help="Only events of this type.")
@click.option("--event", "name", metavar="NAME", help="Only track events of this name.")
@click.option("--limit", type=click.IntRange(0), default=20, show_default=True, help="How many to begin with.")
@click.option("--no-follow", is_flag=True, help="End after those, instead of waiting for more.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line.")
@configured
def tail(
    user_id: str | None,
    kind: str | None,
    name: str | None,
    limit: int,
    no_follow: bool,
    as_json: bool,
    config: Path,
) -> None:
    """The newest events, and those that come, each with what became of it at every destination.

    An event is shown again whenever something became of it. Ctrl-C ends it.
    """
    with opened(config) as app:
        database = app.database_to_look_at() if no_follow else app.database()
        show = _json_line if as_json else told_line
        follower = Follower(database, app.settings.destinations, Wanted(user_id, kind, name))
        for each, found in follower.first(limit):
            click.echo(show(each, found))
        while not no_follow:
            for each, found in follower.more():
                click.echo(show(each, found))
            time.sleep(LOOK_EVERY)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which events are to be seen; ``None`` is for all."""

    user_id: str | None
    type: str | None
    name: str | None

    def fits(self, event: LoggedEvent) -> bool:
        """Whether this one is."""
        return (
            self.user_id in (None, event.user_id)
            and self.type in (None, event.type)
            and self.name in (None, event.name)
        )


class Follower:
    """Reads the log from where it is, and sees again to those of which something may still become."""

    def __init__(self, database: Database, known: Destinations, wanted: Wanted) -> None:
        self._database = database
        self._known = known
        self._wanted = wanted
        self._last = 0
        self._watched: dict[int, tuple[LoggedEvent, Sequence[Fate]]] = {}

    def first(self, limit: int) -> list[tuple[LoggedEvent, Sequence[Fate]]]:
        """The newest ones."""
        with self._database.read() as connection:
            self._last = log.latest(connection)
            wanted = self._wanted
            found = log.find(connection, user_id=wanted.user_id, type=wanted.type, name=wanted.name, most=limit)[::-1]
            told = judged(fates.fates(connection, found, self._known), found, self._known)
        for each in found:
            self._last = max(self._last, each.id)
            self._watch(each, told[each.id])
        return [(each, told[each.id]) for each in found]

    def more(self) -> list[tuple[LoggedEvent, Sequence[Fate]]]:
        """Those that have come since, and those of which something has become."""
        with self._database.read() as connection:
            found = log.find(connection, after=self._last, newest_first=False, most=AT_ONCE)
            new = [each for each in found if self._wanted.fits(each)]
            looked = [each for each, _ in self._watched.values()] + new
            told = judged(fates.fates(connection, looked, self._known), looked, self._known)
        if found:
            self._last = found[-1].id
        changed = []
        for each in looked:
            before, now = self._watched.get(each.id), told[each.id]
            if before is None or list(before[1]) != list(now):
                changed.append((each, now))
            self._watch(each, now)
        return changed

    def _watch(self, each: LoggedEvent, found: Sequence[Fate]) -> None:
        if found and all(fate.state in LASTING for fate in found):
            self._watched.pop(each.id, None)
            return
        self._watched[each.id] = each, found
        while len(self._watched) > WATCHED:
            del self._watched[next(iter(self._watched))]


@events.command("show")
@click.argument("event_id", metavar="ID|MESSAGE_ID")
@reporting
@configured
def show(event_id: str, as_json: bool, config: Path) -> None:
    """One event, whole, by its number or its message id; and what became of it."""
    with opened(config) as app:
        show_event(app, named_event(app.database_to_look_at(), event_id), as_json=as_json)


def show_event(app: App, found: LoggedEvent, *, as_json: bool) -> None:
    """Print one event, whole, and what became of it."""
    with app.database_to_look_at().read() as connection:
        told = judged(fates.fates(connection, [found]), [found], app.settings.destinations)[found.id]
    body = orjson.loads(found.body)
    takes = _mappings(app, body)
    if as_json:
        output.as_json({**told_document(found, told), "body": body, "mappings": takes})
    else:
        _print_event(found, body, told, takes)


def named_event(database: Database, named: str) -> LoggedEvent:
    """The event that is named by its number or its message id. Raises `UsageError` when there is none, or several."""
    digits = named.removeprefix(PREFIX)
    with database.read() as connection:
        if digits.isascii() and digits.isdigit() and int(digits) < 2**63:
            for found in log.find(connection, number=int(digits)):
                return found
        numbers = fates.ids_of(connection, named)
        if len(numbers) == 1:
            return log.find(connection, number=numbers[0])[0]
    if numbers:
        several = ", ".join(f"{PREFIX}{each}" for each in numbers)
        raise UsageError(f"several sources have an event with the message id {named!r}: name one of {several}")
    raise UsageError(f"there is no event {named!r}: engage-sync events tail shows the newest ones")


def _mappings(app: App, body: Any) -> list[dict[str, Any]]:
    """What the mappings of every destination, as they are configured now, make of an event."""
    return [
        {"destination": name, "name": each.name, "subscribe": each.trigger.text, "matches": each.matches(body)}
        for name, settings in app.settings.destinations.items()
        for each in settings.mappings
    ]


def _print_event(found: LoggedEvent, body: Any, told: Sequence[Fate], takes: list[dict[str, Any]]) -> None:
    said = f"{PREFIX}{found.id}: {what(found.type, found.name)} of {who(found)}"
    click.secho(output.cell(said), bold=True)
    for name in ("source", "message_id", "timestamp", "received_at"):
        click.echo(f"{name.replace('_', ' '):>12}  {output.cell(getattr(found, name))}")
    if not found.collected:
        click.echo("              read from a source, to be forwarded; it is not in collected_events")
    output.table(
        "destinations",
        ("destination", "what became of it", "at", "tries", "next try", "answer"),
        [(fate.destination, fate_words(fate), fate.at, fate.attempts, fate.due_at, fate.detail) for fate in told],
        numbers=("tries",),
    )
    output.table(
        "mappings, as they are now",
        ("destination", "mapping", "wants it", "trigger"),
        [(each["destination"], each["name"], each["matches"], each["subscribe"]) for each in takes],
    )
    click.echo(output.cell(output.json_text(body)))


def _json_line(event: LoggedEvent, told: Sequence[Fate]) -> str:
    return output.json_text(told_document(event, told), indent=False)
