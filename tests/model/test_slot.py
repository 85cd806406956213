from __future__ import annotations

from datetime import UTC, datetime

from sync.model.slot import ClaimedSlot


def slot(user_id: str = "ann", owed: str = '{"a":[true,7],"b":[null,8]}') -> ClaimedSlot:
    return ClaimedSlot.parse(
        user_id=user_id,
        token="t",
        version=8,
        owed=owed,
        enrichment="{}",
        doubt=False,
        attempts=0,
        failing_since=None,
        owed_since=datetime(2026, 11, 21, tzinfo=UTC),
    )


def test_a_claim_carries_each_key_with_its_value_and_its_version() -> None:
    assert slot().owed == {"a": True, "b": None}
    assert slot().versions == {"a": 7, "b": 8}


def test_r5_the_idempotency_key_is_the_same_for_the_same_versions_in_any_order() -> None:
    assert slot().idempotency_key("push") == slot(owed='{"b":[null,8],"a":[true,7]}').idempotency_key("push")


def test_r5_the_idempotency_key_differs_by_user_destination_and_version() -> None:
    keys = {
        slot().idempotency_key("push"),
        slot().idempotency_key("other"),
        slot("bob").idempotency_key("push"),
        slot(owed='{"a":[true,7],"b":[null,9]}').idempotency_key("push"),
    }
    assert len(keys) == 4
