"""What is being sent is found by itself, however many others wait: SQLite would rather go through the whole table."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from sync.store.engine import Database
from sync.store.sqlite import bulks, slots

STATEMENTS = {
    "claimed": slots.CLAIMED,
    "rescue": slots.RESCUE,
    "rescue_bulk": slots.RESCUE_BULK,
    "claimed_together": bulks.CLAIMED,
    "apart": bulks.APART,
    "put_back": bulks.PUT_BACK,
    "defer": bulks.DEFER,
    "record": bulks.RECORD,
    "accept": bulks.ACCEPT,
    "confirm": bulks.CONFIRM,
    "keep_newer": bulks.KEEP_NEWER,
}


@pytest.mark.parametrize("statement", STATEMENTS.values(), ids=STATEMENTS.keys())
def test_claims_are_found_by_the_index_of_what_is_being_sent(sqlite_database: Database, statement: str) -> None:
    explained = text(f"EXPLAIN QUERY PLAN {statement}")
    with sqlite_database.read() as connection:
        values = dict.fromkeys(explained.compile().params, "")
        steps = [row.detail for row in connection.execute(explained, values)]
    assert [step for step in steps if "USING INDEX slot_sending (destination=? AND lease_until" in step]
