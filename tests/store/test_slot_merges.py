"""What a slot owes after several recordings, claims and settlements: on both engines."""

from __future__ import annotations

import threading

import pytest
from sqlalchemy import text

from sync.model.definition import Kind
from sync.model.identify import identify
from sync.model.run import RunKind
from sync.store import definitions, slots
from sync.store.engine import Database
from sync.store.slots import Attempt, Settlement, Transition
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
    sent,
    settle,
    state,
    trait,
    unknown,
)


def test_several_definitions_of_one_user_travel_in_one_slot(database: Database) -> None:
    record(database, audience("vip"), ["ann"])
    record(database, trait("spend"), {"ann": 12, "bob": 3})
    assert {slot.user_id: slot.owed for slot in claim(database)} == {
        "ann": {"vip": True, "spend": 12},
        "bob": {"spend": 3},
    }


def test_an_accepted_slot_is_gone(database: Database) -> None:
    record(database, audience(), ["ann"])
    assert accept(database, claim_one(database)) == 0
    assert owed(database) == {}


def test_a_superseded_value_is_never_sent(database: Database) -> None:
    for spend in (1, 2, 3):
        record(database, trait(), {"ann": spend})
    assert [slot.owed for slot in claim(database)] == [{"spend": 3}]
    assert claim(database) == []


def test_one_request_in_flight_per_user(database: Database) -> None:
    record(database, audience(), ["ann"])
    claim_one(database)
    record(database, trait(), {"ann": 1})
    assert claim(database) == []


@pytest.mark.parametrize("value", [["a", "b"], [], "text", 'quo"te', 0, 1.5, True])
def test_values_survive_merges_as_they_are(database: Database, value: object) -> None:
    record(database, trait("first"), {"ann": value})
    record(database, trait("second"), {"ann": 1})
    assert claim_one(database).owed == {"first": value, "second": 1}


def test_a_lost_value_is_sent_as_null_and_survives_merges(database: Database) -> None:
    record(database, trait(), {"ann": ["a", "b"]})
    accept(database, claim_one(database))
    record(database, trait(), {})
    record(database, audience(), ["ann"])
    assert claim_one(database).owed == {"spend": None, "vip": True}


def test_a_list_is_replaced_whole(database: Database) -> None:
    record(database, trait(), {"ann": ["a", "b", "c"]})
    record(database, trait(), {"ann": ["d"]})
    assert claim_one(database).owed == {"spend": ["d"]}


def test_what_came_back_before_it_was_sent_is_not_owed(database: Database) -> None:
    record(database, audience(), [])
    record(database, audience(), ["ann", "bob"])
    record(database, audience(), ["bob"])
    assert owed(database) == {"bob": {"vip": True}}


def test_what_came_back_leaves_the_other_keys_owed(database: Database) -> None:
    record(database, audience(), [])
    record(database, trait(), {"ann": 1})
    record(database, audience(), ["ann"])
    record(database, audience(), [])
    assert owed(database) == {"ann": {"spend": 1}}
    accept(database, claim_one(database))
    assert owed(database) == {}


def test_to_a_new_destination_even_what_came_back_is_owed_for_nobody_knows_what_it_holds(database: Database) -> None:
    record(database, audience(), ["ann"])
    record(database, audience(), [])
    assert owed(database) == {"ann": {"vip": False}}


def test_a_value_that_came_back_before_it_was_sent_is_not_owed(database: Database) -> None:
    record(database, trait(), {"ann": 1})
    drain(database)
    record(database, trait(), {"ann": 2})
    record(database, trait(), {"ann": 3})
    record(database, trait(), {"ann": 1})
    assert owed(database) == {}


@pytest.mark.parametrize("transition", [Transition.DEFER, Transition.PARK, Transition.RELEASE])
def test_what_was_claimed_once_is_owed_even_when_it_came_back(database: Database, transition: Transition) -> None:
    record(database, audience(), ["ann"])
    settle(database, claim_one(database), transition)
    record(database, audience(), [])
    assert owed(database) == {"ann": {"vip": False}}


def test_what_came_back_while_it_was_being_sent_is_owed(database: Database) -> None:
    record(database, audience(), ["ann"])
    sent = claim_one(database)
    record(database, audience(), [])
    accept(database, sent)
    assert drain(database) == {"ann": {"vip": False}}


def test_a_key_that_joined_and_left_while_another_was_being_sent_is_not_owed(database: Database) -> None:
    record(database, audience(), [])
    record(database, trait(), {"ann": 1})
    sent = claim_one(database)
    record(database, audience(), ["ann"])
    record(database, audience(), [])
    accept(database, sent)
    assert owed(database) == {}


def test_what_was_refused_is_parked_with_its_reason(database: Database) -> None:
    record(database, audience(), ["ann"])
    settle(database, claim_one(database), Transition.PARK, reason="400")
    assert (state(database, "ann"), column(database, "ann", "reason")) == ("parked", "400")
    assert claim(database) == []


def test_a_poison_user_blocks_nobody_else(database: Database) -> None:
    record(database, audience(), ["ann", "bob"])
    for slot in claim(database):
        settle(database, slot, Transition.PARK if slot.user_id == "ann" else Transition.ACCEPT, reason="400")
    record(database, trait(), {"bob": 1})
    assert [slot.user_id for slot in claim(database)] == ["bob"]


def test_what_was_refused_is_due_when_newer_content_has_come_meanwhile(database: Database) -> None:
    record(database, audience(), ["ann"])
    refused = claim_one(database)
    record(database, trait(), {"ann": 1})
    settle(database, refused, Transition.PARK, reason="400")
    again = claim_one(database)
    assert (again.owed, again.attempts, again.failing_since) == ({"vip": True, "spend": 1}, 0, None)


def test_new_content_re_activates_what_was_parked(database: Database) -> None:
    record(database, audience(), ["ann"])
    settle(database, claim_one(database), Transition.PARK, reason="400")
    record(database, trait(), {"ann": 1})
    again = claim_one(database)
    assert (again.owed, again.attempts, again.failing_since) == ({"vip": True, "spend": 1}, 0, None)
    assert column(database, "ann", "reason") is None


def test_un_parking_sends_the_current_value(database: Database) -> None:
    record(database, trait(), {"ann": 1, "bob": 1})
    for slot in claim(database):
        settle(database, slot, Transition.PARK, reason="400")
    assert slots.unpark(database, PUSH, ["ann"]) == 1
    record(database, trait(), {"ann": 2, "bob": 1})
    assert [(slot.user_id, slot.owed, slot.attempts) for slot in claim(database)] == [("ann", {"spend": 2}, 0)]
    assert slots.unpark(database, PUSH) == 1


def test_a_backfill_never_overtakes_a_delta(database: Database) -> None:
    record(database, trait("old"), {f"u{number}": 1 for number in range(5)}, kind=RunKind.BACKFILL)
    record(database, trait("old"), {f"u{number}": 1 for number in range(5)} | {"z": 2})
    assert [slot.user_id for slot in slots.claim(database, PUSH, 1, LEASE)] == ["z"]


def test_on_a_merge_the_higher_priority_wins(database: Database) -> None:
    values = {f"u{number}": 1 for number in range(5)}
    record(database, trait(), values)
    record(database, trait(), values | {"u3": 2})
    assert [slot.user_id for slot in slots.claim(database, PUSH, 1, LEASE)] == ["u3"]
    record(database, trait(), values | {"u3": 2}, kind=RunKind.BACKFILL)
    assert len(claim(database)) == 4


def test_a_deferred_slot_keeps_its_attempts_and_the_start_of_its_failing(
    database: Database, clock: MovingClock
) -> None:
    record(database, audience(), ["ann"])
    settle(database, claim_one(database), Transition.DEFER, seconds=5, reason="503")
    assert claim(database) == []
    clock.advance(6)
    second = claim_one(database)
    settle(database, second, Transition.DEFER, reason="503")
    third = claim_one(database)
    assert (second.attempts, third.attempts) == (1, 2)
    assert second.failing_since == third.failing_since is not None
    assert not third.doubt
    record(database, trait(), {"ann": 1})
    settle(database, third, Transition.DEFER, reason="503")
    assert claim_one(database).attempts == 3


def test_success_ends_a_series_of_failures(database: Database, clock: MovingClock) -> None:
    record(database, audience(), ["ann"])
    unknown(database, claim_one(database))
    accept(database, claim_one(database))
    clock.advance(QUIET + 1)
    confirming = claim_one(database)
    assert (confirming.attempts, confirming.failing_since) == (0, None)


def test_a_released_slot_is_due_at_once_without_an_attempt(database: Database) -> None:
    record(database, audience(), ["ann"])
    settle(database, claim_one(database), Transition.RELEASE, attempts=())
    again = claim_one(database)
    assert (again.attempts, again.doubt) == (0, False)


def test_enrichment_the_latest_recorded_wins_and_the_rest_stays(database: Database) -> None:
    record(database, audience(), ["ann"], extras={"email": "old@x", "city": "Oslo"})
    record(database, trait(), {"ann": 1}, extras={"email": "new@x"})
    assert claim_one(database).enrichment == {"email": "new@x", "city": "Oslo"}


def test_enrichment_a_definitions_key_wins(database: Database, clock: MovingClock) -> None:
    record(database, trait("email"), {"ann": "own@x"})
    record(database, audience(), ["ann"], extras={"email": "other@x"})
    event = identify(claim_one(database), destination=PUSH)
    assert event["traits"] == {"email": "own@x", "vip": True}


def test_a_claim_by_many_at_once_gives_no_slot_twice(database: Database) -> None:
    users = {f"u{number}" for number in range(200)}
    record(database, audience(), users)
    got: list[str] = []
    start = threading.Barrier(4)

    def work() -> None:
        start.wait()
        while batch := slots.claim(database, PUSH, 7, LEASE):
            got.extend(slot.user_id for slot in batch)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if database.dialect == "postgresql":
        got += [slot.user_id for slot in claim(database, 200)]  # rows that another claim had locked are skipped
    assert len(got) == len(users)
    assert set(got) == users


def test_a_destinations_answer_of_any_content_can_be_written_down(database: Database) -> None:
    record(database, audience(), ["ann"])
    detail = "\0 not \ud800 text"
    attempts = [Attempt("refused", 400, detail, {})]
    settle(database, claim_one(database), Transition.PARK, reason=detail, attempts=attempts)
    with database.read() as connection:
        stored = connection.execute(text("SELECT detail FROM attempt")).scalar_one()
    assert "not" in stored
    assert "\0" not in stored


def test_every_exchange_is_written_down_and_nothing_else(database: Database) -> None:
    record(database, audience(), ["ann", "bob"])
    ann, bob = sorted(claim(database), key=lambda slot: slot.user_id)
    batch = [
        Settlement(ann, Transition.DEFER, attempts=sent(ann, "unknown", 500)),
        Settlement(bob, Transition.RELEASE),
    ]
    slots.settle(database, PUSH, batch, QUIET)
    with database.read() as connection:
        rows = connection.execute(text("SELECT user_id, verdict, status FROM attempt")).all()
    assert [tuple(row) for row in rows] == [("ann", "unknown", 500)]


def test_the_backlog_is_counted_by_state(database: Database) -> None:
    record(database, audience(), ["a", "b", "c", "d", "e"])
    one, two, three, _ = slots.claim(database, PUSH, 4, LEASE)
    settle(database, one, Transition.PARK, reason="400")
    settle(database, two, Transition.DEFER, seconds=60)
    with database.read() as connection:
        found = slots.backlog(connection, PUSH)
    assert (found.due, found.waiting, found.confirm, found.sending, found.parked) == (1, 1, 0, 2, 1)
    assert found.owed == 4
    assert three.user_id not in owed(database, "other")


def test_of_those_who_are_parked_and_in_flight_each_is_counted_when_no_other_is_left(database: Database) -> None:
    record(database, audience(), ["a", "b"])
    one, two = slots.claim(database, PUSH, 2, LEASE)
    settle(database, one, Transition.PARK, reason="400")
    with database.read() as connection:
        before = slots.backlog(connection, PUSH)
    accept(database, two)
    with database.read() as connection:
        after = slots.backlog(connection, PUSH)
    assert (before.owed, before.parked, after.owed, after.parked) == (1, 1, 0, 1)


def test_destinations_do_not_see_each_others_slots(database: Database) -> None:
    record(database, audience("vip", "push", "other"), ["ann"])
    drain(database)
    assert owed(database, "other") == {"ann": {"vip": True}}


def test_a_definition_is_found_by_its_key(database: Database) -> None:
    record(database, audience(), ["ann"])
    with database.read() as connection:
        known = definitions.find(connection, "vip")
    assert known is not None
    assert (known.kind, known.members) == (Kind.AUDIENCE, 1)
