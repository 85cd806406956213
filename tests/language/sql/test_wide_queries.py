"""As many streams at once as the language allows: more than SQLite joins tables."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from sync.language.checker import MOST_EXPRESSIONS
from tests.language.compiled import opened, query

AS_OF = datetime(2024, 3, 1, tzinfo=UTC)


@pytest.mark.parametrize("engine", ["sqlite", "postgresql", "duckdb"])
def test_fifty_streams_are_asked_about_in_one_statement(engine: str, request: pytest.FixtureRequest) -> None:
    numbers = range(MOST_EXPRESSIONS)
    any_of = " OR ".join(f"event('A{number}').sum(property('y')) > 5" for number in numbers)
    none_of = " AND ".join(f"event('A{number}').count() = 0" for number in numbers)
    events = [
        {"userId": f"u{x:02}", "event": f"A{x}", "timestamp": "2024-02-01", "properties": {"y": x % 10}}
        for x in range(MOST_EXPRESSIONS + 1)
    ]
    with opened(engine, request) as database:
        database.load([{"user_id": "idle"}], events)
        members = database.answer(query(any_of, {}), AS_OF)["members"]
        others = database.answer(query(none_of, {}), AS_OF)["members"]

    assert members == [f"u{x:02}" for x in numbers if x % 10 > 5]
    assert others == ["idle", f"u{MOST_EXPRESSIONS}"]


@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
@pytest.mark.parametrize("function", ["one_of", "contains_one"])
def test_lists_may_have_thousands_of_values(engine: str, function: str, request: pytest.FixtureRequest) -> None:
    many = [f"'v{number}'" for number in range(1_200)]
    values = ", ".join([*many, "7"] if function == "one_of" else many)
    plans: dict[str, object] = {"ann": "v1199", "bob": "w", "cid": 7, "dan": "7", "eve": None}
    with opened(engine, request) as database:
        database.load([{"user_id": user, "traits": {"plan": plan}} for user, plan in plans.items()], [])
        members = database.answer(query(f"trait('plan').{function}([{values}])", {}), AS_OF)["members"]
        others = database.answer(query(f"NOT trait('plan').{function}([{values}])", {}), AS_OF)["members"]

    assert members == (["ann", "cid"] if function == "one_of" else ["ann"])
    assert sorted([*members, *others]) == sorted(plans)
