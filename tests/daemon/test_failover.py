"""When the leader goes, another daemon leads: at once when it said so or is dead, when its lease is over if it hangs."""

from __future__ import annotations

import signal
import sqlite3
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing

import orjson
import pytest

from tests.daemon.running import Running, running, schedule
from tests.proofs import Road
from tests.soak import patience, whole_only


@pytest.fixture
def pair(road: Road) -> Iterator[tuple[Running, Running]]:
    """Two daemons on one store: the one that leads, and the other one."""
    road.crowd(3)
    schedule(road)
    with ExitStack() as stack:
        both = [stack.enter_context(running(road)) for _ in range(2)]
        both[0].until(lambda: leads(road) in {each.pid for each in both}, "nobody leads")
        first = leads(road)
        yield (both[0], both[1]) if both[0].pid == first else (both[1], both[0])


def leads(road: Road) -> int | None:
    """The process that holds the lead, by the store."""
    rows = road.rows("SELECT holder FROM lease WHERE name = 'leader'")
    return orjson.loads(str(rows[0][0]))["pid"] if rows else None


def seconds_until_led_by(road: Road, daemon: Running) -> float:
    began = time.monotonic()
    daemon.until(lambda: leads(road) == daemon.pid, "nobody takes the lead over", patience(25))
    return time.monotonic() - began


def stop_between_writes(road: Road, daemon: Running) -> None:
    """Stop it where it does not write: a file has one writer, and nobody else gets past one that hangs."""
    while True:
        daemon.signal(signal.SIGSTOP)
        if not road.store.startswith("sqlite") or may_write(road.store.removeprefix("sqlite:///")):
            return
        daemon.signal(signal.SIGCONT)
        time.sleep(0.1)


def may_write(file: str) -> bool:
    """Whether nobody is writing to a SQLite file."""
    with closing(sqlite3.connect(file, timeout=0.5, isolation_level=None)) as connection:
        try:
            connection.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError:
            return False
        connection.execute("ROLLBACK")
        return True


def test_a_leader_that_is_killed_is_followed_within_twenty_seconds(road: Road, pair: tuple[Running, Running]) -> None:
    leader, other = pair
    leader.signal(signal.SIGKILL)
    leader.process.wait()
    # On the same host its death can be proven; elsewhere its lease has to run out (as in the next test).
    assert seconds_until_led_by(road, other) < patience(5)
    ticked = len(other.events("run.succeeded"))
    other.hear("run.succeeded", ticked + 2)
    other.stop()


@pytest.mark.soak
@whole_only("waits for a lease")
def test_a_leader_that_hangs_is_followed_when_its_lease_is_over_and_notices_when_it_wakes(
    road: Road, pair: tuple[Running, Running]
) -> None:
    leader, other = pair
    stop_between_writes(road, leader)
    assert seconds_until_led_by(road, other) < patience(20)
    leader.signal(signal.SIGCONT)
    leader.hear("leader.ended")
    assert leads(road) == other.pid
    leader.stop()
    other.stop()
    assert len(other.events("leader.began")) == 1


def test_a_leader_that_is_told_to_end_is_followed_within_a_second(road: Road, pair: tuple[Running, Running]) -> None:
    leader, other = pair
    leader.signal(signal.SIGTERM)
    assert seconds_until_led_by(road, other) < patience(1)
    assert leader.ended() == 0
    other.stop()


def test_a_tick_whose_worker_was_killed_is_run_by_another_daemon_and_recorded_once(road: Road) -> None:
    road.crowd(30)
    schedule(road)
    with running(road, die_at="refresh.staged", occurrence=3) as victim:
        assert victim.ended() == -signal.SIGKILL
        ((key, instant),) = road.rows("SELECT key, instant FROM tick WHERE state = 'running'")[:1]
        with running(road) as other:
            other.hear("ticks.rescued")
            other.until(
                lambda: not road.rows(f"SELECT 1 FROM tick WHERE instant = '{instant}' AND finished_at IS NULL"),
                "the tick is not run",
            )
            other.stop()
    recorded = road.rows(
        "SELECT count(*) FROM run JOIN definition ON definition.id = run.definition_id "
        f"WHERE key = '{key}' AND tick = '{instant}' AND status = 'succeeded'"
    )
    assert recorded == [(1,)]
