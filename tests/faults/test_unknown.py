"""R4: what nobody knows about is sent again, and confirmed with a new version once the destination had been quiet."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from sync import telemetry
from sync.destinations.sandbox.sandbox import Reply
from sync.model.run import RunKind
from tests.proofs import Road

QUIET = 0.3


def times(road: Road, user_id: str) -> list[float]:
    """When requests about a user arrived, in seconds from the first."""
    found = [request.time.timestamp() for request in road.sandbox.history(user_id)]
    return [instant - found[0] for instant in found]


def test_r4_a_reply_lost_after_it_was_applied_is_sent_again_and_confirmed_after_the_quiet_period(road: Road) -> None:
    road.crowd(30)
    road.sandbox.set_faults(drop_count=1)
    assert road.command("backfill") == 0
    road.delivered()
    doubtful = [user_id for user_id, sent in road.sandbox.sent_counts().items() if sent > 1]
    assert len(doubtful) == 1
    _, resent, confirmed = times(road, doubtful[0])
    assert confirmed - resent >= QUIET


def test_r4_the_confirmation_is_a_new_version_of_the_current_value_due_after_the_quiet_period(road: Road) -> None:
    road.configure(quiet_period="1 hour")
    road.crowd(1)
    road.refresh()
    [(before, _)] = road.rows("SELECT version, state FROM slot")
    road.sandbox.set_faults(drop_count=1)
    assert road.command("delta", "--wait", "5") == 1
    [(version, state)] = road.rows("SELECT version, state FROM slot")
    assert state == "confirm"
    assert isinstance(version, int)
    assert isinstance(before, int)
    assert version > before
    assert road.sandbox.sent_counts() == {"u0": 2}


@pytest.mark.waits
def test_r4_an_older_value_that_lands_late_is_repaired_by_the_confirmation(
    road: Road, monkeypatch: pytest.MonkeyPatch
) -> None:
    road.configure(deadline="1s", lease="3s")
    road.people({"u": 1})
    road.refresh()
    # The first value hangs on its way, longer than our deadline, and lands when the second one has been accepted.
    late, receive = list[Callable[[], None]](), road.sandbox.receive

    def held_up(*request: Any) -> Reply:
        reply = receive(*request)
        if reply.settle is not None:
            late.append(reply.settle)
        return replace(reply, settle=None)

    monkeypatch.setattr(road.sandbox, "receive", held_up)
    road.sandbox.set_faults(latency=600, apply_late=True)
    assert road.command("delta", "--wait", "0.01") == 1
    road.sandbox.replace_faults()
    road.configure(quiet_period="1s")
    road.people({"u": 2})
    stop = telemetry.listen(lambda name, _: late.pop()() if name == "deliver.settled" and late else None)
    try:
        assert road.command("delta") == 0
    finally:
        stop()

    assert not late
    road.delivered()
    assert road.sandbox.values("u", "score") == [1, 2, 2]
    # 2, then the late 1, then 2 again: each of the three changed what is held.
    assert road.sandbox.stats()["duplicates"] == 0


def test_r4_a_value_that_changes_before_its_confirmation_is_sent_instead_of_it_and_then_confirmed(road: Road) -> None:
    road.configure(quiet_period="1 hour")
    road.people({"u": 1})
    road.sandbox.set_faults(drop_count=1)
    assert road.command("delta", "--wait", "5") == 1
    assert road.states() == {"confirm": 1}
    road.configure()
    road.people({"u": 2})
    assert road.command("delta") == 0
    road.delivered()
    assert road.sandbox.values("u", "score") == [1, 1, 2, 2]


def test_an_answer_that_drips_is_cut_off_by_the_total_deadline_and_then_confirmed(road: Road) -> None:
    road.configure(deadline="5s", lease="7s")
    road.crowd(10)
    road.refresh()
    road.sandbox.set_faults(drip=0.1)
    assert road.command("delta", "--wait", "0.01") == 1
    assert road.rows("SELECT count(*) FROM attempt WHERE detail = 'no whole answer within 5 s'")[0] >= (10,)
    road.sandbox.replace_faults()
    assert road.command("delta") == 0
    road.delivered()
    assert min(road.sandbox.sent_counts().values()) >= 3


def test_what_is_not_http_is_unknown_and_sent_until_it_is_answered(road: Road) -> None:
    road.crowd(10)
    road.sandbox.set_faults(malformed=True)
    assert road.command("delta", "--wait", "0.05") == 1
    road.sandbox.replace_faults()
    assert road.command("delta") == 0
    road.delivered()
    assert min(road.sandbox.sent_counts().values()) >= 3


def test_a_success_with_a_body_that_makes_no_sense_or_never_ends_is_a_success(sqlite_road: Road) -> None:
    sqlite_road.crowd(10)
    sqlite_road.sandbox.set_faults(garbage=True)
    assert sqlite_road.command("backfill") == 0
    sqlite_road.sandbox.replace_faults()
    # 64 KiB are read of it and the rest is left: a success need not be understood whole.
    sqlite_road.sandbox.set_faults(oversize=3_000_000)
    assert sqlite_road.command("backfill") == 0
    sqlite_road.delivered()
    assert set(sqlite_road.sandbox.sent_counts().values()) == {2}


def test_a_server_error_is_unknown_so_everybody_is_confirmed_after_it(road: Road) -> None:
    road.crowd(10)
    road.sandbox.set_faults(status=500, status_count=15)
    assert road.command("backfill") == 0
    road.delivered()
    assert sum(road.sandbox.sent_counts().values()) == 15 + 10 + 10
    assert not road.rows("SELECT 1 FROM run WHERE status <> 'succeeded'")


def test_r4_holds_for_users_who_change_in_a_backfill_whose_answers_get_lost(road: Road) -> None:
    road.crowd(40)
    road.sandbox.set_faults(drop_rate=0.3)
    road.refresh(RunKind.BACKFILL)
    assert road.command("delta", "--wait", "0.05") in {0, 1}
    road.people({f"u{position}": 1000 + position for position in range(0, 40, 2)})
    road.refresh()
    road.sandbox.replace_faults()
    assert road.command("delta") == 0
    road.delivered()
