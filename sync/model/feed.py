"""What a customer's own tables mean: rows that are events, rows that are people, and rows that are sent on as they come."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

Cursor: TypeAlias = int | float | str | None
"""The cursor of a row, in a form that JSON has; ``None`` stands before all rows."""

COLLECTOR = "collector"
"""The source that is always there: what our own API received."""

BEGINNING = "beginning"
"""Where to begin, to send on all that is there."""

LATENESS = 600.0
"""Seconds: what `EventsTable.lateness` is when nobody says."""

WAREHOUSE_LATENESS = 3 * 3600.0
"""The same for `Warehouse.lateness`: rows are stamped before they are loaded, and a load that fails is tried again."""


@dataclass(frozen=True, slots=True)
class Forward:
    """New rows become events and are sent on. They are looked for every ``every`` seconds.

    ``start`` is where it begins the first time: ``None`` from now on, `BEGINNING`, or with the row whose cursor it is.
    """

    start: Cursor = None
    every: float = 10.0


@dataclass(frozen=True, slots=True)
class EventsTable:
    """A table or view, each row an event: all called ``event``, or as the column ``name`` says.

    ``user_id``, ``timestamp``, ``cursor`` are columns; ``properties`` one with JSON, else all other columns are properties.
    ``cursor`` promises that rows are only ever appended, in its order but for ``lateness`` seconds.

    ``warehouse``: filled by Segment or RudderStack, see `Warehouse`. There, with both ``event`` and ``name``, rows of
    other names do not count; ``title`` is a column with the name of what was viewed; a ``summary`` tells who had events of
    any name, and nothing of them: they are in tables of their own.
    """

    table: str
    user_id: str
    timestamp: str
    event: str | None = None
    name: str | None = None
    properties: str | None = None
    cursor: str | None = None
    lateness: float = LATENESS
    forward: Forward | None = None
    title: str | None = None
    warehouse: bool = False
    summary: bool = False

    def feed_name(self, source: str) -> str:
        """What its feed is known by in the store: another event's name makes it another one."""
        return f"{source}.{self.table}" if self.event is None else f"{source}.{self.table}: {self.event}"


@dataclass(frozen=True, slots=True)
class ProfilesTable:
    """A table or view, each row a person. ``traits`` is a column with JSON, else all other columns are traits.

    ``cursor`` is a column that tells which rows have changed: one that is written moves to its end, but for ``lateness``
    seconds.

    ``warehouse``: filled by Segment or RudderStack. There, with ``newest_by``, each row is what was said of a person once:
    of each trait, what was said last counts, by those columns; and ``columns`` are all traits that are read.
    """

    table: str
    user_id: str
    cursor: str | None = None
    traits: str | None = None
    warehouse: bool = False
    newest_by: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    lateness: float = LATENESS


@dataclass(frozen=True, slots=True)
class Warehouse:
    """A schema that Segment or RudderStack fills: its tables are known by their names. ``None``: where names are looked up.

    ``lateness``: how many seconds after it was read for loading a row may appear.
    """

    schema: str | None = None
    lateness: float = WAREHOUSE_LATENESS


@dataclass(frozen=True, slots=True)
class Mark:
    """A place in a feed: the row with this cursor, or a later one, was there ``at`` that instant of the store's clock.

    ``including``: the rows with this very cursor come after the place, not before it.
    """

    at: datetime
    cursor: Cursor
    including: bool = False


def reached(marks: tuple[Mark, ...], mark: Mark, spacing: float) -> tuple[Mark, ...]:
    """``marks`` and a newer one; of those between the first and the last, only one every ``spacing`` seconds is kept."""
    if marks[-1].cursor == mark.cursor and not marks[-1].including:
        return marks  # seen earlier already, which is the better thing to know
    if len(marks) > 1 and (marks[-1].at - marks[-2].at).total_seconds() < spacing:
        marks = marks[:-1]
    return (*marks, mark)


def settled(marks: tuple[Mark, ...], before: datetime) -> tuple[Mark, ...]:
    """``marks`` without those that need not be kept, when whatever appeared late below a mark of ``before`` was read."""
    done = sum(1 for each in marks[1:] if each.at <= before)
    return marks[done:]


@dataclass(frozen=True, slots=True)
class Tables:
    """What a source has, for the query language. ``collected``: it is what our own API received, which says more.

    With a ``warehouse``, there is nothing else before somebody has looked what is there.
    """

    events: tuple[EventsTable, ...] = ()
    profiles: ProfilesTable | None = None
    collected: bool = False
    warehouse: Warehouse | None = None
