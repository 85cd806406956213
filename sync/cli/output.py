"""How things look: tables and sentences for people, JSON for machines; numbers and times in one way."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from enum import Enum
from typing import Any

import click
import orjson
from pydantic import SecretStr
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

_WIDEST_WITHOUT_TERMINAL = 160
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
"""What could steer a terminal, should it stand in somebody's data."""


def console() -> Console:
    """Standard output; wide enough for our tables when it is no terminal."""
    found = Console(highlight=False, soft_wrap=False)
    return found if found.is_terminal else Console(highlight=False, width=_WIDEST_WITHOUT_TERMINAL)


def as_json(value: object) -> None:
    """One JSON document, keys in our order."""
    click.echo(json_text(value))


def json_text(value: object, *, indent: bool = True) -> str:
    """JSON; not safe for a terminal, unlike `cell`."""
    # Non-string keys: an enumeration's members are strings to everybody but orjson.
    option = orjson.OPT_UTC_Z | orjson.OPT_NON_STR_KEYS | (orjson.OPT_INDENT_2 if indent else 0)
    return orjson.dumps(value, default=_plain, option=option).decode()


def _plain(value: Any) -> Any:
    if isinstance(value, SecretStr):
        return "***"
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, int):
        return str(value)  # beyond 64 bits
    raise TypeError(type(value).__name__)


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]], numbers: Iterable[str] = ()) -> None:
    """A table; columns named in ``numbers`` are aligned to the right. Prints nothing for no rows."""
    rendered = Table(title=title or None, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    right = set(numbers)
    for column in columns:
        # Numbers are never broken; where a terminal is too narrow, words are.
        rendered.add_column(
            column, justify="right" if column in right else "left", overflow="fold", no_wrap=column in right
        )
    for row in rows:
        # Text: Rich would read brackets in somebody's data as markup.
        rendered.add_row(*(Text(cell(value)) for value in row))
    if rendered.row_count:
        to = console()
        with to.capture() as captured:
            to.print(rendered)
        # By click, so that a reader who has gone is met in one place.
        click.echo("\n".join(line.rstrip() for line in captured.get().splitlines()))


def cell(value: object) -> str:
    """One value for people."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return number(value)
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S}"
    if isinstance(value, list | dict):
        value = orjson.dumps(value, default=_plain).decode()
    return _UNPRINTABLE.sub("\N{REPLACEMENT CHARACTER}", str(value))


def number(value: int) -> str:
    """``12,345``."""
    return f"{value:,}"


def plural(count: int, noun: str) -> str:
    """``1 user``, ``12,345 users``; ``1 try``, ``2 tries``."""
    if count == 1:
        return f"1 {noun}"
    return f"{number(count)} {noun.removesuffix('y')}ies" if noun.endswith("y") else f"{number(count)} {noun}s"


def ago(since: datetime, now: datetime) -> str:
    """How long ago, in the two largest units that matter."""
    return duration(now - since)


def duration(span: timedelta) -> str:
    """``3 d 4 h``, ``5 min 10 s``, ``12 s``."""
    seconds = max(0, int(span.total_seconds()))
    parts = [(seconds // 86400, "d"), (seconds // 3600 % 24, "h"), (seconds // 60 % 60, "min"), (seconds % 60, "s")]
    shown = [f"{amount} {unit}" for amount, unit in parts if amount]
    return " ".join(shown[:2]) or "0 s"
