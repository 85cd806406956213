"""kill -9 at every step of a refresh that reads on from where the last one was: no change is lost, and none is sent twice."""

from __future__ import annotations

import signal
import sqlite3
from contextlib import closing

import orjson
import pytest

from tests.proofs import TRANSPORTS, Road, ended

STEPS = ("claimed", "reading", "staged", "recorded", "committed")


def buys(road: Road, user_id: str) -> None:
    with closing(sqlite3.connect(road.folder / "shop.db")) as connection, connection:
        connection.execute("CREATE TABLE IF NOT EXISTS bought (id integer PRIMARY KEY, user_id text, bought_at text)")
        connection.execute("INSERT INTO bought (user_id, bought_at) VALUES (?, '2026-11-01')", [user_id])


def ask(road: Road) -> None:
    document = orjson.loads(road.config.read_bytes()) | {"traits": []}
    bought = {"table": "bought", "event": "Bought", "user_id": "user_id", "timestamp": "bought_at", "cursor": "id"}
    document["sources"]["shop"]["events"] = [bought | {"lateness": "0 s"}]
    document["audiences"] = [{"name": "Buyers", "query": "event('Bought').count() >= 1"}]
    road.config.write_bytes(orjson.dumps(document))


@pytest.mark.parametrize("transport", TRANSPORTS[:1])
def test_an_incremental_refresh_killed_at_any_step_loses_no_change(road: Road) -> None:
    ask(road)
    buys(road, "first")
    assert road.command("delta") == 0
    for step in STEPS:
        buys(road, step)
        code, said = ended(road.spawn("delta", "--no-deliver", die_at=f"refresh.{step}"))
        assert code == -signal.SIGKILL, said
        road.clients_gone()
    buys(road, "last")
    assert road.command("delta") == 0

    assert road.sandbox.sent_counts() == dict.fromkeys(("first", *STEPS, "last"), 1)
    recorded = road.rows("SELECT extent, candidates, entered FROM run WHERE status = 'succeeded' ORDER BY id")
    assert recorded == [("full", None, 1), ("incremental", 5, 5), ("incremental", 1, 1)]
