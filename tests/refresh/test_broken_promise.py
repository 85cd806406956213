"""A full run finds what incremental ones had missed, and takes nothing else for that."""

from __future__ import annotations

import pytest

from sync.model.watermark import BROKEN, DUE, EDITED, SHRUNK
from sync.source.inquiry import Inquiry
from sync.store import suppressions, watermarks
from sync.store.engine import Database
from sync.store.forgetting import forget, sweep
from tests.refresh.till import RECENT, SPEND, Till, changed, instant
from tests.shop import Shop


def test_after_the_interval_a_run_is_full_and_finds_nothing_that_was_missed(till: Till) -> None:
    till.buy("ann")
    till.refresh()
    till.clock.advance(RECENT.full_refresh)
    till.buy("bob")
    done = till.refresh()
    assert (done.full, done.candidates, done.missed, done.counts.entered) == (DUE, 1, 0, 1)
    assert till.refresh().full is None


def test_an_old_row_that_was_deleted_breaks_the_promise_until_it_is_acknowledged(till: Till) -> None:
    till.buy("ann", "bob", "cid")
    till.refresh()
    till.sent()
    till.shop.run("DELETE FROM bought WHERE user_id IN ('ann', 'bob')")
    till.buy("dan")
    assert till.refresh().counts.exited == 0
    done = till.refresh(full=True)
    assert (done.missed, done.counts.exited) == (2, 2)
    assert till.sent() == {"ann": {"recent": False}, "bob": {"recent": False}, "dan": {"recent": True}}
    assert (till.refresh().full, till.refresh().missed) == (BROKEN, 0)
    assert watermarks.acknowledge(till.database, "recent") == 2
    assert watermarks.acknowledge(till.database, "recent") is None
    assert till.refresh().full is None


def test_an_old_row_that_was_changed_is_found_by_the_next_full_run(small_till: Till) -> None:
    small_till.buy("ann", "bob")
    small_till.refresh(SPEND)
    small_till.sent()
    small_till.shop.run("UPDATE bought SET price = 7 WHERE user_id = 'ann'")
    assert small_till.refresh(SPEND).counts.changed == 0
    small_till.clock.advance(SPEND.full_refresh)
    assert (small_till.refresh(SPEND).missed, small_till.sent()) == (1, {"ann": {"spend": 7}})


def test_a_cursor_that_goes_back_is_noticed_at_once(small_till: Till) -> None:
    small_till.buy("ann", "bob")
    small_till.refresh()
    small_till.shop.run("DELETE FROM bought")
    small_till.shop.run("INSERT INTO bought VALUES (1, 'cid', ?, 1)", [(instant(),)])
    done = small_till.refresh()
    assert (done.full, done.missed, changed(done)) == (SHRUNK, 3, (1, 1, 2, 0))


def test_who_was_forgotten_is_no_member_and_no_change_that_was_missed(till: Till) -> None:
    till.buy("ann", "bob")
    till.refresh()
    forget(till.database, "ann", [], by="test")
    till.buy("ann", "cid")
    done = till.refresh()
    assert (done.full, changed(done)) == (None, (2, 1, 0, 0))
    done = till.refresh(full=True)
    assert (done.missed, changed(done)) == (0, (2, 0, 0, 0))


def test_who_is_taken_in_again_after_being_forgotten_is_found_by_a_full_run(till: Till) -> None:
    till.buy("ann", "bob")
    till.refresh()
    number = forget(till.database, "ann", [], by="test")
    assert number is not None
    sweep(till.database, number)
    suppressions.unsuppress(till.database, "ann")
    done = till.refresh()
    assert (done.full, done.missed, changed(done)) == (EDITED, None, (2, 1, 0, 0))


def test_a_cursor_that_is_infinite_is_no_mark(sqlite_database: Database, postgresql_shop: Shop) -> None:
    till = Till(sqlite_database, postgresql_shop)
    till.shop.run("ALTER TABLE bought ALTER id TYPE double precision")
    till.buy("ann")
    till.shop.run("INSERT INTO bought VALUES ('infinity', 'bob', ?, 1)", [(instant(),)])
    assert till.refresh().counts.members == 2
    till.buy("cid")
    done = till.refresh()
    assert (done.full, done.counts.entered) == (None, 1)


@pytest.mark.parametrize("before", ["answer", "candidates"])
def test_a_row_that_appears_while_a_run_reads_is_neither_lost_nor_one_that_was_missed(
    small_till: Till, monkeypatch: pytest.MonkeyPatch, before: str
) -> None:
    small_till.buy("ann")
    small_till.refresh()
    read = getattr(Inquiry, before)

    def read_late(*arguments: object) -> object:
        small_till.buy(f"u{small_till.rows}")
        return read(*arguments)

    with monkeypatch.context() as busy:
        busy.setattr(Inquiry, before, read_late)
        done = small_till.refresh(full=True)
    assert (done.missed, done.candidates) == (0, 1)
    done = small_till.refresh()
    assert (done.full, done.counts.members) == (None, 2)
