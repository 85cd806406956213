"""``@flatten``."""

from __future__ import annotations

import pytest

from sync.errors import InvalidEvent, InvalidMapping
from sync.mapping.values import LONGEST_TEXT
from tests.mapping.made import made


def flat(value: object, separator: str = "_", **more: object) -> object:
    return made({"@flatten": {"separator": separator, "value": {"@path": "$.x"}, **more}}, {"x": value})


@pytest.mark.parametrize(
    ("value", "output"),
    [
        ({"a": 1, "b": {"c": 2, "d": {"e": None}}}, {"a": 1, "b_c": 2, "b_d_e": None}),
        ({"l": [1, {"z": 2}, []], "o": {}}, {"l_0": 1, "l_1_z": 2}),
        ([5, [6]], {"0": 5, "1_0": 6}),
        ({"a_b": 1, "a": {"b": 2}}, {"a_b": 2}),
        ({"": {"a": 1, "": 2}, "b": {"": 3}}, {"a": 1, "": 2, "b_": 3}),
        ({"2": {"1": "x"}, "2_1": "y"}, {"2_1": "y"}),
        ({"2_1": "y", "2": {"1": "x"}}, {"2_1": "y"}),
        ("scalar", {"": "scalar"}),
        (None, {"": None}),
        ({}, {}),
    ],
)
def test_nested_objects_become_one(value: object, output: object) -> None:
    assert flat(value) == output


def test_a_missing_value_makes_an_empty_object() -> None:
    assert made({"@flatten": {"separator": "_", "value": {"@path": "$.none"}}}) == {}


@pytest.mark.parametrize("kept", [True, "no", 1, [], {}])
def test_lists_are_kept_whole(kept: object) -> None:
    assert flat({"a": {"l": [1, {"b": 2}], "e": []}}, omitArrays=kept) == {"a_l": [1, {"b": 2}], "a_e": []}
    assert flat([1], omitArrays=kept) == {"": [1]}


@pytest.mark.parametrize("kept", [False, 0, "", None])
def test_lists_go_by_index(kept: object) -> None:
    assert flat([1], omitArrays=kept) == {"0": 1}


def test_what_is_missing_takes_away_what_had_its_key() -> None:
    value = {"a_b": 1, "a": {"b": {"@path": "$.none"}}, "l": [{"@path": "$.none"}, 2]}
    assert made({"@flatten": {"separator": "_", "value": value}}) == {"l_1": 2}


@pytest.mark.parametrize(
    "argument",
    ["x", {"value": {}}, {"separator": "", "value": {}}, {"separator": "_"}, {"separator": 1, "value": {}}],
)
def test_a_wrong_argument_is_found_at_load(argument: object) -> None:
    with pytest.raises(InvalidMapping):
        made({"@flatten": argument})


@pytest.mark.timeout(20)
def test_keys_do_not_grow_without_end() -> None:
    value: object = dict.fromkeys(map(str, range(20_000)), 1)
    for _ in range(100):
        value = {"key": value}
    with pytest.raises(InvalidEvent, match=f"beyond {LONGEST_TEXT}"):
        flat(value)
