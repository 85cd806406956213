"""What a customer's own tables mean: rows that are events, rows that are people, and rows that are sent on as they come."""

from __future__ import annotations

from dataclasses import dataclass

BEGINNING = "beginning"
"""Where to begin, to send on all that is there."""

LATENESS = 600.0
"""Seconds: what `EventsTable.lateness` is when nobody says."""


@dataclass(frozen=True, slots=True)
class Forward:
    """New rows become events and are sent on. They are looked for every ``every`` seconds.

    ``start`` is where it begins the first time: ``None`` from now on, `BEGINNING`, or with the row whose cursor it is.
    """

    start: int | float | str | None = None
    every: float = 10.0


@dataclass(frozen=True, slots=True)
class EventsTable:
    """A table or view, each row an event: all called ``event``, or as the column ``name`` says.

    ``user_id``, ``timestamp``, ``cursor`` are columns; ``properties`` one with JSON, else all other columns are properties.
    ``cursor`` promises that rows are only ever appended, in its order but for ``lateness`` seconds.
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


@dataclass(frozen=True, slots=True)
class ProfilesTable:
    """A table or view, each row a person. ``traits`` is a column with JSON, else all other columns are traits.

    ``cursor`` is a column that tells which rows have changed.
    """

    table: str
    user_id: str
    cursor: str | None = None
    traits: str | None = None
