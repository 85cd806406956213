"""Told to end, the daemon ends in good order; told to read its file anew, it takes what is right and refuses the rest."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Iterator
from typing import Any

import orjson
import pytest

from sync import telemetry
from sync.daemon import crew, daemon
from sync.daemon.app import App
from sync.daemon.daemon import Daemon
from tests.daemon.running import running, schedule
from tests.proofs import Road

SLOW = (
    "with recursive number(x) as (select 1 union all select x + 1 from number where x < {}) "
    "select user_id from person where (select count(*) from number) > 0"
)


def slow(road: Road, rows: int) -> None:
    """One definition whose query takes a while."""
    schedule(road, audiences=[{"name": "Members", "sql": SLOW.format(rows)}], traits=[])


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
def test_told_to_end_it_finishes_the_refresh_in_hand(sqlite_road: Road, number: signal.Signals) -> None:
    sqlite_road.crowd(3)
    slow(sqlite_road, 3_000_000)
    with running(sqlite_road, "--log-level", "debug") as found:
        found.hear("refresh.claimed")
        found.signal(number)
        assert found.ended() == 0, found.said
        assert found.events("daemon.stopping")[0]["by"] == number.name
    assert sqlite_road.rows("SELECT status FROM run")[-1] == ("succeeded",)
    assert not sqlite_road.rows("SELECT 1 FROM tick WHERE state = 'running'")
    assert not sqlite_road.rows("SELECT 1 FROM lease WHERE until > strftime('%Y-%m-%d %H:%M:%f', 'now')")


def test_told_twice_it_aborts_and_nothing_is_lost_by_it(sqlite_road: Road) -> None:
    sqlite_road.crowd(3)
    slow(sqlite_road, 300_000_000)
    with running(sqlite_road, "--log-level", "debug") as found:
        found.hear("refresh.claimed")
        found.signal(signal.SIGTERM)
        found.hear("daemon.stopping")
        found.signal(signal.SIGTERM)
        assert found.ended(20) == 1  # sooner than the refresh is waited for
        assert found.said.rstrip().endswith("aborted")
    assert sqlite_road.rows("SELECT state FROM tick") == [("running",)]
    slow(sqlite_road, 10)
    with running(sqlite_road) as found:
        found.hear("run.succeeded")
        found.stop()
    assert not sqlite_road.rows("SELECT 1 FROM tick WHERE state = 'running'")


def test_a_wrong_file_is_refused_with_its_problems_and_the_old_one_stays(sqlite_road: Road) -> None:
    sqlite_road.crowd(3)
    schedule(sqlite_road)
    right = sqlite_road.config.read_bytes()
    with running(sqlite_road) as found:
        found.hear("run.succeeded")
        for times, wrong in enumerate((right.replace(b'"audiences"', b'"audience"'), b"version: [", b""), 1):
            sqlite_road.config.write_bytes(wrong)
            found.signal(signal.SIGHUP)
            refused = found.hear("configuration.refused", times)
            assert refused["level"] == "error"
            assert all("sync.yaml" in problem for problem in refused["problems"])
        ran = len(found.events("run.succeeded"))
        found.hear("run.succeeded", ran + 2)
        assert not found.events("configuration.reloaded")
        found.stop()
    assert sqlite_road.rows("SELECT count(*) FROM configuration") == [(1,)]


def test_an_address_that_cannot_be_had_is_refused_and_nobody_is_outdated_by_it(sqlite_road: Road) -> None:
    sqlite_road.crowd(3)
    schedule(sqlite_road, web={"listen": "127.0.0.1:0"})
    with running(sqlite_road, web=None) as first, running(sqlite_road, web=None) as second:
        taken = str(first.hear("web.listening")["address"])
        schedule(sqlite_road, "every 3 seconds", web={"listen": taken})
        second.signal(signal.SIGHUP)
        assert "in use" in second.hear("configuration.refused")["problems"][0]
        schedule(sqlite_road, web={"listen": "off"})
        second.signal(signal.SIGHUP)
        assert second.hear("configuration.reloaded")["generation"] == 1
        first.stop()
        second.stop()


def test_a_right_file_takes_the_place_of_the_old_one_and_the_pages_stay_where_they_are(road: Road) -> None:
    road.crowd(3)
    schedule(road)
    with running(road) as found, running(road) as other:
        found.hear("run.succeeded", 2)
        schedule(road, traits=[{"name": "Double", "sql": "select user_id, 2 * score as value from person"}])
        found.signal(signal.SIGHUP)
        assert found.hear("configuration.reloaded")["generation"] == 2
        found.until(
            lambda: any(event["definition"] == "double" for event in found.events("run.succeeded")), "not refreshed"
        )
        # Whoever has the newest leads, and takes out what has left the file.
        found.hear("definition.removed")
        assert len(found.events("web.listening")) == 1
        # The other one has the older file, says so, and takes no ticks until it is told to read the newer one.
        assert other.hear("configuration.outdated")["newest"] == 2
        ran = len(other.events("run.succeeded"))
        found.hear("run.succeeded", len(found.events("run.succeeded")) + 3)
        assert len(other.events("run.succeeded")) <= ran + 1
        other.signal(signal.SIGHUP)
        assert other.hear("configuration.reloaded")["generation"] == 2
        other.stop()
        found.stop()


def test_a_daemon_that_cannot_start_says_why_and_ends_with_two(sqlite_road: Road) -> None:
    sqlite_road.config.write_text("version: 2\n")
    with pytest.raises(AssertionError, match="it has ended with 2"), running(sqlite_road):
        pass


@pytest.fixture
def heard() -> Iterator[list[tuple[str, dict[str, object]]]]:
    found: list[tuple[str, dict[str, object]]] = []
    stop = telemetry.listen(lambda name, fields: found.append((name, fields)))
    yield found
    stop()


async def test_a_refresh_that_outlasts_the_patience_is_cut_off_and_left_to_others(
    sqlite_road: Road, monkeypatch: pytest.MonkeyPatch, heard: list[tuple[str, dict[str, object]]]
) -> None:
    sqlite_road.crowd(3)
    schedule(sqlite_road, web={"listen": "off"})
    began, go_on = threading.Event(), threading.Event()
    work = crew.refresh

    def hanging(*arguments: Any, **named: Any) -> Any:
        began.set()
        go_on.wait(120)
        return work(*arguments, **named)

    monkeypatch.setattr(crew, "refresh", hanging)
    monkeypatch.setattr(daemon, "DRAIN_SECONDS", 0.2)
    monkeypatch.setattr(daemon, "_MARGIN", -60.0)  # a request's deadline is no reason to wait here
    monkeypatch.setattr(daemon, "_end_by", lambda _: None)  # it would end the tests
    ends = asyncio.create_task(Daemon(lambda: App.load(sqlite_road.config, os.environ), lambda _: None).run())
    try:
        assert await asyncio.to_thread(began.wait, 60)
        os.kill(os.getpid(), signal.SIGTERM)
        async with asyncio.timeout(60):
            assert await ends == 0
    finally:
        go_on.set()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            asyncio.get_running_loop().remove_signal_handler(number)
    cut_off = [str(fields["service"]) for name, fields in heard if name == "service.cut_off"]
    assert any(name.startswith("worker-") for name in cut_off)  # on a slow machine others too


def test_the_lines_of_the_log_are_json_and_name_no_user(sqlite_road: Road) -> None:
    sqlite_road.people({"alice@example.com": 471_108_154_711})
    schedule(sqlite_road)
    with running(sqlite_road, "--log-level", "debug") as found:
        found.hear("run.succeeded", 2)
        found.stop()
        said = found.said
    for line in said.splitlines():
        if line.startswith("{"):
            assert {"time", "level", "event"} <= orjson.loads(line).keys()
    assert "alice" not in said
    assert "471108154711" not in said
