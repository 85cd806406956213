"""docs/operations.md on upgrades: what runs goes on when the schema moves on, says so, and cannot be started again."""

from __future__ import annotations

import signal
import urllib.error
import urllib.request

import orjson
import pytest

from tests.daemon.running import Running, running, schedule
from tests.daemon.test_daemon import arrived
from tests.proofs import Road

NEWER = "written by a newer version"
MIGRATION = (
    "ALTER TABLE run ADD COLUMN later text",
    "CREATE TABLE later (id integer PRIMARY KEY)",
    "UPDATE alembic_version SET version_num = '9999'",
)
"""What a migration of the next version does, as long as it only adds."""


def migrate_onwards(road: Road) -> None:
    with road.opened() as database, database.write() as connection:
        for statement in MIGRATION:
            connection.exec_driver_sql(statement)


def readiness(daemon: Running) -> tuple[int, list[str]]:
    url = f"http://{daemon.hear('web.listening')['address']}/readyz"
    try:
        with urllib.request.urlopen(url) as answer:
            return answer.status, orjson.loads(answer.read())["reasons"]
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code, orjson.loads(refused.read())["reasons"]


def test_a_running_daemon_goes_on_after_a_migration_and_shows_it(road: Road) -> None:
    road.crowd(10)
    schedule(road)
    with running(road) as daemon:
        daemon.until(lambda: arrived(road), "the crowd does not arrive")
        migrate_onwards(road)
        road.people({"u3": 1000, "new": 1})
        daemon.until(lambda: arrived(road), "the change does not arrive after the migration")
        status, reasons = readiness(daemon)
        assert status == 503
        assert NEWER in reasons[0]
        daemon.signal(signal.SIGHUP)
        assert NEWER in str(daemon.hear("configuration.refused")["problems"])
        daemon.stop()
        assert not daemon.events("service.failed"), daemon.said
    road.delivered()


def test_after_a_migration_the_version_before_is_not_started_again(
    sqlite_road: Road, capsys: pytest.CaptureFixture[str]
) -> None:
    migrate_onwards(sqlite_road)
    assert sqlite_road.command("daemon", "--web-listen", "off") == 2
    assert NEWER in capsys.readouterr().err
