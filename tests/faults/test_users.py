"""A user whom a destination refuses, or with whom it fails for too long, is parked with the reason and blocks nobody."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from sync.store.schema import attempt
from tests.proofs import Road, ended

EVERYBODY = 10_000


def test_a_poison_user_among_ten_thousand_blocks_nobody_and_is_redriven_once_the_cause_is_gone(
    sqlite_road: Road, capsys: pytest.CaptureFixture[str]
) -> None:
    road = sqlite_road
    road.configure(concurrency=50)
    road.crowd(EVERYBODY)
    road.sandbox.set_faults(fail_users=["u4711"])
    code, said = ended(road.spawn("backfill"))
    assert code == 1, said
    assert "1 parked" in said
    assert road.sandbox.user_count == EVERYBODY - 1
    [(user_id, state, reason)] = road.rows("SELECT user_id, state, reason FROM slot")
    assert (user_id, state, reason) == ("u4711", "parked", '400 user "u4711" is refused')

    assert road.command("parked", "list") == 0
    assert "u4711" in capsys.readouterr().out
    road.sandbox.replace_faults()
    assert road.command("parked", "redrive", "u4711") == 0
    road.delivered()
    assert set(road.sandbox.sent_counts().values()) == {1, 2}


def test_a_parked_user_is_sent_again_by_himself_when_his_value_changes(road: Road) -> None:
    road.crowd(5)
    road.sandbox.set_faults(fail_users=["u3"])
    assert road.command("delta") == 1
    road.sandbox.replace_faults()
    assert road.command("delta") == 0
    assert road.states() == {"parked": 1}
    road.people({"u3": 33})
    assert road.command("delta") == 0
    road.delivered()


def test_redriving_while_the_cause_is_still_there_parks_again_and_says_so(road: Road) -> None:
    road.crowd(3)
    road.sandbox.set_faults(fail_users=["u1"])
    assert road.command("delta") == 1
    assert road.command("parked", "redrive", "--all") == 1
    assert road.states() == {"parked": 1}
    assert road.sandbox.sent_counts() == {"u0": 1, "u1": 2, "u2": 1}


@pytest.mark.parametrize(("window", "attempts"), [(0.001, 4), (3.0, 2)], ids=["attempts", "window"])
def test_a_user_is_parked_only_when_both_the_window_and_the_attempts_are_used_up(
    road: Road, window: float, attempts: int
) -> None:
    road.configure(retry={"window": f"{window}s", "attempts": attempts, "longest_delay": "100ms"})
    road.crowd(1)
    road.sandbox.set_faults(status=500)
    assert road.command("delta", "--wait", "30") == 1
    [(state, reason, tries)] = road.rows("SELECT state, reason, attempts FROM slot")
    assert (state, reason) == ("parked", "500 as set by the fault status")
    sent = road.sandbox.sent_counts()["u0"]
    assert sent == tries
    with road.opened() as database, database.read() as connection:
        first, *_, last = connection.scalars(select(attempt.c.at).order_by(attempt.c.id))
    assert attempts <= sent < 20
    assert sent == attempts or window > 1
    assert (last - first).total_seconds() >= window

    road.sandbox.replace_faults()
    assert road.command("parked", "redrive", "u0") == 0
    road.delivered()
    # Parked in doubt: a 500 may have been applied. So the success that follows is confirmed (R4).
    assert road.sandbox.sent_counts()["u0"] == sent + 2
