"""The rules that a model check of the protocol showed to be necessary: on both engines."""

from __future__ import annotations

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


def test_r1_settling_removes_only_what_was_sent(database: Database) -> None:
    record(database, audience(), ["ann"])
    record(database, trait(), {"ann": 1})
    sent = claim_one(database)
    record(database, trait(), {"ann": 2})
    accept(database, sent)
    assert owed(database) == {"ann": {"spend": 2}}
    assert state(database, "ann") == "due"


def test_r1_a_settle_is_guarded_by_the_token(database: Database, clock: MovingClock) -> None:
    record(database, audience(), ["ann"])
    frozen = claim_one(database)
    clock.advance(LEASE + 1)
    slots.rescue(database, PUSH)
    present = claim_one(database)
    settle(database, frozen, Transition.PARK)
    assert column(database, "ann", "token") == present.token
    assert state(database, "ann") == "sending"


def test_r4_after_an_unknown_outcome_the_next_success_is_confirmed_once(database: Database, clock: MovingClock) -> None:
    record(database, audience(), ["ann"])
    first = claim_one(database)
    unknown(database, first)
    second = claim_one(database)
    assert second.doubt
    accept(database, second)
    assert state(database, "ann") == "confirm"
    assert claim(database) == []
    clock.advance(QUIET + 1)
    third = claim_one(database)
    assert third.owed == {"vip": True}
    assert third.versions["vip"] > second.versions["vip"]
    assert not third.doubt
    accept(database, third)
    assert owed(database) == {}


def test_r4_new_content_makes_a_confirm_due_and_keeps_the_doubt(database: Database, clock: MovingClock) -> None:
    record(database, audience(), ["ann"])
    unknown(database, claim_one(database))
    accept(database, claim_one(database))
    record(database, audience(), [])
    again = claim_one(database)
    assert (again.owed, again.doubt) == ({"vip": False}, True)
    accept(database, again)
    assert state(database, "ann") == "confirm"
    clock.advance(QUIET + 1)
    assert drain(database) == {"ann": {"vip": False}}
    assert owed(database) == {}


def test_r4_content_that_came_while_in_doubt_is_sent_before_the_confirm(database: Database, clock: MovingClock) -> None:
    record(database, audience(), ["ann"])
    unknown(database, claim_one(database))
    second = claim_one(database)
    record(database, trait(), {"ann": 1})
    accept(database, second)
    assert state(database, "ann") == "due"
    third = claim_one(database)
    assert (third.owed, third.doubt) == ({"vip": True, "spend": 1}, True)
    accept(database, third)
    assert state(database, "ann") == "confirm"


def test_r4_a_claim_whose_lease_ran_out_counts_as_unknown(database: Database, clock: MovingClock) -> None:
    record(database, audience(), ["ann"])
    claim_one(database)
    assert slots.rescue(database, PUSH) == 0
    clock.advance(LEASE + 1)
    assert slots.rescue(database, PUSH) == 1
    assert claim_one(database).doubt


def test_r4_all_claims_of_a_dead_holder_count_as_unknown_at_once(database: Database) -> None:
    record(database, audience(), ["ann", "bob"])
    claim(database)
    assert slots.rescue(database, PUSH, all_of_them=True) == 2
    assert all(slot.doubt for slot in claim(database))


def test_r5_the_idempotency_key_is_the_same_when_the_same_is_sent_again(database: Database) -> None:
    record(database, audience(), ["ann"])
    first = claim_one(database)
    unknown(database, first)
    again = claim_one(database)
    assert again.idempotency_key(PUSH) == first.idempotency_key(PUSH)
    record(database, trait(), {"ann": 1})
    unknown(database, again)
    assert claim_one(database).idempotency_key(PUSH) != first.idempotency_key(PUSH)


def frozen_sender(database: Database, clock: MovingClock) -> slots.ClaimedSlot:
    """A claim of ``vip: true`` for ann whose holder sleeps past its lease."""
    record(database, audience(), ["ann"])
    frozen = claim_one(database)
    clock.advance(LEASE + 1)
    slots.rescue(database, PUSH)
    return frozen


def finish_meanwhile(database: Database, clock: MovingClock) -> None:
    """Another holder sends everything, confirmations too."""
    drain(database)
    clock.advance(QUIET + 1)
    drain(database)
    assert owed(database) == {}


def test_r6_a_late_settle_owes_the_current_value_again(database: Database, clock: MovingClock) -> None:
    frozen = frozen_sender(database, clock)
    record(database, audience(), [])
    finish_meanwhile(database, clock)
    assert accept(database, frozen) == 1
    assert drain(database) == {"ann": {"vip": False}}


def test_r6_a_late_settle_while_another_holder_is_sending_makes_it_send_again(
    database: Database, clock: MovingClock
) -> None:
    frozen = frozen_sender(database, clock)
    record(database, audience(), [])
    present = claim_one(database)
    assert accept(database, frozen) == 1
    assert state(database, "ann") == "sending"
    accept(database, present)
    assert owed(database) == {"ann": {"vip": False}}
    assert claim_one(database).versions["vip"] > present.versions["vip"]


def test_r6_a_late_settle_re_activates_what_was_parked(database: Database, clock: MovingClock) -> None:
    frozen = frozen_sender(database, clock)
    settle(database, claim_one(database), Transition.PARK, reason="refused")
    accept(database, frozen)
    assert claim_one(database).attempts == 0


def test_r6_a_late_settle_does_not_wait_for_the_quiet_period(database: Database, clock: MovingClock) -> None:
    frozen = frozen_sender(database, clock)
    accept(database, claim_one(database))
    assert state(database, "ann") == "confirm"
    accept(database, frozen)
    assert claim_one(database).doubt


def test_r6_a_late_unknown_outcome_keeps_the_doubt_of_r4(database: Database, clock: MovingClock) -> None:
    frozen = frozen_sender(database, clock)
    finish_meanwhile(database, clock)
    unknown(database, frozen)
    assert claim_one(database).doubt


def test_r6_a_late_release_owes_nothing_for_nothing_was_sent(database: Database, clock: MovingClock) -> None:
    frozen = frozen_sender(database, clock)
    finish_meanwhile(database, clock)
    assert settle(database, frozen, Transition.RELEASE, attempts=()) == 0
    assert owed(database) == {}


def test_r6_settling_twice_owes_the_current_value_again_and_loses_nothing(database: Database) -> None:
    record(database, trait(), {"ann": 7})
    sent = claim_one(database)
    accept(database, sent)
    assert accept(database, sent) == 1
    assert drain(database) == {"ann": {"spend": 7}}
