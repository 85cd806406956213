from __future__ import annotations

import pytest

from sync.language import parse
from sync.language.text import written
from sync.model.definition import Kind


@pytest.mark.parametrize(
    ("given", "canonical"),
    [
        ("TRAIT(“x”).EQ( literal(5.0) )", "trait('x') = 5"),
        ("trait('x')=.5".replace(".5", "0.50"), "trait('x') = 0.5"),
        ("not(trait('x').is_set())", "NOT trait('x').is_set()"),
        ("(trait('a')=1 and trait('b')=1) or trait('c')=1", "trait('a') = 1 AND trait('b') = 1 OR trait('c') = 1"),
        ("trait('a')=1 and (trait('b')=1 or trait('c')=1)", "trait('a') = 1 AND (trait('b') = 1 OR trait('c') = 1)"),
        ("not (trait('a')=1 or trait('b')=1)", "NOT (trait('a') = 1 OR trait('b') = 1)"),
        ("trait('x').after_date('2023-12-07T01:30+01:00')", "trait('x').after_date('2023-12-07T00:30:00Z')"),
        (
            "event('A').where({property('b')=true}).within({1} {DAYS}).sources({exclude:['s']}).count()>0",
            "event('A').where(property('b') = true).within(1 day).sources(exclude: ['s']).count() > 0",
        ),
        (
            "event('A').where(event('B').between(parent: 1 hours, 2 days).unique(context('c.d')).count()>1).count()>0",
            "event('A').where(event('B').between(parent: 1 hour, 2 days).unique(context('c.d')).count() > 1).count() > 0",
        ),
    ],
)
def test_a_query_has_one_canonical_text(given: str, canonical: str) -> None:
    assert written(parse(given, Kind.AUDIENCE)) == canonical


def test_a_text_with_quotes_is_escaped() -> None:
    assert written(parse('trait("it\'s \\\\") = 1', Kind.AUDIENCE)) == r"trait('it\'s \\') = 1"
