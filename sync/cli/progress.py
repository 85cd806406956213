"""What a delivery shows while it runs: bars with rate and time left on a terminal, now and then a line elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

from sync.cli.output import duration, number
from sync.deliver.delivered import Delivered

OnProgress = Callable[[Delivered], None]
LINE_EVERY = 10.0
"""Seconds between two plain lines."""


class Rate(ProgressColumn):
    """Users per second."""

    def render(self, task: Task) -> Text:
        return Text(f"{task.speed:,.0f}/s" if task.speed else "-/s")


@contextmanager
def progress(owed: Mapping[str, int], *, quiet: bool) -> Iterator[OnProgress]:
    """Show how ``owed`` users per destination are being delivered; on stderr, so that output stays clean."""
    if quiet or not any(owed.values()):
        yield lambda _: None
    elif sys.stderr.isatty():
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), Rate(), TimeRemainingColumn())
        with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
            tasks = {name: bars.add_task(name, total=users) for name, users in owed.items()}
            yield lambda done: bars.update(tasks[done.destination], completed=done.settled + done.parked)
    else:
        yield _lines(owed)


def _lines(owed: Mapping[str, int]) -> OnProgress:
    started = time.monotonic()
    said = dict.fromkeys(owed, started)

    def show(done: Delivered) -> None:
        now = time.monotonic()
        if now - said[done.destination] < LINE_EVERY:
            return
        said[done.destination] = now
        settled, total = done.settled + done.parked, owed[done.destination]
        rate = settled / (now - started)
        left = duration(timedelta(seconds=(total - settled) / rate)) if rate and settled <= total else "?"
        click.echo(f"{done.destination}: {number(settled)} of {number(total)}, {rate:,.0f}/s, {left} left", err=True)

    return show
