"""What a refresh owes: only the users whose answer changed."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import text

from sync.errors import AsOfError, RunBusy, UsageError
from sync.model.definition import Kind
from sync.model.guard import Hold
from sync.model.run import RunKind, RunStatus
from sync.store import runs
from tests.refresh.conftest import SPEND, VIP, Stage, cleared, to

CROWD = [f"u{number:02d}" for number in range(40)]


def story(stage: Stage) -> None:
    stage.delta(members=["ann", "bob"])
    assert stage.sent() == {"ann": {"vip": True}, "bob": {"vip": True}}
    done = stage.delta(members=["bob", "cid"])
    assert (done.counts.entered, done.counts.exited, done.counts.unchanged) == (1, 1, 1)
    assert stage.sent() == {"ann": {"vip": False}, "cid": {"vip": True}}
    stage.delta()
    assert stage.owed() == {}
    stage.shop.answers([("ann", "1"), ("bob", "2"), ("cid", None)])
    stage.delta(SPEND)
    assert stage.sent() == {"ann": {"spend": "1"}, "bob": {"spend": "2"}}
    stage.shop.answers([("ann", "1"), ("bob", None), ("dan", "3")])
    done = stage.delta(SPEND)
    assert (done.counts.entered, done.counts.exited, done.counts.changed) == (1, 1, 0)
    assert stage.sent() == {"bob": {"spend": None}, "dan": {"spend": "3"}}


def test_only_changes_are_owed(stage: Stage) -> None:
    story(stage)


def test_only_changes_are_owed_from_a_postgresql_source(stage_of_postgresql_shop: Stage) -> None:
    story(stage_of_postgresql_shop)


def test_a_first_sync_owes_members_true_and_nobody_else_anything(stage: Stage) -> None:
    done = stage.delta(members=["ann", "bob"])
    assert stage.owed() == {"ann": {"vip": True}, "bob": {"vip": True}}
    assert (done.status, done.counts.members, done.joined) == (RunStatus.SUCCEEDED, 2, ("push",))


def test_a_changed_value_is_owed(stage: Stage) -> None:
    stage.shop.answers([("ann", "1"), ("bob", "1")])
    stage.delta(SPEND)
    stage.sent()
    stage.shop.answers([("ann", "1"), ("bob", "2")])
    assert stage.delta(SPEND).counts.changed == 1
    assert stage.owed() == {"bob": {"spend": "2"}}


def test_a_user_who_comes_back_is_owed_true_again(stage: Stage) -> None:
    stage.delta(members=["ann"])
    stage.delta(members=[])
    stage.sent()
    assert stage.delta(members=["ann"]).counts.entered == 1
    assert stage.sent() == {"ann": {"vip": True}}


@pytest.mark.parametrize(
    "user_id", ["tab\there", "line\nbreak", "back\\slash", "\\N", "\\.", "quo'te\"", "ünïcödé 🙂", " "]
)
def test_user_ids_and_values_of_any_text_arrive_unharmed(stage: Stage, user_id: str) -> None:
    stage.shop.answers([(user_id, user_id)])
    stage.delta(SPEND)
    assert stage.sent() == {user_id: {"spend": user_id}}
    stage.delta(SPEND)
    assert stage.owed() == {}


def test_an_answer_of_nulls_only_is_empty(stage: Stage) -> None:
    stage.shop.answers([("ann", None), ("bob", None)])
    assert stage.delta(SPEND).counts.members == 0


def test_enrichment_is_sent_along_and_does_not_cause_a_send(stage: Stage) -> None:
    enriched = replace(VIP, sql="SELECT user_id, email FROM answer", enrichment=("email",))
    stage.shop.answers([("ann", None, "a@x")])
    stage.delta(enriched)
    with stage.database.read() as connection:
        assert "a@x" in str(connection.execute(text("SELECT enrichment FROM slot")).scalar_one())
    stage.sent()
    stage.shop.answers([("ann", None, "b@x")])
    stage.delta(enriched)
    assert stage.owed() == {}


def test_a_second_run_at_the_same_instant_owes_nothing(stage: Stage) -> None:
    at = stage.database.clock.now()
    stage.delta(members=["ann"], as_of=at)
    stage.sent()
    stage.delta(as_of=at)
    assert stage.owed() == {}


def test_an_earlier_instant_is_refused_without_force(stage: Stage) -> None:
    at = stage.database.clock.now()
    stage.delta(members=["ann"], as_of=at)
    with pytest.raises(AsOfError):
        stage.delta(as_of=at - timedelta(seconds=1))
    stage.delta(members=["bob"], as_of=at - timedelta(seconds=1), forced=True)
    assert stage.owed() == {"ann": {"vip": False}, "bob": {"vip": True}}


def test_a_key_of_another_kind_is_refused(stage: Stage) -> None:
    stage.delta(members=["ann"])
    with pytest.raises(UsageError):
        stage.delta(replace(SPEND, key="vip"))
    ((key, error),) = stage.plan(replace(VIP, kind=Kind.TRAIT)).failed
    assert (key, type(error)) == ("vip", UsageError)


def test_exits_are_held_before_they_are_recorded_and_entries_are_not(stage: Stage) -> None:
    stage.delta(members=CROWD)
    stage.sent()
    done = stage.delta(members=[*CROWD[:10], "new"])
    assert (done.status, done.hold) == (RunStatus.HELD, Hold.TOO_MANY)
    assert (done.counts.held, done.counts.exited, done.counts.entered, done.counts.members) == (30, 0, 1, 41)
    assert stage.sent() == {"new": {"vip": True}}


def test_held_users_are_seen_again_by_the_next_refresh(stage: Stage) -> None:
    stage.delta(members=CROWD)
    stage.sent()
    stage.delta(members=CROWD[:10])
    assert stage.delta().counts.held == 30
    assert stage.delta(members=CROWD).counts.unchanged == 40
    assert stage.owed() == {}


def test_an_empty_answer_is_held_whatever_the_share_allowed(stage: Stage) -> None:
    generous = replace(VIP, max_exits=1.0)
    stage.delta(generous, CROWD)
    assert stage.delta(generous, []).hold is Hold.EMPTY


def test_ten_exits_are_never_held(stage: Stage) -> None:
    stage.delta(members=CROWD[:10])
    stage.sent()
    assert stage.delta(members=[]).counts.exited == 10
    assert len(stage.owed()) == 10


def test_lost_values_are_exits(stage: Stage) -> None:
    stage.shop.answers([(user, "1") for user in CROWD])
    stage.delta(SPEND)
    stage.shop.answers([(user, "2") for user in CROWD])
    assert stage.delta(SPEND).counts.changed == 40
    stage.shop.answers([(user, None) for user in CROWD])
    assert stage.delta(SPEND).counts.held == 40


def test_force_applies_exits_up_to_the_number_that_was_shown(stage: Stage) -> None:
    stage.delta(members=CROWD)
    stage.sent()
    assert stage.delta(members=CROWD[:10]).counts.held == 30
    more = stage.delta(members=CROWD[:9], forced=True)
    assert (more.hold, more.counts.held) == (Hold.MORE_THAN_SHOWN, 31)
    assert stage.owed() == {}
    assert stage.delta(forced=True).counts.exited == 31
    assert len(stage.owed()) == 31
    assert stage.delta().status is RunStatus.SUCCEEDED


def test_a_new_destination_of_a_known_definition_gets_everybody(stage: Stage) -> None:
    stage.delta(members=["ann", "bob"])
    stage.sent()
    done = stage.delta(to(VIP, "push", "other"), ["bob", "cid"])
    assert done.joined == ("other",)
    assert stage.owed() == {"ann": {"vip": False}, "cid": {"vip": True}}
    assert stage.owed("other") == {"bob": {"vip": True}, "cid": {"vip": True}}


def test_a_destination_that_left_gets_nothing_more(stage: Stage) -> None:
    stage.delta(to(VIP, "push", "other"), ["ann"])
    stage.sent("other")
    stage.delta(to(VIP, "push"), ["bob"])
    stage.delta(to(VIP, "push"), ["cid"])
    assert stage.owed("other") == {}


def test_a_destination_that_returns_gets_false_for_who_left_meanwhile(stage: Stage) -> None:
    stage.delta(to(VIP, "push", "other"), ["ann", "bob", "cid"])
    stage.delta(to(VIP, "push", "other"), ["ann", "bob"])
    stage.sent("other")
    stage.delta(to(VIP, "push"), ["ann"])
    stage.delta(to(VIP, "push"), ["dan"])
    stage.delta(to(VIP, "push", "other"), ["dan", "eve"])
    assert stage.owed("other") == {
        "ann": {"vip": False},
        "bob": {"vip": False},
        "dan": {"vip": True},
        "eve": {"vip": True},
    }


def test_a_definition_that_leaves_the_file_stops_and_leaves_its_members(stage: Stage) -> None:
    stage.delta(members=["ann"])
    stage.sent()
    (removed,) = stage.remove_all_but()
    assert (removed.key, removed.cleared) == ("vip", 0)
    assert stage.owed() == {}
    assert stage.remove_all_but() == []


def test_a_definition_that_is_cleared_on_removal_owes_false_to_its_members(stage: Stage) -> None:
    stage.delta(cleared(VIP), ["ann", "bob"])
    stage.delta(cleared(VIP), ["ann"])
    stage.sent()
    assert stage.remove_all_but()[0].cleared == 1
    assert stage.sent() == {"ann": {"vip": False}}


def test_a_trait_that_is_cleared_on_removal_owes_null(stage: Stage) -> None:
    stage.shop.answers([("ann", "1")])
    stage.delta(cleared(SPEND))
    stage.sent()
    stage.remove_all_but()
    assert stage.sent() == {"ann": {"spend": None}}


def test_what_to_do_on_removal_is_what_was_recorded_last(stage: Stage) -> None:
    stage.delta(VIP, ["ann"])
    stage.delta(cleared(VIP))
    stage.sent()
    stage.remove_all_but()
    assert stage.sent() == {"ann": {"vip": False}}


def test_a_definition_is_not_removed_while_it_is_being_refreshed(stage: Stage) -> None:
    stage.delta(cleared(VIP), ["ann"])
    runs.claim(stage.database, VIP, RunKind.DELTA, stage.database.clock.now(), forced=False)
    with pytest.raises(RunBusy):
        stage.remove_all_but()


def test_a_definition_that_stays_in_the_file_is_not_removed(stage: Stage) -> None:
    stage.delta(cleared(VIP), ["ann"])
    assert stage.remove_all_but(replace(VIP, enabled=False)) == []


def test_a_definition_that_returns_after_leave_owes_false_to_who_left_meanwhile(stage: Stage) -> None:
    stage.delta(members=["ann", "bob"])
    stage.sent()
    stage.remove_all_but()
    done = stage.delta(members=["bob", "cid"])
    assert (done.counts.entered, done.counts.exited) == (1, 1)
    assert stage.sent() == {"ann": {"vip": False}, "bob": {"vip": True}, "cid": {"vip": True}}
    stage.delta()
    assert stage.owed() == {}


def test_a_definition_that_returns_after_clear_owes_its_members_and_nobody_else(stage: Stage) -> None:
    stage.delta(cleared(VIP), ["ann", "bob"])
    stage.sent()
    stage.remove_all_but()
    stage.sent()
    stage.delta(VIP, ["bob"])
    assert stage.sent() == {"bob": {"vip": True}}
