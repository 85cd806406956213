"""How far back a query looks: that long, and no longer, its events are needed."""

from __future__ import annotations

import math

import pytest

from sync.language import parse
from sync.language.memory import lookback
from sync.model.definition import Kind

DAY = 86_400.0


@pytest.mark.parametrize(
    ("query", "days"),
    [
        ("event('A').within(30 days).count() >= 1", 30),
        ("event('A').within(36 hours).count() >= 1", 1.5),
        ("event('A').between(7 days, 14 days).count() >= 1", 14),
        ("event('A').within(30 days).between(7 days, 14 days).count() >= 1", 14),
        ("event('A').within(7 days).count() >= 1 OR NOT event('B').within(90 days).count() >= 1", 90),
        ("event('A').count() >= 1", math.inf),
        ("event('A').within(7 days).count() >= 1 AND event('B').count() >= 1", math.inf),
        ("event('A').where(event('B').within(parent: 5 days).count() >= 1).within(30 days).count() >= 1", 30),
        ("event('A').where(event('B').within(parent: 5 days).count() >= 1).count() >= 1", math.inf),
        ("event('A').where(event('B').count() >= 1).within(30 days).count() >= 1", math.inf),
        ("trait('country') = 'NO'", 0),
    ],
)
def test_a_query_looks_as_far_back_as_its_widest_window(query: str, days: float) -> None:
    assert lookback(parse(query, Kind.AUDIENCE)) == days * DAY
