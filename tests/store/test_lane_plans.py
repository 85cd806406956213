"""What is written about forwarded events costs as much as they are, however many others wait."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from sync.store.engine import Database
from sync.store.sqlite import lanes


@pytest.mark.parametrize("statement", [lanes.KEEP, lanes.DONE], ids=["keep", "done"])
def test_events_that_wait_are_found_by_their_numbers(sqlite_database: Database, statement: str) -> None:
    with sqlite_database.read() as connection:
        values = {"destination": "d", "batch": "[]"}
        steps = [row.detail for row in connection.execute(text(f"EXPLAIN QUERY PLAN {statement}"), values)]
    assert [step for step in steps if "(destination=? AND event_id=?)" in step]
    assert not [step for step in steps if "(destination=?)" in step]
