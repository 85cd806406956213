"""Few users who can have changed are held in memory. What becomes of them is what becomes of many, who are staged."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import count

import orjson
import pytest
from sqlalchemy import Connection, text

from sync.model.chunk import Chunk
from sync.model.definition import Definition, Question
from sync.model.guard import Hold
from sync.model.run import RunKind
from sync.model.watermark import Course, Reading
from sync.store import forgetting, recording, runs, suppressions
from sync.store.candidates import LONGEST, MOST, ROOM
from sync.store.engine import Database
from sync.store.postgresql.recording import PostgresqlRecording
from sync.store.recorded import Recorded
from tests.recorder import PUSH, audience, drain, owed, record, trait
from tests.store.forgetting_steps import WHO, finish
from tests.store.leftovers import empty, left

MEAN = replace(trait("mean"), query=Question("event('Order Completed').avg(property('total'))", inexact=True))
ODD = 'odd\t"{NULL,}\\\x1f'
BEFORE = {ODD: 6, "ann": 42.5752941176471, WHO: 7.5, "cid": 3, "dan": 1, "eve": 2, "fay": 4, "Zoë \U0001f984": 5}
NOW: dict[str, str | None] = {
    ODD: "6.5",
    "ann": "42.575294117647",
    WHO: "8.5",
    "cid": None,
    "dan": "1",
    "eve": None,
    "gus": "5",
    "hal": None,
    "Zoë \U0001f984": '"a \\"b\\" {c,d} \\\\"',
}
CROWD = [f"user-{number:03d}" for number in range(40)]

Scene = Callable[[Database], Recorded]


def _looked_at(database: Database, asked: Definition, found: dict[str, str | None], *, along: bool = True) -> Recorded:
    """An incremental run that has found some who can have changed."""
    extras = [orjson.dumps({"city": user}).decode() for user in found] if along else None
    columns = ("user_id", "value", *(("extra",) if along else ()))
    claimed = runs.claim(database, asked, RunKind.DELTA, None, forced=False)
    with recording.session(database) as session:
        session.load_candidates([Chunk(list(found), list(found.values()), extras)], columns)
        present, doubled = session.stage_candidates()
        assert not doubled
        return session.record(claimed, asked, present, None, Reading(Course(None), candidates=len(found)))


def _values(database: Database) -> Recorded:
    record(database, MEAN, BEFORE)
    return _looked_at(database, MEAN, NOW)


def _where_something_is_owed(database: Database) -> Recorded:
    record(database, trait("old"), BEFORE)
    return _values(database)


def _where_everything_was_delivered(database: Database) -> Recorded:
    record(database, MEAN, BEFORE)
    drain(database)
    return _looked_at(database, MEAN, NOW, along=False)


def _digits_that_count(database: Database) -> Recorded:
    exact = replace(MEAN, query=Question("event('Order Completed').count()"))
    record(database, exact, BEFORE)
    return _looked_at(database, exact, NOW)


def _without_those_who_are_kept_out(database: Database) -> Recorded:
    record(database, MEAN, BEFORE)
    number = forgetting.forget(database, WHO, (PUSH,), "op")
    assert number is not None
    finish(database, number)
    suppressions.suppress(database, "gus")
    return _looked_at(database, MEAN, NOW)


def _held_exits(database: Database) -> Recorded:
    record(database, audience(max_exits=0.1), CROWD)
    found: dict[str, str | None] = dict.fromkeys(CROWD[:20]) | {"new": "true"}
    done = _looked_at(database, audience(max_exits=0.1), found)
    assert done.hold is Hold.TOO_MANY
    return done


def _a_destination_that_joins_meanwhile(database: Database) -> Recorded:
    record(database, MEAN, BEFORE)
    drain(database)
    return _looked_at(database, replace(MEAN, destinations=(PUSH, "other")), NOW)


def _nothing_new_where_a_destination_joins(database: Database) -> Recorded:
    record(database, audience(), CROWD)
    drain(database)
    done = _looked_at(database, audience("vip", PUSH, "other"), {"user-000": "true"})
    assert owed(database, "other") == {user: {"vip": True} for user in CROWD}
    return done


def _long_values_before(database: Database) -> Recorded:
    brands = trait("brands")
    record(database, brands, {"ann": "x" * (LONGEST + 1), "bob": "y" * LONGEST, "cid": "z"})
    return _looked_at(database, brands, {"ann": '"x"', "bob": None, "cid": f'"{"z" * (LONGEST + 1)}"'}, along=False)


SCENES: list[Scene] = [
    _long_values_before,
    _values,
    _where_something_is_owed,
    _where_everything_was_delivered,
    _digits_that_count,
    _without_those_who_are_kept_out,
    _held_exits,
    _a_destination_that_joins_meanwhile,
    _nothing_new_where_a_destination_joins,
]


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.__name__.strip("_"))
def test_few_candidates_are_recorded_as_staged_ones_are(
    database: Database, monkeypatch: pytest.MonkeyPatch, scene: Scene
) -> None:
    few = (scene(database), left(database))
    empty(database)
    assert MOST > 0
    monkeypatch.setattr(recording, "MOST", 0)
    assert (scene(database), left(database)) == few


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.__name__.strip("_"))
def test_a_recording_that_another_one_was_in_the_way_of_is_repeated_whole(
    postgresql_database: Database, monkeypatch: pytest.MonkeyPatch, scene: Scene
) -> None:
    undisturbed = (scene(postgresql_database), left(postgresql_database))
    empty(postgresql_database)
    drop_empty, times = PostgresqlRecording.drop_empty, count(1)

    def in_the_way(self: PostgresqlRecording, connection: Connection, destination: str) -> None:
        drop_empty(self, connection, destination)
        if next(times) <= 2:
            connection.execute(text("DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '40P01'; END $$"))

    monkeypatch.setattr(PostgresqlRecording, "drop_empty", in_the_way)
    assert (scene(postgresql_database), left(postgresql_database)) == undisturbed
    assert next(times) > 3


def test_users_of_whom_much_is_known_are_not_few(database: Database) -> None:
    with recording.session(database) as session:
        assert session.load_candidates([Chunk(["ann"], ["1" * ROOM])], ("user_id", "value")) == 1
        assert session._few is None


def test_few_candidates_are_counted_by_what_became_of_them(database: Database) -> None:
    counts = _values(database).counts
    assert (counts.entered, counts.exited, counts.changed, counts.unchanged) == (1, 2, 3, 3)
