"""``events send``: events from a file or a pipe into the log, and on to the destinations."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO

import click

from sync.cli import output
from sync.cli.jsonlines import LONGEST, Lines, portions, read_json
from sync.cli.options import configured, opened, reporting, waiting
from sync.daemon.app import App
from sync.deliver import foreground
from sync.deliver.forwarded import Forwarded
from sync.errors import InvalidEvent, StoreError, UsageError
from sync.model.event import LoggedEvent
from sync.model.received import read_event
from sync.store import events as log
from sync.store import forwarding
from sync.store.engine import Database

AT_ONCE = 1000
"""Events in one transaction, at most."""

SHOWN = 100
"""Refused lines that are told one by one; of more there is only the number."""

_SOURCE = re.compile(r"[a-z][a-z0-9_-]{0,99}")


@dataclass(slots=True)
class Taken:
    """What became of the lines. ``line`` is the last that was dealt with, ``problems`` the first of those refused."""

    line: int = 0
    recorded: int = 0
    duplicates: int = 0
    suppressed: int = 0
    refused: int = 0
    problems: list[tuple[int, str]] = field(default_factory=list)

    def refuse(self, line: int, reason: str) -> None:
        """One more that is no event."""
        self.refused += 1
        if self.refused <= SHOWN:
            self.problems.append((line, reason))
            click.echo(f"error: line {line}: {reason}", err=True)
        elif self.refused == SHOWN + 1:
            click.echo("error: more lines are refused; only their number is told", err=True)


@click.command("send")
@click.argument("file", metavar="FILE|-")
@click.option("--source", default="cli", show_default=True, metavar="NAME", help="What they are said to come from.")
@click.option("--no-deliver", is_flag=True, help="Leave the forwarding to a daemon, or to the next events send.")
@waiting
@reporting
@configured
def send(file: str, source: str, no_deliver: bool, wait: float, as_json: bool, config: Path) -> int:
    """Read Segment events as JSON lines from FILE, or from stdin (-); store them, and forward what is pending.

    A line that is no event is told by its number and left out. Events are told from each other by source and messageId.
    """
    if not _SOURCE.fullmatch(source):
        raise UsageError("--source must be a small letter, then small letters, digits, _ or -; at most 100 in all")
    with _reading(file) as stream, opened(config) as app:
        database, names = app.database(), list(app.settings.destinations)
        forwarding.begin(database, names)
        taken = _take_in(database, stream, source)
        if not as_json:
            _print(taken)
        forwarded = [] if no_deliver else forward(app, names, wait)
    if as_json:
        output.as_json(_document(taken) | {"forwarded": forwarded_documents(forwarded)})
    else:
        print_forwarded(forwarded)
    left = any(each.parked or (each.backlog and each.backlog.owed) for each in forwarded)
    return 1 if taken.refused or left else 0


def forward(app: App, names: Sequence[str], wait: float) -> list[Forwarded]:
    """Forward what is pending at these destinations."""
    return foreground.forward(app.database(), app.outlets(names), app.clock, patience=wait)


@contextmanager
def _reading(file: str) -> Iterator[BinaryIO]:
    if file == "-":
        if sys.stdin is None:
            raise UsageError("events send - reads from stdin, which is closed: name a file")
        yield sys.stdin.buffer
        return
    with ExitStack() as stack:
        try:
            stream = stack.enter_context(Path(file).open("rb"))
        except OSError as error:
            raise UsageError(f"{file} cannot be read: {error.strerror}") from None
        yield stream


def _take_in(database: Database, stream: BinaryIO, source: str) -> Taken:
    """Record what ``stream`` holds as it comes: lines are stored when the next portion is read."""
    taken = Taken()
    try:
        for lines in portions(stream):
            for start in range(0, len(lines), AT_ONCE):
                _record(database, lines[start : start + AT_ONCE], source, taken)
    except StoreError:
        if taken.line:
            click.echo(f"lines up to {taken.line} are taken in, those after it are not", err=True)
        raise
    except OSError as error:
        raise UsageError(f"cannot read on after line {taken.line}: {error.strerror}") from None
    return taken


def _record(database: Database, lines: Lines, source: str, taken: Taken) -> None:
    now = database.clock.now()
    numbers, events = [], []
    for number, text in lines:
        try:
            events.append(_event(text, source, now))
            numbers.append(number)
        except InvalidEvent as error:
            taken.refuse(number, str(error))
    done = log.record(database, events)
    taken.line = lines[-1][0]
    taken.recorded += done.new
    taken.duplicates += done.duplicates
    taken.suppressed += done.suppressed
    for place in done.refused:
        taken.refuse(numbers[place], "the store cannot hold the event")


def _event(text: bytes | None, source: str, now: datetime) -> LoggedEvent:
    if text is None:
        raise InvalidEvent(f"it is longer than {LONGEST // 1024} KB")
    try:
        raw = read_json(text)
    except (ValueError, RecursionError):
        raise InvalidEvent("it is not JSON that can be read") from None
    return read_event(raw, source=source, received_at=now)


def _document(taken: Taken) -> dict[str, Any]:
    return {
        "recorded": taken.recorded,
        "duplicates": taken.duplicates,
        "suppressed": taken.suppressed,
        "refused": taken.refused,
        "problems": [{"line": line, "reason": reason} for line, reason in taken.problems],
    }


def _print(taken: Taken) -> None:
    parts = [output.plural(taken.recorded, "event") + " recorded"]
    if taken.duplicates:
        parts.append(f"{output.number(taken.duplicates)} there already")
    if taken.suppressed:
        parts.append(f"{output.number(taken.suppressed)} of users who are suppressed left out")
    if taken.refused:
        parts.append(f"{output.plural(taken.refused, 'line')} refused")
    click.echo(", ".join(parts))


def forwarded_documents(forwarded: Sequence[Forwarded]) -> list[dict[str, Any]]:
    """What a forwarding did, for machines."""
    return [
        {
            "destination": each.destination,
            "accepted": each.accepted,
            "filtered": each.filtered,
            "suppressed": each.suppressed,
            "held": each.held,
            "parked": each.parked,
            "by_verdict": each.by_verdict,
            "still_pending": each.backlog.owed if each.backlog else None,
            "stopped": each.stopped or None,
            "warnings": each.warnings,
        }
        for each in forwarded
    ]


def print_forwarded(forwarded: Sequence[Forwarded]) -> None:
    """A sentence on what became of a destination's events, and one on what is left."""
    for each in forwarded:
        left = each.backlog.owed if each.backlog else 0
        if not (left or each.by_verdict or each.parked):
            click.echo(f"{each.destination}: nothing is pending")
            continue
        parts = [output.plural(each.accepted, "event") + " sent"]
        if each.filtered:
            parts.append(f"{output.number(each.filtered)} filtered out by the mappings")
        if each.suppressed:
            parts.append(f"{output.number(each.suppressed)} of users who are suppressed")
        if each.parked:
            parts.append(f"{output.number(each.parked)} parked (engage-sync parked list --events)")
        click.echo(f"{each.destination}: {', '.join(parts)}")
        for warning in each.warnings:
            click.secho(f"{each.destination}: {warning}", fg="yellow")
        if left:
            why = f": {each.stopped}" if each.stopped else ""
            mend = ". None is parked; mend it (engage-sync check tells more)" if each.fault else ""
            said = f"{each.destination}: {output.plural(left, 'event')} still pending{why}{mend}"
            click.secho(said, fg="yellow")
