"""What was delivered is counted for the whole process, over all dispatchers there were."""

from __future__ import annotations

from collections.abc import Mapping

from sync import telemetry
from tests.proofs import Road

COUNTERS = ("delivered", "deferred", "refused", "parked", "exchanges")


def counters() -> dict[tuple[str, str], float]:
    """Everything counted so far, by counter and verdict."""
    return {
        (name, dict(labels).get("verdict", "")): number
        for name in COUNTERS
        for labels, number in telemetry.counted(name).items()
        if ("destination", "pushwoosh") in labels
    }


def since(before: Mapping[tuple[str, str], float]) -> dict[tuple[str, str], float]:
    """What was added, without what was not."""
    return {key: now - before.get(key, 0) for key, now in counters().items() if now != before.get(key, 0)}


def test_users_are_counted_once_and_every_exchange_by_its_verdict(sqlite_road: Road) -> None:
    before = counters()
    sqlite_road.crowd(10)
    sqlite_road.sandbox.set_faults(fail_users=frozenset({"u3"}))
    assert sqlite_road.command("delta") == 1
    assert since(before) == {
        ("delivered", ""): 9,
        ("refused", ""): 1,
        ("parked", ""): 1,
        ("exchanges", "accepted"): 9,
        ("exchanges", "refused"): 1,
    }
    sqlite_road.sandbox.set_faults(fail_users=frozenset())
    sqlite_road.command("parked", "redrive", "--all")
    sqlite_road.command("delta")
    assert since(before)["delivered", ""] == 10


def test_a_user_who_is_put_off_is_counted_each_time_and_delivered_once_although_sent_twice(sqlite_road: Road) -> None:
    before = counters()
    sqlite_road.crowd(1)
    sqlite_road.sandbox.set_faults(error_rate=1)
    sqlite_road.command("delta", "--wait", "1")
    put_off = since(before)
    assert put_off["deferred", ""] == put_off["exchanges", "unknown"] > 0
    assert ("delivered", "") not in put_off
    sqlite_road.sandbox.set_faults(error_rate=0)
    sqlite_road.command("delta")
    assert since(before)["delivered", ""] == 1
    assert since(before)["exchanges", "accepted"] == 2
