"""Two processes on one store: one delivers and the other watches, and takes over at once when the first one dies."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest

from tests.children import Child
from tests.proofs import Road, ended, until
from tests.soak import patience

USERS = 600


def succeeded(road: Road) -> int:
    (found,) = road.rows("SELECT count(*) FROM run WHERE status = 'succeeded'")[0]
    assert isinstance(found, int)
    return found


def both(road: Road) -> tuple[Child, Child]:
    """A backfill that is delivering, and a delta beside it that has recorded what it found."""
    road.crowd(USERS)
    road.sandbox.set_faults(latency=1.0)
    first = road.spawn("backfill")
    until(lambda: road.sandbox.requests > 0, "nothing is delivered")
    second = road.spawn("delta")
    until(lambda: succeeded(road) == 4, "the delta does not get to record")
    assert first.poll() is None
    assert second.poll() is None
    assert road.sandbox.user_count < USERS
    road.sandbox.replace_faults()
    return first, second


def test_beside_a_process_that_delivers_another_one_watches_and_nobody_is_sent_twice(road: Road) -> None:
    first, second = both(road)
    code, said = ended(second)
    assert code == 0, said
    # It watched until all was delivered, and does not claim it; it says who did it, unless that one was too quick.
    found = re.search(r"^pushwoosh: (.*)$", said, re.MULTILINE)
    assert found is not None, said
    assert found[1] == "0 users sent" or f"process {first.pid} on " in found[1]
    code, said = ended(first)
    assert code == 0, said
    assert f"pushwoosh: {USERS} users sent" in said
    road.delivered()
    assert set(road.sandbox.sent_counts().values()) == {1}


def test_two_processes_started_at_once_deliver_everybody_once(road: Road) -> None:
    road.crowd(USERS)
    children = [road.spawn("backfill"), road.spawn("backfill")]
    said = [ended(child) for child in children]
    # Who finds the other one refreshing says so and ends with 1, after watching the delivery all the same.
    assert all(code == 0 or (code == 1 and "is going on in process" in text) for code, text in said), said
    road.delivered()
    # Two backfills may each owe everybody once, if the second begins when the first has ended.
    assert set(road.sandbox.sent_counts().values()) <= {1, 2}
    assert road.sandbox.stats()["max_concurrent_per_user"] == 1


def test_the_watcher_takes_over_at_once_when_the_deliverer_is_killed(road: Road) -> None:
    first, second = both(road)
    road.sandbox.set_faults(latency=0.05)
    first.kill()
    died = time.monotonic()
    first.communicate()
    road.caught_up()
    before = road.sandbox.sent_counts()
    doubtful = set(road.rows("SELECT user_id FROM slot WHERE state = 'sending' OR bulk_token IS NOT NULL"))
    arrived = road.sandbox.requests
    until(lambda: road.sandbox.requests > arrived, "nobody takes over")
    # Far sooner than the lease of a destination runs out (15 s): a holder that is provably dead need not be waited for.
    assert time.monotonic() - died < patience(5)
    # Whatever the dead one was sending is in doubt now, also what its server committed after its death.
    doubtful |= set(road.rows("SELECT user_id FROM slot WHERE doubt OR state = 'confirm'"))

    code, said = ended(second)
    assert code == 0, said
    road.delivered()
    sent = road.sandbox.sent_counts()
    for user_id in road.wanted:
        assert sent[user_id] <= (before[user_id] + 2 if (user_id,) in doubtful else 1)
    assert doubtful


def test_several_first_commands_at_once_set_up_one_store(road: Road) -> None:
    if not road.store.startswith("sqlite"):
        pytest.skip("a PostgreSQL store is set up by migrate")
    Path(road.store.removeprefix("sqlite:///")).unlink(missing_ok=True)
    road.crowd(5)
    children = [road.spawn("delta", "--wait", "10") for _ in range(3)]
    said = [ended(child) for child in children]
    # One may find a definition being refreshed by another; none may find half a store.
    assert all(code == 0 or "is going on in process" in text for code, text in said), said
    assert road.command("delta") == 0
    road.delivered()
