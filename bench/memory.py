"""(c) The most memory that a command ever has, at a number of users and at a tenth of them.

Two commands, each in a process of its own: ``delta --no-deliver`` on an empty store, where everybody is new and is owed,
and ``delta`` after it, which refreshes again and delivers to a sink that answers at once. So that it ends within a
minute, all but 20,000 users are taken out of the outbox between the two, unless everybody is asked for.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from sqlalchemy import text

from bench.people import audience, fill
from bench.places import Place, Places
from bench.sink import sink
from bench.table import Row, heading, line

AT_MOST_MB = 150
AT_MOST = 1.2
DELIVERED = 20_000


def run(places: Places, users: int, *, everybody: bool) -> None:
    """Print the table for both engines."""
    fewer = users // 10
    heading(f"(c) peak memory of a command at {users:,} users, against {AT_MOST_MB} MB and against {fewer:,} users: MB")
    with sink(0) as url:
        small, large = places.fresh(), places.fresh()
        for less, more in zip(small, large, strict=True):
            delivered = None if everybody else min(DELIVERED, fewer)
            before = _peaks(less, url, fewer, delivered)
            after = _peaks(more, url, users, delivered)
            for what, little, much in zip(("refresh", "refresh and delivery"), before, after, strict=True):
                line(_row(f"{what}: to {AT_MOST_MB} MB", more, much, AT_MOST_MB, 1.0))
                line(_row(f"{what}: to {fewer:,} users", more, much, little, AT_MOST))


def _row(what: str, place: Place, ours: float, ceiling: float, at_most: float) -> Row:
    return Row(what, place.engine, f"{ours:.0f} MB", f"{ceiling:.0f} MB", ours / ceiling, at_most=at_most)


def _peaks(place: Place, url: str, users: int, delivered: int | None) -> tuple[float, float]:
    """The peaks of both commands, in MB."""
    fill(place, users, days=(0,))
    with tempfile.TemporaryDirectory(prefix="engage-sync-bench-") as folder:
        config = Path(folder) / "sync.yaml"
        # JSON is YAML.
        config.write_text(json.dumps(_configuration(place, url)))
        with place.database():
            pass
        refreshing = _peak("delta", "--no-deliver", "--config", str(config))
        if delivered is not None:
            _forget_all_but(place, delivered)
        return refreshing, _peak("delta", "--config", str(config))


def _configuration(place: Place, url: str) -> dict[str, object]:
    store = {"url": place.store_url} | ({"schema": place.store_schema} if place.store_schema else {})
    sink_settings = {"type": "pushwoosh", "api_key": "key", "app_code": "AAAAA-BBBBB", "base_url": url}
    return {
        "version": 1,
        "store": store,
        "sources": {"shop": place.source_url},
        "destinations": {"sink": sink_settings},
        "audiences": [{"name": "Member", "sql": audience(0).sql}],
    }


def _peak(*command: str) -> float:
    done = subprocess.run(
        [sys.executable, "-m", "bench.footprint", *command], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return int(done.stderr.splitlines()[-1]) / 1024


def _forget_all_but(place: Place, users: int) -> None:
    statement = text("DELETE FROM slot WHERE user_id NOT IN (SELECT user_id FROM slot ORDER BY user_id LIMIT :users)")
    with place.database() as database, database.write() as connection:
        connection.execute(statement, {"users": users})
