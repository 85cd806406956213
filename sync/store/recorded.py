"""What a recording did, and some of what changed, for people."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection

from sync.model.guard import Hold
from sync.model.run import Counts
from sync.store.statement import text

_EACH = 5
_DIRECTIONS = (
    "after IS NULL",
    "after IS NOT NULL AND before IS NULL",
    "before IS NOT NULL AND after IS NOT NULL",
)


@dataclass(frozen=True, slots=True)
class Recorded:
    """What a recording did. ``joined`` and ``resumed`` name destinations that got, or still get, a backfill.

    ``missed``: users whom incremental runs should have found; ``None`` where that was not asked.
    """

    counts: Counts
    hold: Hold | None
    joined: tuple[str, ...]
    resumed: tuple[str, ...]
    missed: int | None = None


@dataclass(frozen=True, slots=True)
class Sample:
    """One changed user, for people: canonical values, ``None`` for "not there"."""

    user_id: str
    before: str | None
    after: str | None


def samples(connection: Connection) -> list[Sample]:
    """Up to five users of each direction in the table ``change``, in the order of their ids."""
    found: list[Sample] = []
    for condition in _DIRECTIONS:
        query = f"SELECT user_id, before, after FROM change WHERE {condition} ORDER BY user_id LIMIT {_EACH}"
        found += [Sample(*row) for row in connection.execute(text(query))]
    return found
