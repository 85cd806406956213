"""The examples of Segment's reference mean what they say; so does every other function, as the reference writes it."""

# ruff: noqa: RUF001 -- typographic quotes are the subject

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from sync.language import parse
from sync.language.tree import (
    And,
    Between,
    Boolean,
    Comparator,
    Comparison,
    ContainsOne,
    Context,
    DateComparator,
    DateMatch,
    Duration,
    ExcludeSources,
    Filter,
    Not,
    Number,
    OneOf,
    Or,
    Presence,
    Property,
    Query,
    RecencyComparator,
    RecencyMatch,
    Reducer,
    Reduction,
    Stream,
    Text,
    TextComparator,
    TextMatch,
    Trait,
    Unit,
    Where,
    Within,
)
from sync.model.definition import Kind


def days(amount: int) -> Duration:
    return Duration(amount, Unit.DAYS)


def bought(*filters: Filter, name: str = "Shoes Bought", least: int = 1) -> Comparison:
    return Comparison(Reduction(Stream(name, filters), Reducer.COUNT), Comparator.GTE, Number(least))


SPEND = Property("spend")
RETURNED_AFTER = bought(Within(days(5), of_parent=True), name="Shoes Returned")
DEAR = Where(Comparison(Property("price"), Comparator.GTE, Number(100)))
DEARER = Where(And((Comparison(Property("price"), Comparator.GTE, Trait("avg_spend")), RETURNED_AFTER)))
OF_MY_BRAND = Where(
    And(
        (
            Comparison(Property("price"), Comparator.GT, Number(100)),
            Comparison(Property("brand"), Comparator.EQ, Text("My Brand")),
        )
    )
)
BIG = Comparison(Trait("total_spend"), Comparator.GT, Number(200))

AUDIENCES: dict[str, Query] = {
    "event('Shoes Bought').where(property('price') >= 100).within(7 days).count() >= 1": bought(DEAR, Within(days(7))),
    "event(‘Shoes Bought’).where( \nproperty(‘price’) >= trait(‘avg_spend’)\nAND \n"
    "event(‘Shoes Returned’).within(parent: 5 days).count() >= 1 \n).within(30 days).count() >= 1": bought(
        DEARER, Within(days(30))
    ),
    "NOT (event('Shoes Bought').count() >= 1 AND trait('total_spend') > 200)": Not(And((bought(), BIG))),
    "NOT event('Shoes Bought').count() >= 1": Not(bought()),
}
TRAITS: dict[str, Query] = {
    "event('Shoes Bought').within(30 days).avg(property('spend'))": Reduction(
        Stream("Shoes Bought", (Within(days(30)),)), Reducer.AVG, SPEND
    ),
    "event(‘Shoes Bought’).where( property(‘price’) > 100 AND property(“brand”) = ‘My Brand’ ).min(property(‘spend’))": (
        Reduction(Stream("Shoes Bought", (OF_MY_BRAND,)), Reducer.MIN, SPEND)
    ),
    'event("Shoes Bought").within(30 days).first(property("spend"))': Reduction(
        Stream("Shoes Bought", (Within(days(30)),)), Reducer.FIRST, SPEND
    ),
    'event("Shoes Bought").within(30 days).mode(property("spend"), 2)': Reduction(
        Stream("Shoes Bought", (Within(days(30)),)), Reducer.MODE, SPEND, 2
    ),
}

FILTERS: dict[str, Filter] = {
    "where({property('price') >= 100})": DEAR,
    "sources({exclude: ['QgRHeujRJBM9j18yChyC', '/;hSBZDqGDPvXCKHbikPm']})": ExcludeSources(
        ("QgRHeujRJBM9j18yChyC", "/;hSBZDqGDPvXCKHbikPm")
    ),
    "sources(exclude: [])": ExcludeSources(()),
    "within(7 days)": Within(days(7)),
    "within({7} {days})": Within(days(7)),
    "WITHIN(1 Hour)": Within(Duration(1, Unit.HOURS)),
    "between(7 days, 10 days)": Between(days(7), days(10)),
    "between(0 hours, 1 day)": Between(Duration(0, Unit.HOURS), days(1)),
}

X = Trait("x")
COMPARISONS: dict[str, Query] = {
    " = 5": Comparison(X, Comparator.EQ, Number(5)),
    " == 5.0": Comparison(X, Comparator.EQ, Number(5)),
    ".eq(literal(5))": Comparison(X, Comparator.EQ, Number(5)),
    ".neq('a')": Comparison(X, Comparator.NEQ, Text("a")),
    "!='a'": Comparison(X, Comparator.NEQ, Text("a")),
    ".gt(-1.5)": Comparison(X, Comparator.GT, Number(-1.5)),
    " > trait('y')": Comparison(X, Comparator.GT, Trait("y")),
    ".gte({1})": Comparison(X, Comparator.GTE, Number(1)),
    ".lt(1)": Comparison(X, Comparator.LT, Number(1)),
    "<event('Shoes Bought').count()": Comparison(X, Comparator.LT, Reduction(Stream("Shoes Bought"), Reducer.COUNT)),
    ".lte(1)": Comparison(X, Comparator.LTE, Number(1)),
    " <= 1e3": Comparison(X, Comparator.LTE, Number(1000)),
    " = TRUE": Comparison(X, Comparator.EQ, Boolean(value=True)),
    ".is_null()": Presence(X, is_set=False),
    ".is_set()": Presence(X, is_set=True),
    ".contains('shoes')": TextMatch(X, TextComparator.CONTAINS, "shoes"),
    ".omits('shoes')": TextMatch(X, TextComparator.OMITS, "shoes"),
    ".starts_with('total')": TextMatch(X, TextComparator.STARTS_WITH, "total"),
    ".ends_with('total')": TextMatch(X, TextComparator.ENDS_WITH, "total"),
    ".contains_one(['shoes','shirts'])": ContainsOne(X, ("shoes", "shirts")),
    ".one_of(['shoes', 1, false])": OneOf(X, (Text("shoes"), Number(1), Boolean(value=False))),
    ".before_date('2023-12-07T18:50:00Z')": DateMatch(
        X, DateComparator.BEFORE_DATE, datetime(2023, 12, 7, 18, 50, tzinfo=UTC)
    ),
    ".after_date('2023-12-07')": DateMatch(X, DateComparator.AFTER_DATE, datetime(2023, 12, 7, tzinfo=UTC)),
    ".after_date('2023-12-07T01:00:00.5+02:00')": DateMatch(
        X, DateComparator.AFTER_DATE, datetime(2023, 12, 6, 23, 0, 0, 500_000, tzinfo=UTC)
    ),
    ".within_last(7 days)": RecencyMatch(X, RecencyComparator.WITHIN_LAST, days(7)),
    ".within_next(7 days)": RecencyMatch(X, RecencyComparator.WITHIN_NEXT, days(7)),
    ".before_last(7 days)": RecencyMatch(X, RecencyComparator.BEFORE_LAST, days(7)),
    ".after_next(36 hours)": RecencyMatch(X, RecencyComparator.AFTER_NEXT, Duration(36, Unit.HOURS)),
}


@pytest.mark.parametrize("text", AUDIENCES)
def test_an_audience_of_the_reference_means_what_it_says(text: str) -> None:
    assert parse(text, Kind.AUDIENCE) == AUDIENCES[text]


@pytest.mark.parametrize("text", TRAITS)
def test_a_trait_of_the_reference_means_what_it_says(text: str) -> None:
    assert parse(text, Kind.TRAIT) == TRAITS[text]


@pytest.mark.parametrize("text", FILTERS)
def test_every_filter_is_read_as_the_reference_writes_it(text: str) -> None:
    assert parse(f"event('Shoes Bought').{text}.count() >= 1", Kind.AUDIENCE) == bought(FILTERS[text])


@pytest.mark.parametrize("text", COMPARISONS)
def test_every_comparison_is_read_as_a_function_and_as_a_sign(text: str) -> None:
    assert parse("trait('x')" + text, Kind.AUDIENCE) == COMPARISONS[text]


@pytest.mark.parametrize("reducer", ["sum", "avg", "min", "max", "first", "last", "unique"])
def test_every_reducer_reads_a_property_or_the_context_of_its_events(reducer: str) -> None:
    asked = [parse(f"event('A').{reducer}({member}('a.b'))", Kind.TRAIT) for member in ("property", "context")]

    assert asked == [Reduction(Stream("A"), Reducer(reducer), member("a.b")) for member in (Property, Context)]


def test_a_list_can_be_counted() -> None:
    counted = Reduction(Stream("A"), Reducer.COUNT_UNIQUE, Property("b"))

    assert parse("event('A').unique(property('b')).count()", Kind.TRAIT) == counted
    assert parse("event('A').unique(property('b')).count() > 3", Kind.AUDIENCE) == Comparison(
        counted, Comparator.GT, Number(3)
    )


def test_and_binds_tighter_than_or() -> None:
    a, b, c = (Comparison(Trait(name), Comparator.EQ, Number(1)) for name in "abc")

    assert parse("trait('a') = 1 or trait('b') = 1 And trait('c') = 1", Kind.AUDIENCE) == Or((a, And((b, c))))
    assert parse("(trait('a') = 1 OR trait('b') = 1) AND trait('c') = 1", Kind.AUDIENCE) == And((Or((a, b)), c))


def test_a_funnel_reads_the_event_of_the_next_stream_outwards() -> None:
    inner = Where(Comparison(Property("sku"), Comparator.EQ, Property("sku", of_parent=True)))
    after = Between(days(1), days(2), of_parent=True)
    outer = Where(bought(inner, after, name="B"))

    text = (
        "event('A').where(event('B').where(property('sku') = property(parent: 'sku'))"
        ".between(parent: 1 day, {2 days}).count() >= 1).count() >= 1"
    )
    assert parse(text, Kind.AUDIENCE) == bought(outer, name="A")


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (r"'it\'s'", "it's"),
        (r'"it\'s"', "it's"),
        ("'“it”’s'", "“it”’s"),
        ("“it's”", "it's"),
        ("‘it's’", "it's"),
        (r"‘it\’s’", "it’s"),
        (r"'a\\b'", r"a\b"),
        (r"'\\'", "\\"),
        ("'{AND} [1] .count() # é 😀'", "{AND} [1] .count() # é 😀"),
        ("''", ""),
    ],
)
def test_a_text_is_what_stands_between_its_quotes(written: str, meant: str) -> None:
    assert parse(f"trait('x') = {written}", Kind.AUDIENCE) == Comparison(X, Comparator.EQ, Text(meant))


def test_blanks_mean_nothing_even_those_that_a_page_hides() -> None:
    spread = "\ufeff event\u00a0(\t'Shoes Bought'\r\n)\n . within(7\u200bdays ) . count ( ) >= 1 "

    assert parse(spread, Kind.AUDIENCE) == bought(Within(days(7)))


def test_fifty_expressions_are_a_definition() -> None:
    parse(" OR ".join(["trait('x') = 1"] * 50), Kind.AUDIENCE)
    parse("event('A').where(" + " OR ".join(["property('x') = 1"] * 49) + ").count()", Kind.TRAIT)
