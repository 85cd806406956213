"""A daemon sees through whatever somebody began to forget, and does as Segment's `delete` events say."""

from __future__ import annotations

import hmac
import signal

import httpx
import orjson
import pytest

from sync.daemon import eraser
from sync.daemon.eraser import Eraser
from sync.store import deletions, forgetting
from sync.store.deletions import State
from sync.store.engine import Database
from tests.daemon.running import Running, running, schedule
from tests.moving_clock import MovingClock
from tests.proofs import Road
from tests.soak import FULL
from tests.traces import traces

WHO = "zoe-who-wants-to-be-forgotten"
HOOK = {"listen": "127.0.0.1:0", "keys": {}, "webhooks": {"segment": {"secret": "s3cret-of-the-hook"}}}


def posted(daemon: Running, *events: dict[str, object]) -> int:
    """Post events as Segment does."""
    body = orjson.dumps(events)
    signature = hmac.new(b"s3cret-of-the-hook", body, "sha1").hexdigest()
    address = daemon.hear("collect.listening", seconds=60)["address"]
    url = f"http://{address}/v1/webhook/segment"
    return httpx.post(url, content=body, headers={"X-Signature": signature}, timeout=60).status_code


def gone(road: Road) -> bool:
    with road.opened() as database:
        return not traces(database, WHO) and not forgetting.purgeable(database) and not forgetting.unswept(database)


def populated(road: Road) -> None:
    road.people({WHO: 1, "ann": 2})
    assert road.command("backfill") == 0
    schedule(road, collector=HOOK, privacy={"delete_events": True})


@pytest.mark.waits
@pytest.mark.parametrize("step", ["recorded", "answered"] if FULL else ["answered"])
def test_a_daemon_killed_over_a_deletion_is_followed_by_one_that_sees_it_through(sqlite_road: Road, step: str) -> None:
    road = sqlite_road
    populated(road)
    asked = {"type": "delete", "userId": WHO}
    with running(road, "--log-level", "info", die_at=f"forget.{step}") as daemon:
        try:
            posted(daemon, {"type": "identify", "userId": WHO, "traits": {"n": 1}}, asked)
        except httpx.HTTPError:
            assert step == "recorded"
        assert daemon.ended(60) == -signal.SIGKILL
    with running(road, "--log-level", "info") as daemon:
        # Nobody who was not answered stops asking.
        assert posted(daemon, asked) == 200
        daemon.until(lambda: set(road.sandbox.users()) == {"ann"}, "it is not deleted", seconds=60)
        daemon.until(lambda: gone(road), "something is left", seconds=60)
        daemon.stop()
    assert [row[0] for row in road.rows("SELECT asked_by FROM forgetting")] == ["webhook segment"]


def test_a_command_watches_the_daemon_delete(sqlite_road: Road) -> None:
    road = sqlite_road
    populated(road)
    with running(road, "--log-level", "info") as daemon:
        daemon.hear("delivery.began", seconds=60)
        assert road.command("user", "forget", WHO, "--yes") == 0
        assert set(road.sandbox.users()) == {"ann"}
        daemon.until(lambda: gone(road), "something is left", seconds=60)
        daemon.stop()


def finished(database: Database, clock: MovingClock) -> int:
    number = forgetting.forget(database, WHO, ["push"], "op")
    assert number is not None
    clock.advance(60)
    (owed,) = deletions.due(database, "push", 1)
    deletions.settle(database, "push", [deletions.Settlement(owed, State.DONE)])
    return number


def test_what_was_cut_off_is_swept_and_overwritten(database: Database, clock: MovingClock) -> None:
    number = finished(database, clock)
    assert not forgetting.look(database, number).finished
    duty = Eraser(database, clock)
    duty.sweep()
    assert forgetting.look(database, number).finished
    duty.purge()
    assert forgetting.look(database, number).purged
    assert traces(database, WHO) == []


def test_a_large_file_is_left_to_a_quiet_time(
    sqlite_database: Database, clock: MovingClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(eraser, "LARGEST", 1)
    number = finished(sqlite_database, clock)
    duty = Eraser(sqlite_database, clock)
    duty.sweep()
    duty.purge()
    assert not forgetting.look(sqlite_database, number).purged
