from __future__ import annotations

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.errors import InvalidSubscription
from sync.mapping.trigger import Trigger, compile_trigger

FIELDS = ["type", "event", "name", "userId", "properties.a", "traits.a.b", "context.\\ x", "properties", "foo", "Type"]
OPERATORS = ["=", "!=", "<", "<=", ">", ">=", "contains", "exists", "=="]
VALUES = [
    '"a"',
    '""',
    "5",
    "-1.5",
    ".5",
    "1e2",
    "true",
    "false",
    "null",
    "Foo",
    "'a'",
    "nu",
    '"a*"',
    '"*\N{GRINNING FACE}"',
]

comparisons = st.builds("{} {} {}".format, *map(st.sampled_from, (FIELDS, OPERATORS, VALUES)))
calls = st.builds("{}({}, {})".format, *map(st.sampled_from, (["contains", "!match", "match"], FIELDS, VALUES)))
expressions = st.recursive(
    comparisons | calls,
    lambda inner: st.builds(
        lambda join, parts: "(" + f" {join} ".join(parts) + ")",
        st.sampled_from(["and", "or", "AND", ","]),
        st.lists(inner, min_size=1, max_size=3),
    ),
    max_leaves=8,
)
scraps = st.lists(
    st.sampled_from(
        [*FIELDS, *OPERATORS, *VALUES, "and", "or", "not", "!", "(", ")", ",", ".", "[", "contains(", "match("]
    )
    | st.text(max_size=3),
    max_size=12,
)
texts = st.text() | expressions | scraps.map(" ".join) | scraps.map("".join)

json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "b", " x", "properties"]), inner),
    max_leaves=10,
)
members = st.sampled_from(["type", "event", "name", "userId", "properties", "traits", "context"])
events = json | st.dictionaries(members, json)


def trigger_or_fault(text: str, *, tolerant: bool) -> Trigger | InvalidSubscription:
    try:
        return compile_trigger(text, tolerant=tolerant)
    except InvalidSubscription as fault:
        return fault


@given(texts, st.booleans())
def test_any_text_is_a_trigger_or_has_a_fault_somewhere_in_it(text: str, tolerant: bool) -> None:
    result = trigger_or_fault(text, tolerant=tolerant)
    if isinstance(result, InvalidSubscription):
        assert 1 <= result.position <= len(text) + 1
        assert result.sentence.isprintable()
    else:
        assert result.text == text
        assert result.fields


@given(expressions, events, st.booleans())
def test_any_event_is_answered_twice_alike_and_left_alone(text: str, event: object, tolerant: bool) -> None:
    trigger = trigger_or_fault(text, tolerant=tolerant)
    if isinstance(trigger, Trigger):
        before = copy.deepcopy(event)
        answer = trigger(event)
        assert answer is trigger(event)
        assert type(answer) is bool
        assert event == before


@given(expressions, events)
def test_what_configuration_takes_means_what_it_means_at_segment(text: str, event: object) -> None:
    strict = trigger_or_fault(text, tolerant=False)
    if isinstance(strict, Trigger):
        assert strict(event) == compile_trigger(text, tolerant=True)(event)


@pytest.mark.parametrize("event", [None, True, 0, 1.5, "", "type", [], [{"type": "track"}], {}, {"properties": None}])
def test_what_is_not_an_object_or_has_nothing_has_no_members(event: object) -> None:
    assert compile_trigger('type != "track"')(event) is True
    assert compile_trigger("properties.a.b.c.d != null")(event) is False


def test_an_event_may_be_of_any_depth() -> None:
    deep: object = "x"
    for _ in range(100_000):
        deep = {"a": [deep]}
    assert compile_trigger("properties.a.\\0.a != null")({"properties": deep}) is True
    assert compile_trigger('properties.a = "x" or contains(properties.a, "x")')({"properties": deep}) is False
