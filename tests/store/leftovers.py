"""What a recording leaves in a store, so that two ways of recording can be compared."""

from __future__ import annotations

from typing import Any

import orjson
from sqlalchemy import text

from sync.store.engine import Database


def left(database: Database) -> list[Any]:
    """All that was decided and is owed, without numbers and times that no two recordings share."""
    decided = (
        "SELECT d.key, p.user_id, p.value FROM snapshot p JOIN definition d ON d.id = p.definition_id ORDER BY 1, 2"
    )
    slots = (
        "SELECT destination, user_id, owed, base, enrichment, version, state, doubt, priority FROM slot ORDER BY 1, 2"
    )
    with database.read() as connection:
        known = [tuple(row) for row in connection.execute(text(decided))]
        rows = connection.execute(text(slots)).all()
    for destination, user, *documents, version, state, doubt, priority in rows:
        said, *others = (orjson.loads(each) if isinstance(each, str) else each for each in documents)
        newest = {key: (value, number == version) for key, (value, number) in said.items()}
        known.append((destination, user, newest, *others, state, bool(doubt), priority))
    return known


def empty(database: Database) -> None:
    """Let nothing be known nor owed."""
    with database.write() as connection:
        for table in ("slot", "snapshot", "enrolment", "run", "definition", "suppression", "deletion", "forgetting"):
            connection.execute(text(f"DELETE FROM {table}"))
