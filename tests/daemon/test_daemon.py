"""The daemon, whole: what changes in the customer's database arrives at the destination, on time and by itself."""

from __future__ import annotations

import signal
import urllib.request
from collections import Counter

import orjson

from tests.daemon.running import Running, running, schedule
from tests.daemon.watching import ready
from tests.proofs import Road

USERS = 60


def arrived(road: Road) -> bool:
    """Whether the destination has exactly what the customer has."""
    held = {user_id: user["attributes"] for user_id, user in road.sandbox.users().items()}
    return held == {user_id: {"members": True, "score": score} for user_id, score in road.wanted.items()}


def every_tick_has_one_run(road: Road) -> None:
    """Each tick that was done has exactly one recorded run, and no recorded run is without its tick."""
    done = Counter(road.rows("SELECT key, instant FROM tick WHERE state = 'done'"))
    runs = Counter(
        road.rows(
            "SELECT key, tick FROM run JOIN definition ON definition.id = run.definition_id WHERE status = 'succeeded'"
        )
    )
    assert done == runs
    assert set(done.values()) == {1}


def test_what_changes_arrives_by_itself_and_once(road: Road) -> None:
    road.crowd(USERS)
    schedule(road)
    with running(road) as daemon:
        daemon.until(lambda: arrived(road), "the crowd does not arrive")
        assert set(road.sandbox.sent_counts().values()) <= {1, 2}  # membership and score may be two changes
        before = road.sandbox.sent_counts()
        road.people({"u7": 1000, "new": 1})
        daemon.until(lambda: arrived(road), "the change does not arrive")
        daemon.hear("run.succeeded", len(daemon.events("run.succeeded")) + 2)
        now = road.sandbox.sent_counts()
        assert {user_id for user_id in now if now[user_id] != before.get(user_id, 0)} == {"u7", "new"}
        assert now["u7"] == before["u7"] + 1
        daemon.stop()
        for name in ("service.failed", "service.cut_off", "tick.failed", "tick.lost"):
            assert not daemon.events(name), daemon.said
    road.delivered()
    every_tick_has_one_run(road)


def test_three_daemons_share_the_work_and_no_tick_is_run_twice(sqlite_road: Road) -> None:
    sqlite_road.crowd(USERS)
    schedule(sqlite_road)
    with running(sqlite_road) as first, running(sqlite_road) as second, running(sqlite_road) as third:
        daemons = (first, second, third)
        first.until(lambda: arrived(sqlite_road), "the crowd does not arrive")
        for number in range(3):
            sqlite_road.people({f"u{number}": 1000 + number})
            first.until(lambda: arrived(sqlite_road), "the change does not arrive")
        assert sqlite_road.sandbox.stats()["max_concurrent_per_user"] == 1
        began: list[Running] = [each for each in daemons if each.events("delivery.began")]
        assert len(began) == 1  # one holder of the destination, for the whole time
        for each in daemons:
            each.stop()
    sqlite_road.delivered()
    every_tick_has_one_run(sqlite_road)


def test_a_daemon_killed_in_the_middle_of_a_delivery_is_followed_by_the_other_one(road: Road) -> None:
    road.crowd(400)
    schedule(road)
    road.sandbox.set_faults(latency=0.2)
    with running(road) as one, running(road) as other:
        one.until(lambda: road.sandbox.user_count >= 30, "nothing is delivered")
        victim, follower = (one, other) if one.events("delivery.began") else (other, one)
        victim.signal(signal.SIGKILL)
        victim.process.wait()
        road.sandbox.replace_faults()
        follower.until(lambda: arrived(road) and not road.states(), "the rest does not arrive", 60)
        follower.stop()
    road.delivered()
    every_tick_has_one_run(road)


def test_health_and_metrics_are_shown_while_it_works(sqlite_road: Road) -> None:
    sqlite_road.crowd(3)
    schedule(sqlite_road)
    with running(sqlite_road) as daemon:
        daemon.until(lambda: arrived(sqlite_road), "the crowd does not arrive")
        url = f"http://{daemon.hear('web.listening')['address']}"
        assert f"health and metrics on {url}" in daemon.said
        daemon.until(lambda: ready(daemon), "it does not say that it is ready")
        with urllib.request.urlopen(f"{url}/readyz") as answer:  # noqa: S310 - our own
            assert orjson.loads(answer.read()) == {"ready": True, "reasons": []}
        with urllib.request.urlopen(f"{url}/metrics") as answer:  # noqa: S310
            metrics = answer.read().decode()
        assert 'engage_sync_definition_members{definition="members"} 3.0' in metrics
        for service in ("ticker", "worker-1", "leader", "delivery-pushwoosh", "rescuer"):
            assert f'engage_sync_service_up{{service="{service}"}} 1.0' in metrics
        daemon.stop()
