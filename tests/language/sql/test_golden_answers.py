"""Every rule and every example of the language has the answer that was worked out by hand, on each engine."""

from __future__ import annotations

import pytest

from sync.errors import InvalidQuery
from tests.language.compiled import opened, query, said
from tests.language.golden import Golden, golden_cases
from tests.language.reference.cases import same


def answered(golden: Golden, database: object) -> object:
    told = golden.input
    try:
        asked = query(str(told["query"]), told.get("definitions", {}))  # type: ignore[arg-type]
    except InvalidQuery:
        return {"error": {}}
    database.load(told["profiles"], told["events"])  # type: ignore[attr-defined]
    return said(database, asked, str(told["as_of"]))  # type: ignore[arg-type]


@pytest.mark.parametrize("engine", ["sqlite", "postgresql", "duckdb"])
def test_every_golden_case_has_its_answer(engine: str, request: pytest.FixtureRequest) -> None:
    with opened(engine, request) as database:
        wrong = [
            f"{golden.rule}: {golden.input['query']} says {got}, not {golden.output}"
            for golden in golden_cases()
            if not same(got := answered(golden, database), golden.output)
        ]
    assert not wrong, "\n".join(wrong)
