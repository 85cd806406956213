"""Whatever the mapping and the event: only the declared errors, the same result each time, and nothing is changed."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sync.errors import InvalidEvent, InvalidMapping
from sync.mapping.compiler import CompiledMapping, compile_mapping
from sync.mapping.directives import DIRECTIVES
from sync.mapping.values import DEEPEST, MISSING

PLAIN = ["a", "b", "traits", "0", "7", "", "a.b", "it's", "é😀"]
KEYS = st.sampled_from([*PLAIN, *PLAIN, *PLAIN, "@path", "@nope", "_metadata"])
PATHS = st.sampled_from(["$.a", "a.b", "$.traits.a[0]", "", ".", "$.", "a['b']", "b.length", "a.0.0", "b.0", "'", "$"])
TEMPLATES = st.lists(
    st.sampled_from(["{{a}}", "{{{a}}}", "{{", "}}", "{", "}", "{{ }}", "{{a.b}}", "text", " ", "{{{b}}", "$&"]),
    max_size=6,
).map("".join)
LIQUID = st.lists(
    st.sampled_from(
        [
            *("{{ a }}", "{{ a | plus: b }}", "{{ b | date: a }}", "{{ a | split: b | join: b | size }}", "{{ a[b] }}"),
            *("{% if a > b %}", "{% else %}", "{% endif %}", "{% assign a = b %}", "{% cycle a, b %}", "{{", "%}"),
            *("{{ a | slice: b, a }}", "{{ a | truncate: b }}", "{{ a | where: b | json }}", "{{ a | round: b }}"),
        ]
    ),
    max_size=4,
).map("".join)
SCALARS = st.one_of(
    st.sampled_from([None, True, False, 0, 1, -1, 2.5, 1e21, 10**25, float("inf"), "2024-05-17T10:11:12Z", "9" * 5000]),
    st.integers(-(10**25), 10**25),
    st.floats(allow_nan=False),
    st.text(max_size=8),
    PATHS,
    TEMPLATES,
)
OPERATORS = st.sampled_from(["lower", "upper", "lower", "upper", "Lower", ""])
MODES = st.sampled_from(["encode", "decode", "encode", "decode", "ENCODE", "x"])
DIRECTIONS = st.sampled_from(["left", "right", "left", "right", "LEFT", ""])
SHORT = st.sampled_from(["a", "{", "é", "$&$`$'", "_", ".", "aa", "x", "", "12345678901"])
FLAGS = st.sampled_from([True, False, True, False, None, "true"])

MEMBERS: dict[str, dict[str, object]] = {
    "@if": {"exists": "value", "blank": "value", "then": "value", "else": "value"},
    "@case": {"operator": OPERATORS, "value": "value"},
    "@json": {"mode": MODES, "value": "value"},
    "@flatten": {"separator": SHORT, "value": "value", "omitArrays": FLAGS},
    "@merge": {"objects": "values", "direction": DIRECTIONS},
    "@transform": {"apply": "value", "mapping": "value"},
    "@replace": {
        "pattern": SHORT,
        "replacement": SHORT,
        "pattern2": SHORT,
        "replacement2": SHORT,
        "value": "value",
        "ignorecase": FLAGS,
        "global": FLAGS,
    },
}
TEXTS = {"@path": PATHS, "@template": TEMPLATES, "@liquid": LIQUID}

Draw = Callable[[st.SearchStrategy[Any]], Any]


def some_json(draw: Draw, levels: int) -> object:
    """Any JSON, not too much of it."""
    shape = draw(st.sampled_from("olsss")) if levels else "s"
    if shape == "o":
        return {key: some_json(draw, levels - 1) for key in draw(st.lists(KEYS, max_size=4))}
    if shape == "l":
        return [some_json(draw, levels - 1) for _ in range(draw(st.integers(0, 3)))]
    return draw(SCALARS)


def some_value(draw: Draw, levels: int) -> object:
    """A part of a mapping as people write it, and now and then as they should not."""
    shape = draw(st.sampled_from("dddddddolsx")) if levels else "p"
    match shape:
        case "d":
            return some_directive(draw, levels)
        case "o":
            return {key: some_value(draw, levels - 1) for key in draw(st.lists(KEYS, max_size=3))}
        case "l":
            return [some_value(draw, levels - 1) for _ in range(draw(st.integers(0, 3)))]
        case "x":
            root = some_directive(draw, levels)
            return {"__segment_internal_directive": root, draw(KEYS): some_value(draw, levels - 1)}
        case "p":
            return {"@path": draw(PATHS)} if draw(st.booleans()) else draw(SCALARS)
    return draw(SCALARS)


def some_directive(draw: Draw, levels: int) -> dict[str, object]:
    name = draw(st.sampled_from(sorted(DIRECTIVES)))
    if draw(st.integers(0, 9)) == 0:
        return {name: some_value(draw, levels - 1)}
    if name in TEXTS:
        return {name: draw(TEXTS[name])}
    if name == "@arrayPath":
        return {name: [draw(PATHS), some_value(draw, levels - 1)]}
    if name not in MEMBERS:
        return {name: some_value(draw, levels - 1)}
    left_out = draw(st.sampled_from([*MEMBERS[name], *[None] * 9]))
    return {name: {key: member(draw, what, levels) for key, what in MEMBERS[name].items() if key != left_out}}


def member(draw: Draw, what: object, levels: int) -> object:
    if what == "values":
        return [some_value(draw, levels - 1) for _ in range(draw(st.integers(0, 3)))]
    return some_value(draw, levels - 1) if what == "value" else draw(what)


@st.composite
def any_json(draw: Draw) -> object:
    return some_json(draw, 3)


@st.composite
def events(draw: Draw) -> dict[str, object]:
    return {key: some_json(draw, 3) for key in ["a", "b", *draw(st.lists(KEYS, max_size=2))]}


@st.composite
def mappings(draw: Draw) -> object:
    if draw(st.integers(0, 9)) == 0:
        return some_value(draw, 3)
    return {key: some_value(draw, 3) for key in draw(st.lists(KEYS, min_size=1, max_size=2))}


def compiled(mapping: object) -> CompiledMapping | None:
    """The mapping, or ``None`` when it is refused as it should be."""
    try:
        return compile_mapping(mapping)
    except InvalidMapping:
        return None


def outcome(made: CompiledMapping, event: object) -> object:
    """What comes of it: the output in a list, or why there is none."""
    try:
        return [made(event)]
    except InvalidEvent as invalid:
        return str(invalid)


@settings(max_examples=200, deadline=None)
@given(mapping=mappings(), event=events() | any_json())
def test_only_declared_errors_the_same_result_and_nothing_changed(mapping: object, event: object) -> None:
    before = copy.deepcopy((mapping, event))
    made = compiled(mapping)
    if made is not None:
        first = outcome(made, event)
        assert outcome(made, event) == first
        again = compiled(mapping)
        assert again is not None
        assert outcome(again, copy.deepcopy(event)) == first
        assert again.paths == made.paths
    assert repr((mapping, event)) == repr(before)


@settings(max_examples=200, deadline=None)
@given(mapping=mappings(), event=events())
def test_what_comes_of_it_is_json_without_anything_missing(mapping: object, event: dict[str, object]) -> None:
    made = compiled(mapping)
    if made is None:
        return
    try:
        waiting = [made(event)]
    except InvalidEvent:
        return
    while waiting:
        value = waiting.pop()
        assert value is not MISSING
        assert value is None or isinstance(value, (bool, int, float, str, list, dict))
        waiting.extend(value.values() if isinstance(value, dict) else value if isinstance(value, list) else ())


@settings(max_examples=50, deadline=None)
@given(event=events())
def test_every_directive_is_tried_with_every_kind_of_argument(event: dict[str, object]) -> None:
    for name in DIRECTIVES:
        for argument in (None, 0, "", "x", [], ["a"], {}, {"value": {"@path": "$.a"}}, {"@path": "$.a"}):
            for mapping in ({"v": {name: argument}}, {"v": [{name: argument}]}):
                made = compiled(mapping)
                if made is not None:
                    outcome(made, event)


DEEP_READERS = [
    {"@path": "$.a"},
    {"@template": "{{a}}"},
    {"@liquid": "{{ a }}{{ a | json }}"},
    {"@json": {"mode": "encode", "value": {"@path": "$.a"}}},
    {"@flatten": {"separator": "_", "value": {"@path": "$.a"}}},
    {"@excludeWhenNull": {"@path": "$.a"}},
    {"@merge": {"objects": [{"x": {"@path": "$.a"}}], "direction": "left"}},
    {"@if": {"blank": {"@path": "$.a"}, "then": 1}},
    {"@case": {"operator": "lower", "value": {"@path": "$.a"}}},
    {"@replace": {"pattern": "a", "value": {"@path": "$.a"}}},
    {"@arrayPath": ["$.a", {"k": {"@path": ""}}]},
    {"@transform": {"apply": {"l": [{"@path": "$.a"}, {"@path": "$.none"}]}, "mapping": {"m": {"@path": "$.l"}}}},
]


def deep(levels: int, *, lists: bool) -> dict[str, object]:
    value: object = "bottom"
    for _ in range(levels):
        value = [value] if lists else {"k": value}
    return {"a": value}


@pytest.mark.parametrize("lists", [True, False])
@pytest.mark.parametrize("value", DEEP_READERS, ids=[next(iter(each)) for each in DEEP_READERS])
def test_an_event_of_ten_thousand_levels_is_mapped_or_refused(value: object, lists: bool) -> None:
    made = compile_mapping({"v": value})
    event = deep(10_000, lists=lists)
    told = outcome(made, event)
    assert isinstance(told, list) or "deep" in str(told) or "filled in" in str(told)


@pytest.mark.parametrize("lists", [True, False])
@pytest.mark.parametrize("value", DEEP_READERS, ids=[next(iter(each)) for each in DEEP_READERS])
def test_an_event_as_deep_as_json_is_written_is_mapped(value: object, lists: bool) -> None:
    event = deep(250, lists=lists)
    assert orjson.dumps(event)
    compile_mapping({"v": value})(event)


def test_how_deep_is_too_deep_does_not_depend_on_the_caller() -> None:
    made = compile_mapping({"v": {"@json": {"mode": "encode", "value": {"@path": "$.a"}}}})
    assert made(deep(DEEPEST, lists=True))
    with pytest.raises(InvalidEvent, match=f"more than {DEEPEST} levels"):
        made(deep(DEEPEST + 1, lists=True))
