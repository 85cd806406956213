"""What is being sent is found by itself, however many others wait: SQLite would rather go through the whole table."""

from __future__ import annotations

import re

import pytest
from sqlalchemy import text

from sync.store.engine import Database
from sync.store.sqlite import bulks, slots

CLAIMED = {"claimed": slots.CLAIMED, "rescue": slots.RESCUE}

HELD = {
    "make_due": bulks.MAKE_DUE,
    "hold": bulks.HOLD,
    "rescue_bulk": slots.RESCUE_BULK,
    "apart": bulks.APART,
    "put_back": bulks.PUT_BACK,
    "defer": bulks.DEFER,
    "record": bulks.RECORD,
    "accept": bulks.ACCEPT,
    "confirm": bulks.CONFIRM,
    "keep_newer": bulks.KEEP_NEWER,
}


def steps(database: Database, statement: str) -> list[str]:
    explained = text(f"EXPLAIN QUERY PLAN {statement}")
    with database.read() as connection:
        values = dict.fromkeys(explained.compile().params, "")
        return [row.detail for row in connection.execute(explained, values)]


@pytest.mark.parametrize("statement", CLAIMED.values(), ids=CLAIMED.keys())
def test_claims_are_found_by_the_index_of_what_is_being_sent(sqlite_database: Database, statement: str) -> None:
    found = steps(sqlite_database, statement)
    assert [step for step in found if "USING INDEX slot_sending (destination=? AND lease_until" in step]


@pytest.mark.parametrize("statement", HELD.values(), ids=HELD.keys())
def test_what_a_bulk_holds_is_found_by_its_members(sqlite_database: Database, statement: str) -> None:
    of_slots = [step for step in steps(sqlite_database, statement) if re.match(r"(SEARCH|SCAN) (slot|s)\b", step)]
    assert of_slots
    assert all(step.endswith("USING PRIMARY KEY (destination=? AND user_id=?)") for step in of_slots)


def test_a_claim_begins_where_the_last_one_ended(sqlite_database: Database) -> None:
    found = [step for step in steps(sqlite_database, bulks.PICK) if "slot_due" in step]
    assert len(found) == 2
    assert all("destination=? AND priority=? AND (due_at,user_id)>(?,?)" in step for step in found)
