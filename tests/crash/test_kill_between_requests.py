"""kill -9 while slots are being sent key by key: what had not been its turn is sent, and what had is sent again."""

from __future__ import annotations

import signal
from collections import Counter

import pytest

from tests.proofs import Road, ended

USERS = 60
KEYS = 2
# One request at a time: an odd one is the first of a slot, an even one the second.
STEPS = [("deliver.answered", 51), ("deliver.sending", 52)]


def arrived(road: Road) -> Counter[str]:
    """How many of a user's keys the destination holds."""
    return Counter({user_id: len(user["attributes"]) for user_id, user in road.sandbox.users().items()})  # type: ignore[arg-type]


@pytest.mark.parametrize(("step", "occurrence"), STEPS)
def test_a_delivery_killed_between_two_requests_of_a_slot_loses_neither(road: Road, step: str, occurrence: int) -> None:
    road.configure(more={"identify_per": "computation"}, concurrency=1)
    road.crowd(USERS)
    code, said = ended(road.spawn("backfill", die_at=step, occurrence=occurrence))
    assert code == -signal.SIGKILL, said
    road.clients_gone()
    doubtful = {
        user_id
        for (user_id,) in road.rows("SELECT user_id FROM slot WHERE state = 'sending' OR bulk_token IS NOT NULL")
    }
    before = road.sandbox.sent_counts()
    [half] = [user_id for user_id, keys in arrived(road).items() if keys < KEYS]
    assert half in doubtful

    code, said = ended(road.spawn("backfill"))
    assert code == 0, said
    road.delivered()
    sent = road.sandbox.sent_counts()
    for user_id in road.wanted:
        # Both keys once more because nobody knows what arrived, and once more to confirm after the quiet period (R4).
        assert sent[user_id] == (before[user_id] + 2 * KEYS if user_id in doubtful else KEYS)
    assert road.sandbox.stats()["max_concurrent_per_user"] == 1


def test_a_refused_key_stays_parked_alone_whoever_dies(road: Road) -> None:
    by_class = {"@template": "{{userId}}/{{context.personas.computation_class}}"}
    profiles = {
        "partnerAction": "updateUserProfile",
        "subscribe": 'type = "identify"',
        "mapping": {"external_id": by_class, "custom_attributes": {"@path": "$.traits"}},
    }
    road.configure(more={"mappings": [profiles]})
    road.crowd(USERS)
    road.sandbox.set_faults(fail_users=[f"u{number}/audience" for number in range(0, USERS, 3)])
    for occurrence in (60, 90):
        code, said = ended(road.spawn("backfill", die_at="deliver.answered", occurrence=occurrence))
        assert code == -signal.SIGKILL, said
        road.clients_gone()
    code, said = ended(road.spawn("backfill"))
    assert code == 1, said
    assert road.states() == {"parked": USERS // 3}
    reasons = {str(reason).partition(":")[0] for (reason,) in road.rows("SELECT reason FROM slot")}
    assert reasons == {"members"}
    held = road.sandbox.users()
    assert {user_id for user_id in held if user_id.endswith("/trait")} == {
        f"{user_id}/trait" for user_id in road.wanted
    }
    assert sum(user_id.endswith("/audience") for user_id in held) == USERS - USERS // 3
