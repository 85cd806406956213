"""SIGTERM in the middle of a large delivery: out within the drain time, nobody is sent twice, the rest goes on later."""

from __future__ import annotations

import time

import pytest

from sync.daemon.daemon import DRAIN_SECONDS
from tests.daemon.running import running, schedule
from tests.proofs import Road
from tests.soak import FULL, patience

USERS = 20_000 if FULL else 1_500


@pytest.mark.soak
@pytest.mark.timeout(900)
def test_a_daemon_that_is_stopped_in_the_middle_of_a_delivery_goes_on_at_its_next_start(road: Road) -> None:
    schedule(road, "every 1 days")
    road.crowd(USERS)
    assert road.command("delta", "--no-deliver") == 0
    road.sandbox.set_faults(latency=0.1)
    with running(road) as found:
        found.until(lambda: road.sandbox.user_count >= USERS // 10, "nothing is delivered", 60)
        told = time.monotonic()
        found.stop()
        assert time.monotonic() - told < patience(DRAIN_SECONDS)
    assert road.states() == {"due": USERS - road.sandbox.user_count}
    assert not road.rows("SELECT 1 FROM slot WHERE doubt OR attempts > 0")

    road.sandbox.replace_faults()
    with running(road) as found:
        found.until(lambda: road.sandbox.user_count == USERS and not road.states(), "the rest is not delivered", 120)
        found.stop()
    road.delivered()
    assert set(road.sandbox.sent_counts().values()) == {1}
