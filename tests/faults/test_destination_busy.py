"""A destination that is busy, down or away is left alone for as long as it needs, and then everything is delivered."""

from __future__ import annotations

import threading

import pytest

from sync import telemetry
from sync.deliver import breaker
from sync.destinations.sandbox import SandboxThread
from tests.ports import unused_port
from tests.proofs import Road, until


@pytest.fixture(autouse=True)
def _probes_come_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(breaker, "LONGEST_DELAY", 0.2)


def arrivals(road: Road) -> list[float]:
    """The instants at which requests arrived, in seconds from the first."""
    found = [request.time.timestamp() for request in road.sandbox.log]
    return [instant - found[0] for instant in found]


def test_a_429_with_retry_after_pauses_the_whole_destination_for_that_long(road: Road) -> None:
    road.crowd(200)
    road.sandbox.set_faults(status=429, status_count=1, retry_after=1)
    assert road.command("backfill") == 0
    road.delivered()
    # What was in flight when the answer came, then nothing for a second.
    assert all(instant >= 0.8 for instant in arrivals(road)[20:])
    # It said that nothing was applied: sent again, and not confirmed.
    assert sorted(road.sandbox.sent_counts().values())[-2:] == [1, 2]


def test_a_503_with_retry_after_was_not_applied_and_one_without_may_have_been(sqlite_road: Road) -> None:
    sqlite_road.crowd(1)
    sqlite_road.sandbox.set_faults(status=503, status_count=1, retry_after=0)
    assert sqlite_road.command("backfill") == 0
    assert sqlite_road.sandbox.sent_counts() == {"u0": 2}
    sqlite_road.sandbox.set_faults(status=503, status_count=1)
    assert sqlite_road.command("backfill") == 0
    assert sqlite_road.sandbox.sent_counts() == {"u0": 5}
    sqlite_road.delivered()


@pytest.mark.parametrize("told", [True, False], ids=["retry-after", "without"])
def test_a_rate_limit_at_the_destination_parks_nobody_and_in_the_end_everybody_is_delivered(
    sqlite_road: Road, told: bool
) -> None:
    # So slow a destination is too slow for a busy machine as well.
    sqlite_road.crowd(30)
    sqlite_road.sandbox.set_faults(rate_limit=6, rate_limit_retry_after=told)
    assert sqlite_road.command("backfill") == 0
    sqlite_road.delivered()
    assert sqlite_road.sandbox.stats()["refused"]
    assert not sqlite_road.rows("SELECT 1 FROM attempt WHERE verdict NOT IN ('accepted', 'not_applied')")


def test_a_destination_that_is_down_opens_the_breaker_which_closes_when_it_is_up_and_all_is_confirmed(
    road: Road,
) -> None:
    road.crowd(100)
    moves: list[str] = []

    def listener(name: str, _: dict[str, object]) -> None:
        if name.startswith("breaker."):
            moves.append(name)
            if len(moves) == 2:  # the first probe was in vain
                road.sandbox.replace_faults()

    road.sandbox.set_faults(status=500)
    stop = telemetry.listen(listener)
    try:
        assert road.command("backfill") == 0
    finally:
        stop()
    road.delivered()
    assert moves == ["breaker.opened", "breaker.still_open", "breaker.closed"]
    assert road.rows("SELECT breaker FROM destination") == [("closed",)]
    # Opened after 20 failures in a row: those in flight came back as well, and then one probe.
    failed = [request for request in road.sandbox.log if request.status == 500]
    assert 21 <= len(failed) <= 41
    # Whoever got a 500 may hold the value already: sent again, then confirmed. The others are sent once.
    assert road.sandbox.requests == 100 + 2 * len({request.user_id for request in failed}) + len(failed) - len(
        {request.user_id for request in failed}
    )


def test_a_destination_that_comes_up_within_our_patience_is_delivered_and_nothing_was_in_doubt(road: Road) -> None:
    port = unused_port()
    right = road.url
    road.url = f"http://127.0.0.1:{port}"
    road.configure()
    road.crowd(30)
    refused = threading.Event()
    stop = telemetry.listen(lambda name, fields: refused.set() if fields.get("verdict") == "not_sent" else None)
    codes: list[int] = []

    def come_up() -> None:
        refused.wait(60)
        with SandboxThread(road.sandbox, port=port):
            until(lambda: bool(codes), "the command does not end")

    server = threading.Thread(target=come_up)
    server.start()
    try:
        codes.append(road.command("backfill"))
    finally:
        codes.append(-1)
        server.join()
        stop()
        road.url = right
    assert codes[0] == 0
    road.delivered()
    assert refused.is_set()
    assert set(road.sandbox.sent_counts().values()) == {1}


def test_nothing_is_lost_and_the_reason_is_told_when_our_patience_ends(
    sqlite_road: Road, capsys: pytest.CaptureFixture[str]
) -> None:
    sqlite_road.crowd(30)
    right = sqlite_road.config.read_text()
    sqlite_road.config.write_text(right.replace(sqlite_road.url, f"http://127.0.0.1:{unused_port()}"))
    assert sqlite_road.command("backfill", "--wait", "0.5") == 1
    assert "30 users still owed: nothing was accepted for 0.5 s" in capsys.readouterr().out
    assert not sqlite_road.rows("SELECT 1 FROM slot WHERE doubt OR state IN ('sending', 'parked')")
    sqlite_road.config.write_text(right)
    assert sqlite_road.command("backfill") == 0
    sqlite_road.delivered()


def test_our_own_rate_limit_is_kept(sqlite_road: Road) -> None:
    sqlite_road.configure(rate=50)
    sqlite_road.crowd(80)
    assert sqlite_road.command("backfill") == 0
    sqlite_road.delivered()
    # A tenth of a second's worth may go at once; the others at 50 a second. The first may have been noticed late.
    assert arrivals(sqlite_road)[-1] >= (80 - 5) / 50 - 0.5


def test_of_two_destinations_the_one_that_is_down_does_not_hold_up_the_other(
    road: Road, capsys: pytest.CaptureFixture[str]
) -> None:
    road.configure(others={"other": f"http://127.0.0.1:{unused_port()}"})
    road.crowd(100)
    assert road.command("backfill", "--wait", "0.5") == 1
    assert road.sandbox.user_count == 100
    assert road.rows("SELECT destination, count(*) FROM slot GROUP BY 1") == [("other", 100)]
    assert "pushwoosh: 100 users sent" in capsys.readouterr().out
