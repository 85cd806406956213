"""How far the runs of a definition have read its source, and whether reading on from there is enough.

The *promise* is the user's: rows are only ever appended, in the order of their cursor but for some lateness. So a mark that
is older than the last reading by that lateness has every row that this reading missed behind it. Without such a mark, or
when anything but the rows may be another than last time, everything is read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from sync.model.feed import Cursor, Mark, reached, settled

_SPACING = 1 / 20
"""Of the lateness: the time between two marks that are kept, so that there are few."""


class Extent(StrEnum):
    """What a run evaluated: everybody, or only those for whom something can have changed."""

    FULL = "full"
    INCREMENTAL = "incremental"


@dataclass(frozen=True, slots=True)
class Followed:
    """A table whose new rows are known by a cursor. ``newest`` is the highest that was there; ``lateness`` in seconds."""

    newest: Cursor
    lateness: float


@dataclass(frozen=True, slots=True)
class Survey:
    """What a source and a definition are like, before the definition is asked.

    ``in_full``: why its changes cannot be told from the tables, if so. ``asked`` changes with whatever the answer may depend
    on but rows, ``place`` with where marks stand. ``followed`` are tables by name, as they were before the answer is read.
    """

    in_full: str | None
    asked: str
    place: str
    followed: Mapping[str, Followed] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Watermark:
    """What the last recorded run of a definition had read. ``read_at`` is an instant of the store's clock, before its answer.

    ``marks``: of each table by name, oldest first. ``in_full``: why the next run has nothing to read on from, if so. ``full_at``: when everybody was last evaluated. ``missed``: users whom
    incremental runs should have found, counted since it came out ``broken_at``.
    """

    read_at: datetime
    as_of: datetime
    asked: str
    place: str
    marks: Mapping[str, tuple[Mark, ...]]
    in_full: str | None
    full_at: datetime
    missed: int = 0
    broken_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Since:
    """Where to read on from: the instant of the last answer, and a cursor of each table, below which nothing is new; ``None``
    where everything is."""

    as_of: datetime
    marks: Mapping[str, Cursor]


@dataclass(frozen=True, slots=True)
class Course:
    """What a run is to evaluate. ``full``: why everybody; ``None`` when only what changed ``since``.

    A full run with a ``since`` is compared with what an incremental one would have found.
    """

    full: str | None
    since: Since | None = None

    @property
    def extent(self) -> Extent:
        """What the run's row says."""
        return Extent.INCREMENTAL if self.full is None else Extent.FULL


@dataclass(frozen=True, slots=True)
class Reading:
    """What a run has read for what it staged. ``known`` is the watermark that it began with, ``reached`` the one to be
    recorded; both only of a query. ``candidates``: how many users can have changed, where that was asked."""

    course: Course
    known: Watermark | None = None
    reached: Watermark | None = None
    candidates: int | None = None

    def told(self, missed: int | None) -> Mapping[str, object]:
        """What the run's row says of it."""
        course = self.course
        return {
            "extent": course.extent.value,
            "why_full": course.full,
            "candidates": self.candidates,
            "missed": missed,
        }


@dataclass(frozen=True, slots=True)
class Wish:
    """What is asked of a run. ``full``: why everybody is wanted anyway; ``held``: the last one held exits."""

    as_of: datetime
    interval: float
    full: str | None = None
    held: bool = False


NEVER = "it was not refreshed before"
EDITED = "its question, or a table that it reads, is another than last time"
HELD = "exits are held"
BACK = "it goes back in time"
YOUNG = "rows could still appear late where it would read on"
SHRUNK = "a cursor went back"
BROKEN = "incremental runs missed changes"
DUE = "a full one is due"
TOO_DEEP = "SQLite cannot follow the question of what changed: too much stands inside something else"


def chart(known: Watermark | None, found: Survey, wish: Wish, now: datetime) -> Course:
    """What the run at ``now`` (by the store's clock) is to evaluate."""
    blind = found.in_full or _not_comparable(known, found, wish)
    if blind is not None or known is None:
        return Course(blind or NEVER)
    marks = {name: _begin(known, name, each.lateness) for name, each in found.followed.items()}
    usable = {
        name: mark.cursor for name, mark in marks.items() if mark is not None
    }  # in an empty table, before all rows
    if len(usable) < len(marks):
        return Course(YOUNG)
    full = wish.full or (SHRUNK if _went_back(known, found) else pending(known, wish.interval, now))
    return Course(full, Since(known.as_of, usable))


def _not_comparable(known: Watermark | None, found: Survey, wish: Wish) -> str | None:
    """Why the last answer says nothing of what this one must be compared with."""
    if known is None:
        return NEVER
    if (known.asked, known.place) != (found.asked, found.place):
        return EDITED
    if wish.held:
        return HELD
    return BACK if wish.as_of < known.as_of else None


def _went_back(known: Watermark, found: Survey) -> bool:
    """Whether rows were taken away: the highest cursor there is now was passed before."""
    return any(_is_before(each.newest, known.marks.get(name, ())) for name, each in found.followed.items())


def _is_before(cursor: Cursor, marks: tuple[Mark, ...]) -> bool:
    last = marks[-1].cursor if marks else None
    if cursor is None:
        return last is not None
    # Only the database itself knows the order of its texts.
    return isinstance(cursor, int | float) and isinstance(last, int | float) and cursor < last


def pending(known: Watermark, interval: float, now: datetime) -> str | None:
    """Why everybody is evaluated although what changed could be told."""
    if known.broken_at is not None:
        return BROKEN
    return DUE if now - known.full_at >= timedelta(seconds=interval) else None


def _begin(known: Watermark, table: str, lateness: float) -> Mark | None:
    """The last mark that the last reading was later than by the lateness, if there is one."""
    before = known.read_at - timedelta(seconds=lateness)
    first = settled(known.marks.get(table, ()), before)[:1]
    return first[0] if first and first[0].at <= before else None


def advanced(
    known: Watermark | None, found: Survey, course: Course, *, as_of: datetime, read_at: datetime
) -> Watermark:
    """What is known once the run is recorded, but for what was missed, which the recording counts."""
    before = known.marks if known is not None and known.place == found.place else {}
    marks = {name: _kept(before.get(name, ()), each, read_at) for name, each in found.followed.items()}
    full_at = known.full_at if known is not None and course.full is None else read_at
    reached = Watermark(read_at, as_of, found.asked, found.place, marks, found.in_full, full_at)
    if all(_begin(reached, name, each.lateness) for name, each in found.followed.items()):
        return reached
    return replace(reached, in_full=YOUNG)


def _kept(marks: tuple[Mark, ...], found: Followed, read_at: datetime) -> tuple[Mark, ...]:
    new = Mark(read_at, found.newest)
    if not marks or _is_before(found.newest, marks):
        return (new,)
    kept = reached(marks, new, found.lateness * _SPACING)
    return settled(kept, read_at - timedelta(seconds=found.lateness))
