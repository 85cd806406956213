"""Signals are obeyed whatever the daemon is at: starting, reading its file, refreshing for long, with nobody to read it."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import click
import pytest

from sync.cli import cli
from tests.daemon.running import Running, running, schedule
from tests.proofs import Road

ENDLESS = (
    "with recursive number(x) as (select 1 union all select x + 1 from number) "
    "select user_id from person where (select count(*) from number) > 0"
)


class SilentStore:
    """A PostgreSQL that takes connections and says nothing, for a minute."""

    def __init__(self, listening: socket.socket) -> None:
        self._listening = listening
        self._taken: list[socket.socket] = []
        listening.settimeout(60)

    @property
    def url(self) -> str:
        return f"postgresql://u@127.0.0.1:{self._listening.getsockname()[1]}/x?connect_timeout=60"

    def asked(self) -> None:
        """Wait until somebody connects."""
        self._taken.append(self._listening.accept()[0])

    def close(self) -> None:
        for each in (*self._taken, self._listening):
            each.close()


@pytest.fixture
def silent_store() -> Iterator[SilentStore]:
    store = SilentStore(socket.create_server(("127.0.0.1", 0)))
    yield store
    store.close()


@contextmanager
def starting(road: Road) -> Iterator[Running]:
    """A daemon that may not get as far as to start."""
    found = Running(road)
    try:
        yield found
    finally:
        if found.process.poll() is None:
            found.process.kill()
        found.process.wait()


def test_a_hangup_while_it_starts_is_no_end(sqlite_road: Road, silent_store: SilentStore) -> None:
    schedule(sqlite_road, store=silent_store.url)
    with starting(sqlite_road) as found:
        silent_store.asked()
        found.signal(signal.SIGHUP)
        found.signal(signal.SIGTERM)
        assert found.ended(20) == 0, found.said
        assert found.events("daemon.stopping")
        assert found.said.rstrip().endswith("stopped")


def test_a_hangup_before_it_can_hear_one_is_ignored() -> None:
    former = signal.getsignal(signal.SIGHUP)
    try:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
        cli.resolve_command(click.Context(cli), ["status"])
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_DFL
        cli.resolve_command(click.Context(cli), ["daemon"])
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, former)


def test_told_to_end_it_does_not_wait_for_a_file_that_it_is_reading(
    sqlite_road: Road, silent_store: SilentStore
) -> None:
    sqlite_road.crowd(3)
    schedule(sqlite_road)
    with running(sqlite_road) as found:
        found.hear("run.succeeded")
        schedule(sqlite_road, store=silent_store.url)
        found.signal(signal.SIGHUP)
        silent_store.asked()
        ran = len(found.events("run.succeeded"))
        found.hear("run.succeeded", ran + 2)  # the old file stays in force while the new one is being read
        found.signal(signal.SIGTERM)
        assert found.ended(20) == 0, found.said
        assert not found.events("configuration.refused")
        assert not found.events("service.cut_off")


@pytest.mark.parametrize("by", ["itself", "another daemon"])
def test_a_refresh_of_a_replaced_file_is_given_up_at_once_and_begun_anew(sqlite_road: Road, by: str) -> None:
    sqlite_road.crowd(3)
    schedule(sqlite_road, audiences=[{"name": "Members", "sql": ENDLESS}], traits=[])
    with running(sqlite_road, "--log-level", "debug") as found:
        found.hear("refresh.claimed")
        schedule(sqlite_road, audiences=[{"name": "Members", "sql": "select 'new' as user_id"}])
        if by == "itself":
            found.signal(signal.SIGHUP)
            assert found.hear("configuration.reloaded")["generation"] == 2
            found.hear("tick.given_back")
            assert found.hear("run.succeeded")["definition"] == "members"
            found.stop()
        else:
            with running(sqlite_road) as other:
                found.hear("tick.given_back")
                assert other.hear("run.succeeded")["definition"] == "members"
                other.stop()
            found.stop()
        assert not found.events("service.cut_off")
    runs = sqlite_road.rows("SELECT status, message, tick FROM run ORDER BY id")
    assert [status for status, *_ in runs][:2] == ["lost", "succeeded"]
    assert "the configuration was replaced" in str(runs[0][1])
    assert runs[0][2] == runs[1][2]  # the same tick
    assert sqlite_road.rows("SELECT user_id FROM snapshot") == [("new",)]


def test_the_new_file_is_followed_while_a_request_of_the_old_one_is_still_in_flight(sqlite_road: Road) -> None:
    sqlite_road.crowd(3)
    schedule(sqlite_road, traits=[])
    with running(sqlite_road, "--log-level", "debug") as found:
        found.until(lambda: sqlite_road.sandbox.user_count == 3, "nothing is delivered")
        sqlite_road.sandbox.set_faults(latency=2.5)
        sqlite_road.people({"late": 1})
        found.hear("deliver.sending", 4)
        former = found.pid
        schedule(sqlite_road, audiences=[{"name": "Members", "sql": "select user_id from person where score >= 0"}])
        found.signal(signal.SIGHUP)
        assert found.hear("daemon.started", 2)["pid"] == former
        sqlite_road.sandbox.replace_faults()
        sqlite_road.people({"later": 1})
        found.until(lambda: sqlite_road.sandbox.user_count == 5, "what is owed does not arrive")
        found.stop()
    assert sqlite_road.sandbox.stats()["max_concurrent_per_user"] == 1


def test_nobody_has_to_read_what_it_says(sqlite_road: Road) -> None:
    sqlite_road.crowd(3)
    schedule(sqlite_road)
    pipe = sqlite_road.folder / "pipe"
    os.mkfifo(pipe)
    reads = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    found = Running(sqlite_road, "--log-level", "debug", out=pipe)
    try:
        found.hear("daemon.started")
        os.close(reads)
        schedule(sqlite_road, audiences=[{"name": "Members", "sql": ENDLESS}], traits=[])
        found.signal(signal.SIGHUP)
        found.hear("daemon.started", 2)
        found.until(lambda: _began(found), "the endless refresh does not begin")
        found.signal(signal.SIGTERM)
        found.hear("daemon.stopping")
        found.signal(signal.SIGTERM)
        assert found.ended() == 1
    finally:
        if found.process.poll() is None:
            found.process.kill()
        found.process.wait()


def _began(found: Running) -> bool:
    """Whether a refresh has begun since the last start."""
    said = found.said
    return '"refresh.claimed"' in said[said.rindex('"daemon.started"') :]
