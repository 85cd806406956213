"""kill -9 at every step of the protocol: nothing is lost, nobody is skipped, and only who was in doubt is sent again."""

from __future__ import annotations

import signal
from collections import Counter

import pytest

from tests.proofs import Road, ended

USERS = 300

# The second occurrence: one definition is recorded by then and the other one is not.
REFRESH = [(f"refresh.{step}", 2) for step in ("claimed", "reading", "staged", "recorded", "committed")]
DELIVER = [("deliver.claimed", 3), ("deliver.sending", 100), ("deliver.answered", 100), ("deliver.settled", 3)]


def killed(road: Road, step: str, occurrence: int) -> Counter[object]:
    """Run a backfill that dies at a step; gives the users who were being sent at that moment."""
    code, said = ended(road.spawn("backfill", die_at=step, occurrence=occurrence))
    assert code == -signal.SIGKILL, said
    road.clients_gone()
    return Counter(
        user_id
        for (user_id,) in road.rows("SELECT user_id FROM slot WHERE state = 'sending' OR bulk_token IS NOT NULL")
    )


def run_again(road: Road) -> None:
    code, said = ended(road.spawn("backfill"))
    assert code == 0, said


def statuses(road: Road) -> Counter[object]:
    return Counter(status for (status,) in road.rows("SELECT status FROM run"))


@pytest.mark.parametrize(("step", "occurrence"), REFRESH, ids=[step for step, _ in REFRESH])
def test_a_refresh_killed_at_any_step_recorded_nothing_or_everything(road: Road, step: str, occurrence: int) -> None:
    road.crowd(USERS)
    killed(road, step, occurrence)
    committed = step == "refresh.committed"
    recorded = Counter(key for (key,) in road.rows("SELECT key FROM definition WHERE recorded_at IS NOT NULL"))
    assert recorded == Counter(["members", "score"] if committed else ["members"])
    assert not road.sandbox.requests

    run_again(road)
    road.delivered()
    assert set(road.sandbox.sent_counts().values()) == {1}
    assert statuses(road) == Counter({"succeeded": 4} if committed else {"succeeded": 3, "lost": 1})


@pytest.mark.parametrize(("step", "occurrence"), DELIVER, ids=[step for step, _ in DELIVER])
def test_a_delivery_killed_at_any_step_sends_everybody_and_only_the_doubtful_again(
    road: Road, step: str, occurrence: int
) -> None:
    road.crowd(USERS)
    doubtful = killed(road, step, occurrence)
    before = road.sandbox.sent_counts()

    run_again(road)
    road.delivered()
    sent = road.sandbox.sent_counts()
    for user_id in road.wanted:
        # Once more because nobody knows whether it arrived, and once more to confirm after the quiet period (R4).
        assert sent[user_id] == (before[user_id] + 2 if user_id in doubtful else 1)
    assert statuses(road) == Counter({"succeeded": 4})
    assert road.sandbox.stats()["max_concurrent_per_user"] == 1


def test_a_backfill_killed_time_and_again_goes_on_where_it_was(road: Road) -> None:
    road.crowd(USERS)
    for step in ("refresh.committed", "deliver.answered", "deliver.claimed"):
        killed(road, step, 2)
    run_again(road)
    road.delivered()
    assert max(road.sandbox.sent_counts().values()) <= 1 + 2 * 2
    assert road.rows("SELECT count(*) FROM enrolment WHERE backfilled_at IS NULL") == [(0,)]
