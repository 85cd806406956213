"""Where profiles and events stand: tables with their columns, as whoever opened the source has found them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Type(StrEnum):
    """What a column holds. On SQLite that is ``ANY``, as each value there has a type of its own."""

    ANY = "any"
    FLAG = "flag"
    """SQLite: 0 and 1, in a column that was declared to be boolean."""
    STAMP = "stamp"
    """Text that is an instant in UTC, as the store writes it: ``2026-11-21 10:00:00.000000``."""
    BOOLEAN = "boolean"
    INTEGER = "integer"
    NUMERIC = "numeric"
    FLOAT = "float"
    TEXT = "text"
    DATE = "date"
    TIMESTAMP = "timestamp"
    """Without a zone: in UTC."""
    INSTANT = "instant"
    """With a zone."""
    JSON = "json"
    JSONB = "jsonb"
    OTHER = "other"
    """What the language has no values for: there, and equal to nothing."""


WITHOUT_ORDER = (Type.JSON, Type.JSONB, Type.BOOLEAN, Type.FLAG, Type.OTHER)
"""What can be no cursor."""


@dataclass(frozen=True, slots=True)
class Column:
    """``cast``: it is like its type, but must be cast to behave so. ``exact``: its ``=`` takes no two values for one.
    ``family``: values of one family can be compared as they are. ``bounded``: of numbers, its declaration keeps it within
    what a double can hold, so that the only one that is none is NaN. ``sought``: a time by which an index finds events, of one
    name where the table has several; it says how rows are got at, and nothing of what is there."""

    type: Type
    family: str
    cast: bool = False
    exact: bool = True
    bounded: bool = False
    sought: bool = field(default=False, repr=False)


@dataclass(frozen=True, slots=True)
class Profiles:
    """One row for each person. ``traits`` is a column with JSON, else every other column is a trait.

    ``flattened``: columns are named as Segment and RudderStack name them. ``newest_by``: there are several rows for each
    person, and of each trait the one that is there in the newest counts, by those columns. ``unique``: nobody has two
    rows; else one of them counts, the last by ``cursor`` where there is one.
    """

    table: str
    columns: Mapping[str, Column]
    user_id: str
    traits: str | None = None
    flattened: bool = False
    newest_by: tuple[str, ...] = ()
    cursor: str | None = None
    unique: bool = True


@dataclass(frozen=True, slots=True)
class Events:
    """Each row an event: all called ``event``, or as the column ``name`` says; with both, rows of other names are none.

    ``properties`` is a column with JSON, else every other column is a property. The rest are columns too, if any:
    ``cursor`` settles which of two events at one instant came first, ``context`` is JSON, ``source`` the id of where an
    event comes from, ``call`` the kind of call (``track``, ``page``, ``screen``), ``title`` the name of a page or screen,
    ``message_id`` what settles the order where the cursor does not.

    ``flattened``: columns are named as Segment and RudderStack name them, with ``context_`` before what is context. A
    ``summary`` has events of all names, whose properties are in tables of their own: only its users count.
    """

    table: str
    columns: Mapping[str, Column]
    user_id: str
    timestamp: str
    event: str | None = None
    name: str | None = None
    properties: str | None = None
    cursor: str | None = None
    context: str | None = None
    source: str | None = None
    call: str | None = None
    title: str | None = None
    message_id: str | None = None
    flattened: bool = False
    summary: bool = False

    def may_hold(self, event: str) -> bool:
        """Whether events of this name can be here."""
        return not self.summary and (self.event is None or self.event == event)


@dataclass(frozen=True, slots=True)
class Layout:
    """All that a source has."""

    events: tuple[Events, ...] = ()
    profiles: Profiles | None = None

    @property
    def one_family(self) -> bool:
        """Whether all user ids can be compared as they are."""
        ids = [each.columns[each.user_id] for each in self.events]
        if self.profiles is not None:
            ids.append(self.profiles.columns[self.profiles.user_id])
        families = {each.family for each in ids}
        return len(families) <= 1 and all(each.exact for each in ids)
