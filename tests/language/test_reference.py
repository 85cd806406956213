"""The reference knows the rules by hand-checked cases, and its random cases are worth asking."""

# ruff: noqa: RUF001  (some texts have letters and quotes that look alike)

from __future__ import annotations

from datetime import timedelta
from random import Random

import pytest

from tests.language.golden import Golden, golden_cases
from tests.language.reference.cases import Case, random_case, random_cases, same
from tests.language.reference.evaluate import Data, Refused, evaluate
from tests.language.reference.reading import Unreadable, read
from tests.language.reference.tree import (
    A_DATE_GIVEN,
    A_LIST_GIVEN,
    A_SPAN_GIVEN,
    A_TEXT_GIVEN,
    NOTHING_GIVEN,
    REDUCERS,
    SYMBOLS,
    And,
    Between,
    Check,
    Compare,
    Context,
    Not,
    Or,
    Property,
    Reduced,
    Sources,
    Trait,
    Where,
    Within,
    inside,
)
from tests.language.reference.values import instant, sort_of


def answered(golden: Golden) -> object:
    """What the reference says, an error as the golden cases have it."""
    told = golden.input
    others = {key: read(text) for key, text in told.get("definitions", {}).items()}  # type: ignore[attr-defined]
    data = Data(told["profiles"], told["events"])  # type: ignore[arg-type]
    try:
        return evaluate(read(str(told["query"])), data, str(told["as_of"]), others)
    except Refused:
        return {"error": {}}


@pytest.mark.parametrize("golden", golden_cases(), ids=lambda golden: golden.rule)
def test_the_reference_gives_the_golden_answer(golden: Golden) -> None:
    assert answered(golden) == golden.output


@pytest.fixture(scope="module")
def cases() -> list[Case]:
    """Four hundred over twenty sets of data."""
    return [case for seed in range(20) for case in random_cases(Random(seed), 20)]


def test_a_seed_gives_the_same_case_again() -> None:
    assert random_case(Random(7)) == random_case(Random(7))
    assert random_case(Random(7)) != random_case(Random(8))


def test_what_is_spelled_at_random_reads_as_what_was_meant(cases: list[Case]) -> None:
    for case in cases:
        assert read(case.text) == case.definition, case.text


def test_most_random_cases_have_a_telling_answer(cases: list[Case]) -> None:
    assert sum(case.telling for case in cases) / len(cases) > 0.8


def test_no_random_case_is_longer_than_the_language_allows(cases: list[Case]) -> None:
    assert max(sum(isinstance(part, Compare | Check) for part in inside(case.definition)) for case in cases) <= 50


def test_random_cases_use_every_construct(cases: list[Case]) -> None:
    parts = [part for case in cases for part in inside(case.definition)]
    kinds = {type(part) for part in parts}
    names = {part.comparison for part in parts if isinstance(part, Compare | Check)}
    assert kinds >= {And, Or, Not, Trait, Sources, Where}
    for kind in (Property, Context, Within, Between):
        assert {part.parent for part in parts if isinstance(part, kind)} == {True, False}
    assert names == {*SYMBOLS, *NOTHING_GIVEN, *A_TEXT_GIVEN, *A_DATE_GIVEN, *A_LIST_GIVEN, *A_SPAN_GIVEN}
    assert {part.reducer for part in parts if isinstance(part, Reduced)} == {*REDUCERS, "unique_count"}


def test_random_cases_nest(cases: list[Case]) -> None:
    def streams(node: object) -> int:
        inner = [streams(part) for part in inside(node) if isinstance(part, Reduced) and part is not node]
        return isinstance(node, Reduced) + max(inner, default=0)

    assert max(streams(case.definition) for case in cases) >= 3


def test_random_data_is_as_dirty_as_can_be(cases: list[Case]) -> None:
    events = [event for case in cases for event in case.events]
    prices = [
        event["properties"].get("price", "absent") for event in events if isinstance(event.get("properties"), dict)
    ]  # type: ignore[union-attr]
    codes = [event["properties"].get("code") for event in events if isinstance(event.get("properties"), dict)]  # type: ignore[union-attr]

    assert {sort_of(price) for price in prices} == {"missing", "number", "text", "boolean", "nested"}
    assert {"absent", None} <= {price if isinstance(price, str) else None for price in prices}
    assert {"5", "10"} <= {code for code in codes if isinstance(code, str)}
    assert any(not str(event.get("properties")).isascii() for event in events)
    assert {sort_of(event.get("properties")) for event in events} > {"missing", "nested"}
    assert any(instant(event.get("timestamp")) is None for event in events)


def test_random_data_stands_on_the_edges_to_the_microsecond(cases: list[Case]) -> None:
    edges, together = set(), 0
    for case in cases:
        now = instant(case.as_of)
        assert now is not None
        times = [instant(event.get("timestamp")) for event in case.events]
        spans = {part.span.long for part in inside(case.definition) if isinstance(part, Within) and not part.parent}
        edges |= {(at - now + span) // timedelta(microseconds=1) for at in times for span in spans if at is not None}
        who = [(event.get("userId"), at) for event, at in zip(case.events, times, strict=True)]
        together += len(who) - len(set(who))

    assert {-1, 0, 1} <= edges
    assert together > 100


def test_random_cases_refer_to_other_definitions(cases: list[Case]) -> None:
    named = [part.name in case.others for case in cases for part in inside(case.definition) if isinstance(part, Trait)]
    assert True in named
    assert False in named


@pytest.mark.parametrize(
    ("got", "expected", "agree"),
    [
        (0.1 + 0.2, 0.3, True),
        (1, 1.0, True),
        (1, 1.001, False),
        (True, 1, False),
        ("1", 1, False),
        (None, 0, False),
        ({"members": ["a"]}, {"members": ["a"]}, True),
        ({"members": ["a", "b"]}, {"members": ["a"]}, False),
        ({"a": None}, {}, False),
        (["a", "b"], ["b", "a"], False),
    ],
)
def test_answers_agree_sort_by_sort(got: object, expected: object, agree: bool) -> None:
    assert same(got, expected) is agree


@pytest.mark.parametrize(
    "text",
    ["", "event('x')", "trait('a') = ", "trait('a') = 5 5", "trait('a').eq(5", "event('x).count()", "trait(‘a') = 1"],
)
def test_what_is_not_of_the_language_is_not_read(text: str) -> None:
    with pytest.raises(Unreadable):
        read(text)
