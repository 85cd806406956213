"""What a run reads of its source: everybody's answer, or that of those for whom something can have changed.

The order is what makes it safe without a snapshot of the source: first how far its tables have come, then the answer, then
whatever the answer is compared with. A row that appears meanwhile is read again next time, and is no change that was missed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from sync import telemetry
from sync.errors import DataError, QueryTooDeep
from sync.model.chunk import Chunk
from sync.model.definition import Definition
from sync.model.watermark import TOO_DEEP, Course, Reading, Watermark, Wish, advanced, chart
from sync.source.connection import Source
from sync.source.inquiry import Inquiry, inquire
from sync.source.location import locate
from sync.source.reader import answer
from sync.store import recording

_NAMED = 5


@dataclass(frozen=True, slots=True)
class Before:
    """What the store says of a definition when a run begins: how far it was read, whether its last run held exits, and
    whether a destination gets everybody now."""

    known: Watermark | None
    held: bool
    everybody: bool


JOINS = "a destination gets everybody"
ASKED = "it was asked for"


def read(
    session: recording.Session,
    source: Source,
    definition: Definition,
    before: Before,
    *,
    as_of: datetime,
    full: bool,
) -> tuple[int, Reading]:
    """Stage what the run is to evaluate; gives the number of rows that are in the answer. ``full``: everybody is wanted.

    `DataError` when users stand there twice.
    """
    if definition.query is None:
        return _stage(session, source, definition, as_of), recording.WHOLE
    wish = Wish(as_of, definition.full_refresh, ASKED if full else JOINS if before.everybody else None, before.held)
    with inquire(source, definition) as inquiry:
        now = session.now()  # later than the marks, earlier than the answer
        return _inquired(session, inquiry, definition, before.known, wish, now)


def _inquired(
    session: recording.Session,
    inquiry: Inquiry,
    definition: Definition,
    known: Watermark | None,
    wish: Wish,
    now: datetime,
) -> tuple[int, Reading]:
    found = inquiry.survey
    course = chart(known, found, wish, now)
    rows = 0 if course.full is None else _everybody(session, inquiry, definition, wish.as_of)
    number = None
    if course.since is not None:
        try:
            with inquiry.candidates(wish.as_of, course.since) as some:
                number = session.load_candidates(_marked(some.chunks, definition), some.columns)
        except QueryTooDeep:
            rows = _everybody(session, inquiry, definition, wish.as_of) if course.full is None else rows
            course, found = Course(course.full or TOO_DEEP), replace(found, in_full=TOO_DEEP)
    reached = advanced(known, found, course, as_of=wish.as_of, read_at=now)
    if course.full is None:
        rows = _staged(definition, *session.stage_candidates())
    return rows, Reading(course, known, reached, number)


def _everybody(session: recording.Session, inquiry: Inquiry, definition: Definition, as_of: datetime) -> int:
    with inquiry.answer(as_of) as found:
        return _staged(definition, *session.load(_marked(found.chunks, definition), found.columns))


def _stage(session: recording.Session, source: Source, definition: Definition, as_of: datetime) -> int:
    found = _stage_in_place(session, source, definition) or _stage_streaming(session, source, definition, as_of)
    return _staged(definition, *found)


def _staged(definition: Definition, rows: int, doubled: list[str]) -> int:
    if doubled:
        raise DataError(
            f"{definition.kind} {definition.name!r}: its answer has more than one row for user "
            f"{', '.join(map(repr, doubled))}{' and perhaps others' if len(doubled) == _NAMED else ''}: "
            "group the query by user_id; nothing was recorded"
        )
    telemetry.step("refresh.staged", definition=definition.key, rows=rows)
    return rows


def _stage_streaming(
    session: recording.Session, source: Source, definition: Definition, as_of: datetime
) -> tuple[int, list[str]]:
    with answer(source, definition, as_of) as found:
        return session.load(_marked(found.chunks, definition), found.columns)


def _stage_in_place(session: recording.Session, source: Source, definition: Definition) -> tuple[int, list[str]] | None:
    """A table in the store's own database need not travel through this process."""
    location = locate(source, definition)
    done = None if location is None else session.load_in_place(location, definition)
    if done is None:
        return None
    rows, doubled, problem = done
    if problem is not None:
        raise DataError(f"{definition.kind} {definition.name!r}: {problem}: correct the data; nothing was recorded")
    telemetry.step("refresh.in_place", definition=definition.key)
    return rows, doubled


def _marked(chunks: Iterator[Chunk], definition: Definition) -> Iterator[Chunk]:
    """The chunks, with a step at the first: the read is under way."""
    for number, chunk in enumerate(chunks):
        if number == 0:
            telemetry.step("refresh.reading", definition=definition.key)
        yield chunk
