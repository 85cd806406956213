"""A slot of which a part is accepted: that part is owed no more, unless it is in doubt; the rest goes where it must."""

from __future__ import annotations

import pytest

from sync.model.slot import ClaimedSlot
from sync.store import slots
from sync.store.engine import Database
from sync.store.slots import Transition
from tests.moving_clock import MovingClock
from tests.recorder import (
    LEASE,
    PUSH,
    QUIET,
    accept,
    audience,
    claim,
    claim_one,
    column,
    drain,
    owed,
    record,
    settle,
    state,
    trait,
    unknown,
)


def both(database: Database) -> ClaimedSlot:
    """Ann is owed two keys, and they are claimed."""
    record(database, audience(), ["ann"])
    record(database, trait(), {"ann": 1})
    return claim_one(database)


def settle_partly(database: Database, claimed: ClaimedSlot, transition: Transition, **more: object) -> int:
    """The audience was accepted; the trait was not."""
    return settle(database, claimed, transition, accepted={"vip": claimed.versions["vip"]}, **more)


@pytest.mark.parametrize(
    ("transition", "goes_to"),
    [(Transition.PARK, "parked"), (Transition.DEFER, "waiting"), (Transition.RELEASE, "due")],
)
def test_what_was_accepted_is_owed_no_more_and_the_rest_goes_where_it_must(
    database: Database, transition: Transition, goes_to: str
) -> None:
    settle_partly(database, both(database), transition, reason="spend: 400", seconds=5)
    assert (owed(database), state(database, "ann")) == ({"ann": {"spend": 1}}, goes_to)


def test_a_refused_key_that_is_parked_alone_is_sent_again_with_new_content_or_when_it_is_redriven(
    database: Database,
) -> None:
    settle_partly(database, both(database), Transition.PARK, reason="spend: 400")
    assert (column(database, "ann", "reason"), claim(database)) == ("spend: 400", [])
    slots.unpark(database, PUSH)
    again = claim_one(database)
    assert again.owed == {"spend": 1}
    settle(database, again, Transition.PARK, reason="spend: 400")
    record(database, audience(), [])
    assert drain(database) == {"ann": {"vip": False, "spend": 1}}
    assert owed(database) == {}


def test_r1_what_changed_while_it_was_being_sent_is_still_owed(database: Database) -> None:
    sent = both(database)
    record(database, audience(), [])
    settle_partly(database, sent, Transition.DEFER)
    assert owed(database) == {"ann": {"spend": 1, "vip": False}}


def test_new_content_keeps_a_refused_key_from_being_parked(database: Database) -> None:
    sent = both(database)
    record(database, audience(), [])
    settle_partly(database, sent, Transition.PARK)
    assert (state(database, "ann"), owed(database)) == ("due", {"ann": {"spend": 1, "vip": False}})


def test_a_key_that_was_claimed_counts_as_sent_although_it_was_not_its_turn(database: Database) -> None:
    settle_partly(database, both(database), Transition.RELEASE)
    record(database, trait(), {})
    assert drain(database) == {"ann": {"spend": None}}


def test_a_key_that_was_accepted_and_changes_twice_before_it_is_claimed_again_is_not_sent(database: Database) -> None:
    settle_partly(database, both(database), Transition.RELEASE)
    record(database, audience(), [])
    record(database, audience(), ["ann"])
    assert drain(database) == {"ann": {"spend": 1}}


def test_r4_only_what_was_not_accepted_is_in_doubt_after_an_unknown_outcome(
    database: Database, clock: MovingClock
) -> None:
    settle_partly(database, both(database), Transition.DEFER, unknown=True)
    again = claim_one(database)
    assert (again.owed, again.doubt) == ({"spend": 1}, True)
    accept(database, again)
    clock.advance(QUIET + 1)
    assert drain(database) == {"ann": {"spend": 1}}
    assert owed(database) == {}


@pytest.mark.parametrize("transition", [Transition.PARK, Transition.DEFER, Transition.RELEASE])
def test_r4_in_doubt_nothing_is_dropped_and_all_of_it_is_sent_once_more_after_the_quiet_period(
    database: Database, clock: MovingClock, transition: Transition
) -> None:
    unknown(database, both(database))
    again = claim_one(database)
    settle_partly(database, again, transition, reason="spend: 400")
    assert (state(database, "ann"), claim(database)) == ("confirm", [])
    clock.advance(QUIET + 1)
    confirming = claim_one(database)
    assert (confirming.owed, confirming.doubt) == ({"vip": True, "spend": 1}, False)
    assert min(confirming.versions.values()) > max(again.versions.values())
    settle_partly(database, confirming, transition)
    assert owed(database) == {"ann": {"spend": 1}}


def test_r4_an_unknown_outcome_while_in_doubt_waits_for_the_quiet_period_too(
    database: Database, clock: MovingClock
) -> None:
    unknown(database, both(database))
    settle_partly(database, claim_one(database), Transition.DEFER, unknown=True, seconds=QUIET + 5)
    clock.advance(QUIET + 1)
    assert claim(database) == []  # the longer of the two waits counts
    clock.advance(5)
    assert not claim_one(database).doubt


def test_r4_new_content_during_that_wait_is_sent_at_once_and_keeps_the_doubt(database: Database) -> None:
    unknown(database, both(database))
    settle_partly(database, claim_one(database), Transition.PARK)
    record(database, audience(), [])
    again = claim_one(database)
    assert (again.owed, again.doubt) == ({"vip": False, "spend": 1}, True)


def test_r4_content_that_came_while_in_doubt_keeps_all_of_it_owed_and_in_doubt(database: Database) -> None:
    unknown(database, both(database))
    again = claim_one(database)
    record(database, audience(), [])
    settle_partly(database, again, Transition.PARK)
    last = claim_one(database)
    assert (last.owed, last.doubt) == ({"vip": False, "spend": 1}, True)


def test_r6_who_lost_the_slot_drops_nothing_and_all_it_had_claimed_is_owed_anew(
    database: Database, clock: MovingClock
) -> None:
    frozen = both(database)
    clock.advance(LEASE + 1)
    slots.rescue(database, PUSH)
    record(database, trait(), {"ann": 2})
    drain(database)
    clock.advance(QUIET + 1)
    drain(database)
    assert owed(database) == {}
    assert settle_partly(database, frozen, Transition.RELEASE) == 1
    assert drain(database) == {"ann": {"vip": True, "spend": 2}}


def test_who_lost_the_slot_to_another_sender_drops_nothing_of_what_that_one_holds(
    database: Database, clock: MovingClock
) -> None:
    frozen = both(database)
    clock.advance(LEASE + 1)
    slots.rescue(database, PUSH)
    present = claim_one(database)
    settle_partly(database, frozen, Transition.DEFER)
    assert state(database, "ann") == "sending"
    accept(database, present)
    assert owed(database) == {"ann": {"vip": True, "spend": 1}}


def test_users_of_one_batch_are_settled_each_in_his_own_way(database: Database) -> None:
    users = ["ann", "bob", "cid", "dan"]
    record(database, audience(), users)
    record(database, trait(), dict.fromkeys(users, 1))
    ann, bob, cid, dan = sorted(claim(database), key=lambda slot: slot.user_id)
    batch = [
        slots.Settlement(ann, Transition.ACCEPT, accepted=ann.versions),
        slots.Settlement(bob, Transition.PARK, reason="vip: 400", accepted={"spend": bob.versions["spend"]}),
        slots.Settlement(cid, Transition.DEFER, accepted={"vip": cid.versions["vip"]}),
        slots.Settlement(dan, Transition.DEFER, accepted={}),
    ]
    assert slots.settle(database, PUSH, batch, QUIET) == 0
    assert owed(database) == {"bob": {"vip": True}, "cid": {"spend": 1}, "dan": {"vip": True, "spend": 1}}
    assert [state(database, user) for user in users] == [None, "parked", "waiting", "waiting"]
