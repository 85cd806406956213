"""Events inside events: as many as the language allows, and a sentence where SQLite cannot follow."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime
from sqlite3 import OperationalError, connect

import pytest

from sync.errors import QueryError
from sync.language.checker import MOST_WHERES
from sync.source.scratch import scratch
from tests.language.compiled import opened, query

AS_OF = datetime(2024, 3, 1, tzinfo=UTC)


def funnel(reduced: str, steps: int) -> str:
    """Each event followed by another one, so many times."""
    deepest = f"event('A').within(parent: 1 day){reduced}"
    inner = "event('A').within(parent: 1 day).where(" * (steps - 1) + deepest + f"){reduced}" * (steps - 1)
    return f"event('A').where({inner}).count() = 1"


@pytest.mark.parametrize("engine", ["sqlite", "postgresql", "duckdb"])
def test_a_funnel_has_as_many_steps_as_the_language_allows(engine: str, request: pytest.FixtureRequest) -> None:
    hours = [{"userId": "ann", "event": "A", "timestamp": f"2024-01-01T{hour:02}:00:00Z"} for hour in range(8)]
    with opened(engine, request) as database:
        database.load([], hours[: MOST_WHERES + 1])
        asked = query(funnel(".count() >= 1", MOST_WHERES), {})
        assert database.answer(asked, AS_OF) == {"kind": "audience", "members": ["ann"]}
        database.load([], hours[:MOST_WHERES])
        assert database.answer(asked, AS_OF) == {"kind": "audience", "members": []}


def _follows(levels: int) -> bool:
    try:
        with closing(connect(":memory:")) as connection:
            connection.execute("SELECT " + "(" * levels + "1" + ")" * levels)
    except OperationalError:
        return False
    return True


@pytest.mark.skipif(_follows(200), reason="this SQLite takes room as it needs it")
def test_where_sqlite_cannot_follow_it_says_what_to_do() -> None:
    asked = query(funnel(".mode(property('x'), 1) = 'a'", MOST_WHERES), {})
    with scratch() as database, pytest.raises(QueryError, match=r"put fewer `event\(…\)` into one another's `where`"):
        database.answer(asked, AS_OF)
