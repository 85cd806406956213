"""A watermark moves with the run that is recorded; what somebody says of it meanwhile stays said."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from sync.model.feed import Mark
from sync.model.watermark import NEVER, Course, Reading, Watermark
from sync.store import watched, watermarks
from sync.store.engine import Database
from sync.store.measures import measure
from tests.recorder import audience, record

START = datetime(2026, 11, 21, tzinfo=UTC)
MARKS = {
    "orders by id": (Mark(START, 2**60), Mark(START + timedelta(microseconds=1), 2**60 + 1)),
    "people by changed_at": (Mark(START, None), Mark(START, "2026-11-21 00:00:00.000001+00:00"), Mark(START, 0.1)),
}
FIRST = Watermark(START, START, "asked", "place", MARKS, None, START)


def reached(found: Watermark = FIRST, known: Watermark | None = None) -> Reading:
    return Reading(Course(NEVER), known, found, None)


def known(database: Database) -> Watermark | None:
    with database.read() as connection:
        return watermarks.find(connection, 1)


def move(database: Database, reading: Reading, missed: int = 0) -> None:
    with database.write() as connection:
        watermarks.record(connection, 1, reading, missed, START)


def test_a_watermark_comes_back_as_it_was(database: Database) -> None:
    record(database, audience(), ["ann"])
    assert known(database) is None
    move(database, reached())
    assert known(database) == FIRST
    second = replace(FIRST, read_at=START + timedelta(days=1), marks={}, in_full="no cursor", full_at=START)
    move(database, reached(second, FIRST))
    assert known(database) == second


def test_a_definition_that_is_no_query_any_more_has_none(database: Database) -> None:
    record(database, audience(), ["ann"])
    move(database, reached())
    move(database, Reading(Course("read whole")))
    assert known(database) is None


def test_who_was_missed_is_added_up_until_somebody_acknowledges_it(database: Database) -> None:
    record(database, audience(), ["ann"])
    move(database, reached(), missed=2)
    move(database, reached(known=FIRST), missed=1)
    move(database, reached(known=FIRST))
    found = known(database)
    assert found is not None
    assert (found.missed, found.broken_at) == (3, START)
    with database.read() as connection:
        assert watched.observe(connection, ["vip"]).missed == {"vip": 3}
    assert measure(database).definitions["vip"].broken
    assert watermarks.acknowledge(database, "vip") == 3
    assert watermarks.acknowledge(database, "vip") is None
    assert known(database) == FIRST
    assert not measure(database).definitions["vip"].broken


def test_what_is_acknowledged_while_a_run_is_under_way_stays_so(database: Database) -> None:
    record(database, audience(), ["ann"])
    move(database, reached(), missed=2)
    began_with = known(database)
    watermarks.acknowledge(database, "vip")
    move(database, reached(known=began_with))
    assert known(database) == FIRST


def test_what_is_distrusted_while_a_run_is_under_way_stays_so_and_is_trusted_after_the_next(database: Database) -> None:
    record(database, audience(), ["ann"])
    move(database, reached())
    with database.write() as connection:
        watermarks.distrust(connection)
    distrusted = replace(FIRST, asked="")
    move(database, reached(known=FIRST))
    assert known(database) == distrusted
    move(database, reached(known=distrusted))
    assert known(database) == FIRST
