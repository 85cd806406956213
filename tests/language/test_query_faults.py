"""A wrong definition is refused at the line and column where it goes wrong, and is told what to write instead."""

# ruff: noqa: RUF001 -- typographic quotes are the subject

from __future__ import annotations

import pytest

from sync.errors import InvalidQuery
from sync.language import parse
from sync.model.definition import Kind

# text, line, column, a part of the sentence
AUDIENCES = [
    # signs that stand where they cannot
    ("", 1, 1, "empty: write for example"),
    (" \n ", 1, 1, "empty"),
    ("event('A').count() >= ", 1, 22, "write what to compare with behind `>=`"),
    ("event('A').count() >= 1 AND", 1, 28, "found the end where `event('…')`, `trait('…')`"),
    ("event('A').count() >= 1 trait('x') = 1", 1, 25, "found `trait` where `AND`, `OR` or the end could stand"),
    ("event('A')count() >= 1", 1, 11, "put a dot before `count`"),
    ("event('A').count >= 1", 1, 18, "`count()`, with parentheses"),
    ("event('A').count() >= 1)", 1, 24, "there is no `(` that it closes"),
    ("(event('A').count() >= 1", 1, 25, "the `(` in line 1, column 1 waits for its `)`"),
    ("trait('x').one_of(['a', 'b')", 1, 28, "the `[` in line 1, column 19 waits for its `]`"),
    ("trait('x').one_of(['a' 'b'])", 1, 24, "found `'b'` where `,` or `]` could stand"),
    ("event('A').within(parent 5 days).count() >= 1", 1, 26, "found `5`"),
    ("trait('x') = 1,000", 1, 15, "`1000`"),
    ("trait('a') = 1, trait('b') = 1", 1, 15, "join conditions by `AND` or `OR`"),
    ("1 < trait('x') < 5", 1, 16, "join two comparisons by `AND`"),
    ("trait('x') > = 5", 1, 14, "without a blank inside: `>=`"),
    ("trait('x') = 1 && trait('y') = 1", 1, 16, "write `AND`"),
    ("trait('x') = 1\n  || trait('y') = 1", 2, 3, "write `OR`"),
    ("!(trait('x') = 1)", 1, 1, "write `NOT`"),
    ("trait('x') = 1;", 1, 15, "leave the `;` out"),
    ("trait('x') = 1 -- big", 1, 16, "comment"),
    ("trait('x') ≥ 1", 1, 12, "write `>=`"),
    ("trait(`x`) = 1", 1, 7, "write `'…'`"),
    ("trait('x) = 1", 1, 7, "no closing quote"),
    ("trait(‘x) = 1", 1, 7, "no closing `’`"),
    ("event('Mother's Day').count() = 1", 1, 15, r"a quote inside a text is written with a backslash, `\'`"),
    (r"trait('a\n') = 1", 1, 9, "before a quote or a backslash"),
    ("trait('a\0') = 1", 1, 9, "belongs to no text"),
    ("trait('x') = 1 AND\ntrait('\ud800') = 1", 2, 8, "belongs to no text"),
    # names
    ("evnt('A').count() = 1", 1, 1, "did you mean `event('Order Completed')`?"),
    ("event('A').cuont() = 1", 1, 12, "did you mean `count()`?"),
    ("event('A').average(property('b')) = 1", 1, 12, "did you mean `avg(property('price'))`?"),
    ("trait('x').startsWith('a')", 1, 12, "did you mean `starts_with('shoes')`?"),
    ("trait('x').exists()", 1, 12, "did you mean `is_set()`?"),
    ("foo('x') = 1", 1, 1, "here could stand `event`, `trait`, `property`, `context` or `literal`"),
    ("count() >= 1", 1, 1, "write `event('Order Completed').count()`"),
    ("is_set()", 1, 1, "write `trait('total_spend').is_set()`"),
    ("event(Shoes).count() >= 1", 1, 7, "write a text as `'Shoes'`"),
    ("event = 1", 1, 1, "`event` needs parentheses"),
    ("trait('x') = null", 1, 14, "write `.is_null()`"),
    # what may follow what
    ("event('A') >= 1", 1, 12, "or a reducer (count, sum"),
    ("event('A').contains('x')", 1, 12, "after events stands a filter"),
    ("event('A').count().within(7 days) >= 1", 1, 20, "after a value stands a comparison"),
    ("trait('x').count() >= 1", 1, 12, "after a value stands a comparison"),
    ("trait('x').is_set().is_null()", 1, 21, "joined to others by `AND` or `OR`"),
    ("(trait('x') = 1) = true", 1, 18, "joined to others by `AND` or `OR`"),
    ("literal(5).eq(5)", 1, 12, "nothing follows a literal"),
    ("5 < trait('x')", 1, 1, "turn it round"),
    ("event('A').unique(property('b')) = 'x'", 1, 34, "can only be counted"),
    ("trait('x') = event('A').unique(property('b'))", 1, 46, "can only be counted"),
    ("event('A').unique(property('b')).contains('x')", 1, 34, "can only be counted"),
    ("trait('x') <> 1", 1, 12, "write `!=`"),
    ("trait('x') => 1", 1, 12, "write `>=`"),
    ("trait('x') === 1", 1, 12, "write `=`"),
    ("trait('x') = (trait('y') = 1)", 1, 14, "a value must stand here"),
    # what an audience ends in
    ("event('A').within(7 days)", 1, 26, "found the end where a reducer and a comparison must stand"),
    ("event('A').count()", 1, 19, "found the end where a comparison must stand"),
    ("event('A').count() AND trait('x') = 1", 1, 20, "found `AND` where a comparison must stand"),
    ("NOT (trait('vip'))", 1, 19, "or `= true` for an audience"),
    ("trait('x') = 1 OR 'y'", 1, 19, "does not begin with a literal"),
    ("event('A').where(property('x')).count() = 1", 1, 31, "found `)` where a comparison must stand"),
    # arguments
    ("event().count() = 1", 1, 7, "write `event('Order Completed')`"),
    ("event('A', 'B').count() = 1", 1, 12, "takes one argument"),
    ("event('').count() = 1", 1, 7, "name is empty"),
    ("event(5).count() = 1", 1, 7, "a text in quotes must stand here"),
    ("event('A').count(property('x')) = 1", 1, 18, "takes no argument"),
    ("event('A').sum('spend') = 1", 1, 16, "write `sum(property('price'))`"),
    ("event('A').sum(trait('spend')) = 1", 1, 16, "of its events"),
    ("event('A').mode(property('x')) = 1", 1, 30, "write `mode(property('brand'), 2)`"),
    ("event('A').mode(property('x'), 0) = 1", 1, 32, "at least 1"),
    ("event('A').sources(include: ['x']).count() = 1", 1, 20, "write `sources(exclude: ['source-id'])`"),
    ("event('A').sources(exclude: 'x').count() = 1", 1, 29, "a list in brackets"),
    ("trait('x').one_of('a', 'b')", 1, 24, "put the values in brackets"),
    ("trait('x').contains(['a'])", 1, 21, "takes one text"),
    ("trait('x').contains(5)", 1, 21, "a text in quotes"),
    ("trait('x') = ['a']", 1, 14, "only where a function asks for one"),
    ("event('A').within(7).count() = 1", 1, 19, "write `7 days`"),
    ("event('A').within('7 days').count() = 1", 1, 19, "write `within(7 days)`"),
    ("event('A').within(2 weeks).count() = 1", 1, 21, "write `14 days`"),
    ("event('A').within(30 minutes).count() = 1", 1, 22, "write `hours` or `days`"),
    ("event('A').within(1.5 days).count() = 1", 1, 19, "whole number"),
    ("event('A').within(0 days).count() = 1", 1, 19, "at least 1"),
    ("event('A').within(40000 days).count() = 1", 1, 19, "at most 36500 days"),
    ("event('A').within({7} {8}).count() = 1", 1, 23, "write `7 days`"),
    ("event('A').within(parent: {1 day, 2 days}).count() = 1", 1, 27, "must hold one value, that of `parent:`"),
    ("event('A').within().count() = 1", 1, 19, "found `)` where an argument is missing: write `within(7 days)`"),
    ("event('A').between().count() = 1", 1, 20, "2 arguments are missing"),
    ("event('A').within(7 days, 8 days).count() = 1", 1, 27, "takes one argument"),
    ("event('A').within(children: 7 days).count() = 1", 1, 19, "or `parent:` in a funnel"),
    ("event('A').where(x: 1).count() = 1", 1, 18, "there is no `x:` here"),
    ("event('A').between(10 days, 7 days).count() = 1", 1, 29, "as in `between(7 days, 10 days)`"),
    ("event('A').between(24 hours, 1 day).count() = 1", 1, 30, "longer than the first"),
    ("trait('x').before_date('7 December 2023')", 1, 24, "write `before_date('2023-12-07T18:50:00Z')`"),
    ("trait('x').after_date('2023-13-07')", 1, 23, "ISO 8601"),
    ("trait('x').after_date('0001-01-01T00:00:00+14:00')", 1, 23, "ISO 8601"),
    ("trait('x') = 1e999", 1, 14, "too large"),
    ("trait('x') = 9223372036854775808", 1, 14, "64 bits"),
    # where things may stand
    ("property('x') = 1", 1, 1, "only inside `where(…)` or a reducer"),
    ("trait('x') = 1 AND\n  context('page.url') = 'x'", 2, 3, "only inside `where(…)` or a reducer"),
    ("event('A').within(parent: 5 days).count() = 1", 1, 19, "there is no parent event here"),
    ("event('A').where(property(parent: 'x') = 1).count() = 1", 1, 27, "there is no parent event here"),
    ("event('A').where(event('B').sum(property(parent: 'x')) = 1).count() = 1", 1, 42, "leave this out"),
    # account level
    ("ALL (event('Shoes Bought').count() >= 1 AND trait('total_spend') > 200)", 1, 1, "which user belongs to which"),
    ("all not event('Shoes Bought').count() >= 1", 1, 1, "leave it out to ask about single users"),
    ("trait('x') = 1 AND\nANY event('Shoes Bought').count() >= 1", 2, 1, "`ANY` asks about all users of an account"),
    # limits
    (" OR ".join(["trait('x') = 1"] * 51), 1, 50 * 18 + 1, "more than 50 expressions"),
    ("(" * 51 + "trait('x') = 1" + ")" * 51, 1, 51, "deeper than 50 levels"),
    ("NOT " * 51 + "trait('x') = 1", 1, 201, "deeper than 50 levels"),
    (
        "event('A')\n  .where(" * 6 + "property('x') = 1" + ").count() > 0" * 6,
        7,
        4,
        "the 6th `where` inside one another, and 5 are the most",
    ),
]
TRAITS = [
    ("event('A').count() >= 1", 1, 20, "make it an audience"),
    ("event('A').count().gte(1)", 1, 20, "make it an audience"),
    ("(event('A').count() >= 1\n OR trait('x') = 1)", 2, 2, "make it an audience"),
    ("event('A').within(7 days)", 1, 26, "a reducer must stand"),
    ("5", 1, 1, "the same for everybody"),
    ("property('x')", 1, 1, "only inside `where(…)` or a reducer"),
    ("event('A').mode(property('x'), 1.5)", 1, 32, "a whole number"),
]


@pytest.mark.parametrize(("text", "line", "column", "said"), AUDIENCES)
def test_a_wrong_audience_is_refused_where_it_goes_wrong(text: str, line: int, column: int, said: str) -> None:
    with pytest.raises(InvalidQuery) as refused:
        parse(text, Kind.AUDIENCE)

    assert (refused.value.line, refused.value.column) == (line, column)
    assert said in refused.value.sentence
    assert str(refused.value) == f"line {line}, column {column}: {refused.value.sentence}"


@pytest.mark.parametrize(("text", "line", "column", "said"), TRAITS)
def test_a_wrong_trait_is_refused_where_it_goes_wrong(text: str, line: int, column: int, said: str) -> None:
    with pytest.raises(InvalidQuery) as refused:
        parse(text, Kind.TRAIT)

    assert (refused.value.line, refused.value.column) == (line, column)
    assert said in refused.value.sentence


def test_a_sentence_repeats_little_of_a_query_and_nothing_that_a_terminal_obeys() -> None:
    with pytest.raises(InvalidQuery) as refused:
        parse("trait('x') = 1 'long\x1b[31m" + "x" * 200 + "'", Kind.AUDIENCE)

    assert refused.value.sentence.isprintable()
    assert len(refused.value.sentence) < 200


@pytest.mark.parametrize("opened", ["(", "NOT ", "event('A').where(", "trait('x') = (", "literal(", "[", "event({"])
def test_however_deep_a_query_is_it_is_refused_with_a_sentence(opened: str) -> None:
    with pytest.raises(InvalidQuery):
        parse(opened * 5_000, Kind.AUDIENCE)
    with pytest.raises(InvalidQuery):
        parse(opened * 1_000 + "trait('x') = 1" + ")" * opened.count("(") * 1_000, Kind.AUDIENCE)


def test_a_query_has_an_end() -> None:
    with pytest.raises(InvalidQuery, match="longer than 100,000 characters"):
        parse("trait('x') = '" + "x" * 100_000 + "'", Kind.AUDIENCE)


@pytest.mark.parametrize("reads", ["trait('{}') = 1", "event('Bought').where(property('{}') = 1).count() >= 1"])
def test_a_name_has_a_limited_number_of_dots(reads: str) -> None:
    parse(reads.format(".".join("a" * 51)), Kind.AUDIENCE)
    with pytest.raises(InvalidQuery, match="steps into more than 50 objects"):
        parse(reads.format(".".join("a" * 52)), Kind.AUDIENCE)
