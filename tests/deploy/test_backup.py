"""docs/operations.md on backups: a copy that is made while the daemon works, and what is sent again after a restore."""

from __future__ import annotations

import re
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import orjson
import pytest

from sync.model.run import RunKind
from tests.children import ROOT
from tests.daemon.running import running, schedule
from tests.daemon.test_daemon import arrived
from tests.proofs import Road

PAGE = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")


def copy_as_documented(folder: Path, store: str) -> Path:
    """Run the page's command on the store of this folder."""
    found = re.search(r"^\$ python (-c .*VACUUM INTO.*)$", PAGE, re.MULTILINE)
    assert found is not None
    code = found[1].removeprefix("-c ").strip().strip("'").replace("engage-sync.db", store)
    subprocess.run([sys.executable, "-c", code], cwd=folder, check=True)
    return folder / "backup.db"


def restore(road: Road, copy: Path) -> None:
    for name in ("store.db", "store.db-wal", "store.db-shm"):
        (road.folder / name).unlink(missing_ok=True)
    copy.rename(road.folder / "store.db")


def test_a_copy_made_while_the_daemon_works_is_a_whole_store(sqlite_road: Road) -> None:
    sqlite_road.crowd(50)
    schedule(sqlite_road)
    with running(sqlite_road) as daemon:
        daemon.until(lambda: arrived(sqlite_road), "the crowd does not arrive")
        copy = copy_as_documented(sqlite_road.folder, "store.db")
        daemon.stop()
    with closing(sqlite3.connect(copy)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert connection.execute("SELECT count(*) FROM snapshot").fetchone() == (100,)


def test_after_a_restore_what_was_decided_since_is_planned_and_sent_again(
    sqlite_road: Road, capsys: pytest.CaptureFixture[str]
) -> None:
    sqlite_road.crowd(10)
    assert sqlite_road.command("delta") == 0
    copy = copy_as_documented(sqlite_road.folder, "store.db")
    sqlite_road.people({"u3": 1000, "new": 1})
    assert sqlite_road.command("delta") == 0
    before = sqlite_road.sandbox.sent_counts()
    restore(sqlite_road, copy)
    capsys.readouterr()
    assert sqlite_road.command("plan", "--json") == 0
    assert orjson.loads(capsys.readouterr().out)["destinations"][0]["users"] == 2
    assert sqlite_road.command("delta") == 0
    now = sqlite_road.sandbox.sent_counts()
    assert {user_id for user_id in now if now[user_id] != before[user_id]} == {"u3", "new"}
    sqlite_road.delivered()


def test_a_delta_after_a_restore_sends_no_value_that_was_owed_when_the_copy_was_made(sqlite_road: Road) -> None:
    sqlite_road.crowd(10)
    sqlite_road.refresh(RunKind.DELTA)
    copy = copy_as_documented(sqlite_road.folder, "store.db")
    sqlite_road.people({"u3": 1000})
    assert sqlite_road.command("delta") == 0
    restore(sqlite_road, copy)
    assert sqlite_road.command("delta") == 0
    assert set(sqlite_road.sandbox.values("u3", "score")) == {1000}
    sqlite_road.delivered()


def test_what_came_and_went_between_copy_and_restore_is_as_the_page_says(sqlite_road: Road) -> None:
    sqlite_road.crowd(10)
    assert sqlite_road.command("delta") == 0
    copy = copy_as_documented(sqlite_road.folder, "store.db")
    sqlite_road.people({"u3": 1000, "guest": 1})
    assert sqlite_road.command("delta") == 0
    restore(sqlite_road, copy)
    sqlite_road.people({"u3": 3})
    with closing(sqlite3.connect(sqlite_road.folder / "shop.db")) as shop, shop:
        shop.execute("DELETE FROM person WHERE user_id = 'guest'")
    assert sqlite_road.command("delta") == 0
    assert sqlite_road.sandbox.values("u3", "score")[-1] == 1000  # the destination keeps the value between
    assert sqlite_road.command("backfill") == 0
    assert sqlite_road.sandbox.values("u3", "score")[-1] == 3
    assert sqlite_road.sandbox.values("guest", "members") == [True]  # and nobody knows
