"""A daemon whose SQLite file is deleted says so wherever it is watched, records nothing, and makes no new one."""

from __future__ import annotations

import signal
import urllib.error
import urllib.request
from pathlib import Path

import orjson

from tests.daemon.running import Running, running, schedule
from tests.daemon.watching import arrived
from tests.proofs import Road


def asked(daemon: Running, page: str) -> tuple[int, str]:
    """What a page of the daemon says."""
    address = daemon.hear("web.listening")["address"]
    try:
        with urllib.request.urlopen(f"http://{address}{page}") as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def says_that_it_is_gone(daemon: Running) -> bool:
    status, said = asked(daemon, "/readyz")
    return status == 503 and orjson.loads(said)["reasons"][0].startswith("the store's file is gone: ")


def test_a_store_that_is_deleted_is_told_and_neither_written_nor_made_anew(sqlite_road: Road) -> None:
    file = Path(sqlite_road.store.removeprefix("sqlite:///"))
    sqlite_road.people({"u1": 1})
    schedule(sqlite_road, "every 1 second")
    with running(sqlite_road) as daemon:
        daemon.until(lambda: arrived(sqlite_road), "nothing is delivered")
        for each in file.parent.glob(f"{file.name}*"):
            each.unlink()
        daemon.until(lambda: says_that_it_is_gone(daemon), "it says that it is ready")
        recorded = len(daemon.events("run.succeeded"))
        daemon.until(lambda: scraped(daemon) == (0, "engage_sync_store_up 0.0"), "metrics do not say so")
        daemon.signal(signal.SIGHUP)
        refused = daemon.hear("configuration.refused")
        assert refused["problems"][0].startswith("the store's file is gone: ")
        daemon.hear("service.failed", 2)
        assert says_that_it_is_gone(daemon)
        assert len(daemon.events("run.succeeded")) == recorded
        assert not list(file.parent.glob(f"{file.name}*"))
        mistakes = [each["reason"] for each in daemon.events("service.failed") if each["level"] == "error"]
        assert not mistakes
        assert not daemon.events("web.failed")


def scraped(daemon: Running) -> tuple[int, str]:
    """Whether scraping fails, and whether the store is up."""
    status, said = asked(daemon, "/metrics")
    (up,) = [line for line in said.splitlines() if line.startswith("engage_sync_store_up")]
    return status - 200, up
