"""Random definitions over random dirty data: the compiled SQL says what the reference says, which shares nothing with it."""

from __future__ import annotations

from random import Random

import pytest

from tests.language.compiled import compilable, differences, opened
from tests.language.reference.cases import random_cases
from tests.soak import FULL, SEED

_WORLDS = 10
_DEFINITIONS = 10
"""Asked of one world: loading it costs more than asking."""

_OF_ALL = range(100) if FULL else range(1)
_OF_SQLITE = range(100, 1000) if FULL else range(1, 3)
"""Each number is a hundred cases."""


def compare(number: int, engine: str, request: pytest.FixtureRequest) -> None:
    wrong = []
    with opened(engine, request) as database:
        for world in range(number * _WORLDS, (number + 1) * _WORLDS):
            cases = random_cases(Random(SEED * 100_000 + world), _DEFINITIONS)
            database.load(cases[0].profiles, cases[0].events)
            wrong += differences(database, compilable(cases))
    assert not wrong, "\n".join(wrong)


@pytest.mark.soak
@pytest.mark.parametrize("engine", ["sqlite", "postgresql", "duckdb"])
@pytest.mark.parametrize("number", _OF_ALL)
def test_every_engine_says_what_the_reference_says(number: int, engine: str, request: pytest.FixtureRequest) -> None:
    compare(number, engine, request)


@pytest.mark.soak
@pytest.mark.parametrize("number", _OF_SQLITE)
def test_sqlite_says_what_the_reference_says(number: int, request: pytest.FixtureRequest) -> None:
    compare(number, "sqlite", request)
