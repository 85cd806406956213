"""``events``: what was received, and what became of it."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import click

from sync.cli import output
from sync.cli.options import configured, group_config, opened, reporting
from sync.daemon.app import App
from sync.errors import UsageError
from sync.store import fates
from sync.store.engine import Database
from sync.store.fates import LASTING, Event, Fate, Standing

LOOK_EVERY = 0.5
"""Seconds between two looks at the log while following it."""

WATCHED = 1000
"""Events whose fate is followed at once; of older ones no more is told."""

PREFIX = "event:"
"""How events are named, so that their numbers are not taken for users."""


@click.group("events")
@group_config
def events() -> None:
    """What was received, and what became of it."""


@events.command("tail")
@click.option("--user", "user_id", metavar="ID", help="Only events of this user.")
@click.option("--type", "kind", metavar="TYPE", help="Only this type: track, identify, page, screen, group, alias.")
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
        show = _line if as_json else _words
        follower = Follower(app, database, {"user_id": user_id, "type": kind, "name": name})
        for each, found in follower.first(limit):
            click.echo(show(each, found))
        while not no_follow:
            for each, found in follower.more():
                click.echo(show(each, found))
            time.sleep(LOOK_EVERY)


class Follower:
    """Reads the log from where it is, and sees again to those of which something may still become."""

    def __init__(self, app: App, database: Database, wanted: Mapping[str, str | None]) -> None:
        self._app = app
        self._database = database
        self._wanted = {name: value for name, value in wanted.items() if value is not None}
        self._last = 0
        self._watched: dict[int, tuple[Event, Sequence[Fate]]] = {}

    def first(self, limit: int) -> list[tuple[Event, Sequence[Fate]]]:
        """The newest ones."""
        with self._database.read() as connection:
            self._last = fates.last_id(connection)
            found = fates.newest(connection, limit, **self._wanted)
            told = judged(self._app, connection, found)
        for each in found:
            self._last = max(self._last, each["id"])
            self._watch(each, told[each["id"]])
        return [(each, told[each["id"]]) for each in found]

    def more(self) -> list[tuple[Event, Sequence[Fate]]]:
        """Those that have come since, and those of which something has become."""
        with self._database.read() as connection:
            found = fates.after(connection, self._last, WATCHED)
            new = [each for each in found if all(each[name] == value for name, value in self._wanted.items())]
            looked = [each for each, _ in self._watched.values()] + new
            told = judged(self._app, connection, looked)
        if found:
            self._last = found[-1]["id"]
        changed = []
        for each in looked:
            before, now = self._watched.get(each["id"]), told[each["id"]]
            if before is None or list(before[1]) != list(now):
                changed.append((each, now))
            self._watch(each, now)
        return changed

    def _watch(self, each: Event, found: Sequence[Fate]) -> None:
        if found and all(fate.state in LASTING for fate in found):
            self._watched.pop(each["id"], None)
            return
        self._watched[each["id"]] = each, found
        while len(self._watched) > WATCHED:
            del self._watched[next(iter(self._watched))]


@events.command("show")
@click.argument("event_id", metavar="ID|MESSAGE_ID")
@reporting
@configured
def show(event_id: str, as_json: bool, config: Path) -> None:
    """One event, whole, by its number or its message id; and what became of it."""
    with opened(config) as app, app.database_to_look_at().read() as connection:
        number = _find(connection, event_id)
        found = fates.whole(connection, number)
        if found is None:
            raise UsageError(f"there is no event {event_id!r}: engage-sync events tail shows the newest ones")
        told = judged(app, connection, [found], everywhere=True)[number]
        takes = _mappings(app, found["body"])
    if as_json:
        body = found.pop("body")
        output.as_json(found | {"body": body, "destinations": [document(fate) for fate in told], "mappings": takes})
    else:
        _print_event(found, told, takes)


def _find(connection: Any, named: str) -> int:
    """The number of an event that is named by it or by its message id."""
    digits = named.removeprefix(PREFIX)
    if digits.isascii() and digits.isdigit() and int(digits) < 2**63:
        known = fates.whole(connection, int(digits))
        if known is not None or named != digits:
            return int(digits)
    found = fates.ids_of(connection, named)
    if len(found) > 1:
        several = ", ".join(f"{PREFIX}{each}" for each in found)
        raise UsageError(f"several sources have an event with the message id {named!r}: name one of {several}")
    return found[0] if found else 0


def judged(app: App, connection: Any, found: Iterable[Event], *, everywhere: bool = False) -> dict[int, Sequence[Fate]]:
    """What became of events; of those that were filtered, by which mappings. ``everywhere``: also at destinations that
    the configuration does not have any more."""
    listed = list(found)
    told: dict[int, Sequence[Fate]] = dict(
        fates.fates(connection, listed, None if everywhere else app.settings.destinations)
    )
    filtered = [number for number, each in told.items() if any(fate.state is Standing.FILTERED for fate in each)]
    bodies = fates.bodies(connection, filtered) if filtered else {}
    for number, body in bodies.items():
        told[number] = [
            replace(fate, filtered_by=_against(app, fate.destination, body))
            if fate.state is Standing.FILTERED
            else fate
            for fate in told[number]
        ]
    return told


def _against(app: App, destination: str, body: Any) -> tuple[str, ...]:
    """The mappings whose triggers do not want the event: as they are configured now."""
    settings = app.settings.destinations.get(destination)
    if settings is None:
        return ()
    return tuple(each.name for each in settings.mappings if not each.matches(body))


def _mappings(app: App, body: Any) -> list[dict[str, Any]]:
    """What the mappings of every destination, as they are configured now, make of an event."""
    return [
        {"destination": name, "name": each.name, "subscribe": each.trigger.text, "matches": each.matches(body)}
        for name, settings in app.settings.destinations.items()
        for each in settings.mappings
    ]


def document(fate: Fate) -> dict[str, Any]:
    """A fate for machines."""
    return asdict(fate)


def _line(each: Event, found: Sequence[Fate]) -> str:
    return output.json_text(each | {"destinations": [document(fate) for fate in found]}, indent=False)


def _words(each: Event, found: Sequence[Fate]) -> str:
    told = "; ".join(f"{fate.destination}: {fate_words(fate)}" for fate in found) or "received"
    parts = (output.cell(each["received_at"]), f"{PREFIX}{each['id']}", what(each), who(each), each["source"], told)
    return "  ".join(output.cell(part) for part in parts)


def what(each: Mapping[str, Any]) -> str:
    """``track Order Completed``."""
    return f"{each['type']} {each['name']}" if each["name"] and each["type"] == "track" else str(each["type"])


def who(each: Mapping[str, Any]) -> str:
    """The user, or that it is nobody known."""
    return str(each["user_id"]) if each["user_id"] is not None else f"anonymous {each['anonymous_id']}"


def fate_words(fate: Fate) -> str:
    """``sent (200)``, ``filtered (Track Order does not want it)``, ``waiting since …``."""
    if fate.state is Standing.FILTERED:
        by = f"{', '.join(fate.filtered_by)} {'does' if len(fate.filtered_by) == 1 else 'do'} not want it"
        return f"filtered ({by if fate.filtered_by else 'no mapping wanted it'})"
    if fate.state is Standing.WAITING:
        if not fate.attempts:
            return "waiting for an earlier event of this user"
        return f"waiting after {output.plural(fate.attempts, 'try')}: {fate.reason or fate.detail or fate.verdict}"
    if fate.state is Standing.PARKED:
        return f"parked: {fate.reason or fate.detail}"
    if fate.state is Standing.DROPPED:
        return f"not sent: {fate.detail or fate.verdict}"
    if fate.state is Standing.EARLIER:
        return "not forwarded: it was received before anything was"
    if fate.state is Standing.PAST:
        return "done with; how is no longer known"
    return f"{fate.state}{f' ({fate.status})' if fate.status else ''}"


def _print_event(found: Event, told: Sequence[Fate], takes: list[dict[str, Any]]) -> None:
    click.secho(f"{PREFIX}{found['id']}: {output.cell(what(found))} of {output.cell(who(found))}", bold=True)
    for name in ("source", "message_id", "timestamp", "received_at"):
        click.echo(f"{name.replace('_', ' '):>12}  {output.cell(found[name])}")
    if not found["collected"]:
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
    click.echo(output.cell(output.json_text(found["body"])))
