"""When a query is asked about everybody, and that it is asked so no more often."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sync.errors import QueryTooDeep
from sync.model.definition import Question
from sync.model.guard import Hold
from sync.model.run import RunKind, RunStatus
from sync.model.watermark import BACK, EDITED, HELD, NEVER, TOO_DEEP
from sync.refresh.reading import ASKED, JOINS
from sync.refresh.removal import absent, remove
from sync.source.connection import Source
from sync.source.inquiry import Inquiry
from sync.store import enrolments
from tests.recorder import PUSH, owed
from tests.refresh.till import RECENT, TABLES, Till, changed
from tests.shop import Shop


def test_an_edited_question_is_asked_about_everybody_once(small_till: Till) -> None:
    small_till.buy("ann")
    small_till.refresh()
    edited = replace(RECENT, query=Question("event('Bought').within(7 days).count() >= 2"))
    done = small_till.refresh(edited)
    assert (done.full, done.candidates, done.missed, done.counts.exited) == (EDITED, None, None, 1)
    assert small_till.refresh(edited).full is None


def test_a_table_with_another_column_is_read_whole_once(small_till: Till) -> None:
    small_till.buy("ann")
    small_till.refresh()
    small_till.shop.run("ALTER TABLE bought ADD COLUMN colour text")
    assert [small_till.refresh().full, small_till.refresh().full] == [EDITED, None]


def test_another_database_is_read_whole(small_till: Till, tmp_path: object) -> None:
    small_till.buy("ann")
    small_till.refresh()
    moved = Shop(f"sqlite:///{tmp_path}/moved.db", Source("shop", f"sqlite:///{tmp_path}/moved.db", 60.0))
    other = Till(small_till.database, moved)
    other.buy("bob")
    done = other.refresh()
    assert (done.full, changed(done)) == (EDITED, (1, 1, 1, 0))


CROWD = [f"u{number:02d}" for number in range(40)]


def test_held_exits_are_counted_against_all_members_and_looked_at_again_in_full(till: Till) -> None:
    till.buy(*CROWD)
    till.buy(*CROWD[:18], day=5)
    till.refresh()
    till.sent()
    done = till.refresh(day=8)
    assert (done.full, done.status, done.hold) == (None, RunStatus.HELD, Hold.TOO_MANY)
    assert (done.counts.held, done.counts.members, done.counts.unchanged) == (22, 40, 18)
    again = till.refresh(day=8)
    assert (again.full, again.status, again.counts, again.missed) == (HELD, RunStatus.HELD, done.counts, None)
    assert till.refresh(day=8, forced=True).counts.exited == 22
    assert till.refresh(day=8).full is None


def test_fewer_exits_than_the_share_allowed_are_recorded(small_till: Till) -> None:
    small_till.buy(*CROWD)
    small_till.buy(*CROWD[:28], day=5)
    small_till.refresh()
    done = small_till.refresh(day=8)
    assert (done.full, done.status, done.counts.exited) == (None, RunStatus.SUCCEEDED, 12)


def test_an_earlier_instant_is_evaluated_for_everybody(small_till: Till) -> None:
    small_till.buy("ann", day=2)
    small_till.refresh(day=3)
    done = small_till.refresh(day=1, forced=True)
    assert (done.full, done.counts.exited) == (BACK, 1)
    done = small_till.refresh(day=3)
    assert (done.full, done.counts.entered) == (None, 1)


def test_a_backfill_and_whoever_asks_evaluate_everybody(small_till: Till) -> None:
    small_till.buy("ann", "bob")
    small_till.refresh()
    assert small_till.refresh(full=True).full == ASKED
    assert small_till.refresh(forced=True).full == ASKED
    small_till.sent()
    with small_till.database.write() as connection:
        enrolments.finish_backfills(connection, PUSH, small_till.clock.now())
    assert small_till.refresh(kind=RunKind.BACKFILL).full == ASKED
    assert small_till.sent().keys() == {"ann", "bob"}


def test_a_new_destination_gets_everybody(till: Till) -> None:
    till.buy("ann")
    till.refresh()
    till.buy("bob")
    done = till.refresh(replace(RECENT, destinations=(PUSH, "other")))
    assert (done.full, done.joined) == (JOINS, ("other",))
    assert owed(till.database, "other") == {"ann": {"recent": True}, "bob": {"recent": True}}


def test_a_definition_that_returns_is_read_whole(till: Till) -> None:
    till.buy("ann")
    till.refresh()
    for known in absent(till.database, []):
        remove(till.database, known)
    assert till.refresh().full == NEVER


def test_a_run_that_fails_moves_no_watermark(small_till: Till, monkeypatch: pytest.MonkeyPatch) -> None:
    small_till.buy("ann")
    small_till.refresh()
    small_till.buy("bob")
    with monkeypatch.context() as broken:
        broken.setattr("sync.store.watermarks.record", _failing)
        with pytest.raises(RuntimeError):
            small_till.refresh()
    done = small_till.refresh()
    assert (done.full, done.counts.entered) == (None, 1)


def _failing(*_: object) -> None:
    raise RuntimeError("just before the commit")


def test_what_sqlite_cannot_follow_of_changes_is_asked_about_everybody(
    small_till: Till, monkeypatch: pytest.MonkeyPatch
) -> None:
    small_till.buy("ann")
    small_till.refresh()
    small_till.buy("bob")
    monkeypatch.setattr(Inquiry, "candidates", _too_deep)
    done = small_till.refresh()
    assert (done.full, done.candidates, done.missed, done.counts.entered) == (TOO_DEEP, None, None, 1)
    assert small_till.refresh(full=True).full == ASKED
    monkeypatch.undo()
    assert small_till.refresh().full is None


def _too_deep(*_: object) -> None:
    raise QueryTooDeep("the query nests deeper than SQLite can follow")


def test_what_has_no_cursor_is_read_whole_each_time_and_says_why(small_till: Till) -> None:
    (bought,) = TABLES.events
    small_till.tables = replace(TABLES, events=(replace(bought, cursor=None),))
    small_till.buy("ann")
    small_till.refresh()
    done = small_till.refresh()
    assert done.full is not None
    assert "no `cursor`" in done.full
    assert done.candidates is None
