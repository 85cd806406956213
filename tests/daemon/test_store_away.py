"""While the store is away the daemon waits, costs next to nothing, says so where it is watched, and then goes on (M2)."""

from __future__ import annotations

import os
import re
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from tests.daemon.running import Running, running, schedule
from tests.proofs import Road
from tests.soak import whole_only

TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")


@contextmanager
def closed(server: str, store: str) -> Iterator[None]:
    """Nobody can connect to this database, and whoever was connected is not any more."""
    name = re.findall(r"@/(\w+)", store)[0]
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"ALTER DATABASE {name} WITH ALLOW_CONNECTIONS false")  # type: ignore[arg-type]
        try:
            connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (name,))
            yield
        finally:
            connection.execute(f"ALTER DATABASE {name} WITH ALLOW_CONNECTIONS true")  # type: ignore[arg-type]


def cpu_seconds(daemon: Running) -> float:
    fields = Path(f"/proc/{daemon.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_A_SECOND


def ready(daemon: Running) -> bool:
    try:
        with urllib.request.urlopen(f"http://{daemon.hear('web.listening')['address']}/readyz"):
            return True
    except urllib.error.HTTPError:
        return False


@pytest.mark.parametrize("road", ["postgresql"], indirect=True)
@pytest.mark.soak
@whole_only("test_store_trouble does it in CI")
def test_a_daemon_outlives_its_store_and_loses_nothing(road: Road, postgresql_url: str) -> None:
    road.crowd(300)
    schedule(road)
    road.sandbox.set_faults(latency=0.05)
    with running(road) as daemon:
        daemon.until(lambda: road.sandbox.user_count > 20, "nothing is delivered")
        with closed(postgresql_url, road.store):
            daemon.hear("service.failed", 3)
            daemon.until(lambda: not ready(daemon), "it says that it is ready")
            used, began = cpu_seconds(daemon), time.monotonic()
            daemon.until(lambda: time.monotonic() - began >= 10, "time stands still")
            busy = (cpu_seconds(daemon) - used) / (time.monotonic() - began)
        daemon.hear("service.mended", seconds=90)
        daemon.until(lambda: ready(daemon), "it does not say that it is ready", 60)
        road.people({"u1": 1000, "late": 1})
        daemon.until(lambda: len(road.sandbox.users()) == 301 and not road.states(), "the rest does not arrive", 90)
        failed = [event["service"] for event in daemon.events("service.failed")]
        assert max(failed.count(name) for name in failed) <= 2, "each change is told once"
        assert busy < 0.05
        daemon.stop()
    road.delivered()
