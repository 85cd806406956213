"""``@excludeWhenNull``."""

from __future__ import annotations

import pytest

from sync.mapping.values import MISSING
from tests.mapping.made import made


@pytest.mark.parametrize("value", [0, False, "", [], {}, "x", [None]])
def test_what_is_not_null_passes_through(value: object) -> None:
    assert made({"@excludeWhenNull": {"@path": "$.x"}}, {"x": value}) == value


def test_null_is_missing() -> None:
    assert made({"@excludeWhenNull": {"@path": "$.x"}}, {"x": None}) is MISSING
    assert made({"@excludeWhenNull": None}) is MISSING
    assert made([{"@excludeWhenNull": None}]) == [None]


def test_null_members_go_at_any_depth_but_not_in_lists() -> None:
    event = {"x": {"a": None, "b": {"c": None, "d": 1}, "l": [None, {"e": None}]}}
    assert made({"@excludeWhenNull": {"@path": "$.x"}}, event) == {"b": {"d": 1}, "l": [None, {"e": None}]}
    assert event == {"x": {"a": None, "b": {"c": None, "d": 1}, "l": [None, {"e": None}]}}
