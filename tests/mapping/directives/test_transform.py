"""``@transform``."""

from __future__ import annotations

import pytest

from sync.errors import InvalidEvent, InvalidMapping
from tests.mapping.made import made

EVENT = {"user": "u", "list": [{"id": 1}], "o": {"x": {"y": "z"}}, "odd": [1]}


@pytest.mark.parametrize(
    ("apply", "mapping", "output"),
    [
        ({"foo": {"@path": "$.user"}}, {"out": {"@path": "$.foo"}}, {"out": "u"}),
        ({"foo": 1}, {"out": {"@path": "$.user"}}, {}),
        ({"@path": "$.o"}, {"out": {"@path": "$.x.y"}}, {"out": "z"}),
        ({"@path": "$.none"}, {"out": {"@path": "$.x"}}, {}),
        ({"@path": "$.none"}, {"out": {"@template": "{{.}}"}}, {"out": "[object Object]"}),
        ({"l": {"@arrayPath": ["$.list", {"i": {"@path": "$.id"}}]}}, {"first": {"@path": "$.l[0].i"}}, {"first": 1}),
        ({"l": [{"@path": "$.none"}]}, {"n": {"@path": "$.l.length"}, "i": {"@path": "$.l[0]"}}, {"n": 1}),
        ({"o": {"gone": {"@path": "$.none"}}}, {"all": {"@path": ""}}, {"all": {"o": {}}}),
        ({"l": [{"@path": "$.none"}]}, {"all": {"@path": ""}}, {"all": {"l": [None]}}),
    ],
)
def test_a_mapping_on_what_another_made(apply: object, mapping: object, output: object) -> None:
    assert made({"@transform": {"apply": apply, "mapping": mapping}}, EVENT) == output


def test_an_apply_may_be_turned_inside_out_where_nothing_is_checked() -> None:
    root = {"@transform": {"apply": {"a": {"@path": "$.user"}}}}
    apply = {"__segment_internal_directive": root, "b": {"@path": "$.a"}}
    assert made([{"@transform": {"apply": apply, "mapping": {"c": {"@path": "$.b"}}}}], EVENT) == [{"c": "u"}]


def test_in_a_shape_it_needs_items_that_are_objects() -> None:
    shape = {"@transform": {"apply": {"a": {"@path": "$.id"}}, "mapping": {"b": {"@path": "$.a"}}}}
    assert made({"@arrayPath": ["$.list", shape]}, EVENT) == [{"b": 1}]
    with pytest.raises(InvalidEvent, match="needs an object"):
        made({"@arrayPath": ["$.odd", shape]}, EVENT)


@pytest.mark.parametrize(
    "argument",
    [
        "x",
        {"mapping": {}},
        {"apply": {}},
        {"apply": [1], "mapping": {}},
        {"apply": {}, "mapping": "x"},
        {"apply": {"a": {"@nope": 1}}, "mapping": {}},
        {"apply": {}, "mapping": {"a": {"@nope": 1}}},
        {"apply": {"__segment_internal_directive": {}}, "mapping": {}},
    ],
)
def test_a_wrong_argument_is_found_at_load(argument: object) -> None:
    with pytest.raises(InvalidMapping):
        made({"@transform": argument}, EVENT)


def test_an_apply_is_checked_even_where_nothing_else_is() -> None:
    fine = {"mapping": {"b": 1}}
    with pytest.raises(InvalidMapping):
        made([{"@transform": {"apply": {"a": {"@path": "$.x", "b": 1}}, **fine}}], EVENT)
