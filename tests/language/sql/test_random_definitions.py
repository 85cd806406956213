"""Random definitions over random dirty data: the compiled SQL says what the reference says, which shares nothing with it.

Three thousand cases, always the same; a hundred thousand others by ``make soak``. ``make differential`` compares as many
as one likes, and makes a disagreement small.
"""

from __future__ import annotations

import pytest

from tests.language.differential import DEFINITIONS, WORLDS, compare, place
from tests.soak import FULL, SEED

_CHUNKS = range(1_000 if FULL else 30)


@pytest.mark.soak
@pytest.mark.parametrize("chunk", _CHUNKS, ids=lambda chunk: f"{chunk}-{place(chunk * WORLDS).engine}")
def test_the_sql_says_what_the_reference_says(chunk: int, postgresql_url: str) -> None:
    compared, wrong = compare(SEED, range(chunk * WORLDS, (chunk + 1) * WORLDS), postgresql_url)

    assert not wrong, "\n".join(map(str, wrong))
    assert compared >= 0.95 * WORLDS * DEFINITIONS


def test_three_thousand_cases_are_compared_on_every_engine_in_documents_and_in_columns() -> None:
    places = [place(world) for chunk in _CHUNKS for world in range(chunk * WORLDS, (chunk + 1) * WORLDS)]
    shares = {each: places.count(each) * DEFINITIONS for each in places}

    assert sum(shares.values()) * 0.97 >= 3_000
    assert {(each.engine, each.layout) for each in shares} == {
        (engine, layout) for engine in ("sqlite", "postgresql", "duckdb") for layout in ("documents", "columns")
    }
    assert min(shares.values()) >= 100
