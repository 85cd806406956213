"""A backfill is a delta, and with it everybody, once."""

from __future__ import annotations

from sync.model.slot import Priority
from sync.store import enrolments, slots
from tests.recorder import LEASE, PUSH, column, sent
from tests.refresh.conftest import VIP, Stage, to


def finish(stage: Stage, destination: str = PUSH) -> None:
    stage.sent(destination)
    with stage.database.write() as connection:
        enrolments.finish_backfills(connection, destination, stage.database.now(connection))


def test_a_backfill_owes_every_member_once(stage: Stage) -> None:
    stage.delta(members=["ann", "bob"])
    finish(stage)
    done = stage.backfill()
    assert (done.counts.unchanged, done.resumed) == (2, ())
    assert stage.sent() == {"ann": {"vip": True}, "bob": {"vip": True}}


def test_a_backfill_never_overtakes_a_delta_not_even_its_own_changes(stage: Stage) -> None:
    stage.delta(members=["ann", "bob", "zoe"])
    finish(stage)
    stage.backfill(members=["ann", "bob", "cid"])
    priorities = {user: column(stage.database, user, "priority") for user in stage.owed()}
    assert priorities == {
        "ann": Priority.BACKFILL,
        "bob": Priority.BACKFILL,
        "cid": Priority.DELTA,
        "zoe": Priority.DELTA,
    }
    first = slots.claim(stage.database, PUSH, 2, LEASE)
    assert {slot.user_id: slot.owed for slot in first} == {"cid": {"vip": True}, "zoe": {"vip": False}}


def test_an_unfinished_backfill_is_resumed(stage: Stage) -> None:
    stage.delta(members=["ann", "bob"])
    finish(stage)
    stage.backfill()
    (one,) = slots.claim(stage.database, PUSH, 1, LEASE)
    slots.settle(stage.database, PUSH, [slots.Settlement(one, slots.Transition.ACCEPT, attempts=sent(one))], 20)
    done = stage.backfill()
    assert done.resumed == (PUSH,)
    assert len(stage.owed()) == 1
    assert one.user_id not in stage.owed()


def test_a_resumed_backfill_still_owes_what_changed(stage: Stage) -> None:
    stage.backfill(members=["ann"])
    stage.sent()
    assert stage.backfill(members=["ann", "bob"]).resumed == (PUSH,)
    assert stage.owed() == {"bob": {"vip": True}}


def test_a_finished_backfill_starts_anew(stage: Stage) -> None:
    stage.backfill(members=["ann"])
    finish(stage)
    assert stage.backfill().resumed == ()
    assert stage.owed() == {"ann": {"vip": True}}


def test_a_backfill_of_one_destination_leaves_the_others_alone(stage: Stage) -> None:
    both = to(VIP, PUSH, "other")
    stage.delta(both, ["ann"])
    finish(stage)
    finish(stage, "other")
    stage.backfill(both, only=["other"])
    assert (stage.owed(), stage.owed("other")) == ({}, {"ann": {"vip": True}})


def test_a_backfill_leaves_out_who_is_not_a_member(stage: Stage) -> None:
    stage.delta(members=["ann", "bob"])
    stage.delta(members=["ann"])
    finish(stage)
    stage.backfill()
    assert stage.owed() == {"ann": {"vip": True}}


def test_a_backfill_includes_those_whose_exit_is_held(stage: Stage) -> None:
    crowd = [f"u{number}" for number in range(30)]
    stage.delta(members=crowd)
    finish(stage)
    stage.backfill(members=crowd[:5])
    assert stage.owed() == {user: {"vip": True} for user in crowd}
