"""A destination that is set up wrongly stops at once with one clear sentence: nobody is parked, nothing is lost."""

from __future__ import annotations

import orjson
import pytest

from sync.destinations.sandbox import Sandbox, SandboxThread
from tests.proofs import Road

USERS = 200


def refused_whole(road: Road, capsys: pytest.CaptureFixture[str]) -> str:
    """Deliver to a destination that is wrong; gives what was said about it."""
    capsys.readouterr()
    assert road.command("backfill") == 1
    said = capsys.readouterr()
    assert road.states() == {"due": USERS}
    assert not road.rows("SELECT 1 FROM slot WHERE attempts > 0 OR doubt")
    assert "Traceback" not in said.err
    [sentence] = [line for line in said.out.splitlines() if "still owed" in line]
    return sentence


def resumed(road: Road, sandbox: Sandbox) -> None:
    """Deliver to a destination that is right again."""
    assert road.command("backfill") == 0
    assert sandbox.user_count == USERS
    assert not road.states()
    assert set(sandbox.sent_counts().values()) == {1}


def test_a_wrong_key_stops_the_destination_at_once_and_all_is_sent_when_it_is_right(
    road: Road, capsys: pytest.CaptureFixture[str]
) -> None:
    road.crowd(USERS)
    right, wrong = road.config, road.config.read_text()
    right.write_text(wrong.replace('"api_key":"key"', '"api_key":"old"'))
    sentence = refused_whole(road, capsys)
    assert sentence == (
        f"pushwoosh: {USERS} users still owed: 401 unauthorized. "
        "Nobody is parked; mend it (engage-sync check tells more) and run delta again"
    )
    # What was in flight when the first answer came, and no more.
    assert road.sandbox.requests <= 20
    right.write_text(wrong)
    resumed(road, road.sandbox)


def test_an_unknown_application_is_the_destinations_fault_and_no_users(
    road: Road, capsys: pytest.CaptureFixture[str]
) -> None:
    road.crowd(USERS)
    right = road.config.read_text()
    road.config.write_text(right.replace('"app_code":"CODE"', '"app_code":"NONE"'))
    unknown = "application not found" if road.takes_batches else "application code is not valid"
    assert f"400 {unknown}. Nobody is parked; mend it" in refused_whole(road, capsys)
    assert road.sandbox.requests <= 20
    road.config.write_text(right)
    resumed(road, road.sandbox)


def test_a_redirect_is_not_followed_but_a_fault(road: Road, capsys: pytest.CaptureFixture[str]) -> None:
    road.crowd(USERS)
    elsewhere = Sandbox()
    with SandboxThread(elsewhere) as other:
        road.sandbox.set_faults(redirect=other.url + "/integration-segment/v1/track-user")
        assert ": 302 " in refused_whole(road, capsys)
        assert not elsewhere.requests
    road.sandbox.replace_faults()
    road.sandbox.reset()
    resumed(road, road.sandbox)


def test_twenty_refusals_in_a_row_are_the_destinations_fault_and_those_twenty_are_not_parked(
    road: Road, capsys: pytest.CaptureFixture[str]
) -> None:
    road.crowd(USERS)
    road.sandbox.set_faults(fail_users=[f"u{position}" for position in range(USERS)])
    assert "20 users refused in a row, none accepted" in refused_whole(road, capsys)
    assert road.sandbox.requests <= 40
    road.sandbox.replace_faults()
    road.sandbox.reset()
    resumed(road, road.sandbox)


def test_refusals_with_a_success_between_them_park_each_one_by_himself(road: Road) -> None:
    road.configure(concurrency=1)
    road.crowd(60)
    refused = [f"u{position}" for position in range(60) if position % 5]
    road.sandbox.set_faults(fail_users=refused)
    assert road.command("delta") == 1
    assert road.states() == {"parked": len(refused)}
    assert road.sandbox.user_count == 12


def test_the_store_remembers_why_a_destination_stopped_and_that_it_works_again(road: Road) -> None:
    road.crowd(3)
    road.sandbox.set_faults(status=403)
    assert road.command("delta") == 1
    [(state, reason)] = road.rows("SELECT breaker, reason FROM destination")
    assert state == "open"
    assert isinstance(reason, str)
    assert reason.startswith("403")
    road.sandbox.replace_faults()
    assert road.command("delta") == 0
    assert road.command("status") == 0


def test_status_says_that_a_destination_works_again(road: Road, capsys: pytest.CaptureFixture[str]) -> None:
    road.crowd(3)
    road.sandbox.set_faults(status=401)
    assert road.command("backfill") == 1
    assert _state(road, capsys)["breaker"] == "open"
    road.sandbox.replace_faults()
    assert road.command("delta") == 0
    found = _state(road, capsys)
    assert (found["breaker"], found["reason"]) == ("closed", "")
    assert str(found["last_error"]).startswith("401")


def test_status_says_why_nothing_gets_through(road: Road, capsys: pytest.CaptureFixture[str]) -> None:
    road.crowd(3)
    road.sandbox.set_faults(status=500)
    assert road.command("backfill", "--wait", "0.1") == 1
    assert "(last: " in capsys.readouterr().out
    assert "500" in str(_state(road, capsys)["last_error"])


def _state(road: Road, capsys: pytest.CaptureFixture[str]) -> dict[str, object]:
    capsys.readouterr()
    assert road.command("status", "--json") == 0
    (found,) = orjson.loads(capsys.readouterr().out)["destinations"]
    return dict(found)
