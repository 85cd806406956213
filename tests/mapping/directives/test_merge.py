"""``@merge``."""

from __future__ import annotations

import pytest

from sync.errors import InvalidMapping
from sync.mapping.values import MISSING
from tests.mapping.made import made

EVENT = {"x": {"a": 1, "b": 1}, "y": {"b": 2, "c": None}, "l": ["p", "q"], "s": "hi", "n": 5, "null": None}
NOTHING = {"@path": "$.none"}


def merged(*objects: object, direction: str = "right") -> object:
    return made({"@merge": {"objects": list(objects), "direction": direction}}, EVENT)


def path(key: str) -> dict[str, str]:
    return {"@path": f"$.{key}"}


def test_the_last_wins_or_the_first() -> None:
    assert merged(path("x"), path("y")) == {"a": 1, "b": 2, "c": None}
    assert merged(path("x"), path("y"), direction="left") == {"b": 1, "c": None, "a": 1}
    assert merged(path("x"), path("y"), direction="LEFT") == {"a": 1, "b": 2, "c": None}


def test_null_overwrites() -> None:
    assert merged({"c": 3}, path("y")) == {"b": 2, "c": None}


def test_what_is_no_object_adds_nothing() -> None:
    assert merged(path("n"), path("null"), NOTHING) == {}
    assert merged() == {}


def test_lists_and_texts_count_by_index() -> None:
    assert merged(path("l"), {"1": "r"}) == {"0": "p", "1": "r"}
    assert merged(path("s")) == {"0": "h", "1": "i"}


def test_only_the_first_level_is_merged() -> None:
    assert merged({"o": {"a": 1}}, {"o": {"b": 2}}) == {"o": {"b": 2}}


@pytest.mark.parametrize(
    "wrap",
    [
        lambda each: each,
        lambda each: {"@literal": each},
        lambda each: {"@if": {"exists": 1, "then": each}},
        lambda each: {"@merge": {"objects": [each], "direction": "left"}},
        lambda each: {"@transform": {"apply": {"a": 1}, "mapping": each}},
    ],
)
def test_a_member_that_finds_nothing_overwrites_all_the_same(wrap: object) -> None:
    assert merged(path("x"), wrap({"a": NOTHING})) == {"b": 1}


def test_an_excluded_null_overwrites_all_the_same() -> None:
    assert merged({"c": 3}, {"@excludeWhenNull": path("y")}) == {"b": 2}


def test_holes_deeper_down_are_cleaned() -> None:
    assert merged({"o": {"a": NOTHING, "l": [NOTHING]}}) == {"o": {"l": [None]}}


def test_a_direction_may_be_a_directive_where_nothing_is_checked() -> None:
    argument = {"objects": [path("x"), path("y")], "direction": {"@literal": "left"}}
    assert made([{"@merge": argument}], EVENT) == [{"b": 1, "c": None, "a": 1}]


@pytest.mark.parametrize(
    "argument",
    [
        "x",
        {"objects": []},
        {"direction": "left"},
        {"objects": {}, "direction": "left"},
        {"objects": ["x"], "direction": "left"},
        {"objects": [{"a": {"@nope": 1}}], "direction": "left"},
        {"objects": [], "direction": "up"},
        {"objects": [], "direction": None},
    ],
)
def test_a_wrong_argument_is_found_at_load(argument: object) -> None:
    with pytest.raises(InvalidMapping):
        made({"@merge": argument})


def test_a_merge_of_nothing_but_missing_members_is_empty() -> None:
    assert merged({"a": NOTHING}) == {}
    assert merged({"a": NOTHING}) is not MISSING
