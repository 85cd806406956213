"""(h) A whole ``backfill`` over bulk requests, against a bare loop that reads the same rows, writes and posts them.

Ours is the command in a process of its own, from nothing to everybody delivered: its start, the refresh, one durable row
for each user, claims, requests, what became of each. The ceiling reads the customer's rows, makes the same bodies and
posts them one after the other; it keeps nothing and asks nothing.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from operator import itemgetter
from pathlib import Path

import aiohttp
import orjson
import psycopg

from bench.people import audience, fill
from bench.places import Place, Places
from bench.sink import sink
from bench.table import Row, heading, line

TOGETHER = 1000
AT_LEAST = 0.1
AT_MOST_MB = 150
_APP = "AAAAA-BBBBB"
_PATH = "/api/v2/audience/bulkSetTags"


def run(places: Places, users: int) -> None:
    """Print the table for both engines."""
    heading(f"(h) backfill of {users:,} users, {TOGETHER:,} in a request, to a sink on this host: users/s")
    with sink(0) as url:
        for place in places.fresh():
            for row in _one_engine(place, url, users):
                line(row)


def _one_engine(place: Place, url: str, users: int) -> Iterator[Row]:
    fill(place, users, days=(0,))
    bare = min(_seconds(place, url) for _ in range(2))
    took, peak = _ours(place, url)
    whole = sum(took)
    start, record, deliver = took
    yield Row(
        "backfill in bulk",
        place.engine,
        f"{users / whole:,.0f}/s",
        f"{users / bare:,.0f}/s",
        bare / whole,
        at_least=AT_LEAST,
        note=f"{whole:.1f} s: {start:.1f} s to start, {record:.1f} s to record, {deliver:.1f} s to deliver and to end",
    )
    yield Row("its memory", place.engine, f"{peak:.0f} MB", f"{AT_MOST_MB} MB", peak / AT_MOST_MB, at_most=1.0)


def _seconds(place: Place, url: str) -> float:
    started = time.perf_counter()
    asyncio.run(_bare(place, url))
    return time.perf_counter() - started


def _ours(place: Place, url: str) -> tuple[tuple[float, float, float], float]:
    """Seconds until the run was claimed, until it was recorded, and until all was delivered and over; and the peak in MB."""
    with tempfile.TemporaryDirectory(prefix="engage-sync-bench-") as folder:
        config = Path(folder) / "sync.yaml"
        config.write_text(json.dumps(_configuration(place, url)))  # JSON is YAML
        with place.database():
            pass
        command = [sys.executable, "-m", "bench.footprint", "backfill", "--config", str(config)]
        started = time.monotonic()
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        ended = time.monotonic()
        assert done.returncode == 0, done.stdout + done.stderr
    *_, steps, peak = done.stderr.splitlines()
    claimed, committed = itemgetter("refresh.claimed", "refresh.committed")(json.loads(steps))
    return (claimed - started, committed - claimed, ended - committed), int(peak) / 1024


def _configuration(place: Place, url: str) -> dict[str, object]:
    store = {"url": place.store_url} | ({"schema": place.store_schema} if place.store_schema else {})
    destination = {
        "type": "pushwoosh",
        "transport": "public-api",
        "token": "server",
        "api_key": "key",
        "app_code": _APP,
        "base_url": url,
    }
    return {
        "version": 1,
        "store": store,
        "sources": {"shop": place.source_url},
        "destinations": {"sink": destination},
        "audiences": [{"name": "Member", "sql": audience(0).sql}],
    }


async def _bare(place: Place, url: str) -> None:
    """Read, write, post; one request after the other."""
    async with aiohttp.ClientSession() as session:
        for users in _rows(place):
            devices = [{"user_id": user, "list_operator": "set", "tags": {"member": True}} for (user,) in users]
            body = {"application": _APP, "auth": "key", "create_missing_tags": True, "devices": devices}
            async with session.post(url + _PATH, data=orjson.dumps(body)) as answer:
                await answer.read()
                assert answer.ok


def _rows(place: Place) -> Iterator[list[tuple[str]]]:
    """The customer's rows, a request's number at a time."""
    asked = str(audience(0).sql)
    if place.on_sqlite:
        with closing(sqlite3.connect(place.source_path)) as connection:
            cursor = connection.execute(asked)
            while rows := cursor.fetchmany(TOGETHER):
                yield rows
    else:
        with psycopg.connect(place.source_url) as other, other.cursor(name="rows") as found:
            found.execute(asked)  # type: ignore[arg-type]
            while batch := found.fetchmany(TOGETHER):
                yield batch
