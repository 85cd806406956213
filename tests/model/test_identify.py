"""What each event of a slot carries, and in which order."""

from __future__ import annotations

from datetime import UTC, datetime

from sync.model.identify import IdentifyPer, identify, portions
from sync.model.slot import ClaimedSlot

AT = datetime(2026, 11, 21, 10, 11, 12, 345678, tzinfo=UTC)


def slot(attempts: int = 0, **versions: int) -> ClaimedSlot:
    owed: dict[str, object] = dict.fromkeys(versions, True)
    return ClaimedSlot(
        "ann", "token", 9, owed, versions, {}, doubt=False, attempts=attempts, failing_since=None, owed_since=AT
    )


def test_all_that_is_owed_to_a_user_travels_together() -> None:
    assert portions(slot(a=3, b=1), IdentifyPer.USER) == [{"a": 3, "b": 1}]


def test_each_computation_goes_alone_and_what_has_been_owed_longest_goes_first() -> None:
    assert portions(slot(a=3, c=1, b=1), IdentifyPer.COMPUTATION) == [{"b": 1}, {"c": 1}, {"a": 3}]


def test_after_each_failure_another_key_goes_first() -> None:
    firsts = [portions(slot(attempts, a=1, b=2, c=3), IdentifyPer.COMPUTATION)[0] for attempts in range(4)]
    assert firsts == [{"a": 1}, {"b": 2}, {"c": 3}, {"a": 1}]


def test_a_slot_that_owes_nothing_has_no_event_to_send() -> None:
    assert portions(slot(), IdentifyPer.COMPUTATION) == []


def test_every_try_of_a_change_is_the_same_event_with_the_time_at_which_it_was_decided() -> None:
    first, later = identify(slot(0, a=1), destination="push"), identify(slot(7, a=1), destination="push")
    assert first == later
    assert first["timestamp"] == "2026-11-21T10:11:12.345Z"
