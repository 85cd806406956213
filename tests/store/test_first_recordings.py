"""The first recording of a definition takes short cuts. What it leaves in the store is what comparing would have left."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from sync.model.run import RunKind
from sync.store import definitions, enrolments, forgetting, suppressions
from sync.store.engine import Database
from sync.store.postgresql import recording as postgresql
from sync.store.recorded import Recorded
from tests.recorder import PUSH, audience, drain, owed, record, trait
from tests.store.forgetting_steps import WHO, finish
from tests.store.leftovers import empty, left

CROWD = [f"user-{number:03d}" for number in range(40)]
VALUES = {"ann": 5, "bob": "x", "cid": [1, None], "dan": False, "eve": 1.5}
EVERYWHERE = audience("vip", PUSH, "other")

Scene = Callable[[Database], Recorded]


def _members(database: Database) -> Recorded:
    return record(database, EVERYWHERE, CROWD)


def _values_and_what_goes_along(database: Database) -> Recorded:
    return record(database, trait(), VALUES, extras={"email": "a@example.com", "age": 3})


def _nobody(database: Database) -> Recorded:
    return record(database, EVERYWHERE, [])


def _where_something_is_owed(database: Database) -> Recorded:
    record(database, audience("old"), CROWD[::3], extras={"city": "Oslo"})
    return record(database, EVERYWHERE, CROWD, extras={"city": "Rome"})


def _where_everything_was_delivered(database: Database) -> Recorded:
    record(database, audience("old"), CROWD)
    drain(database)
    return record(database, EVERYWHERE, CROWD)


def _without_those_who_are_kept_out(database: Database) -> Recorded:
    number = forgetting.forget(database, WHO, (PUSH,), "op")
    assert number is not None
    finish(database, number)
    suppressions.suppress(database, CROWD[8])
    return record(database, EVERYWHERE, [WHO, *CROWD])


def _after_an_empty_answer(database: Database) -> Recorded:
    record(database, audience("vip"), [])
    return record(database, EVERYWHERE, CROWD)


def _of_a_backfill_after_an_empty_answer(database: Database) -> Recorded:
    record(database, audience("vip"), [])
    with database.write() as connection:
        enrolments.finish_backfills(connection, PUSH, database.now(connection))
    return record(database, EVERYWHERE, CROWD, kind=RunKind.BACKFILL)


SCENES: list[Scene] = [
    _members,
    _values_and_what_goes_along,
    _nobody,
    _where_something_is_owed,
    _where_everything_was_delivered,
    _without_those_who_are_kept_out,
    _after_an_empty_answer,
    _of_a_backfill_after_an_empty_answer,
]


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.__name__.strip("_"))
def test_what_is_recorded_at_first_is_what_comparing_would_have_recorded(
    database: Database, monkeypatch: pytest.MonkeyPatch, scene: Scene
) -> None:
    at_first = (scene(database).counts, left(database))
    empty(database)
    monkeypatch.setattr(definitions, "has_snapshot", lambda *_: True)
    monkeypatch.setattr(postgresql, "_OWES_NOTHING", "SELECT CAST(:destination AS text) IS NULL")
    assert (scene(database).counts, left(database)) == at_first


def test_somebody_who_is_owed_something_meanwhile_is_owed_both(
    postgresql_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    record(postgresql_database, audience("old"), ["ann"])
    monkeypatch.setattr(postgresql, "_OWES_NOTHING", "SELECT CAST(:destination AS text) IS NOT NULL")
    record(postgresql_database, audience("vip"), ["abe", "ann", "bob"])
    assert owed(postgresql_database) == {"abe": {"vip": True}, "ann": {"old": True, "vip": True}, "bob": {"vip": True}}


def test_a_first_recording_is_compared_with_the_next(database: Database) -> None:
    record(database, audience(), ["ann", "bob"])
    counts = record(database, audience(), ["bob", "cid"]).counts
    assert (counts.entered, counts.exited, counts.unchanged) == (1, 1, 1)
