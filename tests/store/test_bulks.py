"""Slots that go together in one request: each holds what was sent until the request ends, and nothing is settled twice."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import pytest

from sync.model.outcome import Outcome, Verdict
from sync.store import bulk_claims, bulks, forgetting, slots, suppressions
from sync.store.bulk_claims import Claim, Wanted
from sync.store.bulks import Bulk, Settled
from sync.store.engine import Database
from tests.moving_clock import MovingClock
from tests.recorder import LEASE, PUSH, QUIET, audience, claim, column, owed, record, state, trait, unknown

PATIENCE = 900.0
FOUR = ["ann", "bob", "cid", "dan"]


def take(database: Database, *, fewest: int = 2, most_alone: int = 100, most: int = 100) -> Claim:
    wanted = Wanted(most, fewest, LEASE, PATIENCE)
    [taken], _ = bulk_claims.claim(database, PUSH, wanted, most_alone=most_alone)
    return taken.read()


def together(database: Database) -> Bulk:
    """All that is due, as one request that is not submitted yet."""
    found = take(database).bulk
    assert found is not None
    return found


def submitted(database: Database, members: Collection[str] = FOUR) -> Bulk:
    """One request with these members, which has its id."""
    record(database, audience(), list(members))
    found = bulks.submitted(database, together(database), "r-1")
    assert found is not None
    return found


def end(database: Database, bulk: Bulk, failures: Mapping[str, str] | None = None) -> Settled | None:
    return bulks.settle(database, bulk, failures or {}, QUIET)


def test_who_was_accepted_is_owed_nothing_and_who_failed_goes_singly(database: Database) -> None:
    bulk = submitted(database)
    assert end(database, bulk, {"bob": "no such tag", "nobody": "?"}) == Settled(accepted=3, unconfirmed=0, singly=1)
    assert owed(database) == {"bob": {"vip": True}}
    again = take(database, fewest=1)
    assert (again.bulk, [slot.user_id for slot in again.alone]) == (None, ["bob"])


def test_it_is_known_who_is_in_one_until_it_has_ended(database: Database) -> None:
    bulk = submitted(database)
    assert bulks.users(database, bulk) == set(FOUR)
    end(database, bulk)
    assert bulks.users(database, bulk) == set()


def test_too_few_are_claimed_like_any(database: Database, clock: MovingClock) -> None:
    record(database, audience(), FOUR)
    found = take(database, fewest=5)
    assert (found.bulk, found.together, len(found.alone)) == (None, [], 4)
    clock.advance(LEASE + 1)
    assert slots.rescue(database, PUSH) == 4


def test_those_who_go_alone_are_no_more_than_may_be(database: Database) -> None:
    record(database, audience(), FOUR)
    assert len(take(database, fewest=5, most_alone=1).alone) == 1
    assert len(claim(database)) == 3


def test_what_is_recorded_meanwhile_stays_owed(database: Database) -> None:
    bulk = submitted(database)
    record(database, trait(), {"ann": 7})
    record(database, audience(), ["bob", "cid", "dan"])
    assert claim(database) == []
    assert end(database, bulk) == Settled(accepted=3, unconfirmed=0, singly=0)
    assert owed(database) == {"ann": {"vip": False, "spend": 7}}
    assert state(database, "ann") == "due"


def test_a_key_that_was_sent_is_dropped_beside_a_newer_one(database: Database) -> None:
    bulk = submitted(database)
    record(database, trait(), {"ann": 7})
    end(database, bulk)
    assert owed(database) == {"ann": {"spend": 7}}


def test_what_was_in_doubt_is_confirmed(database: Database, clock: MovingClock) -> None:
    record(database, audience(), FOUR)
    [first] = claim(database, 1)
    unknown(database, first)
    bulk = bulks.submitted(database, together(database), "r-1")
    assert bulk is not None
    assert end(database, bulk) == Settled(accepted=3, unconfirmed=1, singly=0)
    assert (state(database, first.user_id), claim(database)) == ("confirm", [])
    clock.advance(QUIET + 1)
    assert [slot.user_id for slot in claim(database)] == [first.user_id]


def test_what_is_in_doubt_and_has_changed_meanwhile_stays_in_doubt(database: Database) -> None:
    record(database, audience(), FOUR)
    [first] = claim(database, 1)
    unknown(database, first)
    bulk = bulks.submitted(database, together(database), "r-1")
    assert bulk is not None
    record(database, trait(), {first.user_id: 7})
    end(database, bulk)
    assert owed(database) == {first.user_id: {"vip": True, "spend": 7}}
    assert column(database, first.user_id, "doubt")


def test_it_is_settled_once_whoever_asks(database: Database) -> None:
    bulk = submitted(database)
    assert end(database, bulk) is not None
    record(database, audience(), [])
    assert end(database, bulk) is None
    assert bulks.put_back(database, bulk, unknown=True) is None
    assert set(owed(database)) == set(FOUR)


def test_with_an_id_nobody_s_death_or_delay_takes_its_slots_away(database: Database, clock: MovingClock) -> None:
    bulk = submitted(database)
    clock.advance(PATIENCE + 60)
    assert slots.rescue(database, PUSH) == slots.rescue(database, PUSH, all_of_them=True) == 0
    [(found, seconds)] = bulks.under_way(database, PUSH)
    assert (found, seconds < 0) == (bulk, True)


def test_without_an_id_its_slots_are_rescued_when_its_lease_has_run_out(database: Database, clock: MovingClock) -> None:
    record(database, audience(), FOUR)
    bulk = together(database)
    assert slots.rescue(database, PUSH) == 0
    clock.advance(LEASE + 1)
    assert slots.rescue(database, PUSH) == 4
    assert column(database, "ann", "doubt")
    assert bulks.submitted(database, bulk, "r-1") is None


def test_of_a_dead_holder_those_without_an_id_are_rescued_at_once(database: Database) -> None:
    submitted(database, ["ann", "bob"])
    record(database, audience(), FOUR)
    together(database)
    assert slots.rescue(database, PUSH, all_of_them=True) == 2
    assert (state(database, "ann"), state(database, "dan")) == ("sending", "due")


def test_what_was_given_up_goes_singly_until_something_new_is_owed(database: Database, clock: MovingClock) -> None:
    bulk = submitted(database)
    outcome = Outcome(Verdict.UNKNOWN, None, "nobody knows")
    assert bulks.put_back(database, bulk, outcome, unknown=True, singly=True) == 4
    record(database, trait(), {"dan": 1})
    found = take(database, fewest=1)
    assert [list(alike.users) for alike in found.together] == [["dan"]]
    assert sorted(slot.user_id for slot in found.alone) == ["ann", "bob", "cid"]
    assert all(slot.doubt for slot in found.alone)
    # So does what confirms it (R4).
    slots.settle(database, PUSH, [accepted(slot) for slot in found.alone], QUIET)
    clock.advance(QUIET + 1)
    assert len(take(database, fewest=1).alone) == 3


def accepted(slot: slots.ClaimedSlot) -> slots.Settlement:
    attempt = slots.Attempt("accepted", 200, "", slot.owed)
    return slots.Settlement(slot, slots.Transition.ACCEPT, attempts=[attempt])


def test_what_waits_after_a_failure_waits_like_any(database: Database, clock: MovingClock) -> None:
    record(database, audience(), FOUR)
    outcome = Outcome(Verdict.UNKNOWN, 502, "bad gateway")
    assert bulks.defer(database, together(database), outcome, 5.0, "502 bad gateway") == 4
    assert (state(database, "ann"), column(database, "ann", "attempts")) == ("waiting", 1)
    assert claim(database) == []
    clock.advance(6)
    assert all(slot.doubt and slot.attempts == 1 for slot in claim(database))


def test_who_cannot_go_with_the_others_is_left_out(database: Database) -> None:
    record(database, audience(), FOUR)
    bulk = bulks.leave_out(database, together(database), ["bob"])
    assert bulk is not None
    assert (state(database, "bob"), state(database, "ann")) == ("due", "sending")
    assert take(database, fewest=1).bulk is None
    bulk = bulks.submitted(database, bulk, "r-1")
    assert bulk is not None
    assert end(database, bulk) == Settled(accepted=3, unconfirmed=0, singly=0)


def test_one_that_is_divided_ends_in_parts(database: Database) -> None:
    record(database, audience(), FOUR)
    whole = together(database)
    other = bulks.split(database, whole, ["cid", "dan"])
    assert other is not None
    assert bulks.put_back(database, other, singly=True) == 2
    rest = bulks.submitted(database, whole.without(2), "r-1")
    assert rest is not None
    assert end(database, rest) == Settled(accepted=2, unconfirmed=0, singly=0)
    assert set(owed(database)) == {"cid", "dan"}


def test_who_is_forgotten_meanwhile_is_deleted_when_it_has_ended_for_sure(
    database: Database, clock: MovingClock
) -> None:
    bulk = submitted(database)
    forgetting.forget(database, "ann", [PUSH], "test", quiet=QUIET)
    with database.read() as connection:
        [due_at] = connection.exec_driver_sql("SELECT due_at FROM deletion").scalars()
    assert str(due_at)[:19] >= str(bulk.give_up_at)[:19]
    assert end(database, bulk) == Settled(accepted=3, unconfirmed=0, singly=0)
    assert owed(database) == {}


def test_who_is_suppressed_and_no_longer_is_owed_everything_when_it_has_ended_for_sure(
    database: Database, clock: MovingClock
) -> None:
    bulk = submitted(database)
    suppressions.suppress(database, "ann")
    suppressions.unsuppress(database, "ann")
    assert claim(database) == []
    end(database, bulk)
    clock.advance(PATIENCE + 1)
    assert [slot.user_id for slot in claim(database)] == ["ann"]


def test_a_destination_that_takes_no_such_requests_any_more_gets_them_singly(database: Database) -> None:
    submitted(database)
    bulks.abandon(database, PUSH)
    assert bulks.under_way(database, PUSH) == []
    assert all(slot.doubt for slot in take(database, fewest=1).alone)


@pytest.mark.parametrize(("ended", "wanted"), [(False, "on"), (True, "off")])
def test_only_the_end_of_a_request_may_be_committed_before_it_is_on_the_disk(
    postgresql_database: Database, ended: bool, wanted: str
) -> None:
    record(postgresql_database, audience(), FOUR)
    with postgresql_database.together() as transaction, transaction.read() as connection:
        connection.exec_driver_sql("SET LOCAL synchronous_commit = on")
        bulk = together(transaction)
        assert bulks.submitted(transaction, bulk, "r-1")
        if ended:
            end(transaction, bulk)
        assert connection.exec_driver_sql("SHOW synchronous_commit").scalar_one() == wanted


def test_slots_that_are_held_by_a_request_which_is_not_there_are_due_again_in_doubt(database: Database) -> None:
    record(database, audience(), FOUR)
    together(database)
    assert bulks.release_lost(database, PUSH) == 0
    with database.write() as connection:
        connection.exec_driver_sql("DELETE FROM bulk")  # as a daemon does that knows of no held slots
    assert claim(database) == []
    assert bulks.release_lost(database, PUSH) == 4
    assert [each.doubt for each in claim(database)] == [True] * 4


def test_who_has_come_back_and_is_held_is_not_taken_out_of_a_request_by_a_forgetting_of_before(
    database: Database,
) -> None:
    bulk = submitted(database)
    bulks.forget(database, "ann")
    [(again, _)] = bulks.under_way(database, PUSH)
    assert again == bulk
    assert bulks.users(database, again) == set(FOUR)
