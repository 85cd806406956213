"""The same in a customer's own tables: typed columns, and one event in two tables."""

from __future__ import annotations

from random import Random

import pytest
from sqlalchemy import NullPool, create_engine

from tests.language.compiled import compilable
from tests.language.reference.cases import random_cases, same
from tests.language.reference.evaluate import Data, evaluate
from tests.language.typed import Typed, cleaned
from tests.soak import FULL, SEED

_WORLDS = range(200) if FULL else range(2)


@pytest.mark.soak
@pytest.mark.parametrize("engine", ["sqlite", "postgresql", "duckdb"])
def test_typed_tables_say_what_the_reference_says(engine: str, request: pytest.FixtureRequest) -> None:
    url = {"sqlite": "sqlite://", "duckdb": "duckdb:///:memory:"}.get(engine)
    url = url or request.getfixturevalue("postgresql_url").replace("postgresql:", "postgresql+psycopg:")
    wrong = []
    with create_engine(url, poolclass=NullPool).connect() as connection:
        database = Typed(connection)
        for world in _WORLDS:
            cases = compilable(random_cases(Random(SEED * 100_000 + world), 10))
            data, own = cleaned(Data(cases[0][0].profiles, cases[0][0].events))
            database.load(data, own)
            for case, asked in cases:
                others = {key: other.definition for key, other in case.others.items()}
                expected = evaluate(case.definition, data, case.as_of, others)
                if not same(got := database.answer(asked, case.as_of), expected):
                    wrong.append(f"{case.text}\n  {case.others}\n  the SQL says {got}\n  and not      {expected}")
    assert not wrong, "\n".join(wrong)
