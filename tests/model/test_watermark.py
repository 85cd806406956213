"""Whether a run may read on from where the last one was: it must see every row that the last one has not seen."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.model.feed import Cursor
from sync.model.watermark import (
    BACK,
    BROKEN,
    DUE,
    EDITED,
    HELD,
    NEVER,
    SHRUNK,
    YOUNG,
    Course,
    Extent,
    Followed,
    Since,
    Survey,
    Watermark,
    Wish,
    advanced,
    chart,
)

START = datetime(2026, 11, 21, tzinfo=UTC)
DAY = 86_400.0
LATENESS = 600.0
WISH = Wish(START, DAY)


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def surveyed(newest: Cursor, lateness: float = 0.0) -> Survey:
    return Survey(None, "asked", "place", {"orders": Followed(newest, lateness)})


def recorded(*readings: tuple[float, Cursor], lateness: float = 0.0) -> Watermark:
    """What is known after full runs at these seconds, with the highest cursors that they saw."""
    known: Watermark | None = None
    for seconds, newest in readings:
        known = advanced(known, surveyed(newest, lateness), Course(NEVER), as_of=START, read_at=at(seconds))
    assert known is not None
    return known


def test_the_first_run_is_full() -> None:
    assert chart(None, surveyed(5), WISH, START) == Course(NEVER)


def test_the_next_reads_on_from_the_mark() -> None:
    course = chart(recorded((0, 5)), surveyed(9), WISH, at(60))
    assert course == Course(None, Since(START, {"orders": 5}))
    assert course.extent is Extent.INCREMENTAL


def test_what_cannot_be_told_from_the_tables_is_full_and_says_why() -> None:
    found = replace(surveyed(5), in_full="it has no cursor")
    assert chart(recorded((0, 5)), found, WISH, at(60)) == Course("it has no cursor")


@pytest.mark.parametrize(
    ("known", "found", "wish", "why"),
    [
        ({}, {"asked": "another"}, {}, EDITED),
        ({}, {"place": "another"}, {}, EDITED),
        ({"asked": ""}, {}, {}, EDITED),
        ({}, {}, {"held": True}, HELD),
        ({}, {}, {"as_of": at(-1)}, BACK),
    ],
)
def test_where_the_last_answer_says_nothing_of_this_one_nothing_is_compared(
    known: dict[str, object], found: dict[str, object], wish: dict[str, object], why: str
) -> None:
    course = chart(
        replace(recorded((0, 5)), **known),  # type: ignore[arg-type]
        replace(surveyed(5), **found),  # type: ignore[arg-type]
        replace(WISH, **wish),  # type: ignore[arg-type]
        at(60),
    )
    assert course == Course(why)


@pytest.mark.parametrize(
    ("known", "newest", "wish", "seconds", "why"),
    [
        ({}, 5, {}, DAY, DUE),
        ({"broken_at": START}, 5, {}, 60, BROKEN),
        ({}, 5, {"full": "wanted"}, 60, "wanted"),
        ({}, 4, {}, 60, SHRUNK),
        ({}, None, {}, 60, SHRUNK),
    ],
)
def test_other_full_runs_are_compared_with_what_changed(
    known: dict[str, object], newest: Cursor, wish: dict[str, object], seconds: float, why: str
) -> None:
    course = chart(
        replace(recorded((0, 5)), **known),  # type: ignore[arg-type]
        surveyed(newest),
        replace(WISH, **wish),  # type: ignore[arg-type]
        at(seconds),
    )
    assert course == Course(why, Since(START, {"orders": 5}))


def test_with_lateness_a_mark_must_be_older_than_the_last_reading_by_that() -> None:
    one = recorded((0, 5), lateness=LATENESS)
    assert chart(one, surveyed(7, LATENESS), WISH, at(7200)) == Course(YOUNG)
    assert one.in_full == YOUNG
    two = recorded((0, 5), (7200, 7), lateness=LATENESS)
    assert chart(two, surveyed(9, LATENESS), WISH, at(7260)).since == Since(START, {"orders": 5})
    assert two.in_full is None


def test_a_table_that_was_empty_is_read_from_its_beginning() -> None:
    assert chart(recorded((0, None)), surveyed(9), WISH, at(60)) == Course(None, Since(START, {"orders": None}))


def test_marks_outlive_another_question_of_the_same_tables_and_no_other_place() -> None:
    known = recorded((0, 5), lateness=LATENESS)
    edited = replace(surveyed(7, LATENESS), asked="another")
    assert advanced(known, edited, Course(EDITED), as_of=START, read_at=at(7200)).in_full is None
    moved = replace(edited, place="another")
    assert advanced(known, moved, Course(EDITED), as_of=START, read_at=at(7200)).in_full == YOUNG


def test_only_a_full_run_begins_the_interval_anew() -> None:
    known = recorded((0, 5))
    assert advanced(known, surveyed(7), Course(None), as_of=START, read_at=at(60)).full_at == START
    assert advanced(known, surveyed(7), Course(DUE), as_of=START, read_at=at(60)).full_at == at(60)


GAPS = st.lists(st.integers(1, 900), min_size=1, max_size=20)


@given(gaps=GAPS, late=st.lists(st.tuples(st.integers(0, 3000), st.integers(0, int(LATENESS) - 1)), max_size=20))
def test_no_row_that_a_reading_has_not_seen_is_below_the_mark_that_the_next_one_starts_from(
    gaps: list[int], late: list[tuple[int, int]]
) -> None:
    """A row a second, its cursor the second; and rows that appear so many seconds after that of their cursor."""
    rows = [(second, second) for second in range(3000)] + [(second + by, second) for second, by in late]
    known: Watermark | None = None
    seconds = 0
    for gap in gaps:
        seconds += gap
        if seconds >= 3000:
            break
        newest = max(cursor for appears, cursor in rows if appears <= seconds)
        found = surveyed(newest, LATENESS)
        course = chart(known, found, WISH, at(seconds))
        if known is not None and course.since is not None:
            start = course.since.marks["orders"]
            assert isinstance(start, int)
            before = (known.read_at - START).total_seconds()
            assert all(cursor > start for appears, cursor in rows if before < appears <= seconds)
        known = advanced(known, found, course, as_of=START, read_at=at(seconds))
        assert len(known.marks["orders"]) < 30
